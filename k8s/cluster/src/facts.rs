//! What is written down of an object.
use crate::{
    Replicas,
    access::{REPORTER, STRIKE_ANNOTATION},
};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Event, Pod},
    discovery::v1::{Endpoint, EndpointSlice},
};
use kube::ResourceExt;
use model::{Fact, PodState, Strike};

/// A pod as a fact.
pub(crate) fn state_of(pod: &Pod, gone: bool) -> Option<PodState> {
    let status = pod.status.as_ref();
    let conditions = status
        .and_then(|s| s.conditions.as_deref())
        .unwrap_or_default();
    let containers = status
        .and_then(|s| s.container_statuses.as_deref())
        .unwrap_or_default();
    // The pod's own word comes first: `Evicted`, `DeadlineExceeded`.
    let own = status.and_then(|s| s.reason.clone());
    let reasons = containers.iter().filter_map(|c| {
        let state = c.state.as_ref()?;
        let waiting = state.waiting.as_ref().and_then(|w| w.reason.clone());
        waiting.or_else(|| state.terminated.as_ref().and_then(|t| t.reason.clone()))
    });
    Some(PodState {
        name: pod.name_any(),
        uid: pod.uid()?,
        owner: owner_of(pod),
        template: pod
            .labels()
            .get("pod-template-hash")
            .cloned()
            .unwrap_or_default(),
        phase: status
            .and_then(|s| s.phase.clone())
            .unwrap_or_else(|| "Pending".into()),
        ready: conditions
            .iter()
            .any(|c| c.type_ == "Ready" && c.status == "True"),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        gone,
        restarts: containers
            .iter()
            .map(|c| u32::try_from(c.restart_count).unwrap_or(0))
            .sum(),
        reason: own
            .into_iter()
            .chain(reasons)
            .filter(|r| r != "ContainerCreating")
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// The Deployment (the ReplicaSet's name without the template's hash) or Job that made a pod.
pub(crate) fn owner_of(pod: &Pod) -> String {
    let Some(owner) = pod
        .owner_references()
        .iter()
        .find(|o| o.controller == Some(true))
    else {
        return String::new();
    };
    match pod.labels().get("pod-template-hash") {
        Some(hash) => owner
            .name
            .trim_end_matches(hash.as_str())
            .trim_end_matches('-')
            .into(),
        None => owner.name.clone(),
    }
}

pub(crate) fn replicas(deployment: &Deployment) -> Replicas {
    let count = |n: Option<i32>| u32::try_from(n.unwrap_or(0)).unwrap_or(0);
    let status = deployment.status.clone().unwrap_or_default();
    Replicas {
        desired: count(deployment.spec.as_ref().map(|s| s.replicas.unwrap_or(1))),
        updated: count(status.updated_replicas),
        ready: count(status.ready_replicas),
        available: count(status.available_replicas),
        total: count(status.replicas),
        observed: status.observed_generation >= deployment.metadata.generation,
    }
}

pub(crate) fn ready_endpoints(slice: &EndpointSlice) -> u32 {
    let is_ready = |e: &&Endpoint| {
        e.conditions
            .as_ref()
            .is_none_or(|c| c.ready.unwrap_or(true))
    };
    slice.endpoints.iter().filter(is_ready).count() as u32
}

pub(crate) fn event_fact(event: &Event) -> Fact {
    if let Some(strike) = strike_of(event) {
        return Fact::Strike(strike);
    }
    let involved = &event.involved_object;
    Fact::Event {
        object: format!(
            "{}/{}",
            involved.kind.as_deref().unwrap_or("?"),
            involved.name.as_deref().unwrap_or("?")
        ),
        severity: event.type_.clone().unwrap_or_else(|| "Normal".into()),
        reason: event.reason.clone().unwrap_or_default(),
        message: event.message.clone().unwrap_or_default(),
    }
}

/// The blow that an event of a chaos job tells of.
fn strike_of(event: &Event) -> Option<Strike> {
    if event.reporting_component.as_deref() != Some(REPORTER) {
        return None;
    }
    serde_json::from_str(event.annotations().get(STRIKE_ANNOTATION)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_is_known_by_the_deployment_that_made_it() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "name": "review-69957988c6-4sdfd", "uid": "u",
                "labels": {"pod-template-hash": "69957988c6"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "review-69957988c6", "uid": "r", "controller": true}],
            },
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "False"}],
                "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 2,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
            },
        }))
        .unwrap();
        let state = state_of(&pod, false).unwrap();
        assert_eq!(
            (state.owner.as_str(), state.template.as_str()),
            ("review", "69957988c6")
        );
        assert_eq!(
            (state.ready, state.restarts, state.reason.as_str()),
            (false, 2, "CrashLoopBackOff")
        );
    }

    #[test]
    fn an_endpoint_without_a_condition_is_ready() {
        let slice: EndpointSlice = serde_json::from_value(json!({
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["10.0.0.1"]},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": true}},
                {"addresses": ["10.0.0.3"], "conditions": {"ready": false, "serving": true, "terminating": true}},
            ],
        }))
        .unwrap();
        assert_eq!(ready_endpoints(&slice), 2);
    }
}
