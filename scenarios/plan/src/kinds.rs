//! Kinds of objects and the API versions they have.
use crate::object::Object;
use crate::problem::meant;
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

/// The API version of a kind: what the file says, else what the manifests have, else the usual one.
pub fn api_version(of: &Object, kind: &str, system: Option<&System>) -> Option<String> {
    if let Some(said) = of.text("apiVersion") {
        return Some(said.into());
    }
    let of_system = system.and_then(|s| s.api_version(kind));
    let usual = KNOWN.iter().find(|(k, _)| *k == kind).map(|(_, v)| *v);
    let found = of_system.or(usual);
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
    found.map(Into::into)
}
