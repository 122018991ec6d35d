//! backoff — how often a Job's pods may fail, and how long it waits before it tries again.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::{batch::v1::JobSpec, core::v1::Pod};

use super::count::Counted;
use crate::pods;

/// The wait after the first failed pod; doubled after each further one.
const BACKOFF_FIRST: Duration = Duration::from_secs(10);
/// No failure makes the next pod wait longer.
const BACKOFF_MAX: Duration = Duration::from_secs(600);

/// Under `OnFailure` a pod fails by restarting its containers.
pub(super) fn is_past_restarts(spec: &JobSpec, counted: &Counted, limit: usize) -> bool {
    let restarts_in_place = spec
        .template
        .spec
        .as_ref()
        .and_then(|spec| spec.restart_policy.as_deref())
        == Some("OnFailure");
    let statuses = counted
        .active
        .iter()
        .filter_map(|pod| pod.status.as_ref()?.container_statuses.as_ref())
        .flatten();
    let restarts: i32 = statuses.map(|container| container.restart_count).sum();
    restarts_in_place && usize::try_from(restarts).unwrap_or(0) >= limit.max(1)
}

/// What is left of the pause after the latest failure; only failures since the last success count.
pub(super) fn left(counted: &Counted, now: Timestamp) -> Duration {
    let last_success = counted
        .succeeded
        .iter()
        .filter_map(|pod| finished_at(pod))
        .max();
    let failures: Vec<Timestamp> = counted
        .failed
        .iter()
        .filter_map(|pod| finished_at(pod))
        .filter(|at| Some(*at) > last_success)
        .collect();
    let Some(latest) = failures.iter().max() else {
        return Duration::ZERO;
    };
    let doublings = u32::try_from(failures.len() - 1).unwrap_or(u32::MAX);
    let pause = BACKOFF_FIRST
        .saturating_mul(2_u32.saturating_pow(doublings))
        .min(BACKOFF_MAX);
    pods::remaining(*latest, pause, now)
}

fn finished_at(pod: &Pod) -> Option<Timestamp> {
    let statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    let ends = statuses.filter_map(|container| {
        container
            .state
            .as_ref()?
            .terminated
            .as_ref()?
            .finished_at
            .as_ref()
    });
    ends.map(|time| time.0)
        .max()
        .or_else(|| Some(pod.metadata.creation_timestamp.as_ref()?.0))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            count::count,
            decide::{decide, tests::*},
        },
        *,
    };
    use serde_json::json;

    #[test]
    fn a_failed_pod_is_replaced_after_a_pause_that_doubles() {
        let web = job(json!({"completions": 1, "backoffLimit": 3}));
        let decision = decide(&web, &[pod("a", "Failed", 100)], at(104));
        assert_eq!(
            (decision.create.len(), decision.again),
            (0, Some(Duration::from_secs(6)))
        );
        assert_eq!(
            decide(&web, &[pod("a", "Failed", 100)], at(110))
                .create
                .len(),
            1
        );
        assert_eq!(
            decide(
                &web,
                &[pod("a", "Failed", 80), pod("b", "Failed", 100)],
                at(110)
            )
            .again,
            Some(Duration::from_secs(10))
        );
    }

    #[test]
    fn a_success_ends_the_pause() {
        let pods = [pod("a", "Failed", 100), pod("b", "Succeeded", 101)];
        assert_eq!(left(&count(&pods), at(102)), Duration::ZERO);
    }
}
