//! progress — a deployment's status: counts, whether enough is available, and whether the rollout still gets anywhere
//! (`semantics.md` 3.3, 3.4).

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;

use super::{Budget, wanted};
use crate::pods;

const COMPLETE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
const RESUMED: &str = "DeploymentResumed";
/// Without this, kubectl's "no deadline" is the largest number it can write.
const NO_DEADLINE: i32 = i32::MAX;

/// What the present step saw of the set for the wanted template.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NewSet<'a> {
    Missing,
    Created(&'a str),
    Found(&'a ReplicaSet),
}

impl NewSet<'_> {
    fn subject(&self, deployment: &Deployment) -> String {
        match self {
            NewSet::Missing => format!("Deployment \"{}\"", deployment.name_any()),
            NewSet::Created(name) => format!("ReplicaSet \"{name}\""),
            NewSet::Found(set) => format!("ReplicaSet \"{}\"", set.name_any()),
        }
    }
}

/// The status that follows from the deployment's sets, `all` of them including the new one.
pub(crate) fn status(
    deployment: &Deployment,
    new: NewSet,
    all: &[ReplicaSet],
    now: Timestamp,
) -> DeploymentStatus {
    let before = deployment.status.clone().unwrap_or_default();
    let updated = if let NewSet::Found(set) = new {
        count(set, |s| Some(s.replicas))
    } else {
        0
    };
    let sum = |of: fn(&k8s_openapi::api::apps::v1::ReplicaSetStatus) -> Option<i32>| {
        all.iter().map(|set| count(set, of)).sum::<i32>()
    };
    let available = sum(|s| s.available_replicas);
    let asked: i32 = all
        .iter()
        .filter_map(|set| set.spec.as_ref()?.replicas)
        .sum();
    let mut status = DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: positive(sum(|s| Some(s.replicas))),
        updated_replicas: positive(updated),
        ready_replicas: positive(sum(|s| s.ready_replicas)),
        available_replicas: positive(available),
        unavailable_replicas: positive(asked - available),
        collision_count: before.collision_count,
        conditions: before.conditions.clone(),
        ..DeploymentStatus::default()
    };
    set_condition(&mut status, availability(deployment, available), now);
    carry_failure(&mut status, all, now);
    follow_progress(deployment, &before, &mut status, new, now);
    status
}

fn count(
    set: &ReplicaSet,
    of: impl Fn(&k8s_openapi::api::apps::v1::ReplicaSetStatus) -> Option<i32>,
) -> i32 {
    set.status.as_ref().and_then(of).unwrap_or(0)
}

// Kubernetes leaves out a count of zero.
fn positive(count: i32) -> Option<i32> {
    (count > 0).then_some(count)
}

fn availability(deployment: &Deployment, available: i32) -> DeploymentCondition {
    let least = wanted(deployment) - Budget::of(deployment).unavailable;
    if available >= least {
        condition(
            "Available",
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.".into(),
        )
    } else {
        condition(
            "Available",
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.".into(),
        )
    }
}

// Pods that cannot even be created are the sets' trouble; the deployment repeats it where its reader looks.
fn carry_failure(status: &mut DeploymentStatus, all: &[ReplicaSet], now: Timestamp) {
    let conditions = all
        .iter()
        .filter_map(|set| set.status.as_ref()?.conditions.as_ref())
        .flatten();
    match conditions
        .into_iter()
        .find(|c| c.type_ == "ReplicaFailure" && c.status == "True")
    {
        Some(c) => {
            let (reason, message) = (
                c.reason.clone().unwrap_or_default(),
                c.message.clone().unwrap_or_default(),
            );
            set_condition(
                status,
                condition("ReplicaFailure", "True", &reason, message),
                now,
            );
        }
        None => remove_condition(status, "ReplicaFailure"),
    }
}

fn follow_progress(
    deployment: &Deployment,
    before: &DeploymentStatus,
    status: &mut DeploymentStatus,
    new: NewSet,
    now: Timestamp,
) {
    if deadline(deployment).is_none() {
        return remove_condition(status, "Progressing");
    }
    let subject = new.subject(deployment);
    let progressing =
        |value, reason: &str, message| condition("Progressing", value, reason, message);
    let present = progress_of(before).and_then(|c| c.reason.clone());
    if is_paused(deployment) {
        if present.as_deref() != Some(TIMED_OUT) {
            set_condition(
                status,
                progressing("Unknown", PAUSED, "Deployment is paused".into()),
                now,
            );
        }
        return;
    }
    if let NewSet::Created(name) = new {
        return set_condition(
            status,
            progressing(
                "True",
                "NewReplicaSetCreated",
                format!("Created new replica set \"{name}\""),
            ),
            now,
        );
    }
    match (present.as_deref(), new) {
        (Some(PAUSED), _) => set_condition(
            status,
            progressing("Unknown", RESUMED, "Deployment is resumed".into()),
            now,
        ),
        (None, NewSet::Found(set)) => {
            let message = format!("Found new replica set \"{}\"", set.name_any());
            set_condition(
                status,
                progressing("True", "FoundNewReplicaSet", message),
                now,
            );
        }
        _ => {}
    }
    // Once complete, always complete, until a new template starts over: later trouble is not a rollout's.
    if present.as_deref() == Some(COMPLETE) && status.replicas == status.updated_replicas {
        return;
    }
    if is_complete(deployment, status) {
        set_condition(
            status,
            progressing(
                "True",
                COMPLETE,
                format!("{subject} has successfully progressed."),
            ),
            now,
        );
    } else if has_progressed(before, status) {
        restamp(
            status,
            progressing(
                "True",
                "ReplicaSetUpdated",
                format!("{subject} is progressing."),
            ),
            now,
        );
    } else if is_timed_out(deployment, status, now) {
        set_condition(
            status,
            progressing(
                "False",
                TIMED_OUT,
                format!("{subject} has timed out progressing."),
            ),
            now,
        );
    }
}

/// Whether every wanted pod is new and available, and no old one is left.
pub(crate) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let replicas = wanted(deployment);
    let counts = [
        status.updated_replicas,
        status.replicas,
        status.available_replicas,
    ];
    counts.iter().all(|count| count.unwrap_or(0) == replicas)
        && status.observed_generation >= deployment.metadata.generation
}

fn has_progressed(before: &DeploymentStatus, after: &DeploymentStatus) -> bool {
    let old = |status: &DeploymentStatus| {
        status.replicas.unwrap_or(0) - status.updated_replicas.unwrap_or(0)
    };
    after.updated_replicas > before.updated_replicas
        || old(after) < old(before)
        || after.ready_replicas > before.ready_replicas
        || after.available_replicas > before.available_replicas
}

/// How long until the deadline must be looked at again; none if it does not run.
pub(crate) fn deadline_in(
    deployment: &Deployment,
    status: &DeploymentStatus,
    now: Timestamp,
) -> Option<Duration> {
    let reason = progress_of(status)?.reason.as_deref();
    if is_paused(deployment) || matches!(reason, Some(COMPLETE | TIMED_OUT)) {
        return None;
    }
    deadline_left(deployment, status, now)
}

fn is_timed_out(deployment: &Deployment, status: &DeploymentStatus, now: Timestamp) -> bool {
    match progress_of(status).and_then(|c| c.reason.as_deref()) {
        Some(COMPLETE) => false,
        Some(TIMED_OUT) => true,
        _ => deadline_left(deployment, status, now).is_some_and(|left| left.is_zero()),
    }
}

// The stamp is cut to whole seconds: a second more makes sure that the deadline never strikes early.
fn deadline_left(
    deployment: &Deployment,
    status: &DeploymentStatus,
    now: Timestamp,
) -> Option<Duration> {
    let since = progress_of(status)?.last_update_time.as_ref()?.0;
    Some(pods::remaining(
        since,
        deadline(deployment)? + Duration::from_secs(1),
        now,
    ))
}

fn deadline(deployment: &Deployment) -> Option<Duration> {
    let seconds = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.progress_deadline_seconds)
        .unwrap_or(600);
    (seconds != NO_DEADLINE).then(|| Duration::from_secs(seconds.unsigned_abs().into()))
}

/// Whether the user asked for no rollout for the time being.
pub(crate) fn is_paused(deployment: &Deployment) -> bool {
    deployment.spec.as_ref().and_then(|spec| spec.paused) == Some(true)
}

fn progress_of(status: &DeploymentStatus) -> Option<&DeploymentCondition> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == "Progressing")
}

fn condition(type_: &str, status: &str, reason: &str, message: String) -> DeploymentCondition {
    DeploymentCondition {
        type_: type_.into(),
        status: status.into(),
        reason: Some(reason.into()),
        message: Some(message),
        ..DeploymentCondition::default()
    }
}

// Nothing is touched while status and reason stay the same.
fn set_condition(status: &mut DeploymentStatus, condition: DeploymentCondition, now: Timestamp) {
    let present = status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == condition.type_);
    if present.is_none_or(|present| {
        present.status != condition.status || present.reason != condition.reason
    }) {
        restamp(status, condition, now);
    }
}

// The transition time changes with the condition's status only, the update time always.
fn restamp(status: &mut DeploymentStatus, mut condition: DeploymentCondition, now: Timestamp) {
    let conditions = status.conditions.get_or_insert_default();
    let place = conditions.iter().position(|c| c.type_ == condition.type_);
    let present = place.map(|place| &conditions[place]);
    let unchanged = present
        .filter(|present| present.status == condition.status)
        .and_then(|present| present.last_transition_time.clone());
    condition.last_transition_time = Some(unchanged.unwrap_or(Time(now)));
    condition.last_update_time = Some(Time(now));
    match place {
        Some(place) => conditions[place] = condition,
        None => conditions.push(condition),
    }
}

fn remove_condition(status: &mut DeploymentStatus, type_: &str) {
    if let Some(conditions) = &mut status.conditions {
        conditions.retain(|c| c.type_ != type_);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn deployment(spec: Value, status: DeploymentStatus) -> Deployment {
        let mut spec = spec;
        spec["selector"] = json!({});
        spec["template"] = json!({});
        let mut deployment: Deployment = serde_json::from_value(
            json!({"metadata": {"name": "web", "generation": 2}, "spec": spec}),
        )
        .unwrap();
        deployment.status = Some(status);
        deployment
    }

    fn set(name: &str, replicas: i32, ready: i32) -> ReplicaSet {
        serde_json::from_value(
            json!({"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {}},
            "status": {"replicas": replicas, "readyReplicas": ready, "availableReplicas": ready}}),
        )
        .unwrap()
    }

    fn after(
        spec: Value,
        before: &DeploymentStatus,
        sets: &[ReplicaSet],
        second: i64,
    ) -> DeploymentStatus {
        status(
            &deployment(spec, before.clone()),
            NewSet::Found(&sets[0]),
            sets,
            at(second),
        )
    }

    fn reasons(status: &DeploymentStatus) -> Vec<(&str, &str)> {
        status
            .conditions
            .iter()
            .flatten()
            .map(|c| (&*c.status, c.reason.as_deref().unwrap()))
            .collect()
    }

    #[test]
    fn counts_are_sums_over_all_sets_and_zeros_are_left_out() {
        let status = after(
            json!({"replicas": 3}),
            &DeploymentStatus::default(),
            &[set("new", 1, 0), set("old", 3, 2)],
            0,
        );
        let counts = [
            status.replicas,
            status.updated_replicas,
            status.ready_replicas,
            status.available_replicas,
            status.unavailable_replicas,
        ];
        assert_eq!(counts, [Some(4), Some(1), Some(2), Some(2), Some(2)]);
        assert_eq!(
            after(json!({"replicas": 0}), &status, &[set("new", 0, 0)], 0).replicas,
            None
        );
    }

    #[test]
    fn enough_is_available_when_no_more_than_the_budget_is_missing() {
        let four = json!({"replicas": 4});
        let few = after(
            four.clone(),
            &DeploymentStatus::default(),
            &[set("new", 4, 2)],
            0,
        );
        assert_eq!(reasons(&few)[0], ("False", "MinimumReplicasUnavailable"));
        assert_eq!(
            reasons(&after(four, &few, &[set("new", 4, 3)], 0))[0],
            ("True", "MinimumReplicasAvailable")
        );
    }

    #[test]
    fn a_rollout_without_progress_times_out_once_and_completes_all_the_same() {
        let spec = json!({"replicas": 1, "progressDeadlineSeconds": 10});
        let created = status(
            &deployment(spec.clone(), DeploymentStatus::default()),
            NewSet::Created("new"),
            &[],
            at(0),
        );
        assert_eq!(reasons(&created)[1], ("True", "NewReplicaSetCreated"));
        let started = after(spec.clone(), &created, &[set("new", 1, 0)], 1);
        assert_eq!(reasons(&started)[1], ("True", "ReplicaSetUpdated"));
        assert_eq!(
            deadline_in(&deployment(spec.clone(), started.clone()), &started, at(4)),
            Some(Duration::from_secs(8))
        );
        let waiting = after(spec.clone(), &started, &[set("new", 1, 0)], 11);
        assert_eq!(waiting, started);
        let late = after(spec.clone(), &waiting, &[set("new", 1, 0)], 12);
        assert_eq!(reasons(&late)[1], ("False", TIMED_OUT));
        assert_eq!(
            deadline_in(&deployment(spec.clone(), late.clone()), &late, at(13)),
            None
        );
        assert_eq!(
            reasons(&after(spec, &late, &[set("new", 1, 1)], 50))[1],
            ("True", COMPLETE)
        );
    }

    #[test]
    fn a_complete_rollout_never_times_out_when_a_pod_fails_later() {
        let spec = json!({"replicas": 2, "progressDeadlineSeconds": 10});
        let complete = after(
            spec.clone(),
            &DeploymentStatus::default(),
            &[set("new", 2, 2)],
            0,
        );
        let trouble = after(spec, &complete, &[set("new", 2, 1)], 100);
        assert_eq!(reasons(&trouble)[1], ("True", COMPLETE));
    }

    #[test]
    fn progress_moves_the_deadline_but_not_the_transition() {
        let spec = json!({"replicas": 3, "progressDeadlineSeconds": 10});
        let first = after(
            spec.clone(),
            &DeploymentStatus::default(),
            &[set("new", 1, 0), set("old", 3, 3)],
            1,
        );
        let second = after(spec, &first, &[set("new", 1, 1), set("old", 3, 3)], 9);
        let progressing = progress_of(&second).unwrap();
        assert_eq!(progressing.last_update_time, Some(Time(at(9))));
        assert_eq!(progressing.last_transition_time, Some(Time(at(1))));
    }

    #[test]
    fn a_paused_deployment_says_so_and_has_no_deadline() {
        let paused = json!({"replicas": 1, "paused": true});
        let status = after(
            paused.clone(),
            &DeploymentStatus::default(),
            &[set("new", 1, 0)],
            0,
        );
        assert_eq!(reasons(&status)[1], ("Unknown", PAUSED));
        assert_eq!(
            deadline_in(&deployment(paused, status.clone()), &status, at(1)),
            None
        );
        assert_eq!(
            reasons(&after(
                json!({"replicas": 1}),
                &status,
                &[set("new", 1, 0)],
                5
            ))[1],
            ("Unknown", RESUMED)
        );
    }
}
