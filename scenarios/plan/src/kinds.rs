//! Kinds of objects, the API versions they have, and what stands at their top.
use crate::object::Object;
use crate::problem::{meant, nearest};
use crate::system::System;

/// What files may name by kind alone.
const KNOWN: [(&str, &str); 26] = [
    ("ConfigMap", "v1"),
    ("CronJob", "batch/v1"),
    ("DaemonSet", "apps/v1"),
    ("Deployment", "apps/v1"),
    ("DestinationRule", "networking.istio.io/v1"),
    ("EndpointSlice", "discovery.k8s.io/v1"),
    ("Endpoints", "v1"),
    ("Event", "v1"),
    ("HorizontalPodAutoscaler", "autoscaling/v2"),
    ("Job", "batch/v1"),
    ("Node", "v1"),
    ("PersistentVolume", "v1"),
    ("PersistentVolumeClaim", "v1"),
    ("Pod", "v1"),
    ("PodDisruptionBudget", "policy/v1"),
    ("PodMetrics", "metrics.k8s.io/v1beta1"),
    ("ReplicaSet", "apps/v1"),
    ("Role", "rbac.authorization.k8s.io/v1"),
    ("RoleBinding", "rbac.authorization.k8s.io/v1"),
    ("Secret", "v1"),
    ("Service", "v1"),
    ("ServiceAccount", "v1"),
    ("ServiceEntry", "networking.istio.io/v1"),
    ("StatefulSet", "apps/v1"),
    ("StorageClass", "storage.k8s.io/v1"),
    ("VirtualService", "networking.istio.io/v1"),
];

/// The groups of Kubernetes whose kinds are often named, each with all it has; the first is the one without a name.
const GROUPS: [(&str, &[&str]); 8] = [
    (
        "",
        &[
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    (
        "apps",
        &[
            "ControllerRevision",
            "DaemonSet",
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
        ],
    ),
    ("autoscaling", &["HorizontalPodAutoscaler"]),
    ("batch", &["CronJob", "Job"]),
    ("policy", &["PodDisruptionBudget"]),
    ("discovery.k8s.io", &["EndpointSlice"]),
    (
        "rbac.authorization.k8s.io",
        &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    ),
    ("metrics.k8s.io", &["NodeMetrics", "PodMetrics"]),
];

/// The API version of a kind: what the file says, else what the manifests have, else the usual one.
pub fn api_version(of: &Object, kind: &str, system: Option<&System>) -> Option<String> {
    if let Some(said) = of.text("apiVersion") {
        is_there(of, said, kind);
        return Some(said.into());
    }
    let of_system = system.and_then(|s| s.api_version(kind).map(str::to_owned));
    let defined = || system.and_then(|s| s.defined(kind));
    let usual = KNOWN.iter().find(|(k, _)| *k == kind);
    let usual = usual.map(|(_, version)| (*version).to_string());
    let found = of_system.or_else(defined).or(usual);
    if system.is_none() {
        return Some(found.unwrap_or_default()); // the manifests may define it
    }
    if found.is_none()
        && let Some((node, _)) = of.word("kind")
    {
        let way_out = format!(
            "{}; or write apiVersion",
            meant(kind, KNOWN.map(|(k, _)| k))
        );
        of.log
            .bad(node, format!("no such kind: \"{kind}\""), way_out);
    }
    found
}

/// Puts down an API version that is none, and a kind that a group of Kubernetes does not have.
fn is_there(of: &Object, api_version: &str, kind: &str) {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let known = GROUPS.iter().find(|(name, _)| *name == group);
    if let Some((node, _)) = of.word("apiVersion")
        && (!is_version(version) || (known.is_none() && !group.contains('.')))
    {
        let message = format!("no such apiVersion: \"{api_version}\"");
        of.log.bad(
            node,
            message,
            "write v1, apps/v1, or a group with a dot, as example.com/v1",
        );
    }
    if let (Some((_, kinds)), Some((node, _))) = (known, of.word("kind"))
        && !kinds.contains(&kind)
    {
        let message = format!("no such kind in {api_version}: \"{kind}\"");
        of.log.bad(node, message, meant(kind, kinds.to_vec()));
    }
}

/// `v1`, `v2beta1`.
fn is_version(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('v') else {
        return false;
    };
    let stage = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = |stage: &str| !stage.is_empty() && stage.bytes().all(|b| b.is_ascii_digit());
    let early = ["alpha", "beta"];
    let staged = early
        .iter()
        .any(|word| stage.strip_prefix(word).is_some_and(numbered));
    stage.len() < rest.len() && (stage.is_empty() || staged)
}

/// What most kinds have at their top.
const USUAL: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

/// What the others have there, besides apiVersion, kind and metadata.
const OTHERS: [(&str, &[&str]); 13] = [
    ("ConfigMap", &["data", "binaryData", "immutable"]),
    ("Secret", &["data", "stringData", "immutable", "type"]),
    (
        "ServiceAccount",
        &[
            "secrets",
            "imagePullSecrets",
            "automountServiceAccountToken",
        ],
    ),
    ("Endpoints", &["subsets"]),
    ("EndpointSlice", &["addressType", "endpoints", "ports"]),
    ("Role", &["rules"]),
    ("ClusterRole", &["rules", "aggregationRule"]),
    ("RoleBinding", &["subjects", "roleRef"]),
    ("ClusterRoleBinding", &["subjects", "roleRef"]),
    ("PodMetrics", &["timestamp", "window", "containers"]),
    ("NodeMetrics", &["timestamp", "window", "usage"]),
    ("PodTemplate", &["template"]),
    ("ControllerRevision", &["data", "revision"]),
];

/// Kinds whose members are too many or too free to say that one is not there.
const FREE: [&str; 2] = ["Event", "StorageClass"];

/// Puts down a path that begins with a member which no object of the kind has.
pub fn has_member(of: &Object, kind: &str, path: &str) {
    let of_kubernetes = GROUPS.iter().any(|(_, kinds)| kinds.contains(&kind));
    let (Some(member), true) = (first(path), of_kubernetes && !FREE.contains(&kind)) else {
        return;
    };
    let known: Vec<&str> = match OTHERS.iter().find(|(k, _)| *k == kind) {
        Some((_, others)) => USUAL[..3].iter().chain(*others).copied().collect(),
        None => USUAL.to_vec(),
    };
    if let Some((node, _)) = of.word("path").filter(|_| !known.contains(&member)) {
        let message = format!("no {kind} has \"{member}\"");
        of.log.bad(node, message, meant(member, known));
    }
}

/// The types of conditions that Kubernetes writes.
const CONDITIONS: [(&str, &[&str]); 5] = [
    (
        "Pod",
        &[
            "ContainersReady",
            "DisruptionTarget",
            "Initialized",
            "PodScheduled",
            "Ready",
        ],
    ),
    (
        "Deployment",
        &["Available", "Progressing", "ReplicaFailure"],
    ),
    (
        "HorizontalPodAutoscaler",
        &["AbleToScale", "ScalingActive", "ScalingLimited"],
    ),
    (
        "Job",
        &[
            "Complete",
            "Failed",
            "FailureTarget",
            "SuccessCriteriaMet",
            "Suspended",
        ],
    ),
    (
        "Node",
        &[
            "DiskPressure",
            "MemoryPressure",
            "NetworkUnavailable",
            "PIDPressure",
            "Ready",
        ],
    ),
];

/// Puts down a condition that is misspelt. One that is like none of those that are known may be somebody's own.
pub fn has_condition(of: &Object, kind: &str) {
    let Some((node, word)) = of.word("condition") else {
        return;
    };
    let Some((_, known)) = CONDITIONS.iter().find(|(k, _)| *k == kind) else {
        return;
    };
    if !known.contains(&word)
        && let Some(near) = nearest(word, known.iter().copied())
    {
        let message = format!("no {kind} has a condition \"{word}\"");
        of.log.bad(node, message, format!("did you mean {near}?"));
    }
}

/// The first member that a path names; none where it begins with something else.
fn first(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('$')?;
    if let Some(quoted) = rest.strip_prefix("['").or(rest.strip_prefix("[\"")) {
        return quoted.split(['\'', '"']).next();
    }
    let member = rest.strip_prefix('.')?.split(['.', '[']).next()?;
    Some(member).filter(|m| !m.is_empty() && *m != "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_and_perhaps_a_stage() {
        assert!(["v1", "v2beta1", "v1alpha12"].iter().all(|v| is_version(v)));
        assert!(
            ["", "1", "v", "vbeta1", "v1beta", "v1x", "apps"]
                .iter()
                .all(|v| !is_version(v))
        );
    }

    #[test]
    fn the_first_member_of_a_path_is_known_unless_it_begins_otherwise() {
        assert_eq!(first("$.status.phase"), Some("status"));
        assert_eq!(first("$.status[0]"), Some("status"));
        assert_eq!(first("$['spec'].x"), Some("spec"));
        assert_eq!(first("$..phase"), None);
        assert_eq!(first("$.*"), None);
        assert_eq!(first("$"), None);
    }
}
