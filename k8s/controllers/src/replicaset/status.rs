//! status — what a ReplicaSet says of its pods, and when that changes by time alone.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;

use crate::{pods, selector};

/// The counts over the active pods. A `failure` to create pods stays as a condition until it is over.
pub(crate) fn status(
    set: &ReplicaSet,
    active: &[Pod],
    failure: Option<&str>,
    now: Timestamp,
) -> ReplicaSetStatus {
    let min_ready = min_ready_seconds(set);
    let count = |is: &dyn Fn(&Pod) -> bool| {
        i32::try_from(active.iter().filter(|pod| is(pod)).count()).unwrap_or(i32::MAX)
    };
    let positive = |count: i32| (count > 0).then_some(count);
    ReplicaSetStatus {
        replicas: count(&|_| true),
        fully_labeled_replicas: positive(count(&|pod| is_fully_labeled(set, pod))),
        ready_replicas: positive(count(&pods::is_ready)),
        available_replicas: positive(count(&|pod| {
            pods::available_in(pod, min_ready, now) == Some(Duration::ZERO)
        })),
        observed_generation: set.metadata.generation,
        conditions: failure.map(|message| vec![failed(set, message, now)]),
        ..ReplicaSetStatus::default()
    }
}

/// When the next ready pod becomes available.
pub(crate) fn next_available_in(
    set: &ReplicaSet,
    active: &[Pod],
    now: Timestamp,
) -> Option<Duration> {
    let waits = active
        .iter()
        .filter_map(|pod| pods::available_in(pod, min_ready_seconds(set), now));
    waits.filter(|wait| !wait.is_zero()).min()
}

fn min_ready_seconds(set: &ReplicaSet) -> i32 {
    set.spec
        .as_ref()
        .and_then(|spec| spec.min_ready_seconds)
        .unwrap_or(0)
}

fn is_fully_labeled(set: &ReplicaSet, pod: &Pod) -> bool {
    let template = set
        .spec
        .as_ref()
        .and_then(|spec| spec.template.as_ref()?.metadata.as_ref()?.labels.as_ref());
    template.is_none_or(|labels| selector::contains(pod.labels(), labels))
}

fn failed(set: &ReplicaSet, message: &str, now: Timestamp) -> ReplicaSetCondition {
    let conditions = set
        .status
        .iter()
        .filter_map(|status| status.conditions.as_ref())
        .flatten();
    let since = conditions
        .into_iter()
        .find(|c| c.type_ == "ReplicaFailure")
        .and_then(|c| c.last_transition_time.clone());
    ReplicaSetCondition {
        type_: "ReplicaFailure".into(),
        status: "True".into(),
        reason: Some("FailedCreate".into()),
        message: Some(message.into()),
        last_transition_time: Some(since.unwrap_or(Time(now))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set() -> ReplicaSet {
        let template = json!({"metadata": {"labels": {"app": "web"}}});
        serde_json::from_value(json!({"metadata": {"generation": 3}, "spec": {"minReadySeconds": 5, "selector": {}, "template": template}})).unwrap()
    }

    fn pod(ready_at: Option<i64>) -> Pod {
        let conditions = ready_at.map(|second| json!([{"type": "Ready", "status": "True", "lastTransitionTime": Time(Timestamp::from_second(second).unwrap())}]));
        serde_json::from_value(json!({"metadata": {"labels": {"app": "web"}}, "status": {"phase": "Running", "conditions": conditions}})).unwrap()
    }

    #[test]
    fn ready_pods_are_available_only_after_the_minimum_and_the_wait_is_known() {
        let (active, now) = (
            [pod(None), pod(Some(0)), pod(Some(8))],
            Timestamp::from_second(10).unwrap(),
        );
        let status = status(&set(), &active, None, now);
        assert_eq!(
            (
                status.replicas,
                status.ready_replicas,
                status.available_replicas
            ),
            (3, Some(2), Some(1))
        );
        assert_eq!(
            (status.fully_labeled_replicas, status.observed_generation),
            (Some(3), Some(3))
        );
        assert_eq!(
            next_available_in(&set(), &active, now),
            Some(Duration::from_secs(4))
        );
    }

    #[test]
    fn a_failure_keeps_the_time_of_its_first_sight() {
        let mut set = set();
        set.status = Some(status(
            &set,
            &[],
            Some("quota"),
            Timestamp::from_second(1).unwrap(),
        ));
        let later = status(&set, &[], Some("quota"), Timestamp::from_second(9).unwrap());
        assert_eq!(Some(later), set.status);
        assert_eq!(
            status(&set, &[], None, Timestamp::from_second(9).unwrap()).conditions,
            None
        );
    }
}
