//! storage — what can be wrong with volumes, claims and classes. Texts are the real server's.

use super::{
    Problems, keys, list, one_of,
    volumes::{host_path, no_backsteps},
};
use crate::{
    kinds::quantity,
    refusal::{Fault, Problem},
};
use serde_json::Value;

const MODES: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
const RECLAIM: &[&str] = &["Delete", "Recycle", "Retain"];

fn access_modes(spec: &Value, missing: &str, problems: &mut Problems) {
    let at = "spec.accessModes";
    if list(spec, "accessModes").next().is_none() {
        problems.push(Problem::new(at, Fault::Required(missing.into())));
    }
    for mode in list(spec, "accessModes") {
        one_of(problems, at, mode, MODES);
    }
    let modes: Vec<&Value> = list(spec, "accessModes").collect();
    if modes.len() > 1 && modes.iter().any(|mode| **mode == "ReadWriteOncePod") {
        let text = "may not use ReadWriteOncePod with other access modes";
        problems.push(Problem::new(at, Fault::Forbidden(text.into())));
    }
}

/// Space is asked for and offered in amounts above zero.
fn above_zero(at: &str, value: &Value, problems: &mut Problems) {
    let amount = value.as_str().and_then(quantity::thousandths);
    match amount {
        None => problems.push(Problem::required(at)),
        Some(amount) if amount <= 0 => {
            problems.push(Problem::invalid(at, value, "must be greater than zero"));
        }
        Some(_) => {}
    }
}

pub fn persistent_volume_claim(object: &Value, problems: &mut Problems) {
    let spec = &object["spec"];
    let missing = "at least 1 access mode is required";
    access_modes(spec, missing, problems);
    let at = "spec.resources[storage]";
    above_zero(at, &spec["resources"]["requests"]["storage"], problems);
}

pub fn persistent_volume(object: &Value, problems: &mut Problems) {
    let spec = &object["spec"];
    access_modes(spec, "", problems);
    let capacity = &spec["capacity"];
    if keys(capacity).next().is_none() {
        problems.push(Problem::required("spec.capacity"));
    }
    if keys(capacity).count() != 1 || capacity["storage"].is_null() {
        let shown = "core.ResourceList{}".into();
        let fault = Fault::Unsupported(shown, &["storage"]);
        problems.push(Problem::new("spec.capacity", fault));
    } else {
        above_zero("spec.capacity[storage]", &capacity["storage"], problems);
    }
    let at = "spec.persistentVolumeReclaimPolicy";
    one_of(
        problems,
        at,
        &spec["persistentVolumeReclaimPolicy"],
        RECLAIM,
    );
    let sources: Vec<&str> = SOURCES
        .iter()
        .copied()
        .filter(|source| spec[*source].is_object())
        .collect();
    if sources.is_empty() {
        let text = "must specify a volume type";
        problems.push(Problem::new("spec", Fault::Required(text.into())));
    }
    for second in sources.iter().skip(1) {
        let text = "may not specify more than 1 volume type";
        let at = format!("spec.{second}");
        problems.push(Problem::new(at, Fault::Forbidden(text.into())));
    }
    for (source, field) in [("hostPath", "path"), ("local", "path"), ("nfs", "server")] {
        let found = &spec[source];
        if found.is_object() && found[field].as_str().is_none_or(str::is_empty) {
            problems.push(Problem::required(format!("spec.{source}.{field}")));
        }
    }
    host_path("spec.hostPath", &spec["hostPath"], problems);
    no_backsteps("spec.local.path", &spec["local"]["path"], problems);
    if spec["local"].is_object() && !spec["nodeAffinity"].is_object() {
        let text = "Local volume requires node affinity";
        problems.push(Problem::new(
            "spec.nodeAffinity",
            Fault::Required(text.into()),
        ));
    }
}

/// What a volume can be made of.
const SOURCES: &[&str] = &[
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];

pub fn persistent_volume_change(before: &Value, after: &Value, problems: &mut Problems) {
    let differs = |source: &&&str| before["spec"][**source] != after["spec"][**source];
    if SOURCES.iter().any(|source| differs(&source)) {
        let text = "spec.persistentvolumesource is immutable after creation";
        let at = "spec.persistentvolumesource";
        problems.push(Problem::new(at, Fault::Forbidden(text.into())));
    }
}

/// Once made, a claim only learns its volume; a bound one may ask for more space.
pub fn persistent_volume_claim_change(before: &Value, after: &Value, problems: &mut Problems) {
    let is_bound = before["status"]["phase"] == "Bound";
    let fixed = |claim: &Value| {
        let mut spec = claim["spec"].clone();
        if before["spec"]["volumeName"]
            .as_str()
            .is_none_or(str::is_empty)
        {
            spec["volumeName"] = Value::Null;
        }
        // A claim without a class may be given the default one later.
        if before["spec"]["storageClassName"].is_null() {
            spec["storageClassName"] = Value::Null;
        }
        if is_bound {
            spec["resources"] = Value::Null;
            spec["volumeAttributesClassName"] = Value::Null;
        }
        spec
    };
    if fixed(before) != fixed(after) {
        let text = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        problems.push(Problem::new("spec", Fault::Forbidden(text.into())));
    }
}

pub fn storage_class(object: &Value, problems: &mut Problems) {
    if object["provisioner"].as_str().is_none_or(str::is_empty) {
        problems.push(Problem::required("provisioner"));
    }
    let policies = &["Delete", "Retain"];
    let policy = &object["reclaimPolicy"];
    one_of(problems, "reclaimPolicy", policy, policies);
    let modes = &["Immediate", "WaitForFirstConsumer"];
    let mode = &object["volumeBindingMode"];
    one_of(problems, "volumeBindingMode", mode, modes);
}

/// A class is what it was made as.
pub fn storage_class_change(before: &Value, after: &Value, problems: &mut Problems) {
    for field in ["parameters", "provisioner", "reclaimPolicy"] {
        if before[field] != after[field] {
            let text = format!("updates to {field} are forbidden.");
            problems.push(Problem::new(field, Fault::Forbidden(text)));
        }
    }
    if before["volumeBindingMode"] != after["volumeBindingMode"] {
        let at = "volumeBindingMode";
        let text = "field is immutable";
        problems.push(Problem::invalid(at, &after[at], text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(check: fn(&Value, &mut Problems), object: Value) -> Vec<String> {
        let mut problems = vec![];
        check(&object, &mut problems);
        problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_claim_says_how_it_is_used_and_how_much_it_needs() {
        assert_eq!(
            texts(persistent_volume_claim, json!({"spec": {}})),
            [
                "spec.accessModes: Required value: at least 1 access mode is required",
                "spec.resources[storage]: Required value"
            ]
        );
        let wrong = json!({"spec": {"accessModes": ["Nope"], "resources": {"requests": {"storage": "-1"}}}});
        assert_eq!(
            texts(persistent_volume_claim, wrong),
            [
                "spec.accessModes: Unsupported value: \"Nope\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\", \"ReadWriteOncePod\"",
                "spec.resources[storage]: Invalid value: \"-1\": must be greater than zero"
            ]
        );
    }

    #[test]
    fn a_volume_has_one_source_and_a_local_one_a_place() {
        let volume = |source: Value| {
            let mut spec =
                json!({"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]});
            let (Some(spec), Value::Object(source)) = (spec.as_object_mut(), source) else {
                unreachable!("literals")
            };
            spec.extend(source);
            texts(persistent_volume, json!({"spec": spec}))
        };
        assert_eq!(
            volume(json!({})),
            ["spec: Required value: must specify a volume type"]
        );
        assert_eq!(
            volume(json!({"local": {"path": "/x"}})),
            ["spec.nodeAffinity: Required value: Local volume requires node affinity"]
        );
        assert_eq!(
            volume(json!({"hostPath": {"path": ""}})),
            ["spec.hostPath.path: Required value"]
        );
        assert!(volume(json!({"hostPath": {"path": "/x"}})).is_empty());
    }

    #[test]
    fn a_claim_may_learn_its_volume_and_when_bound_ask_for_more() {
        let changed = |before: Value, after: Value| {
            let mut problems = vec![];
            persistent_volume_claim_change(&before, &after, &mut problems);
            problems.len()
        };
        let waiting = json!({"spec": {"storageClassName": "a"}});
        let told = json!({"spec": {"storageClassName": "a", "volumeName": "v"}});
        let moved = json!({"spec": {"storageClassName": "b"}});
        assert_eq!(changed(waiting.clone(), told), 0);
        assert_eq!(changed(waiting, moved), 1);
        let bound = json!({"spec": {"volumeName": "v"}, "status": {"phase": "Bound"}});
        let more =
            json!({"spec": {"volumeName": "v", "resources": {"requests": {"storage": "2"}}}});
        let other = json!({"spec": {"volumeName": "w"}});
        assert_eq!(changed(bound.clone(), more), 0);
        assert_eq!(changed(bound, other), 1);
    }
}
