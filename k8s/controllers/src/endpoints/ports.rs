//! ports — where a Service's ports lead in one pod: a named target port is that pod's own number.

use k8s_openapi::{
    api::{
        core::v1::{Pod, Service, ServicePort},
        discovery::v1::EndpointPort,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

/// The ports of a Service as they are in this pod. A name that the pod does not know is left out.
pub(crate) fn of(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let ports = service
        .spec
        .iter()
        .filter_map(|spec| spec.ports.as_ref())
        .flatten();
    let resolved = ports.filter_map(|port| Some(endpoint_port(port, number(port, pod)?)));
    resolved.collect()
}

fn endpoint_port(port: &ServicePort, number: i32) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(number),
        protocol: Some(protocol(port.protocol.as_ref()).into()),
        app_protocol: port.app_protocol.clone(),
    }
}

fn number(port: &ServicePort, pod: &Pod) -> Option<i32> {
    match port.target_port.as_ref() {
        None | Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) => named(name, protocol(port.protocol.as_ref()), pod),
    }
}

fn named(name: &str, wanted: &str, pod: &Pod) -> Option<i32> {
    let containers = &pod.spec.as_ref()?.containers;
    let ports = containers
        .iter()
        .filter_map(|container| container.ports.as_ref())
        .flatten();
    let mut matching = ports.filter(|port| {
        port.name.as_deref() == Some(name) && protocol(port.protocol.as_ref()) == wanted
    });
    matching.next().map(|port| port.container_port)
}

fn protocol(given: Option<&String>) -> &str {
    given.map_or("TCP", |protocol| protocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn numbers(ports: Value, container_ports: Value) -> Vec<(String, i32)> {
        let service = serde_json::from_value(json!({"spec": {"ports": ports}})).unwrap();
        let pod = serde_json::from_value(json!({"spec": {"containers": [{"name": "a"}, {"name": "b", "ports": container_ports}]}})).unwrap();
        of(&service, &pod)
            .into_iter()
            .map(|port| (port.name.unwrap(), port.port.unwrap()))
            .collect()
    }

    #[test]
    fn a_number_is_itself_and_none_is_the_services_own() {
        assert_eq!(
            numbers(json!([{"port": 80}]), json!([])),
            [(String::new(), 80)]
        );
        assert_eq!(
            numbers(
                json!([{"name": "web", "port": 80, "targetPort": 8080}]),
                json!([])
            ),
            [("web".into(), 8080)]
        );
    }

    #[test]
    fn svc_13_a_name_is_looked_up_in_the_pod_and_left_out_if_unknown() {
        let ports = json!([{"name": "web", "port": 80, "targetPort": "http"}, {"name": "other", "port": 81, "targetPort": "nope"}]);
        assert_eq!(
            numbers(
                ports.clone(),
                json!([{"name": "http", "containerPort": 8080}])
            ),
            [("web".into(), 8080)]
        );
        assert_eq!(
            numbers(
                ports.clone(),
                json!([{"name": "http", "containerPort": 9090}])
            ),
            [("web".into(), 9090)]
        );
        assert_eq!(
            numbers(
                ports,
                json!([{"name": "http", "containerPort": 53, "protocol": "UDP"}])
            ),
            []
        );
    }
}
