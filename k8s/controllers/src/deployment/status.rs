//! status — what a deployment says of its sets: how many pods, how many of them new, ready and available (`semantics.md` 3.3).

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet, ReplicaSetStatus,
};

use super::{Budget, conditions, progress, wanted};

/// What the present step saw of the set for the wanted template.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NewSet<'a> {
    Missing,
    Created(&'a str),
    Found(&'a ReplicaSet),
}

/// The status that follows from the deployment's sets, `all` of them including the new one.
pub(crate) fn status(
    deployment: &Deployment,
    new: NewSet,
    all: &[ReplicaSet],
    now: Timestamp,
) -> DeploymentStatus {
    let before = deployment.status.clone().unwrap_or_default();
    let updated = match new {
        NewSet::Found(set) => count(set, |s| Some(s.replicas)),
        NewSet::Created(_) | NewSet::Missing => 0,
    };
    let sum = |of: fn(&ReplicaSetStatus) -> Option<i32>| -> i32 {
        all.iter().map(|set| count(set, of)).sum()
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
    conditions::set(&mut status, availability(deployment, available), now);
    carry_failure(&mut status, all, now);
    progress::follow(deployment, &before, &mut status, new, now);
    status
}

fn count(set: &ReplicaSet, of: impl Fn(&ReplicaSetStatus) -> Option<i32>) -> i32 {
    set.status.as_ref().and_then(of).unwrap_or(0)
}

// Kubernetes leaves out a count of zero.
fn positive(count: i32) -> Option<i32> {
    (count > 0).then_some(count)
}

fn availability(deployment: &Deployment, available: i32) -> DeploymentCondition {
    let least = wanted(deployment) - Budget::of(deployment).unavailable;
    let (status, reason, message) = if available >= least {
        (
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    conditions::new("Available", status, reason, message)
}

// Pods that cannot even be created are the sets' trouble; the deployment repeats it where its reader looks.
fn carry_failure(status: &mut DeploymentStatus, all: &[ReplicaSet], now: Timestamp) {
    let of_sets = all
        .iter()
        .filter_map(|set| set.status.as_ref()?.conditions.as_ref());
    let failure = of_sets
        .flatten()
        .find(|c| c.type_ == "ReplicaFailure" && c.status == "True");
    match failure {
        Some(failure) => {
            let reason = failure.reason.clone().unwrap_or_default();
            let message = failure.message.clone().unwrap_or_default();
            conditions::set(
                status,
                conditions::new("ReplicaFailure", "True", &reason, message),
                now,
            );
        }
        None => conditions::remove(status, "ReplicaFailure"),
    }
}

/// Whether every wanted pod is new and available, and no old one is left.
pub(crate) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let counts = [
        status.updated_replicas,
        status.replicas,
        status.available_replicas,
    ];
    counts
        .iter()
        .all(|count| count.unwrap_or(0) == wanted(deployment))
        && status.observed_generation >= deployment.metadata.generation
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};

    pub fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    pub fn deployment(spec: Value, status: DeploymentStatus) -> Deployment {
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

    pub fn set(name: &str, replicas: i32, ready: i32) -> ReplicaSet {
        serde_json::from_value(
            json!({"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {}},
            "status": {"replicas": replicas, "readyReplicas": ready, "availableReplicas": ready}}),
        )
        .unwrap()
    }

    pub fn after(
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

    pub fn reasons(status: &DeploymentStatus) -> Vec<(&str, &str)> {
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
    fn a_set_that_cannot_make_pods_speaks_through_its_deployment() {
        let mut failing = set("new", 1, 0);
        let failure = json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}]);
        failing.status.as_mut().unwrap().conditions = serde_json::from_value(failure).unwrap();
        let status = after(
            json!({"replicas": 1}),
            &DeploymentStatus::default(),
            &[failing],
            0,
        );
        assert_eq!(reasons(&status)[1], ("True", "FailedCreate"));
        assert_eq!(
            reasons(&after(
                json!({"replicas": 1}),
                &status,
                &[set("new", 1, 0)],
                0
            ))
            .len(),
            2
        );
    }
}
