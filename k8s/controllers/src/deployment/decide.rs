//! decide — what a deployment's controller does next, from the deployment and its ReplicaSets alone.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt;

use super::{
    Budget,
    budget::is_recreate,
    progress, revision,
    rolling::{self, Resize, Rollout, Set},
    scaling::{self, Scaling, Share},
    status, template, wanted,
};

/// Everything a decision needs.
#[derive(Debug, Clone)]
pub struct State {
    /// The deployment as it is now.
    pub deployment: Deployment,
    /// Its ReplicaSets, oldest first.
    pub sets: Vec<ReplicaSet>,
    /// Whether a pod of an old set still exists, terminating ones included. Only `Recreate` asks.
    pub has_old_pods: bool,
}

/// One write to the API.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Make the set of the wanted template.
    Create(Box<ReplicaSet>),
    /// Give a set another size, or note what its size is meant for.
    Resize {
        /// The set's name.
        set: String,
        /// Its size so far.
        from: i32,
        /// Its new size.
        to: i32,
        /// The note: wanted number and most allowed.
        annotations: BTreeMap<String, String>,
    },
    /// Give the set of the wanted template other annotations or another `minReadySeconds`.
    Update {
        /// The set's name.
        set: String,
        /// All annotations it should have.
        annotations: BTreeMap<String, String>,
        /// As in the deployment.
        min_ready_seconds: Option<i32>,
    },
    /// Forget an old, empty set.
    Remove(String),
}

impl State {
    /// Sorts the sets by age; sets of the same second by revision.
    pub fn new(deployment: Deployment, mut sets: Vec<ReplicaSet>, has_old_pods: bool) -> State {
        sets.sort_by_key(|set| {
            (
                set.metadata.creation_timestamp.clone(),
                revision::of(set),
                set.name_any(),
            )
        });
        State {
            deployment,
            sets,
            has_old_pods,
        }
    }

    /// The set made from the deployment's present template, the oldest if there are several.
    pub fn new_set(&self) -> Option<&ReplicaSet> {
        let spec = self.deployment.spec.as_ref()?;
        self.sets
            .iter()
            .find(|set| template::is_of(set, &spec.template))
    }

    /// All other sets, oldest first.
    pub fn old_sets(&self) -> Vec<ReplicaSet> {
        let new = self.new_set().map(ResourceExt::name_any);
        self.sets
            .iter()
            .filter(|set| Some(set.name_any()) != new)
            .cloned()
            .collect()
    }
}

/// The next step. Every step ends after the first kind of change that is needed; an empty answer means that nothing is.
pub fn decide(state: &State) -> Vec<Change> {
    let deployment = &state.deployment;
    if deployment.metadata.deletion_timestamp.is_some() {
        return vec![];
    }
    if progress::is_paused(deployment) || is_scaling(state) {
        return scale(state);
    }
    let mut changes: Vec<Change> = update(state).into_iter().collect();
    let steps = if is_recreate(deployment) {
        recreate(state)
    } else {
        roll(state)
    };
    changes.extend(steps);
    if changes.is_empty() && is_complete(state) {
        changes = revision::forgotten(deployment, &state.old_sets())
            .into_iter()
            .map(Change::Remove)
            .collect();
    }
    changes
}

fn is_complete(state: &State) -> bool {
    state
        .deployment
        .status
        .as_ref()
        .is_some_and(|present| status::is_complete(&state.deployment, present))
}

fn size(set: &ReplicaSet) -> i32 {
    set.spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(0)
}

fn present(set: &ReplicaSet) -> i32 {
    set.status.as_ref().map_or(0, |status| status.replicas)
}

fn available(set: &ReplicaSet) -> i32 {
    set.status
        .as_ref()
        .and_then(|status| status.available_replicas)
        .unwrap_or(0)
}

// The wanted number changed since a set with pods was last sized.
fn is_scaling(state: &State) -> bool {
    let replicas = wanted(&state.deployment);
    state.sets.iter().any(|set| {
        size(set) > 0 && revision::desired(set).is_some_and(|desired| desired != replicas)
    })
}

fn scale(state: &State) -> Vec<Change> {
    let deployment = &state.deployment;
    let replicas = wanted(deployment);
    let share = |set: &ReplicaSet| Share {
        name: set.name_any(),
        replicas: size(set),
        sized_for: revision::sized_for(set),
    };
    let is_new_enough = |set: &ReplicaSet| {
        size(set) == replicas
            && revision::desired(set) == Some(replicas)
            && available(set) == replicas
    };
    let scaling = Scaling {
        replicas,
        budget: Budget::of(deployment),
        new: state.new_set().map(share),
        is_new_enough: state.new_set().is_some_and(is_new_enough),
        old: state.old_sets().iter().map(share).collect(),
        is_rolling: !is_recreate(deployment),
    };
    resizes(state, scaling::decide(&scaling))
}

// A set may not yet have done what it was told: its pods are still there, but those it will give up are no longer counted on.
// (Kubernetes takes the set's word here, and for a moment can be short of a pod.)
fn roll(state: &State) -> Vec<Change> {
    let set = |set: &ReplicaSet| Set {
        name: set.name_any(),
        replicas: size(set),
        available: available(set).min(size(set)),
    };
    let unborn = Set {
        name: String::new(),
        replicas: 0,
        available: 0,
    };
    let surplus = |set: &ReplicaSet| (present(set) - size(set)).max(0);
    let rollout = Rollout {
        replicas: wanted(&state.deployment),
        budget: Budget::of(&state.deployment),
        new: state.new_set().map_or(unborn, set),
        old: state.old_sets().iter().map(set).collect(),
        surplus: state.sets.iter().map(surplus).sum(),
    };
    match state.new_set() {
        None => vec![create(state, rolling::new_size(&rollout))],
        Some(_) => resizes(state, rolling::decide(&rollout)),
    }
}

fn recreate(state: &State) -> Vec<Change> {
    let old = state.old_sets();
    let alive = old.iter().filter(|set| size(set) > 0);
    let down: Vec<Resize> = alive
        .map(|set| Resize {
            set: set.name_any(),
            to: 0,
        })
        .collect();
    if !down.is_empty() {
        return resizes(state, down);
    }
    let replicas = wanted(&state.deployment);
    let has_old_pods = state.has_old_pods || old.iter().any(|set| present(set) > 0);
    match state.new_set() {
        _ if has_old_pods => vec![],
        None => vec![create(state, replicas)],
        Some(new) => resizes(
            state,
            vec![Resize {
                set: new.name_any(),
                to: replicas,
            }],
        ),
    }
}

fn create(state: &State, replicas: i32) -> Change {
    let annotations = revision::annotations(&state.deployment, None, &state.sets);
    Change::Create(Box::new(template::new_set(
        &state.deployment,
        replicas,
        annotations,
    )))
}

fn update(state: &State) -> Option<Change> {
    let new = state.new_set()?;
    let annotations = revision::annotations(&state.deployment, Some(new), &state.old_sets());
    let min_ready_seconds = state.deployment.spec.as_ref()?.min_ready_seconds;
    let is_same = &annotations == new.annotations()
        && new.spec.as_ref()?.min_ready_seconds.unwrap_or(0) == min_ready_seconds.unwrap_or(0);
    (!is_same).then(|| Change::Update {
        set: new.name_any(),
        annotations,
        min_ready_seconds,
    })
}

// Sizes that are already right, and marked as meant for the present number, need no write.
fn resizes(state: &State, resizes: Vec<Resize>) -> Vec<Change> {
    let annotations = revision::sizing(&state.deployment);
    let change = |Resize { set, to }| {
        let object = state
            .sets
            .iter()
            .find(|candidate| candidate.name_any() == set)?;
        let is_marked = annotations
            .iter()
            .all(|(key, value)| object.annotations().get(key) == Some(value));
        let from = size(object);
        (from != to || !is_marked).then(|| Change::Resize {
            set,
            from,
            to,
            annotations: annotations.clone(),
        })
    };
    resizes.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn deployment(image: &str, more: Value) -> Deployment {
        let mut spec = json!({"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value(json!({"metadata": {"name": "web", "uid": "u"}, "spec": spec}))
            .unwrap()
    }

    fn set_of(deployment: &Deployment, replicas: i32, available: i32) -> ReplicaSet {
        let annotations = revision::annotations(deployment, None, &[]);
        let mut set = template::new_set(deployment, replicas, annotations);
        set.status =
            serde_json::from_value(json!({"replicas": replicas, "availableReplicas": available}))
                .unwrap();
        set
    }

    fn sizes(changes: &[Change]) -> Vec<(i32, i32)> {
        let size = |change: &Change| match change {
            Change::Resize { from, to, .. } => Some((*from, *to)),
            Change::Create(set) => Some((-1, size(set))),
            _ => None,
        };
        changes.iter().filter_map(size).collect()
    }

    #[test]
    fn a_new_deployment_gets_a_full_set_and_then_nothing_more() {
        let web = deployment("web:1", json!({}));
        assert_eq!(
            sizes(&decide(&State::new(web.clone(), vec![], false))),
            [(-1, 3)]
        );
        let set = set_of(&web, 3, 0);
        assert_eq!(decide(&State::new(web, vec![set], false)), []);
    }

    #[test]
    fn a_new_template_starts_with_the_surge() {
        let set = set_of(&deployment("web:1", json!({})), 3, 3);
        assert_eq!(
            sizes(&decide(&State::new(
                deployment("web:2", json!({})),
                vec![set],
                false
            ))),
            [(-1, 1)]
        );
    }

    #[test]
    fn a_pod_that_a_set_is_yet_to_give_up_is_not_given_up_twice() {
        let (old, new) = (
            deployment("web:1", json!({})),
            deployment("web:2", json!({})),
        );
        let (mut old, new_set) = (set_of(&old, 3, 3), set_of(&new, 1, 1));
        old.spec.as_mut().unwrap().replicas = Some(2);
        assert_eq!(
            sizes(&decide(&State::new(
                new.clone(),
                vec![old.clone(), new_set.clone()],
                false
            ))),
            []
        );
        old.status.as_mut().unwrap().replicas = 2;
        assert_eq!(
            sizes(&decide(&State::new(new, vec![old, new_set], false))),
            [(1, 2)]
        );
    }

    #[test]
    fn dep_14_another_number_of_replicas_makes_no_new_set() {
        let set = set_of(&deployment("web:1", json!({})), 3, 3);
        let more = State::new(
            deployment("web:1", json!({"replicas": 5})),
            vec![set],
            false,
        );
        assert_eq!(sizes(&decide(&more)), [(3, 5)]);
    }

    #[test]
    fn dep_8_recreate_waits_for_the_last_old_pod() {
        let recreate = json!({"strategy": {"type": "Recreate"}});
        let (old, web) = (
            deployment("web:1", recreate.clone()),
            deployment("web:2", recreate),
        );
        let step =
            |set, has_old_pods| sizes(&decide(&State::new(web.clone(), vec![set], has_old_pods)));
        assert_eq!(step(set_of(&old, 3, 3), true), [(3, 0)]);
        assert_eq!(step(set_of(&old, 0, 0), true), []);
        assert_eq!(step(set_of(&old, 0, 0), false), [(-1, 3)]);
    }

    #[test]
    fn a_paused_deployment_scales_but_does_not_roll() {
        let set = set_of(&deployment("web:1", json!({})), 3, 3);
        let step = |more| {
            sizes(&decide(&State::new(
                deployment("web:2", more),
                vec![set.clone()],
                false,
            )))
        };
        assert_eq!(step(json!({"paused": true})), []);
        assert_eq!(step(json!({"paused": true, "replicas": 4})), [(3, 4)]);
    }

    #[test]
    fn going_back_to_an_old_template_uses_its_set_again_as_the_latest_revision() {
        let (first, second) = (
            deployment("web:1", json!({})),
            deployment("web:2", json!({})),
        );
        let (old, mut new) = (set_of(&first, 0, 0), set_of(&second, 3, 3));
        new.annotations_mut()
            .insert(revision::REVISION.into(), "2".into());
        let changes = decide(&State::new(first, vec![old, new], false));
        assert_eq!(sizes(&changes), [(0, 1)]);
        let Change::Update { annotations, .. } = &changes[0] else {
            panic!("{changes:?}")
        };
        assert_eq!(annotations[revision::REVISION], "3");
    }

    #[test]
    fn a_deployment_that_is_going_changes_nothing() {
        let mut web = deployment("web:1", json!({}));
        web.metadata.deletion_timestamp = Some(
            k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH),
        );
        assert_eq!(decide(&State::new(web, vec![], false)), []);
    }
}
