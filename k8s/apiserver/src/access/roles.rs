//! roles — the ClusterRoles that every cluster has, as far as they are about kinds that exist here.

use serde_json::{Value, json};

const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

/// `cluster-admin`, `admin`, `edit` and `view`.
pub fn built_in() -> [Value; 4] {
    let everything = vec![
        json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}),
        json!({"verbs": ["*"], "nonResourceURLs": ["*"]}),
    ];
    let edit = [seen(), changed()].concat();
    let admin = [edit.clone(), vec![handed_out()]].concat();
    [
        role("cluster-admin", everything),
        role("admin", admin),
        role("edit", edit),
        role("view", seen()),
    ]
}

fn role(name: &str, rules: Vec<Value>) -> Value {
    json!({"metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}, "rules": rules})
}

fn rule(verbs: &[&str], group: &str, resources: &[&str]) -> Value {
    json!({"verbs": verbs, "apiGroups": [group], "resources": resources})
}

/// What a viewer may read: everything in a namespace but Secrets and roles.
fn seen() -> Vec<Value> {
    let core = [
        "configmaps",
        "endpoints",
        "events",
        "namespaces",
        "namespaces/status",
        "persistentvolumeclaims",
        "persistentvolumeclaims/status",
        "pods",
        "pods/log",
        "pods/status",
        "serviceaccounts",
        "services",
        "services/status",
    ];
    let apps = [
        "deployments",
        "deployments/scale",
        "deployments/status",
        "replicasets",
        "replicasets/scale",
        "replicasets/status",
    ];
    let scalers = [
        "horizontalpodautoscalers",
        "horizontalpodautoscalers/status",
    ];
    let batch = ["cronjobs", "cronjobs/status", "jobs", "jobs/status"];
    let budgets = ["poddisruptionbudgets", "poddisruptionbudgets/status"];
    vec![
        rule(&READ, "", &core),
        rule(&READ, "apps", &apps),
        rule(&READ, "autoscaling", &scalers),
        rule(&READ, "batch", &batch),
        rule(&READ, "discovery.k8s.io", &["endpointslices"]),
        rule(&READ, "metrics.k8s.io", &["pods", "nodes"]),
        rule(&READ, "policy", &budgets),
    ]
}

/// What an editor may do besides.
fn changed() -> Vec<Value> {
    let inside = ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy"];
    let core = [
        "configmaps",
        "events",
        "persistentvolumeclaims",
        "pods",
        "secrets",
        "serviceaccounts",
        "services",
    ];
    let apps = [
        "deployments",
        "deployments/scale",
        "replicasets",
        "replicasets/scale",
    ];
    vec![
        rule(&READ, "", &[&inside[..], &["secrets"]].concat()),
        rule(&WRITE, "", &[&inside[..], &core].concat()),
        rule(&["create"], "", &["pods/eviction", "serviceaccounts/token"]),
        rule(&["impersonate"], "", &["serviceaccounts"]),
        rule(&WRITE, "apps", &apps),
        rule(&WRITE, "autoscaling", &["horizontalpodautoscalers"]),
        rule(&WRITE, "batch", &["cronjobs", "jobs"]),
        rule(&WRITE, "policy", &["poddisruptionbudgets"]),
        rule(
            &[&READ[..], &WRITE].concat(),
            "coordination.k8s.io",
            &["leases"],
        ),
    ]
}

/// What the administrator of a namespace may do besides: give others what he has.
fn handed_out() -> Value {
    rule(
        &[&READ[..], &WRITE].concat(),
        "rbac.authorization.k8s.io",
        &["rolebindings", "roles"],
    )
}
