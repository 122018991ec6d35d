//! rolling — the next step of a rolling update (`semantics.md` 3.2).
//!
//! Counts are the sizes asked of ReplicaSets: terminating pods are not in them.

use super::Budget;

/// A ReplicaSet as far as rolling goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// Its object's name.
    pub name: String,
    /// How many pods it was told to have.
    pub replicas: i32,
    /// How many of them have been ready for long enough.
    pub available: i32,
}

/// Where a rollout stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// How many pods are wanted in all.
    pub replicas: i32,
    /// How far it may stray from that.
    pub budget: Budget,
    /// The set of the wanted template.
    pub new: Set,
    /// All others, oldest first.
    pub old: Vec<Set>,
    /// Pods that their sets were told to give up and still have.
    pub surplus: i32,
}

/// A set is to have another size.
#[derive(Debug, Clone, PartialEq)]
pub struct Resize {
    /// Which set.
    pub set: String,
    /// Its new size.
    pub to: i32,
}

/// One step: grow the new set as far as the surge allows; if it cannot grow, shrink old ones, unhealthy pods first.
/// Nothing to do is an empty answer.
pub fn decide(rollout: &Rollout) -> Vec<Resize> {
    let new = &rollout.new;
    let target = new_size(rollout);
    if target != new.replicas {
        return vec![Resize {
            set: new.name.clone(),
            to: target,
        }];
    }
    shrink_old(rollout)
}

/// How large the new set may be now; also its first size.
pub fn new_size(rollout: &Rollout) -> i32 {
    let (new, wanted) = (rollout.new.replicas, rollout.replicas);
    if new >= wanted {
        return wanted;
    }
    let room = wanted + rollout.budget.surge - total(rollout) - rollout.surplus;
    new + room.clamp(0, wanted - new)
}

fn shrink_old(rollout: &Rollout) -> Vec<Resize> {
    let (new, old) = (&rollout.new, &rollout.old);
    let least = rollout.replicas - rollout.budget.unavailable;
    let ceiling = total(rollout) - least - (new.replicas - new.available);
    if ceiling <= 0 {
        return vec![];
    }
    let mut sizes: Vec<i32> = old.iter().map(|set| set.replicas).collect();
    take(&mut sizes, ceiling, |i, _| {
        old[i].replicas - old[i].available
    });
    let available: i32 = new.available + old.iter().map(|set| set.available).sum::<i32>();
    take(&mut sizes, available - least, |_, size| size);
    let changed = old
        .iter()
        .zip(sizes)
        .filter(|(set, size)| set.replicas != *size);
    changed
        .map(|(set, to)| Resize {
            set: set.name.clone(),
            to,
        })
        .collect()
}

// Takes up to `count` in all from the sizes in order, from each no more than `most` says.
fn take(sizes: &mut [i32], mut count: i32, most: impl Fn(usize, i32) -> i32) {
    for (i, size) in sizes.iter_mut().enumerate() {
        let taken = most(i, *size).min(*size).min(count).max(0);
        *size -= taken;
        count -= taken;
    }
}

fn total(rollout: &Rollout) -> i32 {
    rollout.new.replicas + rollout.old.iter().map(|set| set.replicas).sum::<i32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, (replicas, available): (i32, i32)) -> Set {
        Set {
            name: name.into(),
            replicas,
            available,
        }
    }

    fn step(
        replicas: i32,
        (surge, unavailable): (i32, i32),
        new: (i32, i32),
        old: &[(&str, (i32, i32))],
    ) -> Vec<(String, i32)> {
        let old = old
            .iter()
            .map(|(name, counts)| set(name, *counts))
            .collect();
        let rollout = Rollout {
            replicas,
            budget: Budget { surge, unavailable },
            new: set("new", new),
            old,
            surplus: 0,
        };
        decide(&rollout)
            .into_iter()
            .map(|resize| (resize.set, resize.to))
            .collect()
    }

    fn to(set: &str, size: i32) -> (String, i32) {
        (set.into(), size)
    }

    #[test]
    fn the_new_set_grows_into_the_surge_and_nothing_else_happens_in_that_step() {
        assert_eq!(step(4, (1, 1), (0, 0), &[("old", (4, 4))]), [to("new", 1)]);
    }

    #[test]
    fn an_old_pod_goes_for_every_new_one_that_is_available() {
        assert_eq!(step(3, (1, 0), (1, 0), &[("old", (3, 3))]), []);
        assert_eq!(step(3, (1, 0), (1, 1), &[("old", (3, 3))]), [to("old", 2)]);
        assert_eq!(step(3, (1, 0), (1, 1), &[("old", (2, 2))]), [to("new", 2)]);
    }

    #[test]
    fn with_unavailable_allowed_old_pods_go_before_new_ones_are_there() {
        assert_eq!(step(4, (1, 1), (1, 0), &[("old", (4, 4))]), [to("old", 3)]);
        assert_eq!(step(4, (1, 1), (1, 0), &[("old", (3, 3))]), [to("new", 2)]);
        assert_eq!(step(4, (1, 1), (2, 0), &[("old", (3, 3))]), []);
    }

    #[test]
    fn unavailable_old_pods_go_first_even_from_a_newer_set() {
        assert_eq!(step(3, (1, 0), (1, 0), &[("a", (2, 2)), ("b", (1, 0))]), []);
        assert_eq!(
            step(4, (1, 1), (1, 1), &[("a", (2, 2)), ("b", (2, 1))]),
            [to("a", 1), to("b", 1)]
        );
        assert_eq!(
            step(2, (1, 0), (1, 1), &[("a", (1, 1)), ("b", (1, 0))]),
            [to("b", 0)]
        );
    }

    #[test]
    fn no_more_unavailable_old_pods_go_than_the_ceiling_allows() {
        assert_eq!(step(10, (3, 2), (5, 0), &[("old", (8, 0))]), []);
        assert_eq!(step(10, (3, 2), (5, 3), &[("old", (8, 5))]), [to("old", 5)]);
    }

    #[test]
    fn a_new_set_that_is_too_large_is_cut_first() {
        assert_eq!(step(2, (1, 0), (5, 5), &[]), [to("new", 2)]);
    }

    #[test]
    fn the_new_set_waits_for_pods_that_are_yet_to_go() {
        let mut rollout = Rollout {
            replicas: 3,
            budget: Budget {
                surge: 1,
                unavailable: 0,
            },
            new: set("new", (1, 1)),
            old: vec![set("old", (2, 2))],
            surplus: 1,
        };
        assert_eq!(new_size(&rollout), 1);
        rollout.surplus = 0;
        assert_eq!(new_size(&rollout), 2);
    }

    #[test]
    fn a_finished_rollout_needs_nothing() {
        assert_eq!(step(3, (1, 0), (3, 3), &[("old", (0, 0))]), []);
    }

    #[test]
    fn a_whole_rollout_keeps_its_budget_whatever_its_size() {
        for (replicas, surge, unavailable) in [
            (1, 1, 0),
            (2, 1, 0),
            (3, 1, 0),
            (4, 1, 1),
            (5, 2, 1),
            (8, 2, 2),
            (10, 3, 2),
            (3, 0, 1),
        ] {
            let mut rollout = Rollout {
                replicas,
                budget: Budget { surge, unavailable },
                new: set("new", (0, 0)),
                old: vec![set("old", (replicas, replicas))],
                surplus: 0,
            };
            for _ in 0..100 {
                for resize in decide(&rollout) {
                    let sets = std::iter::once(&mut rollout.new).chain(&mut rollout.old);
                    for set in sets.filter(|set| set.name == resize.set) {
                        set.replicas = resize.to;
                        set.available = set.available.min(resize.to);
                    }
                }
                let available = rollout.new.available + rollout.old[0].available;
                assert!(
                    total(&rollout) <= replicas + surge && available >= replicas - unavailable,
                    "{rollout:?}"
                );
                rollout.new.available = (rollout.new.available + 1).min(rollout.new.replicas);
            }
            assert_eq!(
                (rollout.new.available, rollout.old[0].replicas),
                (replicas, 0)
            );
        }
    }
}
