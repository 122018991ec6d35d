//! Manifests and what statuses say.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use serde_json::{Value, json};

/// Adds the keys of `more`; lists are put together.
pub fn merge(into: &mut Value, more: Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else {
        return;
    };
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(Value::Array(old)), Value::Array(new)) => old.extend(new),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

pub fn pod_spec(mut containers: Vec<Value>, more: Value) -> Value {
    for container in &mut containers {
        let mounts = json!({"volumeMounts": [{"name": "state", "mountPath": "/state"}]});
        merge(container, mounts);
    }
    let mut spec = json!({"containers": containers, "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "state", "emptyDir": {}}]});
    merge(&mut spec, more);
    spec
}

pub fn service(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": [{"port": 8080, "targetPort": 8080}]}})
}

pub fn deployment(name: &str, replicas: u32, pod_spec: Value) -> Value {
    json!({"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec}}})
}

/// Asked every second at this path of port 8080, and one failure decides; a slow answer of a busy machine is none.
pub fn http_probe(path: &str) -> Value {
    json!({"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 10, "failureThreshold": 1})
}

/// What `kubectl rollout status` takes for success.
pub fn is_rolled_out(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    let Some(status) = &deployment.status else {
        return false;
    };
    status.observed_generation == deployment.metadata.generation
        && [
            status.updated_replicas,
            status.replicas,
            status.available_replicas,
        ] == [wanted; 3]
}

pub fn containers(pod: &Pod) -> &[ContainerStatus] {
    let status = pod.status.as_ref();
    let all = status.and_then(|status| status.container_statuses.as_deref());
    all.unwrap_or_default()
}

fn state(pod: &Pod) -> Option<&ContainerState> {
    containers(pod).first().and_then(|one| one.state.as_ref())
}

pub fn is_running(pod: &Pod) -> bool {
    state(pod).is_some_and(|state| state.running.is_some())
}

pub fn waiting_reason(pod: &Pod) -> Option<&str> {
    state(pod)?.waiting.as_ref()?.reason.as_deref()
}

/// The end that the container is in now.
pub fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    state(pod)?.terminated.as_ref()
}

/// The end before the present state.
pub fn last_terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let last = containers(pod).first()?.last_state.as_ref();
    last?.terminated.as_ref()
}

pub fn restarts(pod: &Pod) -> i32 {
    containers(pod).first().map_or(0, |one| one.restart_count)
}

pub fn condition<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    let status = pod.status.as_ref()?;
    let mut all = status.conditions.iter().flatten();
    all.find(|one| one.type_ == name)
        .map(|one| one.status.as_str())
}

pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready") == Some("True")
}

pub fn is_not_ready(pod: &Pod) -> bool {
    condition(pod, "Ready") == Some("False")
}

pub fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

pub fn has_ended(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// The exit code that the end of an exec carries.
pub fn exit_status(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_deref()?;
    let code = causes
        .iter()
        .find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    code.message.as_deref()?.parse().ok()
}
