//! defaults — what objects mean where they say nothing, kind by kind.

use super::{
    pod_defaults,
    tree::{Map, existing, items, object, put_default},
};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// The one node there is.
pub const NODE_NAME: &str = "node-1";

/// The object's own map, and its specification, made if absent.
fn spec(value: &mut Value) -> Option<&mut Map> {
    object(value.as_object_mut()?, "spec")
}

fn metadata(value: &mut Value) -> Option<&mut Map> {
    object(value.as_object_mut()?, "metadata")
}

fn status(value: &mut Value) -> Option<&mut Map> {
    object(value.as_object_mut()?, "status")
}

fn template_of(spec: &mut Map) {
    let pod = existing(spec, "template").and_then(|template| existing(template, "spec"));
    if let Some(pod) = pod {
        pod_defaults::template(pod);
    }
}

pub fn namespace(value: &mut Value) {
    let name = value["metadata"]["name"].clone();
    if let Some(labels) = metadata(value).and_then(|m| object(m, "labels")) {
        labels.insert("kubernetes.io/metadata.name".into(), name);
    }
}

pub fn node(value: &mut Value) {
    spec(value);
    let Some(status) = status(value) else { return };
    if let Some(capacity) = status.get("capacity").cloned() {
        put_default(status, "allocatable", capacity);
    }
}

pub fn pod(value: &mut Value) {
    let Some(spec) = spec(value) else { return };
    pod_defaults::pod(spec);
    let class = pod_defaults::qos_class(&value["spec"]);
    if let Some(status) = status(value) {
        put_default(status, "phase", "Pending");
        put_default(status, "qosClass", class);
    }
}

pub fn deployment(value: &mut Value) {
    let Some(spec) = spec(value) else { return };
    put_default(spec, "replicas", 1);
    put_default(spec, "revisionHistoryLimit", 10);
    put_default(spec, "progressDeadlineSeconds", 600);
    if let Some(strategy) = object(spec, "strategy") {
        put_default(strategy, "type", "RollingUpdate");
        if strategy["type"] == "RollingUpdate"
            && let Some(rolling) = object(strategy, "rollingUpdate")
        {
            put_default(rolling, "maxSurge", "25%");
            put_default(rolling, "maxUnavailable", "25%");
        }
    }
    template_of(spec);
    status(value);
}

pub fn replica_set(value: &mut Value) {
    let Some(spec) = spec(value) else { return };
    put_default(spec, "replicas", 1);
    template_of(spec);
    if let Some(status) = status(value) {
        put_default(status, "replicas", 0);
    }
}

/// Needs the uid: a job's pods are told apart by it.
pub fn job(value: &mut Value) {
    let uid = value["metadata"]["uid"].clone();
    let name = value["metadata"]["name"].clone();
    let Some(spec) = spec(value) else { return };
    put_default(spec, "backoffLimit", 6);
    put_default(spec, "completionMode", "NonIndexed");
    put_default(spec, "suspend", false);
    put_default(spec, "podReplacementPolicy", "TerminatingOrFailed");
    put_default(spec, "manualSelector", false);
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        put_default(spec, "completions", 1);
    }
    put_default(spec, "parallelism", 1);
    if uid.is_string() && spec["manualSelector"] == false {
        put_default(
            spec,
            "selector",
            json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}),
        );
        let labels = object(spec, "template")
            .and_then(|t| object(t, "metadata"))
            .and_then(|m| object(m, "labels"));
        if let Some(labels) = labels {
            for (label, text) in [("controller-uid", &uid), ("job-name", &name)] {
                put_default(
                    labels,
                    &format!("batch.kubernetes.io/{label}"),
                    text.clone(),
                );
                put_default(labels, label, text.clone());
            }
        }
    }
    template_of(spec);
    status(value);
    // A job without labels takes those of its pods.
    let labels = value["spec"]["template"]["metadata"].get("labels").cloned();
    if let (Some(metadata), Some(labels)) = (metadata(value), labels) {
        put_default(metadata, "labels", labels);
    }
}

pub fn cron_job(value: &mut Value) {
    let Some(spec) = spec(value) else { return };
    put_default(spec, "concurrencyPolicy", "Allow");
    put_default(spec, "suspend", false);
    put_default(spec, "successfulJobsHistoryLimit", 3);
    put_default(spec, "failedJobsHistoryLimit", 1);
    if let Some(job) = existing(spec, "jobTemplate").and_then(|job| existing(job, "spec")) {
        template_of(job);
    }
    status(value);
}

pub fn service(value: &mut Value) {
    let Some(spec) = spec(value) else { return };
    put_default(spec, "type", "ClusterIP");
    put_default(spec, "sessionAffinity", "None");
    if spec["sessionAffinity"] == "ClientIP" {
        put_default(
            spec,
            "sessionAffinityConfig",
            json!({"clientIP": {"timeoutSeconds": 10800}}),
        );
    }
    if spec["type"] != "ExternalName" {
        put_default(spec, "internalTrafficPolicy", "Cluster");
        put_default(spec, "ipFamilies", json!(["IPv4"]));
        put_default(spec, "ipFamilyPolicy", "SingleStack");
    }
    if spec["type"] == "NodePort" || spec["type"] == "LoadBalancer" {
        put_default(spec, "externalTrafficPolicy", "Cluster");
    }
    if spec["type"] == "LoadBalancer" {
        put_default(spec, "allocateLoadBalancerNodePorts", true);
    }
    for port in items(spec, "ports") {
        put_default(port, "protocol", "TCP");
        let number = port.get("port").cloned().unwrap_or(Value::Null);
        // A zero is what a typed client sends for "not given".
        if port.get("targetPort").is_none_or(|t| *t == 0 || *t == "") {
            port.insert("targetPort".into(), number);
        }
    }
    if let Some(status) = status(value) {
        put_default(status, "loadBalancer", json!({}));
    }
}

pub fn endpoints(value: &mut Value) {
    let Some(endpoints) = value.as_object_mut() else {
        return;
    };
    for subset in items(endpoints, "subsets") {
        items(subset, "ports").for_each(|port| put_default(port, "protocol", "TCP"));
    }
}

pub fn endpoint_slice(value: &mut Value) {
    let Some(slice) = value.as_object_mut() else {
        return;
    };
    for port in items(slice, "ports") {
        put_default(port, "name", "");
        put_default(port, "protocol", "TCP");
    }
}

pub fn secret(value: &mut Value) {
    let Some(secret) = value.as_object_mut() else {
        return;
    };
    put_default(secret, "type", "Opaque");
    let Some(Value::Object(texts)) = secret.shift_remove("stringData") else {
        return;
    };
    if let Some(data) = object(secret, "data") {
        for (name, text) in texts {
            let bytes = ByteString(text.as_str().unwrap_or("").into());
            data.insert(name, json!(bytes));
        }
    }
}

pub fn persistent_volume(value: &mut Value) {
    let Some(spec) = spec(value) else { return };
    put_default(spec, "persistentVolumeReclaimPolicy", "Retain");
    put_default(spec, "volumeMode", "Filesystem");
    if let Some(path) = existing(spec, "hostPath") {
        put_default(path, "type", "");
    }
    if let Some(status) = status(value) {
        put_default(status, "phase", "Pending");
    }
}

pub fn persistent_volume_claim(value: &mut Value) {
    let Some(spec) = spec(value) else { return };
    put_default(spec, "volumeMode", "Filesystem");
    if let Some(status) = status(value) {
        put_default(status, "phase", "Pending");
    }
}

pub fn storage_class(value: &mut Value) {
    let Some(class) = value.as_object_mut() else {
        return;
    };
    put_default(class, "reclaimPolicy", "Delete");
    put_default(class, "volumeBindingMode", "Immediate");
}

pub fn horizontal_pod_autoscaler(value: &mut Value) {
    let Some(spec) = spec(value) else { return };
    put_default(spec, "minReplicas", 1);
    let target = json!({"type": "Utilization", "averageUtilization": 80});
    put_default(
        spec,
        "metrics",
        json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]),
    );
    if let Some(behavior) = existing(spec, "behavior") {
        scaling_rules(behavior);
    }
    if let Some(status) = status(value) {
        put_default(status, "desiredReplicas", 0);
    }
}

fn scaling_rules(behavior: &mut Map) {
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let pods = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
    if let Some(up) = object(behavior, "scaleUp") {
        put_default(up, "stabilizationWindowSeconds", 0);
        put_default(up, "selectPolicy", "Max");
        put_default(up, "policies", json!([pods, percent]));
    }
    if let Some(down) = object(behavior, "scaleDown") {
        put_default(down, "selectPolicy", "Max");
        put_default(down, "policies", json!([percent]));
    }
}

pub fn pod_disruption_budget(value: &mut Value) {
    let Some(status) = status(value) else { return };
    for count in [
        "currentHealthy",
        "desiredHealthy",
        "disruptionsAllowed",
        "expectedPods",
    ] {
        put_default(status, count, 0);
    }
}

pub fn event(value: &mut Value) {
    let Some(event) = value.as_object_mut() else {
        return;
    };
    put_default(event, "reportingComponent", "");
    put_default(event, "reportingInstance", "");
    put_default(event, "source", Map::new());
}

pub fn role_binding(value: &mut Value) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let Some(binding) = value.as_object_mut() else {
        return;
    };
    if let Some(role) =
        existing(binding, "roleRef").filter(|r| r.get("apiGroup").is_none_or(|g| *g == ""))
    {
        role.insert("apiGroup".into(), json!(GROUP));
    }
    for subject in
        items(binding, "subjects").filter(|s| s.get("kind").is_some_and(|k| *k != "ServiceAccount"))
    {
        put_default(subject, "apiGroup", GROUP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(complete: fn(&mut Value), mut value: Value) -> Value {
        complete(&mut value);
        value
    }

    #[test]
    fn a_deployment_rolls_by_quarters() {
        let deployment = completed(
            deployment,
            json!({"spec": {"template": {"spec": {"containers": []}}}}),
        );
        let spec = &deployment["spec"];
        assert_eq!(
            spec["strategy"],
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
        );
        assert_eq!(
            (&spec["replicas"], &spec["progressDeadlineSeconds"]),
            (&json!(1), &json!(600))
        );
        assert_eq!(spec["template"]["spec"]["restartPolicy"], "Always");
        assert!(spec["template"]["spec"].get("nodeName").is_none());
    }

    #[test]
    fn recreate_needs_no_rolling_numbers() {
        let deployment = completed(
            deployment,
            json!({"spec": {"strategy": {"type": "Recreate"}}}),
        );
        assert_eq!(deployment["spec"]["strategy"], json!({"type": "Recreate"}));
    }

    #[test]
    fn a_service_port_leads_to_the_same_port() {
        let service = completed(service, json!({"spec": {"ports": [{"port": 8080}]}}));
        assert_eq!(
            service["spec"]["ports"][0],
            json!({"port": 8080, "protocol": "TCP", "targetPort": 8080})
        );
        assert_eq!(service["spec"]["type"], "ClusterIP");
    }

    #[test]
    fn plain_text_of_a_secret_becomes_data() {
        let secret = completed(secret, json!({"stringData": {"user": "me"}}));
        assert_eq!(secret, json!({"type": "Opaque", "data": {"user": "bWU="}}));
    }

    #[test]
    fn a_job_selects_its_pods_by_uid() {
        let job = completed(
            job,
            json!({"metadata": {"name": "load", "uid": "u"}, "spec": {"template": {"spec": {}}}}),
        );
        assert_eq!(
            job["spec"]["selector"],
            json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}})
        );
        let labels = &job["spec"]["template"]["metadata"]["labels"];
        assert_eq!(
            (&labels["job-name"], &labels["controller-uid"]),
            (&json!("load"), &json!("u"))
        );
        assert_eq!(
            (&job["spec"]["completions"], &job["spec"]["parallelism"]),
            (&json!(1), &json!(1))
        );
    }

    #[test]
    fn an_autoscaler_without_metrics_aims_at_80_percent_cpu() {
        let scaler = completed(
            horizontal_pod_autoscaler,
            json!({"spec": {"maxReplicas": 3}}),
        );
        assert_eq!(
            scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"],
            80
        );
        assert_eq!(scaler["spec"]["minReplicas"], 1);
    }

    #[test]
    fn a_new_pod_is_pending() {
        let pod = completed(pod, json!({"spec": {"containers": []}}));
        assert_eq!(
            pod["status"],
            json!({"phase": "Pending", "qosClass": "BestEffort"})
        );
    }
}
