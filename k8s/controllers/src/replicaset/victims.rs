//! victims — which pods go when there are too many (`semantics.md` 3.6): those that would be missed least.

use std::cmp::Ordering;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::pods;

/// What users set to say which pod they would rather keep; higher stays longer.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The `count` pods to delete, the least missed first. All of them if there are no more than that.
///
/// Pods on a node with more of their siblings would go earlier; only siblings of the same set are looked at.
pub fn choose(active: &[Pod], count: usize, now: Timestamp) -> Vec<&Pod> {
    let mut candidates: Vec<&Pod> = active.iter().collect();
    if count < candidates.len() {
        candidates.sort_by_cached_key(|pod| Rank::of(pod, active, now));
        candidates.truncate(count);
    }
    candidates
}

/// How soon a pod goes; the least goes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_assigned: bool,
    phase: u8,
    is_ready: bool,
    cost: i32,
    siblings: std::cmp::Reverse<usize>,
    ready_for: Age,
    restarts: std::cmp::Reverse<i32>,
    age: Age,
    uid: String,
}

impl Rank {
    fn of(pod: &Pod, all: &[Pod], now: Timestamp) -> Rank {
        let node = node(pod);
        let phase = match pods::phase(pod) {
            "Pending" => 0,
            "Unknown" => 1,
            _ => 2,
        };
        Rank {
            is_assigned: node.is_some(),
            phase,
            is_ready: pods::is_ready(pod),
            cost: pod
                .annotations()
                .get(DELETION_COST)
                .and_then(|cost| cost.parse().ok())
                .unwrap_or(0),
            siblings: std::cmp::Reverse(
                all.iter()
                    .filter(|sibling| self::node(sibling) == node)
                    .count(),
            ),
            ready_for: Age::since(pods::ready_since(pod), now),
            restarts: std::cmp::Reverse(restarts(pod)),
            age: Age::since(
                pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
                now,
            ),
            uid: pod.uid().unwrap_or_default(),
        }
    }
}

/// An age on a scale of powers of two: pods that are about as old are equal, and chance (the uid) decides between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Age(Option<u32>);

impl Age {
    fn since(time: Option<Timestamp>, now: Timestamp) -> Age {
        let nanoseconds = time.map_or(0, |time| now.duration_since(time).as_nanos());
        Age(u128::try_from(nanoseconds)
            .ok()
            .and_then(u128::checked_ilog2))
    }
}

impl Ord for Age {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Age {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn node(pod: &Pod) -> Option<&str> {
    pod.spec
        .as_ref()?
        .node_name
        .as_deref()
        .filter(|name| !name.is_empty())
}

// The most often restarted container speaks for the pod.
fn restarts(pod: &Pod) -> i32 {
    let containers = pod
        .status
        .iter()
        .filter_map(|status| status.container_statuses.as_ref())
        .flatten();
    containers
        .map(|container| container.restart_count)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: &str = "2026-01-01T01:00:00Z";

    fn pod(name: &str, more: Value) -> Pod {
        let mut pod = json!({"metadata": {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"nodeName": "n", "containers": []},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
        json_patch(&mut pod, &more);
        serde_json::from_value(pod).unwrap()
    }

    fn json_patch(into: &mut Value, from: &Value) {
        match (into, from) {
            (Value::Object(into), Value::Object(from)) => {
                from.iter().for_each(|(key, value)| {
                    json_patch(into.entry(key).or_insert(Value::Null), value)
                });
            }
            (into, from) => *into = from.clone(),
        }
    }

    fn first(pods: &[Pod]) -> String {
        choose(pods, 1, NOW.parse().unwrap())[0].name_any()
    }

    fn ready_at(time: &str) -> Value {
        json!({"status": {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": time}]}})
    }

    #[test]
    fn a_pod_without_a_node_goes_before_a_pending_one_before_one_that_is_not_ready() {
        let not_ready = pod("c", json!({"status": {"conditions": []}}));
        let pending = pod("b", json!({"status": {"phase": "Pending"}}));
        let homeless = pod("a", json!({"spec": {"nodeName": null}}));
        let all = [pod("d", json!({})), not_ready, pending, homeless];
        let order: Vec<String> = choose(&all, 3, NOW.parse().unwrap())
            .iter()
            .map(|pod| pod.name_any())
            .collect();
        assert_eq!(order, ["a", "b", "c"]);
    }

    #[test]
    fn dep_10_the_pod_that_is_not_ready_goes() {
        let unready = pod("b", json!({"status": {"conditions": []}}));
        assert_eq!(
            first(&[pod("a", json!({})), unready, pod("c", json!({}))]),
            "b"
        );
    }

    #[test]
    fn dep_11_the_cheapest_pod_goes() {
        // Literal keys with dots and slashes: set through the object.
        let mut cheap = pod("b", json!({}));
        cheap
            .annotations_mut()
            .insert(DELETION_COST.into(), "-1".into());
        assert_eq!(
            first(&[pod("a", json!({})), cheap, pod("c", json!({}))]),
            "b"
        );
    }

    #[test]
    fn dep_12_the_pod_that_was_ready_for_a_shorter_time_goes() {
        let (old, young) = (
            pod("a", ready_at("2026-01-01T00:59:00Z")),
            pod("b", ready_at("2026-01-01T00:59:58Z")),
        );
        assert_eq!(first(&[old, young]), "b");
    }

    #[test]
    fn pods_about_equally_long_ready_are_equal_and_the_uid_decides() {
        let (older, younger) = (
            pod("a", ready_at("2026-01-01T00:00:00Z")),
            pod("b", ready_at("2026-01-01T00:01:00Z")),
        );
        assert_eq!(first(&[younger, older]), "a");
    }

    #[test]
    fn of_otherwise_equal_pods_the_one_with_more_restarts_goes() {
        let container =
            json!({"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": 2});
        let shaky = pod("b", json!({"status": {"containerStatuses": [container]}}));
        assert_eq!(first(&[pod("a", json!({})), shaky]), "b");
    }

    #[test]
    fn when_all_go_there_is_nothing_to_choose() {
        assert_eq!(
            choose(
                &[pod("b", json!({})), pod("a", json!({}))],
                5,
                NOW.parse().unwrap()
            )
            .len(),
            2
        );
    }
}
