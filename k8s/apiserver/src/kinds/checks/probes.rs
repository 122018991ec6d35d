//! probes — what can be wrong with a probe.

use super::{Problems, list, names::port_name_faults, not_negative, one_of, port_number};
use crate::refusal::{Fault, Problem};
use serde_json::Value;

/// Checks the probe of this name found at the path `at`.
pub fn probe(at: &str, name: &str, probe: &Value, problems: &mut Problems) {
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
        let port = &probe[handler]["port"];
        let at = format!("{at}.{handler}.port");
        match port.as_str() {
            _ if probe[handler].is_null() => {}
            Some(name) => problems.extend(
                port_name_faults(name)
                    .into_iter()
                    .map(|f| Problem::invalid(at.clone(), port, f)),
            ),
            None => port_number(problems, &at, port),
        }
    }
    one_of(
        problems,
        &format!("{at}.httpGet.scheme"),
        &probe["httpGet"]["scheme"],
        &["HTTP", "HTTPS"],
    );
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
    use super::super::pods::specification;
    use super::*;
    use serde_json::json;

    fn texts(container: Value) -> Vec<String> {
        let mut container = container;
        container["name"] = json!("c");
        container["image"] = json!("i");
        let mut problems = vec![];
        specification("spec", &json!({"containers": [container]}), &mut problems);
        problems.iter().map(Problem::to_string).collect()
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
