//! revision — the annotations by which `kubectl rollout history` and `undo` find their way.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt;

use super::{Budget, wanted};

/// The number of a set's latest use; also on the deployment, for its present one.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Annotations of the deployment that say nothing about a set.
const NOT_COPIED: [&str; 5] = [REVISION, HISTORY, DESIRED, MAX, LAST_APPLIED];

type Annotations = BTreeMap<String, String>;

/// The set's revision, 0 if it has none.
pub(crate) fn of(set: &ReplicaSet) -> i64 {
    set.annotations()
        .get(REVISION)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// The wanted number when the set was last sized, if known.
pub(crate) fn desired(set: &ReplicaSet) -> Option<i32> {
    set.annotations().get(DESIRED)?.parse().ok()
}

/// The wanted number plus surge when the set was last sized, 0 if unknown.
pub(crate) fn sized_for(set: &ReplicaSet) -> i32 {
    set.annotations()
        .get(MAX)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// What a set is marked with whenever it is sized.
pub(crate) fn sizing(deployment: &Deployment) -> Annotations {
    let replicas = wanted(deployment);
    let max = replicas + Budget::of(deployment).surge;
    Annotations::from([
        (DESIRED.into(), replicas.to_string()),
        (MAX.into(), max.to_string()),
    ])
}

/// The annotations that the set of the present template should have: the deployment's own, its size, and a revision above all
/// old ones. A set that is used again remembers its earlier revisions.
pub(crate) fn annotations(
    deployment: &Deployment,
    set: Option<&ReplicaSet>,
    old: &[ReplicaSet],
) -> Annotations {
    let mut annotations = set.map(|set| set.annotations().clone()).unwrap_or_default();
    let copied = deployment
        .annotations()
        .iter()
        .filter(|(key, _)| !NOT_COPIED.contains(&key.as_str()));
    annotations.extend(copied.map(|(key, value)| (key.clone(), value.clone())));
    annotations.extend(sizing(deployment));
    let next = old.iter().map(of).max().unwrap_or(0) + 1;
    let present = set.map_or(0, of);
    if present < next {
        if present > 0 {
            let earlier = annotations
                .get(HISTORY)
                .map(|earlier| format!("{earlier},"))
                .unwrap_or_default();
            annotations.insert(HISTORY.into(), format!("{earlier}{present}"));
        }
        annotations.insert(REVISION.into(), next.to_string());
    }
    annotations
}

/// The old sets beyond what the deployment wants to remember, lowest revision first.
/// A set that has pods, or has not yet seen that it should have none, is never among them.
pub(crate) fn forgotten(deployment: &Deployment, old: &[ReplicaSet]) -> Vec<String> {
    let limit = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.revision_history_limit)
        .unwrap_or(10);
    let mut alive: Vec<&ReplicaSet> = old
        .iter()
        .filter(|set| set.metadata.deletion_timestamp.is_none())
        .collect();
    alive.sort_by_key(|set| of(set));
    let excess = alive
        .len()
        .saturating_sub(usize::try_from(limit).unwrap_or(0));
    alive
        .into_iter()
        .take(excess)
        .filter(|set| is_empty(set))
        .map(ResourceExt::name_any)
        .collect()
}

fn is_empty(set: &ReplicaSet) -> bool {
    let status = set.status.as_ref();
    let is_seen = set.metadata.generation <= status.and_then(|status| status.observed_generation);
    is_seen
        && status.is_none_or(|status| status.replicas == 0)
        && set.spec.as_ref().and_then(|spec| spec.replicas) == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn deployment(annotations: Value) -> Deployment {
        serde_json::from_value(
            json!({"metadata": {"name": "web", "annotations": annotations},
            "spec": {"replicas": 3, "revisionHistoryLimit": 1, "selector": {}, "template": {}}}),
        )
        .unwrap()
    }

    fn set(name: &str, annotations: Value) -> ReplicaSet {
        serde_json::from_value(json!({"metadata": {"name": name, "annotations": annotations, "generation": 2},
            "spec": {"replicas": 0, "selector": {}}, "status": {"replicas": 0, "observedGeneration": 2}}))
        .unwrap()
    }

    #[test]
    fn a_new_set_gets_the_next_revision_and_the_cause_of_the_change() {
        let deployment = deployment(
            json!({"kubernetes.io/change-cause": "image", REVISION: "4", LAST_APPLIED: "{}"}),
        );
        let annotations = annotations(&deployment, None, &[set("a", json!({REVISION: "4"}))]);
        let expected =
            json!({"kubernetes.io/change-cause": "image", REVISION: "5", DESIRED: "3", MAX: "4"});
        assert_eq!(serde_json::to_value(annotations).unwrap(), expected);
    }

    #[test]
    fn a_set_that_is_used_again_becomes_the_latest_and_remembers() {
        let again = set("a", json!({REVISION: "2", HISTORY: "1"}));
        let annotations = annotations(
            &deployment(json!({})),
            Some(&again),
            &[set("b", json!({REVISION: "3"}))],
        );
        assert_eq!(
            (&*annotations[REVISION], &*annotations[HISTORY]),
            ("4", "1,2")
        );
    }

    #[test]
    fn the_latest_set_keeps_its_revision() {
        let latest = set("a", json!({REVISION: "3"}));
        let annotations = annotations(
            &deployment(json!({})),
            Some(&latest),
            &[set("b", json!({REVISION: "2"}))],
        );
        assert_eq!(
            (&*annotations[REVISION], annotations.get(HISTORY)),
            ("3", None)
        );
    }

    #[test]
    fn the_oldest_empty_sets_beyond_the_limit_are_forgotten() {
        let sets = [
            set("b", json!({REVISION: "2"})),
            set("a", json!({REVISION: "1"})),
            set("c", json!({REVISION: "3"})),
        ];
        assert_eq!(forgotten(&deployment(json!({})), &sets), ["a", "b"]);
        let mut busy = sets.clone();
        busy[1].status.as_mut().unwrap().replicas = 1;
        assert_eq!(forgotten(&deployment(json!({})), &busy), ["b"]);
    }
}
