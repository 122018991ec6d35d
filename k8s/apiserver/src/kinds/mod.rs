//! kinds — the table of what the cluster knows: names, how each kind is decoded, completed and checked.

mod autoscaler_v1;
mod checks;
mod decode;
mod defaults;
mod pod_defaults;
mod quantity;
mod tree;

pub use decode::Decoded;
pub use defaults::NODE_NAME;
pub use quantity::{canonical, thousandths};
pub use tree::{Map, put_default, texts};

use crate::refusal::{Problem, Refusal};
use ::mesh::rules::{DestinationRule, GROUP as MESH, VirtualService};
use decode::strict;
use k8s_openapi::api::{
    apps::v1 as apps, authentication::v1 as authentication, authorization::v1 as authorization,
    autoscaling::v1 as autoscaling_v1, autoscaling::v2 as autoscaling, batch::v1 as batch,
    coordination::v1 as coordination, core::v1 as core, discovery::v1 as discovery,
    policy::v1 as policy, rbac::v1 as rbac, storage::v1 as storage,
};
use serde_json::{Value, json};

/// What the embedded cluster does with objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Use {
    /// Something reads them and acts.
    ActedOn,
    /// They are questions: an answer comes back, and nothing is kept.
    AnsweredOnly,
}

/// What can be done with objects that are stored.
const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// The way from the version that is stored to another one, and back.
#[derive(Clone, Copy)]
struct Conversion {
    from_stored: fn(&Value) -> Value,
    to_stored: fn(&Value) -> Value,
}

/// One row of the table.
pub struct Kind {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    /// Also the resource's key in the store: no two kinds share it, but all versions of one do.
    pub plural: &'static str,
    pub short: &'static [&'static str],
    pub namespaced: bool,
    /// Whether `kubectl get all` shows it.
    pub in_all: bool,
    pub subresources: &'static [&'static str],
    /// Whether `metadata.generation` counts changes of the specification.
    pub generation: bool,
    pub usage: Use,
    pub verbs: &'static [&'static str],
    /// How objects of this version are read and shown, where they are stored in another one.
    conversion: Option<Conversion>,
    decode: fn(&Value) -> Result<Decoded, String>,
    defaults: fn(&mut Value),
    check: fn(&Value, &mut Vec<Problem>),
    check_change: fn(&Value, &Value, &mut Vec<Problem>),
}

const fn kind(
    kind: &'static str,
    plural: &'static str,
    decode: fn(&Value) -> Result<Decoded, String>,
) -> Kind {
    Kind {
        group: "",
        version: "v1",
        kind,
        plural,
        short: &[],
        namespaced: true,
        in_all: false,
        subresources: &[],
        generation: false,
        usage: Use::ActedOn,
        verbs: &VERBS,
        conversion: None,
        decode,
        defaults: |_| {},
        check: |_, _| {},
        check_change: |_, _, _| {},
    }
}

const AUTOSCALER: Kind = Kind {
    group: "autoscaling",
    version: "v2",
    short: &["hpa"],
    in_all: true,
    subresources: &["status"],
    defaults: defaults::horizontal_pod_autoscaler,
    check: checks::horizontal_pod_autoscaler,
    ..kind(
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        strict::<autoscaling::HorizontalPodAutoscaler>,
    )
};

/// Kinds that are served in an older version, too.
static OLDER: &[Kind] = &[Kind {
    version: "v1",
    conversion: Some(Conversion {
        from_stored: autoscaler_v1::from_stored,
        to_stored: autoscaler_v1::to_stored,
    }),
    decode: strict::<autoscaling_v1::HorizontalPodAutoscaler>,
    ..AUTOSCALER
}];

/// A DestinationRule of one of its versions, which have the same fields.
const fn destination_rule(version: &'static str) -> Kind {
    Kind {
        group: MESH,
        version,
        short: &["dr"],
        subresources: &["status"],
        generation: true,
        check: checks::destination_rule,
        ..kind(
            "DestinationRule",
            "destinationrules",
            strict::<DestinationRule>,
        )
    }
}

/// A VirtualService of one of its versions, which have the same fields.
const fn virtual_service(version: &'static str) -> Kind {
    Kind {
        group: MESH,
        version,
        short: &["vs"],
        subresources: &["status"],
        generation: true,
        check: checks::virtual_service,
        ..kind(
            "VirtualService",
            "virtualservices",
            strict::<VirtualService>,
        )
    }
}

/// All kinds, in the order in which discovery lists them. A kind with several versions has a row for each, the preferred one first; its
/// objects are the same in all of them.
pub static KINDS: &[Kind] = &[
    Kind {
        short: &["ns"],
        namespaced: false,
        subresources: &["finalize", "status"],
        defaults: defaults::namespace,
        check: checks::namespace,
        ..kind("Namespace", "namespaces", strict::<core::Namespace>)
    },
    Kind {
        short: &["no"],
        namespaced: false,
        subresources: &["status"],
        defaults: defaults::node,
        ..kind("Node", "nodes", strict::<core::Node>)
    },
    Kind {
        short: &["po"],
        in_all: true,
        subresources: &["binding", "eviction", "exec", "log", "status"],
        generation: true,
        defaults: defaults::pod,
        check: checks::pod,
        check_change: checks::pod_change,
        ..kind("Pod", "pods", strict::<core::Pod>)
    },
    Kind {
        short: &["svc"],
        in_all: true,
        subresources: &["status"],
        defaults: defaults::service,
        check: checks::service,
        check_change: checks::service_change,
        ..kind("Service", "services", strict::<core::Service>)
    },
    Kind {
        short: &["ep"],
        defaults: defaults::endpoints,
        ..kind("Endpoints", "endpoints", strict::<core::Endpoints>)
    },
    Kind {
        short: &["cm"],
        check: checks::config_map,
        check_change: checks::immutable_data,
        ..kind("ConfigMap", "configmaps", strict::<core::ConfigMap>)
    },
    Kind {
        defaults: defaults::secret,
        check: checks::config_map,
        check_change: checks::immutable_data,
        ..kind("Secret", "secrets", strict::<core::Secret>)
    },
    Kind {
        short: &["ev"],
        defaults: defaults::event,
        check: checks::event,
        ..kind("Event", "events", strict::<core::Event>)
    },
    Kind {
        short: &["sa"],
        subresources: &["token"],
        ..kind(
            "ServiceAccount",
            "serviceaccounts",
            strict::<core::ServiceAccount>,
        )
    },
    Kind {
        short: &["pv"],
        namespaced: false,
        subresources: &["status"],
        defaults: defaults::persistent_volume,
        check: checks::persistent_volume,
        check_change: checks::persistent_volume_change,
        ..kind(
            "PersistentVolume",
            "persistentvolumes",
            strict::<core::PersistentVolume>,
        )
    },
    Kind {
        short: &["pvc"],
        subresources: &["status"],
        defaults: defaults::persistent_volume_claim,
        check: checks::persistent_volume_claim,
        check_change: checks::persistent_volume_claim_change,
        ..kind(
            "PersistentVolumeClaim",
            "persistentvolumeclaims",
            strict::<core::PersistentVolumeClaim>,
        )
    },
    Kind {
        group: "apps",
        short: &["deploy"],
        in_all: true,
        subresources: &["scale", "status"],
        generation: true,
        defaults: defaults::deployment,
        check: checks::deployment,
        check_change: checks::selector_change,
        ..kind("Deployment", "deployments", strict::<apps::Deployment>)
    },
    Kind {
        group: "apps",
        short: &["rs"],
        in_all: true,
        subresources: &["scale", "status"],
        generation: true,
        defaults: defaults::replica_set,
        check: checks::replica_set,
        check_change: checks::selector_change,
        ..kind("ReplicaSet", "replicasets", strict::<apps::ReplicaSet>)
    },
    Kind {
        group: "batch",
        in_all: true,
        subresources: &["status"],
        generation: true,
        defaults: defaults::job,
        check: checks::job,
        check_change: checks::job_change,
        ..kind("Job", "jobs", strict::<batch::Job>)
    },
    Kind {
        group: "batch",
        short: &["cj"],
        in_all: true,
        subresources: &["status"],
        generation: true,
        defaults: defaults::cron_job,
        check: checks::cron_job,
        ..kind("CronJob", "cronjobs", strict::<batch::CronJob>)
    },
    AUTOSCALER,
    Kind {
        group: "discovery.k8s.io",
        generation: true,
        defaults: defaults::endpoint_slice,
        ..kind(
            "EndpointSlice",
            "endpointslices",
            strict::<discovery::EndpointSlice>,
        )
    },
    Kind {
        group: "policy",
        short: &["pdb"],
        defaults: defaults::pod_disruption_budget,
        check: checks::pod_disruption_budget,
        subresources: &["status"],
        generation: true,
        ..kind(
            "PodDisruptionBudget",
            "poddisruptionbudgets",
            strict::<policy::PodDisruptionBudget>,
        )
    },
    Kind {
        group: "rbac.authorization.k8s.io",
        check: checks::role,
        ..kind("Role", "roles", strict::<rbac::Role>)
    },
    Kind {
        group: "rbac.authorization.k8s.io",
        defaults: defaults::role_binding,
        check: checks::role_binding,
        check_change: checks::role_ref_change,
        ..kind("RoleBinding", "rolebindings", strict::<rbac::RoleBinding>)
    },
    Kind {
        group: "rbac.authorization.k8s.io",
        namespaced: false,
        check: checks::cluster_role,
        ..kind("ClusterRole", "clusterroles", strict::<rbac::ClusterRole>)
    },
    Kind {
        group: "rbac.authorization.k8s.io",
        namespaced: false,
        defaults: defaults::role_binding,
        check: checks::role_binding,
        check_change: checks::role_ref_change,
        ..kind(
            "ClusterRoleBinding",
            "clusterrolebindings",
            strict::<rbac::ClusterRoleBinding>,
        )
    },
    Kind {
        group: "authentication.k8s.io",
        namespaced: false,
        usage: Use::AnsweredOnly,
        verbs: &["create"],
        ..kind(
            "SelfSubjectReview",
            "selfsubjectreviews",
            strict::<authentication::SelfSubjectReview>,
        )
    },
    Kind {
        group: "authorization.k8s.io",
        namespaced: false,
        usage: Use::AnsweredOnly,
        verbs: &["create"],
        ..kind(
            "SelfSubjectAccessReview",
            "selfsubjectaccessreviews",
            strict::<authorization::SelfSubjectAccessReview>,
        )
    },
    Kind {
        group: "storage.k8s.io",
        short: &["sc"],
        namespaced: false,
        defaults: defaults::storage_class,
        check: checks::storage_class,
        check_change: checks::storage_class_change,
        ..kind(
            "StorageClass",
            "storageclasses",
            strict::<storage::StorageClass>,
        )
    },
    Kind {
        group: "coordination.k8s.io",
        ..kind("Lease", "leases", strict::<coordination::Lease>)
    },
    destination_rule("v1"),
    virtual_service("v1"),
    destination_rule("v1beta1"),
    virtual_service("v1beta1"),
    destination_rule("v1alpha3"),
    virtual_service("v1alpha3"),
];

/// Kinds that are measured, not stored.
static MEASURED: &[Kind] = &[
    Kind {
        namespaced: false,
        ..measured("NodeMetrics", "nodes")
    },
    measured("PodMetrics", "pods"),
];

const fn measured(name: &'static str, plural: &'static str) -> Kind {
    Kind {
        group: "metrics.k8s.io",
        version: "v1beta1",
        verbs: &["get", "list"],
        ..kind(name, plural, |_| Err("it is measured, not written".into()))
    }
}

/// Everything that is served, older versions and what is only measured included.
pub fn served() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().chain(OLDER).chain(MEASURED)
}

/// The kind served under this group, version and plural.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    served().find(|k| k.plural == plural && k.group == group && k.version == version)
}

/// The kind with this plural, where the server itself needs it.
pub fn known(plural: &str) -> &'static Kind {
    KINDS
        .iter()
        .find(|k| k.plural == plural)
        .expect("the server asks for kinds of its own table only")
}

impl Kind {
    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.into(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `object`, of whichever version it was written in, as one of this version.
    pub fn shown(&self, object: &Value) -> Value {
        if let Some(conversion) = self.conversion {
            return (conversion.from_stored)(object);
        }
        let mut shown = object.clone();
        shown["apiVersion"] = json!(self.api_version());
        shown
    }

    pub fn has(&self, subresource: &str) -> bool {
        self.subresources.contains(&subresource)
    }

    /// Whether clients may change the status only through `/status`.
    pub fn keeps_status_apart(&self) -> bool {
        self.has("status")
    }

    /// Reads `value` as this kind. Fields that the kind lacks are left out and named.
    pub fn decode(&self, value: &Value) -> Result<Decoded, Refusal> {
        let mut value = value.clone();
        self.name_type(&mut value)?;
        quantity::quote_numbers(&mut value);
        if let Some(data) = value.get_mut("data").and_then(Value::as_object_mut) {
            // `key:` without a value is an empty text.
            data.values_mut()
                .filter(|text| text.is_null())
                .for_each(|text| *text = json!(""));
        }
        let names_no_selector = value["spec"]["selector"].is_null();
        let mut decoded = (self.decode)(&value).map_err(|why| self.cannot_handle(&why))?;
        // The decoder cannot tell an absent selector from an empty one; the checks can.
        if let (true, Some(spec)) = (names_no_selector, decoded.object["spec"].as_object_mut()) {
            spec.shift_remove("selector");
        }
        tree::drop_empty(&mut decoded.object);
        quantity::canonicalise(self.kind, &mut decoded.object)
            .map_err(|why| self.cannot_handle(&why))?;
        if let Some(conversion) = self.conversion {
            decoded.object = (conversion.to_stored)(&decoded.object);
        }
        Ok(decoded)
    }

    /// Rewrites the quantities of a body that is only a part of an object.
    pub fn canonicalise(&self, body: &mut Value) -> Result<(), Refusal> {
        quantity::quote_numbers(body);
        quantity::canonicalise(self.kind, body).map_err(|why| self.cannot_handle(&why))
    }

    /// Fills in what the object left open.
    pub fn complete(&self, object: &mut Value) {
        (self.defaults)(object)
    }

    /// Everything wrong with a complete object.
    pub fn problems(&self, object: &Value) -> Vec<Problem> {
        let mut problems = checks::metadata(self, object);
        (self.check)(object, &mut problems);
        problems
    }

    /// Everything wrong with changing `before` into `after`.
    pub fn problems_of_change(&self, before: &Value, after: &Value) -> Vec<Problem> {
        let mut problems = vec![];
        (self.check_change)(before, after, &mut problems);
        problems
    }

    /// The refusal of a body that cannot be read as this kind.
    pub fn cannot_handle(&self, why: &str) -> Refusal {
        Refusal::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}",
            kind = self.kind,
            version = self.version
        ))
    }

    /// A body may leave out its kind; a wrong one is refused.
    fn name_type(&self, value: &mut Value) -> Result<(), Refusal> {
        let Some(body) = value.as_object_mut() else {
            return Err(self.cannot_handle("the body is not an object"));
        };
        for (field, expected) in [
            ("apiVersion", self.api_version()),
            ("kind", self.kind.into()),
        ] {
            match body.get(field).and_then(Value::as_str) {
                None | Some("") => {
                    body.insert(field.into(), json!(expected));
                }
                Some(given) if given != expected => {
                    return Err(Refusal::bad_request(format!(
                        "the {what} in the data ({given}) does not match the expected {what} ({expected})",
                        what = if field == "kind" {
                            "kind"
                        } else {
                            "API version"
                        }
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_kinds_share_a_plural() {
        for kind in KINDS {
            let same = KINDS.iter().filter(|k| k.plural == kind.plural);
            let others = same.filter(|k| (k.group, k.kind) != (kind.group, kind.kind));
            assert_eq!(others.count(), 0, "{}", kind.plural);
        }
    }

    #[test]
    fn a_body_of_another_kind_is_refused() {
        let body = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
        let refusal = known("services").decode(&body).unwrap_err();
        assert_eq!(refusal.code, 400);
    }

    #[test]
    fn quantities_come_out_canonical() {
        let body = json!({"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}}]}});
        let object = known("pods").decode(&body).unwrap().object;
        let limits = &object["spec"]["containers"][0]["resources"]["limits"];
        assert_eq!(*limits, json!({"cpu": "500m", "memory": "1Gi"}));
    }

    #[test]
    fn a_malformed_quantity_is_refused() {
        let body = json!({"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "2x"}}}]}});
        let refusal = known("pods").decode(&body).unwrap_err();
        assert_eq!(refusal.code, 400);
        assert!(
            refusal
                .message
                .contains("quantities must match the regular expression")
        );
    }
}
