//! checks — what can be wrong with an object although every field has the right type. Texts are the real server's.

mod autoscalers;
mod cron;
mod disruption;
mod mesh;
mod names;
mod pods;
mod probes;
mod roles;
mod services;
mod storage;
mod volumes;
mod workloads;

pub use autoscalers::horizontal_pod_autoscaler;
pub use cron::cron_job;
pub use disruption::pod_disruption_budget;
pub use mesh::{destination_rule, virtual_service};
pub use roles::{cluster_role, role, role_binding, role_ref_change};
pub use services::{service, service_change};
pub use storage::{
    persistent_volume, persistent_volume_change, persistent_volume_claim,
    persistent_volume_claim_change, storage_class, storage_class_change,
};
pub use workloads::{deployment, job, job_change, replica_set, selector_change};

use super::{Kind, tree::list};
use crate::refusal::{Fault, Problem};
use serde_json::{Value, json};

type Problems = Vec<Problem>;

const IMMUTABLE: &str = "field is immutable";

/// Name, labels, annotations and finalizers.
pub fn metadata(kind: &Kind, object: &Value) -> Problems {
    let metadata = &object["metadata"];
    let mut problems = vec![];
    match metadata["name"].as_str().unwrap_or("") {
        "" => {
            let text = "name or generateName is required";
            problems.push(Problem::new("metadata.name", Fault::Required(text.into())));
        }
        name => problems.extend(
            names::name_fault(kind, name)
                .map(|fault| Problem::invalid("metadata.name", &json!(name), fault)),
        ),
    }
    labels("metadata.labels", &metadata["labels"], &mut problems);
    for name in keys(&metadata["annotations"]) {
        let fault = names::label_name_fault(&name.to_lowercase());
        problems.extend(
            fault.map(|fault| Problem::invalid("metadata.annotations", &json!(name), fault)),
        );
    }
    for (i, finalizer) in list(metadata, "finalizers").enumerate() {
        let name = finalizer.as_str().unwrap_or("");
        if !name.contains('/') && !["orphan", "foregroundDeletion", "kubernetes"].contains(&name) {
            let text = "name is neither a standard finalizer name nor is it fully qualified";
            problems.push(Problem::invalid(
                format!("metadata.finalizers[{i}]"),
                finalizer,
                text,
            ));
        }
    }
    problems
}

fn keys(map: &Value) -> impl Iterator<Item = &String> {
    map.as_object().into_iter().flat_map(|map| map.keys())
}

/// Names and values of labels.
fn labels(at: &str, labels: &Value, problems: &mut Problems) {
    for (name, value) in labels.as_object().into_iter().flatten() {
        let fault = names::label_name_fault(name);
        problems.extend(fault.map(|fault| Problem::invalid(at, &json!(name), fault)));
        let fault = value.as_str().and_then(names::label_value_fault);
        problems.extend(fault.map(|fault| Problem::invalid(at, value, fault)));
    }
}

/// A whole number below zero.
fn not_negative(problems: &mut Problems, at: &str, value: &Value) {
    if value.as_i64().is_some_and(|n| n < 0) {
        problems.push(Problem::invalid(
            at,
            value,
            "must be greater than or equal to 0",
        ));
    }
}

/// A text that is none of the `known` ones.
fn one_of(problems: &mut Problems, at: &str, value: &Value, known: &'static [&'static str]) {
    if value.as_str().is_some_and(|v| !known.contains(&v)) {
        problems.push(Problem::new(
            at,
            Fault::Unsupported(value.to_string(), known),
        ));
    }
}

/// The number of a port, from 1 to 65535.
fn port_number(problems: &mut Problems, at: &str, value: &Value) {
    match value.as_i64() {
        Some(1..=65535) => {}
        _ => problems.push(Problem::invalid(
            at,
            value,
            "must be between 1 and 65535, inclusive",
        )),
    }
}

pub fn namespace(object: &Value, problems: &mut Problems) {
    one_of(
        problems,
        "status.phase",
        &object["status"]["phase"],
        &["Active", "Terminating"],
    );
    mesh::profile(object, problems);
}

pub fn pod(object: &Value, problems: &mut Problems) {
    pods::specification("spec", &object["spec"], problems);
}

/// The parts of a pod's specification that may change while it runs are few.
pub fn pod_change(before: &Value, after: &Value, problems: &mut Problems) {
    let fixed = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        for container in ["containers", "initContainers"] {
            for container in spec
                .get_mut(container)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                container["image"] = Value::Null;
            }
        }
        for field in [
            "activeDeadlineSeconds",
            "tolerations",
            "terminationGracePeriodSeconds",
        ] {
            spec[field] = Value::Null;
        }
        spec
    };
    if fixed(before) != fixed(after) {
        let text = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        problems.push(Problem::new("spec", Fault::Forbidden(text.into())));
    }
}

/// Keys of a ConfigMap or Secret.
pub fn config_map(object: &Value, problems: &mut Problems) {
    for part in ["data", "binaryData"] {
        for key in keys(&object[part]) {
            let faults = names::config_key_faults(key).into_iter();
            problems.extend(
                faults.map(|fault| Problem::invalid(format!("{part}[{key}]"), &json!(key), fault)),
            );
        }
    }
}

/// An event is kept where the object is that it tells of.
pub fn event(object: &Value, problems: &mut Problems) {
    let about = &object["involvedObject"]["namespace"];
    let is_elsewhere = about.as_str().is_some_and(|namespace| {
        !namespace.is_empty() && object["metadata"]["namespace"] != namespace
    });
    if is_elsewhere {
        let text = "does not match event.namespace";
        problems.push(Problem::invalid("involvedObject.namespace", about, text));
    }
}

pub fn immutable_data(before: &Value, after: &Value, problems: &mut Problems) {
    if before["immutable"] != true {
        return;
    }
    for part in ["immutable", "data", "binaryData"] {
        if before[part] != after[part] {
            let text = "field is immutable when `immutable` is set";
            problems.push(Problem::new(part, Fault::Forbidden(text.into())));
        }
    }
}
