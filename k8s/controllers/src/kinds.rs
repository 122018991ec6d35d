//! kinds — the kinds that can belong to something: what the garbage collector follows and a namespace is emptied of.

use kube::core::{ApiResource, GroupVersionKind};

/// One row: group, version, kind, plural, and whether its objects live in a namespace.
pub(crate) struct Kind {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub is_namespaced: bool,
}

const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> Kind {
    Kind {
        group,
        version,
        kind,
        plural,
        is_namespaced: true,
    }
}

/// Owners come before what they own: emptied in this order, nothing is made anew on the way.
pub(crate) const KINDS: &[Kind] = &[
    kind(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
    ),
    kind("batch", "v1", "CronJob", "cronjobs"),
    kind("batch", "v1", "Job", "jobs"),
    kind("apps", "v1", "Deployment", "deployments"),
    kind("apps", "v1", "ReplicaSet", "replicasets"),
    kind("", "v1", "Service", "services"),
    kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    kind("", "v1", "Endpoints", "endpoints"),
    kind("", "v1", "Pod", "pods"),
    kind("", "v1", "ConfigMap", "configmaps"),
    kind("", "v1", "Secret", "secrets"),
    kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    kind("", "v1", "ServiceAccount", "serviceaccounts"),
    kind(
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
    ),
    kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    kind(
        "rbac.authorization.k8s.io",
        "v1",
        "RoleBinding",
        "rolebindings",
    ),
    kind("coordination.k8s.io", "v1", "Lease", "leases"),
    kind(
        "networking.istio.io",
        "v1",
        "DestinationRule",
        "destinationrules",
    ),
    kind(
        "networking.istio.io",
        "v1",
        "VirtualService",
        "virtualservices",
    ),
    kind("", "v1", "Event", "events"),
    Kind {
        is_namespaced: false,
        ..kind("", "v1", "Node", "nodes")
    },
    Kind {
        is_namespaced: false,
        ..kind("", "v1", "Namespace", "namespaces")
    },
    Kind {
        is_namespaced: false,
        ..kind("", "v1", "PersistentVolume", "persistentvolumes")
    },
    Kind {
        is_namespaced: false,
        ..kind(
            "rbac.authorization.k8s.io",
            "v1",
            "ClusterRole",
            "clusterroles",
        )
    },
    Kind {
        is_namespaced: false,
        ..kind(
            "rbac.authorization.k8s.io",
            "v1",
            "ClusterRoleBinding",
            "clusterrolebindings",
        )
    },
    Kind {
        is_namespaced: false,
        ..kind("storage.k8s.io", "v1", "StorageClass", "storageclasses")
    },
];

impl Kind {
    /// The kind as the client names it in paths.
    pub fn resource(&self) -> ApiResource {
        ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk(self.group, self.version, self.kind),
            self.plural,
        )
    }

    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.into()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}
