//! count — from a budget and its pods to what may be disrupted. Pure.

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        core::v1::Pod,
        policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus},
    },
    apimachinery::pkg::{
        apis::meta::v1::{Condition, Time},
        util::intstr::IntOrString,
    },
};
use kube::ResourceExt;

use super::DISRUPTED_MAX;
use crate::pods;

/// How many pods there should be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scale {
    Known(i32),
    /// Nobody says so; why.
    Unknown(String),
}

pub(super) fn status(
    budget: &PodDisruptionBudget,
    all: &[Pod],
    scale: &Scale,
    now: Timestamp,
) -> PodDisruptionBudgetStatus {
    let before = budget.status.clone().unwrap_or_default();
    let spec = budget.spec.clone().unwrap_or_default();
    let disrupted = still_disrupted(&before, all, now);
    let is_healthy = |pod: &&Pod| {
        pod.metadata.deletion_timestamp.is_none()
            && pods::is_ready(pod)
            && !disrupted.contains_key(&pod.name_any())
    };
    let healthy = count(all.iter().filter(is_healthy).count());
    let matching = count(all.len());
    let needs_scale = spec.max_unavailable.is_some()
        || matches!(spec.min_available, Some(IntOrString::String(_)));
    let expected = match (needs_scale, scale) {
        (false, _) => matching,
        (true, Scale::Known(scale)) => *scale,
        (true, Scale::Unknown(why)) => return failed(budget, before, why.clone(), now),
    };
    let desired = match (&spec.max_unavailable, &spec.min_available) {
        (Some(most), _) => (expected - portion(most, expected)).max(0),
        (None, Some(least)) => portion(least, expected),
        (None, None) => 0,
    };
    let allowed = if expected <= 0 {
        0
    } else {
        (healthy - desired).max(0)
    };
    let (holds, reason) = match allowed {
        0 => ("False", "InsufficientPods"),
        _ => ("True", "SufficientPods"),
    };
    PodDisruptionBudgetStatus {
        current_healthy: healthy,
        desired_healthy: desired,
        disruptions_allowed: allowed,
        expected_pods: expected,
        observed_generation: budget.metadata.generation,
        conditions: Some(vec![condition(
            budget,
            &before,
            (holds, reason),
            String::new(),
            now,
        )]),
        disrupted_pods: (!disrupted.is_empty()).then_some(disrupted),
    }
}

/// Nothing may be disrupted where nobody knows how many there should be.
fn failed(
    budget: &PodDisruptionBudget,
    before: PodDisruptionBudgetStatus,
    why: String,
    now: Timestamp,
) -> PodDisruptionBudgetStatus {
    let told = condition(budget, &before, ("False", "SyncFailed"), why, now);
    PodDisruptionBudgetStatus {
        disruptions_allowed: 0,
        observed_generation: budget.metadata.generation,
        conditions: Some(vec![told]),
        ..before
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A number, or a percentage of `whole`, rounded up.
fn portion(amount: &IntOrString, whole: i32) -> i32 {
    match amount {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let part = (percent * i64::from(whole)).div_euclid(100);
            let rest = (percent * i64::from(whole)).rem_euclid(100);
            i32::try_from(part + i64::from(rest > 0)).unwrap_or(i32::MAX)
        }
    }
}

/// Pods that were evicted and whose deletion is not to be seen yet.
fn still_disrupted(
    before: &PodDisruptionBudgetStatus,
    all: &[Pod],
    now: Timestamp,
) -> std::collections::BTreeMap<String, Time> {
    let is_there = |name: &str| {
        let mut pods = all.iter();
        pods.any(|pod| pod.name_any() == name && pod.metadata.deletion_timestamp.is_none())
    };
    let listed = before.disrupted_pods.clone().unwrap_or_default();
    let fresh = listed.into_iter().filter(|(name, at)| {
        is_there(name) && !pods::remaining(at.0, DISRUPTED_MAX, now).is_zero()
    });
    fresh.collect()
}

fn condition(
    budget: &PodDisruptionBudget,
    before: &PodDisruptionBudgetStatus,
    (holds, reason): (&str, &str),
    message: String,
    now: Timestamp,
) -> Condition {
    let kind = "DisruptionAllowed";
    let old = before
        .conditions
        .iter()
        .flatten()
        .find(|one| one.type_ == kind);
    let since = old
        .filter(|one| one.status == holds)
        .map(|one| one.last_transition_time.clone());
    Condition {
        type_: kind.into(),
        status: holds.into(),
        reason: reason.into(),
        message,
        observed_generation: budget.metadata.generation,
        last_transition_time: since.unwrap_or(Time(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pod(name: &str, ready: &str) -> Pod {
        from_value(json!({"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}})).unwrap()
    }

    fn three() -> [Pod; 3] {
        ["a", "b", "c"].map(|name| pod(name, "True"))
    }

    fn counted(spec: Value, status_before: Value, all: &[Pod], scale: &Scale) -> [i32; 4] {
        let budget = json!({"metadata": {"name": "b", "generation": 1}, "spec": spec, "status": status_before});
        let status = status(&from_value(budget).unwrap(), all, scale, at(100));
        [
            status.expected_pods,
            status.current_healthy,
            status.desired_healthy,
            status.disruptions_allowed,
        ]
    }

    #[test]
    fn what_is_healthy_beyond_what_is_needed_may_go() {
        let of = |spec: Value| counted(spec, Value::Null, &three(), &Scale::Known(4));
        assert_eq!(of(json!({"minAvailable": 2})), [3, 3, 2, 1]);
        assert_eq!(of(json!({"minAvailable": 5})), [3, 3, 5, 0]);
        assert_eq!(of(json!({"minAvailable": "50%"})), [4, 3, 2, 1]);
        assert_eq!(of(json!({"minAvailable": "51%"})), [4, 3, 3, 0]);
        assert_eq!(of(json!({"maxUnavailable": 1})), [4, 3, 3, 0]);
        assert_eq!(of(json!({"maxUnavailable": "30%"})), [4, 3, 2, 1]);
    }

    #[test]
    fn pods_that_are_unready_or_were_just_evicted_are_not_healthy() {
        let mut all = three();
        all[2] = pod("c", "False");
        let spec = json!({"minAvailable": 1});
        let of = |before: Value| counted(spec.clone(), before, &all, &Scale::Known(3));
        assert_eq!(of(Value::Null), [3, 2, 1, 1]);
        let evicted = |second: i64| {
            json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
                "disruptedPods": {"a": Time(at(second))}})
        };
        assert_eq!(of(evicted(99)), [3, 1, 1, 0]);
        assert_eq!(of(evicted(-21)), [3, 2, 1, 1]);
    }

    #[test]
    fn where_nobody_says_how_many_there_should_be_nothing_may_go() {
        let unknown = Scale::Unknown("found no controllers for pod \"a\"".into());
        let spec = json!({"maxUnavailable": 1});
        assert_eq!(counted(spec, Value::Null, &three(), &unknown)[3], 0);
    }
}
