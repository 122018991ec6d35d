//! progress — whether a rollout still gets anywhere, and for how long it may not (`semantics.md` 3.4).

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus};
use kube::ResourceExt;

use super::{
    conditions,
    status::{NewSet, is_complete},
};
use crate::pods;

const CONDITION: &str = "Progressing";
const COMPLETE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
/// This number of seconds means that there is no deadline.
const NO_DEADLINE: i32 = i32::MAX;

/// Brings the condition `Progressing` up to date; the counts in `status` already are.
pub(super) fn follow(
    deployment: &Deployment,
    before: &DeploymentStatus,
    status: &mut DeploymentStatus,
    new: NewSet,
    now: Timestamp,
) {
    if deadline(deployment).is_none() {
        return conditions::remove(status, CONDITION);
    }
    let present = reason(before);
    if is_paused(deployment) {
        // A rollout that was late before the pause is still late.
        if present != Some(TIMED_OUT) {
            conditions::set(
                status,
                progressing("Unknown", PAUSED, "Deployment is paused".into()),
                now,
            );
        }
        return;
    }
    match (present, new) {
        (_, NewSet::Created(name)) => {
            let message = format!("Created new replica set \"{name}\"");
            return conditions::restamp(
                status,
                progressing("True", "NewReplicaSetCreated", message),
                now,
            );
        }
        (Some(PAUSED), _) => {
            let resumed = progressing(
                "Unknown",
                "DeploymentResumed",
                "Deployment is resumed".into(),
            );
            conditions::set(status, resumed, now);
        }
        (None, NewSet::Found(set)) => {
            let message = format!("Found new replica set \"{}\"", set.name_any());
            conditions::set(
                status,
                progressing("True", "FoundNewReplicaSet", message),
                now,
            );
        }
        _ => {}
    }
    // Once complete, always complete, until a new template starts over: later trouble is not a rollout's.
    if present != Some(COMPLETE) || status.replicas != status.updated_replicas {
        judge(deployment, before, status, &subject(deployment, new), now);
    }
}

fn judge(
    deployment: &Deployment,
    before: &DeploymentStatus,
    status: &mut DeploymentStatus,
    subject: &str,
    now: Timestamp,
) {
    if is_complete(deployment, status) {
        let message = format!("{subject} has successfully progressed.");
        conditions::set(status, progressing("True", COMPLETE, message), now);
    } else if has_progressed(before, status) {
        let message = format!("{subject} is progressing.");
        conditions::restamp(
            status,
            progressing("True", "ReplicaSetUpdated", message),
            now,
        );
    } else if is_timed_out(deployment, status, now) {
        let message = format!("{subject} has timed out progressing.");
        conditions::set(status, progressing("False", TIMED_OUT, message), now);
    }
}

fn subject(deployment: &Deployment, new: NewSet) -> String {
    match new {
        NewSet::Missing => format!("Deployment \"{}\"", deployment.name_any()),
        NewSet::Created(name) => format!("ReplicaSet \"{name}\""),
        NewSet::Found(set) => format!("ReplicaSet \"{}\"", set.name_any()),
    }
}

fn progressing(status: &str, reason: &str, message: String) -> DeploymentCondition {
    conditions::new(CONDITION, status, reason, message)
}

fn reason(status: &DeploymentStatus) -> Option<&str> {
    conditions::find(status, CONDITION)?.reason.as_deref()
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
    if is_paused(deployment) || matches!(reason(status)?, COMPLETE | TIMED_OUT) {
        return None;
    }
    deadline_left(deployment, status, now)
}

fn is_timed_out(deployment: &Deployment, status: &DeploymentStatus, now: Timestamp) -> bool {
    match reason(status) {
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
    let since = conditions::find(status, CONDITION)?
        .last_update_time
        .as_ref()?
        .0;
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

#[cfg(test)]
mod tests {
    use super::{
        super::status::{status, tests::*},
        *,
    };
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

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
        let progressing = conditions::find(&second, CONDITION).unwrap();
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
            ("Unknown", "DeploymentResumed")
        );
    }

    #[test]
    fn another_new_set_starts_the_deadline_anew() {
        let first = status(
            &deployment(json!({}), DeploymentStatus::default()),
            NewSet::Created("a"),
            &[],
            at(0),
        );
        let second = status(
            &deployment(json!({}), first),
            NewSet::Created("b"),
            &[],
            at(300),
        );
        assert_eq!(
            conditions::find(&second, CONDITION)
                .unwrap()
                .last_update_time,
            Some(Time(at(300)))
        );
    }
}
