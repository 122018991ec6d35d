//! pods — what can be wrong with a pod specification. Texts are the real server's.

use super::{
    Problems, list,
    names::{label_fault, port_name_faults},
    one_of, port_number,
    probes::probe,
    volumes::{mounts, volume},
};
use crate::{
    kinds::{quantity, texts},
    refusal::{Fault, Problem},
};
use serde_json::{Value, json};

/// Checks the specification found at the path `at`.
pub fn specification(at: &str, spec: &Value, problems: &mut Problems) {
    let volumes: Vec<&str> = texts(&spec["volumes"], "name").collect();
    named_once(&format!("{at}.volumes"), &spec["volumes"], problems);
    for (i, found) in list(spec, "volumes").enumerate() {
        volume(&format!("{at}.volumes[{i}]"), found, problems);
    }
    if list(spec, "containers").next().is_none() {
        problems.push(Problem::required(format!("{at}.containers")));
    }
    // A container's name is that of its folder on the node: no two of a pod share one.
    let regular: Vec<&str> = texts(&spec["containers"], "name").collect();
    for (field, taken) in [("initContainers", &regular[..]), ("containers", &[])] {
        named_once_besides(taken, &format!("{at}.{field}"), &spec[field], problems);
        for (i, found) in list(spec, field).enumerate() {
            container(&format!("{at}.{field}[{i}]"), found, &volumes, problems);
        }
    }
    let policies = &["Always", "OnFailure", "Never"];
    one_of(
        problems,
        &format!("{at}.restartPolicy"),
        &spec["restartPolicy"],
        policies,
    );
    let dns = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(
        problems,
        &format!("{at}.dnsPolicy"),
        &spec["dnsPolicy"],
        dns,
    );
}

/// Items of a list have a name, a sound one, and each another.
fn named_once(at: &str, items: &Value, problems: &mut Problems) {
    named_once_besides(&[], at, items, problems);
}

/// The same, where some names are `taken` already.
fn named_once_besides(taken: &[&str], at: &str, items: &Value, problems: &mut Problems) {
    let mut seen: Vec<&str> = taken.to_vec();
    for (i, item) in items.as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}[{i}].name");
        match item["name"].as_str().unwrap_or("") {
            "" => problems.push(Problem::required(at)),
            name if seen.contains(&name) => {
                problems.push(Problem::new(at, Fault::Duplicate(json!(name))))
            }
            name => {
                if let Some(fault) = label_fault(name) {
                    problems.push(Problem::invalid(at, &json!(name), fault));
                }
                seen.push(name);
            }
        }
    }
}

fn container(at: &str, container: &Value, volumes: &[&str], problems: &mut Problems) {
    if container["image"].as_str().is_none_or(str::is_empty) {
        problems.push(Problem::required(format!("{at}.image")));
    }
    let policies = &["Always", "IfNotPresent", "Never"];
    one_of(
        problems,
        &format!("{at}.imagePullPolicy"),
        &container["imagePullPolicy"],
        policies,
    );
    ports(at, container, problems);
    for (i, variable) in list(container, "env").enumerate() {
        environment(&format!("{at}.env[{i}]"), variable, problems);
    }
    for hook in ["postStart", "preStop"] {
        let found = &container["lifecycle"][hook];
        if found.as_object().is_some_and(|handler| handler.is_empty()) {
            let at = format!("{at}.lifecycle.{hook}");
            problems.push(Problem::new(
                at,
                Fault::Required("must specify a handler type".into()),
            ));
        }
    }
    mounts(at, container, volumes, problems);
    resources(at, &container["resources"], problems);
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container[name].is_object() {
            probe(&format!("{at}.{name}"), name, &container[name], problems);
        }
    }
}

fn ports(at: &str, container: &Value, problems: &mut Problems) {
    let mut names: Vec<&str> = vec![];
    for (i, port) in list(container, "ports").enumerate() {
        let at = format!("{at}.ports[{i}]");
        if let Some(name) = port["name"].as_str().filter(|name| !name.is_empty()) {
            let faults = port_name_faults(name).into_iter();
            problems.extend(
                faults.map(|fault| Problem::invalid(format!("{at}.name"), &port["name"], fault)),
            );
            if names.contains(&name) {
                problems.push(Problem::new(
                    format!("{at}.name"),
                    Fault::Duplicate(port["name"].clone()),
                ));
            }
            names.push(name);
        }
        match port["containerPort"].as_i64() {
            None | Some(0) => problems.push(Problem::required(format!("{at}.containerPort"))),
            Some(_) => port_number(
                problems,
                &format!("{at}.containerPort"),
                &port["containerPort"],
            ),
        }
        one_of(
            problems,
            &format!("{at}.protocol"),
            &port["protocol"],
            &["SCTP", "TCP", "UDP"],
        );
    }
}

fn environment(at: &str, variable: &Value, problems: &mut Problems) {
    let is_printable = |c: char| (' '..='~').contains(&c) && c != '=';
    match variable["name"].as_str().unwrap_or("") {
        "" => problems.push(Problem::required(format!("{at}.name"))),
        name if !name.chars().all(is_printable) => {
            let text = "a valid environment variable name must consist only of printable ASCII characters other than '='";
            problems.push(Problem::invalid(
                format!("{at}.name"),
                &variable["name"],
                text,
            ));
        }
        _ => {}
    }
    let Some(from) = variable["valueFrom"].as_object() else {
        return;
    };
    let text = match from.len() {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        }
        _ if variable["value"]
            .as_str()
            .is_some_and(|text| !text.is_empty()) =>
        {
            "may not be specified when `value` is not empty"
        }
        1 => "",
        _ => "may not have more than one field specified at a time",
    };
    if !text.is_empty() {
        problems.push(Problem::invalid(
            format!("{at}.valueFrom"),
            &json!(""),
            text,
        ));
    }
    let path = &variable["valueFrom"]["fieldRef"]["fieldPath"];
    if path.as_str().is_some_and(|path| !is_field_path(path)) {
        let text = format!(
            "error converting fieldPath: field label not supported: {}",
            path.as_str().unwrap_or("")
        );
        problems.push(Problem::invalid(
            format!("{at}.valueFrom.fieldRef.fieldPath"),
            path,
            text,
        ));
    }
}

/// Fields of a pod that its containers may read.
fn is_field_path(path: &str) -> bool {
    const PATHS: [&str; 11] = [
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    PATHS.contains(&path)
        || path.starts_with("metadata.labels['")
        || path.starts_with("metadata.annotations['")
}

fn resources(at: &str, resources: &Value, problems: &mut Problems) {
    let amount = |value: &Value| value.as_str().and_then(quantity::thousandths);
    for part in ["limits", "requests"] {
        for (name, value) in resources[part].as_object().into_iter().flatten() {
            let at = format!("{at}.resources.{part}[{name}]");
            if !is_resource(name) {
                for text in [
                    "must be a standard resource type or fully qualified",
                    "must be a standard resource for containers",
                ] {
                    problems.push(Problem::new(
                        at.clone(),
                        Fault::Invalid(name.clone(), text.into()),
                    ));
                }
            }
            if amount(value).is_some_and(|amount| amount < 0) {
                problems.push(Problem::invalid(
                    at,
                    value,
                    "must be greater than or equal to 0",
                ));
            }
        }
    }
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let limit = &resources["limits"][name];
        if let (Some(asked), Some(allowed)) = (amount(request), amount(limit))
            && asked > allowed
        {
            let text = format!(
                "must be less than or equal to {name} limit of {}",
                limit.as_str().unwrap_or("")
            );
            problems.push(Problem::invalid(
                format!("{at}.resources.requests"),
                request,
                text,
            ));
        }
    }
}

fn is_resource(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage")
        || name.starts_with("hugepages-")
        || name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(container: Value) -> Vec<String> {
        let mut container = container;
        container["name"] = json!("c");
        container["image"] = json!("i");
        let mut problems = vec![];
        specification("spec", &json!({"containers": [container]}), &mut problems);
        problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_pod_has_containers_with_images() {
        let mut problems = vec![];
        specification("spec", &json!({}), &mut problems);
        specification(
            "spec",
            &json!({"containers": [{"name": "a"}]}),
            &mut problems,
        );
        let texts: Vec<_> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(
            texts,
            [
                "spec.containers: Required value",
                "spec.containers[0].image: Required value"
            ]
        );
    }

    #[test]
    fn a_request_stays_below_its_limit() {
        let refused =
            texts(json!({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1500m"}}}));
        assert_eq!(
            refused,
            [
                "spec.containers[0].resources.requests: Invalid value: \"1500m\": must be less than or equal to cpu limit of 1"
            ]
        );
    }

    #[test]
    fn a_mount_needs_its_volume() {
        let refused = texts(json!({"volumeMounts": [{"name": "nope", "mountPath": "/x"}]}));
        assert_eq!(
            refused,
            ["spec.containers[0].volumeMounts[0].name: Not found: \"nope\""]
        );
    }
}
