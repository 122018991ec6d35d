//! pods — what can be said about a pod from its object alone.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodCondition};

/// The pod's phase; a pod without one has not been seen by its node yet.
pub(crate) fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending")
}

/// Whether all its containers have ended for good.
pub(crate) fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether the pod counts: it has neither ended nor been told to (`semantics.md` 2.5: a replacement does not wait for the drain).
pub(crate) fn is_active(pod: &Pod) -> bool {
    !is_finished(pod) && pod.metadata.deletion_timestamp.is_none()
}

/// Whether the pod's `Ready` condition is true.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    ready_condition(pod).is_some()
}

/// Since when it is ready, in whole seconds as the API keeps them; none if it is not.
pub(crate) fn ready_since(pod: &Pod) -> Option<Timestamp> {
    ready_condition(pod)?
        .last_transition_time
        .as_ref()
        .map(|time| time.0)
}

fn ready_condition(pod: &Pod) -> Option<&PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// How long until a pod is available, i.e. has been ready for `min_ready_seconds`; zero if it is, none if it is not even ready.
///
/// The API keeps whole seconds: a pod ready since 10.9 s says 10 s. To never count it too early a second is added, so that the
/// true wait is between `min_ready_seconds` and one second more.
pub(crate) fn available_in(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> Option<Duration> {
    if !is_ready(pod) {
        return None;
    }
    if min_ready_seconds <= 0 {
        return Some(Duration::ZERO);
    }
    let since = ready_since(pod).unwrap_or(now);
    Some(remaining(
        since,
        Duration::from_secs(min_ready_seconds.unsigned_abs().into()) + Duration::from_secs(1),
        now,
    ))
}

/// What is left at `now` of a span that began at `since`; zero when it is over.
pub(crate) fn remaining(since: Timestamp, span: Duration, now: Timestamp) -> Duration {
    span.saturating_sub(now.duration_since(since).try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ready_at(time: &str) -> Pod {
        serde_json::from_value(json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": time}]}}))
            .unwrap()
    }

    #[test]
    fn a_ready_pod_is_available_after_its_minimum_and_never_before_it() {
        let (pod, now) = (
            ready_at("2026-01-01T00:00:10Z"),
            "2026-01-01T00:00:12Z".parse().unwrap(),
        );
        assert_eq!(available_in(&pod, 0, now), Some(Duration::ZERO));
        assert_eq!(available_in(&pod, 5, now), Some(Duration::from_secs(4)));
        assert_eq!(available_in(&pod, 1, now), Some(Duration::ZERO));
        assert_eq!(available_in(&Pod::default(), 0, now), None);
    }

    #[test]
    fn a_pod_that_is_going_or_gone_does_not_count() {
        let going = serde_json::from_value(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:10Z"}, "status": {"phase": "Running"}})).unwrap();
        let ended = serde_json::from_value(json!({"status": {"phase": "Failed"}})).unwrap();
        assert!(is_active(&Pod::default()) && !is_active(&going) && !is_active(&ended));
    }
}
