//! scaling — a change of `replicas` while several sets are alive is spread over them in proportion (`semantics.md` 3.2).

use super::{Budget, rolling::Resize};

/// A ReplicaSet as far as scaling goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Its object's name.
    pub name: String,
    /// How many pods it was told to have.
    pub replicas: i32,
    /// The wanted number plus surge when it was last sized, 0 if unknown.
    pub sized_for: i32,
}

/// What is to be spread, and over what.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// How many pods are wanted in all.
    pub replicas: i32,
    /// How far it may stray from that; all zero unless the strategy is rolling.
    pub budget: Budget,
    /// The set of the wanted template, if there is one; it may be empty.
    pub new: Option<Share>,
    /// Whether that set alone already satisfies the deployment.
    pub is_new_enough: bool,
    /// All others, oldest first.
    pub old: Vec<Share>,
    /// Whether sets may live side by side.
    pub is_rolling: bool,
}

/// The sizes all sets should have. Sets that keep their size are listed too, because what they were sized for changes.
pub fn decide(scaling: &Scaling) -> Vec<Resize> {
    let resize = |share: &Share, to| Resize {
        set: share.name.clone(),
        to,
    };
    if let Some(only) = only_active(scaling) {
        return vec![resize(only, scaling.replicas)];
    }
    if scaling.is_new_enough {
        return active(&scaling.old).map(|share| resize(share, 0)).collect();
    }
    if scaling.is_rolling {
        proportional(scaling)
    } else {
        vec![]
    }
}

fn active(shares: &[Share]) -> impl Iterator<Item = &Share> {
    shares.iter().filter(|share| share.replicas > 0)
}

// The only set with pods; if none has any, the new one or else the youngest.
fn only_active(scaling: &Scaling) -> Option<&Share> {
    let mut alive: Vec<&Share> = active(&scaling.old).collect();
    alive.extend(scaling.new.iter().filter(|share| share.replicas > 0));
    match alive[..] {
        [] => scaling.new.as_ref().or(scaling.old.last()),
        [only] => Some(only),
        _ => None,
    }
}

fn proportional(scaling: &Scaling) -> Vec<Resize> {
    // Youngest first: of equally large sets the younger one gets more and loses later.
    let mut shares: Vec<&Share> = scaling
        .new
        .iter()
        .chain(scaling.old.iter().rev())
        .filter(|share| share.replicas > 0)
        .collect();
    let allowed = if scaling.replicas > 0 {
        scaling.replicas + scaling.budget.surge
    } else {
        0
    };
    let change = allowed - shares.iter().map(|share| share.replicas).sum::<i32>();
    if change < 0 {
        shares.reverse();
    }
    shares.sort_by_key(|share| -share.replicas);
    let mut left = change;
    let mut sizes = Vec::new();
    for share in &shares {
        let part = match change.signum() {
            1 => fraction(share, scaling).min(left),
            -1 => fraction(share, scaling).max(left),
            _ => 0,
        };
        left -= part;
        sizes.push(share.replicas + part);
    }
    // What rounding left over goes to the largest.
    if let Some(first) = sizes.first_mut() {
        *first = (*first + left).max(0);
    }
    shares
        .iter()
        .zip(sizes)
        .map(|(share, to)| Resize {
            set: share.name.clone(),
            to,
        })
        .collect()
}

fn fraction(share: &Share, scaling: &Scaling) -> i32 {
    if scaling.replicas == 0 {
        return -share.replicas;
    }
    let before = if share.sized_for > 0 {
        share.sized_for
    } else {
        scaling.replicas
    };
    let now = scaling.replicas + scaling.budget.surge;
    let size = f64::from(share.replicas) * f64::from(now) / f64::from(before);
    // Shares are pods of one deployment: far below any limit of i32.
    size.round() as i32 - share.replicas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share((name, replicas): (&str, i32), sized_for: i32) -> Share {
        Share {
            name: name.into(),
            replicas,
            sized_for,
        }
    }

    fn spread(
        replicas: i32,
        surge: i32,
        sized_for: i32,
        new: i32,
        old: &[(&str, i32)],
    ) -> Vec<(String, i32)> {
        let scaling = Scaling {
            replicas,
            budget: Budget {
                surge,
                unavailable: 0,
            },
            new: Some(share(("new", new), sized_for)),
            is_new_enough: false,
            old: old.iter().map(|o| share(*o, sized_for)).collect(),
            is_rolling: true,
        };
        decide(&scaling)
            .into_iter()
            .map(|resize| (resize.set, resize.to))
            .collect()
    }

    fn to(set: &str, size: i32) -> (String, i32) {
        (set.into(), size)
    }

    #[test]
    fn the_only_set_with_pods_takes_the_whole_change() {
        assert_eq!(spread(5, 2, 4, 3, &[("old", 0)]), [to("new", 5)]);
        assert_eq!(spread(0, 1, 4, 3, &[]), [to("new", 0)]);
    }

    #[test]
    fn growth_in_the_middle_of_a_rollout_is_shared_by_size() {
        assert_eq!(
            spread(20, 5, 13, 5, &[("old", 8)]),
            [to("old", 15), to("new", 10)]
        );
    }

    #[test]
    fn shrinking_in_the_middle_of_a_rollout_is_shared_by_size() {
        assert_eq!(
            spread(5, 2, 13, 5, &[("old", 8)]),
            [to("old", 4), to("new", 3)]
        );
        assert_eq!(
            spread(0, 0, 13, 5, &[("old", 8)]),
            [to("old", 0), to("new", 0)]
        );
    }

    #[test]
    fn of_equal_sets_the_younger_gets_the_odd_pod() {
        assert_eq!(
            spread(4, 1, 4, 2, &[("old", 2)]),
            [to("new", 3), to("old", 2)]
        );
    }

    #[test]
    fn what_a_sufficient_new_set_makes_superfluous_goes() {
        let scaling = Scaling {
            replicas: 3,
            budget: Budget {
                surge: 1,
                unavailable: 0,
            },
            new: Some(share(("new", 3), 4)),
            is_new_enough: true,
            old: vec![share(("a", 1), 4), share(("b", 0), 4)],
            is_rolling: true,
        };
        assert_eq!(
            decide(&scaling),
            [Resize {
                set: "a".into(),
                to: 0
            }]
        );
    }
}
