//! services — what can be wrong with a Service.

use super::{
    Problems, list,
    names::{label_fault, port_name_faults},
    one_of, port_number,
};
use crate::refusal::{Fault, Problem};
use serde_json::{Value, json};

pub fn service(object: &Value, problems: &mut Problems) {
    let spec = &object["spec"];
    one_of(
        problems,
        "spec.type",
        &spec["type"],
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    );
    one_of(
        problems,
        "spec.sessionAffinity",
        &spec["sessionAffinity"],
        &["ClientIP", "None"],
    );
    let ports: Vec<&Value> = list(spec, "ports").collect();
    let needs_ports = spec["type"] != "ExternalName" && spec["clusterIP"] != "None";
    if ports.is_empty() && needs_ports {
        problems.push(Problem::required("spec.ports"));
    }
    if spec["type"] == "ExternalName" && spec["externalName"].as_str().is_none_or(str::is_empty) {
        problems.push(Problem::required("spec.externalName"));
    }
    for (i, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{i}]");
        if ports.len() > 1 && port["name"].as_str().is_none_or(str::is_empty) {
            problems.push(Problem::required(format!("{at}.name")));
        }
        let before = &ports[..i];
        if port["name"].is_string() && before.iter().any(|p| p["name"] == port["name"]) {
            problems.push(Problem::new(
                format!("{at}.name"),
                Fault::Duplicate(port["name"].clone()),
            ));
        }
        if let Some(name) = port["name"].as_str().filter(|n| !n.is_empty())
            && let Some(fault) = label_fault(name)
        {
            problems.push(Problem::invalid(format!("{at}.name"), &port["name"], fault));
        }
        port_number(problems, &format!("{at}.port"), &port["port"]);
        target(&format!("{at}.targetPort"), &port["targetPort"], problems);
        if port["nodePort"].is_number()
            && matches!(spec["type"].as_str(), Some("ClusterIP" | "ExternalName"))
        {
            let text = format!(
                "may not be used when `type` is '{}'",
                spec["type"].as_str().unwrap_or("")
            );
            problems.push(Problem::new(
                format!("{at}.nodePort"),
                Fault::Forbidden(text),
            ));
        }
        one_of(
            problems,
            &format!("{at}.protocol"),
            &port["protocol"],
            &["SCTP", "TCP", "UDP"],
        );
        if before
            .iter()
            .any(|p| p["port"] == port["port"] && p["protocol"] == port["protocol"])
        {
            let shown = json!({"protocol": port["protocol"], "port": port["port"]});
            problems.push(Problem::new(at, Fault::Duplicate(shown)));
        }
    }
}

pub fn service_change(before: &Value, after: &Value, problems: &mut Problems) {
    let address = |service: &Value| {
        service["spec"]["clusterIP"]
            .as_str()
            .unwrap_or("")
            .to_string()
    };
    let stays = before["spec"]["type"] != "ExternalName" && after["spec"]["type"] != "ExternalName";
    if stays && !address(before).is_empty() && address(before) != address(after) {
        let shown = format!("[]string{{\"{}\"}}", address(after));
        problems.push(Problem::new(
            "spec.clusterIPs[0]",
            Fault::Invalid(shown, "may not change once set".into()),
        ));
    }
}

/// Where a port leads: a number, or the name of a container's port.
fn target(at: &str, target: &Value, problems: &mut Problems) {
    match target.as_str() {
        Some(name) => problems.extend(
            port_name_faults(name)
                .into_iter()
                .map(|fault| Problem::invalid(at, target, fault)),
        ),
        None => port_number(problems, at, target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(spec: Value) -> Vec<String> {
        let mut problems = vec![];
        service(&json!({"spec": spec}), &mut problems);
        problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn several_ports_need_names() {
        let ports = json!([{"port": 80, "targetPort": 80}, {"port": 70000, "targetPort": "web", "name": "b"}]);
        assert_eq!(
            texts(json!({"type": "ClusterIP", "ports": ports})),
            [
                "spec.ports[0].name: Required value",
                "spec.ports[1].port: Invalid value: 70000: must be between 1 and 65535, inclusive"
            ]
        );
    }

    #[test]
    fn a_node_port_needs_a_type_that_has_them() {
        let ports = json!([{"port": 80, "targetPort": 80, "nodePort": 30005}]);
        assert_eq!(
            texts(json!({"type": "ClusterIP", "ports": ports})),
            ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"]
        );
    }
}
