//! budget — how many pods a rollout may have too many and too few (`semantics.md` 3.1).

use k8s_openapi::{api::apps::v1::Deployment, apimachinery::pkg::util::intstr::IntOrString};

use super::wanted;

const DEFAULT: i32 = 25;

/// What a deployment's strategy allows, in pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Pods beyond the wanted number.
    pub surge: i32,
    /// Pods that may be missing from the wanted number.
    pub unavailable: i32,
}

impl Budget {
    /// Surge is rounded up, unavailable down and capped at the wanted number; if both come out 0, one may be unavailable.
    /// `Recreate` has neither.
    pub fn of(deployment: &Deployment) -> Budget {
        let replicas = wanted(deployment);
        if is_recreate(deployment) {
            return Budget {
                surge: 0,
                unavailable: 0,
            };
        }
        let strategy = deployment
            .spec
            .as_ref()
            .and_then(|spec| spec.strategy.as_ref());
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let surge = scaled(
            rolling.and_then(|r| r.max_surge.as_ref()),
            replicas,
            Round::Up,
        );
        let unavailable = scaled(
            rolling.and_then(|r| r.max_unavailable.as_ref()),
            replicas,
            Round::Down,
        );
        let fenced = if surge == 0 && unavailable == 0 {
            1
        } else {
            unavailable
        };
        Budget {
            surge,
            unavailable: fenced.min(replicas),
        }
    }
}

/// Whether all old pods must be gone before the first new one.
pub(crate) fn is_recreate(deployment: &Deployment) -> bool {
    let strategy = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.strategy.as_ref());
    strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate")
}

#[derive(Clone, Copy)]
enum Round {
    Up,
    Down,
}

fn scaled(amount: Option<&IntOrString>, of: i32, round: Round) -> i32 {
    let percent = match amount {
        Some(IntOrString::Int(pods)) => return (*pods).max(0),
        // The API accepts nothing but "<digits>%"; should a stranger come through, the default is what was meant least badly.
        Some(IntOrString::String(text)) => {
            text.trim_end_matches('%').parse().unwrap_or(DEFAULT).max(0)
        }
        None => DEFAULT,
    };
    match round {
        Round::Up => (percent * of + 99) / 100,
        Round::Down => percent * of / 100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn budget(replicas: i32, rolling: Value) -> (i32, i32) {
        let spec = json!({"replicas": replicas, "selector": {}, "template": {}, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}});
        let budget = Budget::of(&serde_json::from_value(json!({"spec": spec})).unwrap());
        (budget.surge, budget.unavailable)
    }

    #[test]
    fn a_quarter_is_rounded_up_for_surge_and_down_for_unavailable() {
        let table = [1, 2, 3, 4, 5, 8, 10].map(|replicas| budget(replicas, json!({})));
        assert_eq!(
            table,
            [(1, 0), (1, 0), (1, 0), (1, 1), (2, 1), (2, 2), (3, 2)]
        );
    }

    #[test]
    fn numbers_are_taken_as_they_are_and_unavailable_is_at_most_everything() {
        assert_eq!(
            budget(3, json!({"maxSurge": 0, "maxUnavailable": 2})),
            (0, 2)
        );
        assert_eq!(
            budget(3, json!({"maxSurge": "100%", "maxUnavailable": 7})),
            (3, 3)
        );
    }

    #[test]
    fn a_rollout_that_may_do_nothing_may_miss_one_pod() {
        assert_eq!(
            budget(3, json!({"maxSurge": 0, "maxUnavailable": 0})),
            (0, 1)
        );
        assert_eq!(
            budget(2, json!({"maxSurge": "0%", "maxUnavailable": "49%"})),
            (0, 1)
        );
        assert_eq!(
            budget(0, json!({"maxSurge": 0, "maxUnavailable": 0})),
            (0, 0)
        );
    }
}
