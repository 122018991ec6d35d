//! pod_checks — what can be wrong with a pod specification. Texts are the real server's.

use super::{
    checks::{label_fault, not_negative, one_of, port_number},
    quantity,
    tree::list,
};
use crate::refusal::{Fault, Problem};
use serde_json::{Value, json};

type Problems = Vec<Problem>;

/// Checks the specification found at the path `at`.
pub fn specification(at: &str, spec: &Value, problems: &mut Problems) {
    let volumes: Vec<&str> = super::texts(&spec["volumes"], "name").collect();
    named_once(&format!("{at}.volumes"), &spec["volumes"], problems);
    if list(spec, "containers").next().is_none() {
        problems.push(Problem::required(format!("{at}.containers")));
    }
    for field in ["initContainers", "containers"] {
        named_once(&format!("{at}.{field}"), &spec[field], problems);
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
    let dns = &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
    one_of(
        problems,
        &format!("{at}.dnsPolicy"),
        &spec["dnsPolicy"],
        dns,
    );
    let grace = format!("{at}.terminationGracePeriodSeconds");
    not_negative(problems, &grace, &spec["terminationGracePeriodSeconds"]);
}

/// Items of a list have a name, a sound one, and each another.
fn named_once(at: &str, items: &Value, problems: &mut Problems) {
    let mut seen: Vec<&str> = vec![];
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
    for (i, port) in list(container, "ports").enumerate() {
        port_number(
            problems,
            &format!("{at}.ports[{i}].containerPort"),
            &port["containerPort"],
        );
        let protocols = &["SCTP", "TCP", "UDP"];
        one_of(
            problems,
            &format!("{at}.ports[{i}].protocol"),
            &port["protocol"],
            protocols,
        );
    }
    for (i, variable) in list(container, "env").enumerate() {
        if variable["name"].as_str().is_none_or(str::is_empty) {
            problems.push(Problem::required(format!("{at}.env[{i}].name")));
        }
        if !variable["valueFrom"].is_null()
            && variable["value"].as_str().is_some_and(|v| !v.is_empty())
        {
            let text = "may not be specified when `value` is not empty";
            problems.push(Problem::invalid(
                format!("{at}.env[{i}].valueFrom"),
                &json!(""),
                text,
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

fn mounts(at: &str, container: &Value, volumes: &[&str], problems: &mut Problems) {
    let mut paths: Vec<&str> = vec![];
    for (i, mount) in list(container, "volumeMounts").enumerate() {
        let at = format!("{at}.volumeMounts[{i}]");
        match mount["name"].as_str().unwrap_or("") {
            "" => problems.push(Problem::required(format!("{at}.name"))),
            name if !volumes.contains(&name) => {
                problems.push(Problem::new(
                    format!("{at}.name"),
                    Fault::NotFound(json!(name)),
                ));
            }
            _ => {}
        }
        match mount["mountPath"].as_str().unwrap_or("") {
            "" => problems.push(Problem::required(format!("{at}.mountPath"))),
            path if paths.contains(&path) => {
                problems.push(Problem::invalid(
                    format!("{at}.mountPath"),
                    &json!(path),
                    "must be unique",
                ));
            }
            path => paths.push(path),
        }
    }
}

fn resources(at: &str, resources: &Value, problems: &mut Problems) {
    let amount = |value: &Value| value.as_str().and_then(quantity::thousandths);
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

fn probe(at: &str, name: &str, probe: &Value, problems: &mut Problems) {
    const HANDLERS: [&str; 4] = ["exec", "grpc", "httpGet", "tcpSocket"];
    let handlers: Vec<&str> = HANDLERS
        .into_iter()
        .filter(|h| !probe[h].is_null())
        .collect();
    match handlers.as_slice() {
        [] => problems.push(Problem::new(
            at,
            Fault::Required("must specify a handler type".into()),
        )),
        [_] => {}
        [_, others @ ..] => {
            for other in others {
                let text = "may not specify more than 1 handler type";
                problems.push(Problem::new(
                    format!("{at}.{other}"),
                    Fault::Forbidden(text.into()),
                ));
            }
        }
    }
    if probe["exec"].is_object() && list(&probe["exec"], "command").next().is_none() {
        problems.push(Problem::required(format!("{at}.exec.command")));
    }
    for handler in ["httpGet", "tcpSocket"] {
        if probe[handler]["port"].is_number() {
            port_number(
                problems,
                &format!("{at}.{handler}.port"),
                &probe[handler]["port"],
            );
        }
    }
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        not_negative(problems, &format!("{at}.{field}"), &probe[field]);
    }
    let grace = &probe["terminationGracePeriodSeconds"];
    let grace_at = format!("{at}.terminationGracePeriodSeconds");
    if name == "readinessProbe" {
        if !grace.is_null() {
            problems.push(Problem::invalid(
                grace_at,
                grace,
                "must not be set for readinessProbes",
            ));
        }
        return;
    }
    if probe["successThreshold"].as_i64().is_some_and(|n| n != 1) {
        let at = format!("{at}.successThreshold");
        problems.push(Problem::invalid(
            at,
            &probe["successThreshold"],
            "must be 1",
        ));
    }
    if grace.as_i64().is_some_and(|n| n <= 0) {
        problems.push(Problem::invalid(grace_at, grace, "must be greater than 0"));
    }
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
    fn prb_2_liveness_and_startup_succeed_at_once() {
        let probe = json!({"exec": {"command": ["true"]}, "successThreshold": 2});
        let refused =
            texts(json!({"livenessProbe": probe, "startupProbe": probe, "readinessProbe": probe}));
        assert_eq!(
            refused,
            [
                "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
                "spec.containers[0].startupProbe.successThreshold: Invalid value: 2: must be 1"
            ]
        );
    }

    #[test]
    fn prb_3_a_probe_level_grace_is_for_probes_that_kill() {
        let with =
            |grace: i64| json!({"tcpSocket": {"port": 80}, "terminationGracePeriodSeconds": grace});
        let refused = texts(json!({"livenessProbe": with(0), "readinessProbe": with(5)}));
        assert_eq!(
            refused,
            [
                "spec.containers[0].livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0",
                "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes"
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

    #[test]
    fn a_probe_has_one_handler() {
        let refused = texts(
            json!({"livenessProbe": {}, "readinessProbe": {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}}),
        );
        assert_eq!(
            refused,
            [
                "spec.containers[0].livenessProbe: Required value: must specify a handler type",
                "spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"
            ]
        );
    }
}
