//! admission — what the server adds to new objects that their makers left to the cluster: a pod's token and place, a claim's class,
//! and what keeps storage from being deleted while it is in use.

use super::Call;
use crate::{
    inside::ROOT_CA,
    kinds::{self, NODE_NAME, texts},
    names,
    refusal::Refusal,
    store::{Key, Objects},
};
use serde_json::{Value, json};

/// Where every client library looks for the token.
const TOKEN_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How long a pod's token is asked for, in seconds: an hour and what tells it from tokens asked for by hand.
const TOKEN_SECONDS: i64 = 3607;
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// Completes a new object.
///
/// # Errors
/// A pod whose ServiceAccount does not exist is forbidden. `default` is an exception: it comes a moment after its namespace.
pub fn admit(call: &Call, object: &mut Value, objects: &Objects) -> Result<(), Refusal> {
    match call.kind.kind {
        "Pod" => {
            token(call, object, objects)?;
            place(object, objects);
        }
        "PersistentVolumeClaim" => {
            protect(object, "kubernetes.io/pvc-protection");
            class(object, objects);
        }
        "PersistentVolume" => protect(object, "kubernetes.io/pv-protection"),
        _ => {}
    }
    Ok(())
}

fn token(call: &Call, pod: &mut Value, objects: &Objects) -> Result<(), Refusal> {
    let name = pod["spec"]["serviceAccountName"]
        .as_str()
        .filter(|name| !name.is_empty())
        .unwrap_or("default")
        .to_owned();
    let account = objects.get(&Key::new("serviceaccounts", &call.namespace, &name));
    if account.is_none() && name != "default" {
        let why = format!(
            "error looking up service account {}/{name}: serviceaccount \"{name}\" not found",
            call.namespace
        );
        let pod = pod["metadata"]["name"].as_str().unwrap_or("");
        return Err(Refusal::forbidden(call.kind, pod, &why));
    }
    let own = pod["spec"]["automountServiceAccountToken"].as_bool();
    let accounts = || account?["automountServiceAccountToken"].as_bool();
    let is_wanted = own.or_else(accounts).unwrap_or(true);
    let can_be_used = objects
        .get(&Key::new("configmaps", "kube-system", ROOT_CA))
        .is_some();
    if is_wanted && can_be_used {
        mount_token(&mut pod["spec"]);
    }
    Ok(())
}

/// The volume `kube-api-access-…`, in every container that mounts nothing else there.
fn mount_token(spec: &mut Value) {
    let volume = names::generate("kube-api-access-");
    let mut is_used = false;
    for list in ["initContainers", "containers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            let is_taken = texts(&container["volumeMounts"], "mountPath")
                .any(|path| path.trim_end_matches('/') == TOKEN_FOLDER);
            if !is_taken {
                let mount = json!({"name": volume, "readOnly": true, "mountPath": TOKEN_FOLDER});
                push(container, "volumeMounts", mount);
                is_used = true;
            }
        }
        // Looking for what is not there must not leave an empty list behind.
        if spec[list].is_null()
            && let Some(spec) = spec.as_object_mut()
        {
            spec.shift_remove(list);
        }
    }
    if is_used {
        let namespace = json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"});
        let sources = json!([
            {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
            {"configMap": {"name": ROOT_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace]}},
        ]);
        let volume =
            json!({"name": volume, "projected": {"sources": sources, "defaultMode": 0o644}});
        push(spec, "volumes", volume);
    }
}

fn push(holder: &mut Value, field: &str, item: Value) {
    match holder[field].as_array_mut() {
        Some(list) => list.push(item),
        None => holder[field] = json!([item]),
    }
}

/// Puts a pod on the one node if nothing has to be asked first; the scheduler looks after the others.
fn place(pod: &mut Value, objects: &Objects) {
    let node = objects.get(&Key::new("nodes", "", NODE_NAME));
    let is_closed = node.is_some_and(|node| node["spec"]["unschedulable"] == true);
    let spec = &pod["spec"];
    let volumes = spec["volumes"].as_array();
    let has_claims =
        volumes.is_some_and(|all| all.iter().any(|v| v["persistentVolumeClaim"].is_object()));
    let is_choosy = spec["nodeSelector"]
        .as_object()
        .is_some_and(|all| !all.is_empty());
    let is_placed = spec["nodeName"]
        .as_str()
        .is_some_and(|name| !name.is_empty());
    if !(is_placed || is_closed || has_claims || is_choosy) {
        pod["spec"]["nodeName"] = json!(NODE_NAME);
    }
}

fn protect(object: &mut Value, finalizer: &str) {
    let has = object["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one == finalizer));
    if !has {
        push(&mut object["metadata"], "finalizers", json!(finalizer));
    }
}

/// A claim that names no class, not even none, gets the default one; the newest if there are several.
fn class(claim: &mut Value, objects: &Objects) {
    if !claim["spec"]["storageClassName"].is_null() {
        return;
    }
    let classes = objects.list("storageclasses", None);
    let made = |class: &Value| {
        class["metadata"]["creationTimestamp"]
            .as_str()
            .map(String::from)
    };
    let default = classes
        .filter(|class| class["metadata"]["annotations"][DEFAULT_CLASS] == "true")
        .max_by_key(|class| made(class));
    match (default, claim["spec"].as_object_mut()) {
        (Some(class), Some(spec)) => {
            let name = class["metadata"]["name"].clone();
            kinds::put_default(spec, "storageClassName", name);
        }
        (None, Some(spec)) => drop(spec.shift_remove("storageClassName")),
        (_, None) => {}
    }
}
