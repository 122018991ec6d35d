//! Paths that lead out of a volume, and names that are paths: refused in the words of Kubernetes 1.33.

use crate::target::{Target, target};
use serde_json::{Value, json};

/// A pod with these volumes and this mount of the first.
fn pod(volumes: Value, mount: Value) -> Value {
    let mut mounted = json!({"name": "v", "mountPath": "/v"});
    let fields = mount.as_object().unwrap().clone();
    mounted.as_object_mut().unwrap().extend(fields);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad"}, "spec": {"volumes": volumes,
        "containers": [{"name": "c", "image": "busybox", "volumeMounts": [mounted]}]}})
}

fn volume(source: Value) -> Value {
    let mut volume = json!({"name": "v"});
    let fields = source.as_object().unwrap().clone();
    volume.as_object_mut().unwrap().extend(fields);
    pod(json!([volume]), json!({}))
}

fn mount(fields: Value) -> Value {
    pod(json!([{"name": "v", "emptyDir": {}}]), fields)
}

/// Sends each body and compares what is said about it.
async fn refused(target: &Target, resource: &str, cases: Vec<(Value, String)>) {
    for (body, expected) in cases {
        let answer = target.ask("POST", resource, body.clone()).await;
        assert_eq!(answer.reason(), (422, "Invalid"), "{body}");
        let said = answer.message().split_once(" is invalid: ");
        assert_eq!(said.map(|(_, said)| said), Some(&*expected), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_file_of_a_volume_lies_outside_it_whatever_its_kind() {
    let target = target().await;
    let field = json!({"fieldPath": "metadata.name"});
    let item = |path: &str| json!([{"key": "a", "path": path}]);
    let own = |path: &str| json!([{"fieldRef": field, "path": path}]);
    let projected = |source: Value| volume(json!({"projected": {"sources": [source]}}));
    let paths = [
        ("/etc/x", "must be a relative path"),
        ("../../../tmp/x", "must not contain '..'"),
        ("a/../../x", "must not contain '..'"),
        ("..data", "must not start with '..'"),
        ("...", "must not start with '..'"),
    ];
    for (path, fault) in paths {
        let bodies = [
            (
                volume(json!({"configMap": {"name": "m", "items": item(path)}})),
                "configMap.items[0].path",
            ),
            (
                volume(json!({"secret": {"secretName": "m", "items": item(path)}})),
                "secret.items[0].path",
            ),
            (
                volume(json!({"downwardAPI": {"items": own(path)}})),
                "downwardAPI.path",
            ),
            (
                projected(json!({"configMap": {"name": "m", "items": item(path)}})),
                "projected.sources[0].configMap.items[0].path",
            ),
            (
                projected(json!({"secret": {"name": "m", "items": item(path)}})),
                "projected.sources[0].secret.items[0].path",
            ),
            (
                projected(json!({"downwardAPI": {"items": own(path)}})),
                "projected.sources[0].downwardAPI.path",
            ),
            (
                projected(json!({"serviceAccountToken": {"path": path}})),
                "projected.path",
            ),
        ];
        let cases = bodies.into_iter().map(|(body, at)| {
            let text = format!("spec.volumes[0].{at}: Invalid value: \"{path}\": {fault}");
            (body, text)
        });
        refused(&target, "pods", cases.collect()).await;
    }
    let both = volume(json!({"secret": {"secretName": "m", "items": item("/../x")}}));
    let said = "[spec.volumes[0].secret.items[0].path: Invalid value: \"/../x\": must be a relative path, spec.volumes[0].secret.items[0].path: Invalid value: \"/../x\": must not contain '..']";
    let empty = volume(json!({"configMap": {"name": "m", "items": [{"key": "", "path": ""}]}}));
    let required = "[spec.volumes[0].configMap.items[0].key: Required value, spec.volumes[0].configMap.items[0].path: Required value]";
    let cases = vec![(both, said.into()), (empty, required.into())];
    refused(&target, "pods", cases).await;
}

#[tokio::test(start_paused = true)]
async fn files_are_never_given_more_than_permissions_and_two_never_share_a_path() {
    let target = target().await;
    let octal = "must be a number between 0 and 0777 (octal), both inclusive";
    let item = json!({"key": "a", "path": "a", "mode": 2541});
    let twice = json!([{"configMap": {"name": "m", "items": [{"key": "a", "path": "x"}]}},
        {"secret": {"name": "s", "items": [{"key": "b", "path": "x"}]}}]);
    let cases = vec![
        (
            volume(json!({"configMap": {"name": "m", "items": [item]}})),
            format!("spec.volumes[0].configMap.items[0].mode: Invalid value: 2541: {octal}"),
        ),
        (
            volume(json!({"secret": {"secretName": "m", "defaultMode": -1}})),
            format!("spec.volumes[0].secret.defaultMode: Invalid value: -1: {octal}"),
        ),
        (
            volume(json!({"projected": {"sources": twice}})),
            "spec.volumes[0].projected: Invalid value: \"s\": conflicting duplicate paths".into(),
        ),
    ];
    refused(&target, "pods", cases).await;
}

#[tokio::test(start_paused = true)]
async fn a_mount_begins_within_its_volume() {
    let target = target().await;
    let mut cases = vec![];
    for field in ["subPath", "subPathExpr"] {
        for (path, fault) in [
            ("/etc", "must be a relative path"),
            ("a/../../etc", "must not contain '..'"),
        ] {
            let text = format!(
                "spec.containers[0].volumeMounts.{field}: Invalid value: \"{path}\": {fault}"
            );
            cases.push((mount(json!({field: path})), text));
        }
    }
    cases.push((
        mount(json!({"subPath": "a", "subPathExpr": "b"})),
        "spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: \"b\": subPathExpr and subPath are mutually exclusive".into(),
    ));
    refused(&target, "pods", cases).await;
    let made = target
        .ask("POST", "pods", mount(json!({"subPath": "a..b/..c"})))
        .await;
    assert_eq!(made.code, 201, "{made:?}");
}

#[tokio::test(start_paused = true)]
async fn a_path_of_the_machine_is_said_straight_out() {
    let target = target().await;
    let up = "must not contain '..'";
    let types = "\"\", \"BlockDevice\", \"CharDevice\", \"Directory\", \"DirectoryOrCreate\", \"File\", \"FileOrCreate\", \"Socket\"";
    let cases = vec![
        (
            volume(json!({"hostPath": {"path": "/srv/../etc"}})),
            format!("spec.volumes[0].hostPath.path: Invalid value: \"/srv/../etc\": {up}"),
        ),
        (
            volume(json!({"hostPath": {"path": "/srv", "type": "Folder"}})),
            format!(
                "spec.volumes[0].hostPath.type: Unsupported value: \"Folder\": supported values: {types}"
            ),
        ),
    ];
    refused(&target, "pods", cases).await;
    let volume = |source: Value| {
        let mut spec = json!({"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "nodeAffinity": {"required": {"nodeSelectorTerms": []}}});
        let fields = source.as_object().unwrap().clone();
        spec.as_object_mut().unwrap().extend(fields);
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "bad"}, "spec": spec})
    };
    let cases = ["hostPath", "local"].map(|kind| {
        let text = format!("spec.{kind}.path: Invalid value: \"/srv/../etc\": {up}");
        (volume(json!({kind: {"path": "/srv/../etc"}})), text)
    });
    refused(&target, "/api/v1/persistentvolumes", cases.into()).await;
}

#[tokio::test(start_paused = true)]
async fn names_that_become_names_of_files_are_no_paths() {
    let target = target().await;
    let label = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
    let container = |name: &str| json!({"name": name, "image": "busybox"});
    let of = |spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad"}, "spec": spec});
    let mut cases = vec![(
        of(json!({"initContainers": [container("c")], "containers": [container("c")]})),
        "spec.initContainers[0].name: Duplicate value: \"c\"".to_owned(),
    )];
    for name in ["../x", "/x", "..", "a/b"] {
        let bad = |at: &str| format!("{at}: Invalid value: \"{name}\": {label}");
        let volumes = json!([{"name": name, "emptyDir": {}}]);
        cases.push((
            of(json!({"volumes": volumes, "containers": [container("c")]})),
            bad("spec.volumes[0].name"),
        ));
        cases.push((
            of(json!({"containers": [container(name)]})),
            bad("spec.containers[0].name"),
        ));
        cases.push((
            of(json!({"containers": [container("c")], "initContainers": [container(name)]})),
            bad("spec.initContainers[0].name"),
        ));
    }
    refused(&target, "pods", cases).await;
    for (resource, kind) in [("configmaps", "ConfigMap"), ("secrets", "Secret")] {
        let keys = [
            (".", "must not be '.'"),
            ("..", "must not be '..'"),
            ("..data", "must not start with '..'"),
        ];
        let cases = keys.map(|(key, fault)| {
            let body = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "bad"}, "data": {key: "YQ=="}});
            (body, format!("data[{key}]: Invalid value: \"{key}\": {fault}"))
        });
        refused(&target, resource, cases.into()).await;
    }
}
