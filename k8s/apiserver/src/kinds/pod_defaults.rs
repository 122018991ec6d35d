//! pod_defaults — what a pod specification means where it says nothing.

use super::tree::{Map, existing, items, object, put_default};
use serde_json::{Value, json};

/// Defaults of every pod specification, templates included.
pub fn template(spec: &mut Map) {
    put_default(spec, "restartPolicy", "Always");
    put_default(spec, "terminationGracePeriodSeconds", 30);
    put_default(spec, "dnsPolicy", "ClusterFirst");
    put_default(spec, "schedulerName", "default-scheduler");
    put_default(spec, "securityContext", Map::new());
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        put_default(spec, "serviceAccount", account);
    }
    items(spec, "volumes").for_each(volume);
    for list in ["initContainers", "containers"] {
        items(spec, list).for_each(container);
    }
}

/// Defaults that only a pod itself gets, not the template it is made from.
pub fn pod(spec: &mut Map) {
    template(spec);
    put_default(spec, "enableServiceLinks", true);
    put_default(spec, "serviceAccountName", "default");
    put_default(spec, "serviceAccount", "default");
    put_default(spec, "preemptionPolicy", "PreemptLowerPriority");
    put_default(spec, "priority", 0);
    for list in ["initContainers", "containers"] {
        items(spec, list).for_each(requests_from_limits);
    }
}

/// A limit without a request is also the request. The HPA's arithmetic depends on it.
fn requests_from_limits(container: &mut Map) {
    let Some(resources) = existing(container, "resources") else {
        return;
    };
    let limits = resources.get("limits").and_then(Value::as_object).cloned();
    let Some(limits) = limits else { return };
    if let Some(requests) = object(resources, "requests") {
        for (name, limit) in limits {
            put_default(requests, &name, limit);
        }
    }
}

fn volume(volume: &mut Map) {
    let names_a_source = volume.keys().any(|field| field != "name");
    if !names_a_source {
        volume.insert("emptyDir".into(), json!({}));
    }
    for source in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(source) = existing(volume, source) {
            put_default(source, "defaultMode", 0o644);
            items(source, "items").for_each(field_ref);
        }
    }
    if let Some(path) = existing(volume, "hostPath") {
        put_default(path, "type", "");
    }
}

fn field_ref(holder: &mut Map) {
    if let Some(field) = existing(holder, "fieldRef") {
        put_default(field, "apiVersion", "v1");
    }
}

fn container(container: &mut Map) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or("");
    let policy = pull_policy(image);
    put_default(container, "imagePullPolicy", policy);
    put_default(container, "resources", Map::new());
    put_default(container, "terminationMessagePath", "/dev/termination-log");
    put_default(container, "terminationMessagePolicy", "File");
    for variable in items(container, "env") {
        if variable.get("value").is_some_and(|text| *text == "") {
            variable.shift_remove("value");
        }
        if let Some(from) = existing(variable, "valueFrom") {
            field_ref(from);
        }
    }
    items(container, "ports").for_each(|port| put_default(port, "protocol", "TCP"));
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(found) = existing(container, name) {
            probe(found);
        }
    }
    if let Some(lifecycle) = existing(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(hook) = existing(lifecycle, hook) {
                http_get(hook);
            }
        }
    }
}

/// Images named by digest or by a tag other than `latest` are pulled once.
fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        _ if name.contains('@') => "IfNotPresent",
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

fn probe(probe: &mut Map) {
    let numbers = [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ];
    for (field, number) in numbers {
        // A zero means the default here, as on the real server.
        if probe.get(field).and_then(Value::as_i64).unwrap_or(0) == 0 {
            probe.insert(field.into(), json!(number));
        }
    }
    http_get(probe);
    if let Some(grpc) = existing(probe, "grpc") {
        put_default(grpc, "service", "");
    }
}

fn http_get(handler: &mut Map) {
    if let Some(get) = existing(handler, "httpGet") {
        put_default(get, "path", "/");
        put_default(get, "scheme", "HTTP");
    }
}

/// The quality of service class of a pod: what it guarantees itself decides whom memory pressure hits first.
pub fn qos_class(spec: &Value) -> &'static str {
    let containers: Vec<&Value> = ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| super::tree::list(spec, list))
        .collect();
    let named = |container: &Value, of: &str, resource: &str| {
        !container["resources"][of][resource].is_null()
    };
    let any = |c: &&Value| {
        ["limits", "requests"]
            .into_iter()
            .any(|of| ["cpu", "memory"].into_iter().any(|r| named(c, of, r)))
    };
    let guaranteed = |c: &&Value| {
        ["cpu", "memory"].into_iter().all(|r| {
            let resources = &c["resources"];
            named(c, "limits", r) && resources["limits"][r] == resources["requests"][r]
        })
    };
    if !containers.iter().any(any) {
        "BestEffort"
    } else if containers.iter().all(guaranteed) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(mut spec: Value) -> Value {
        pod(spec.as_object_mut().unwrap());
        spec
    }

    #[test]
    fn prb_1_a_probe_without_numbers_has_the_documented_ones() {
        let spec = completed(
            json!({"containers": [{"name": "a", "readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 0}}]}),
        );
        assert_eq!(
            spec["containers"][0]["readinessProbe"],
            json!({"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3})
        );
    }

    #[test]
    fn a_limit_is_the_request_where_there_is_none() {
        let resources =
            json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}});
        let spec = completed(json!({"containers": [{"name": "a", "resources": resources}]}));
        let requests = &spec["containers"][0]["resources"]["requests"];
        assert_eq!(*requests, json!({"cpu": "500m", "memory": "1Gi"}));
        assert_eq!(qos_class(&spec), "Burstable");
    }

    #[test]
    fn only_fixed_tags_are_pulled_once() {
        let policies = [
            "room",
            "room:latest",
            "room:1",
            "host:5000/room",
            "room@sha256:ab",
        ]
        .map(pull_policy);
        assert_eq!(
            policies,
            ["Always", "Always", "IfNotPresent", "Always", "IfNotPresent"]
        );
    }

    #[test]
    fn the_class_of_a_pod_follows_from_its_resources() {
        let with = |resources: Value| {
            completed(json!({"containers": [{"name": "a", "resources": resources}]}))
        };
        assert_eq!(qos_class(&with(json!({}))), "BestEffort");
        assert_eq!(
            qos_class(&with(json!({"limits": {"cpu": "1", "memory": "1Gi"}}))),
            "Guaranteed"
        );
        assert_eq!(
            qos_class(&with(json!({"requests": {"cpu": "1"}}))),
            "Burstable"
        );
    }
}
