//! links — the variables that announce Services to containers.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;

/// The Service of the API itself, in the namespace `default`.
pub(crate) const API: &str = "kubernetes";

/// Address and first port of a Service that has them.
pub(crate) fn address(service: &Service) -> Option<String> {
    let spec = service.spec.as_ref()?;
    let port = spec.ports.iter().flatten().next()?.port;
    Some(format!("{}:{port}", spec.cluster_ip.as_ref()?))
}

/// `ROOM_SERVICE_HOST` and the like for the Services of a pod's namespace.
pub(crate) fn service_links<'a>(
    services: impl IntoIterator<Item = &'a Service>,
) -> BTreeMap<String, String> {
    let mut links = BTreeMap::new();
    for service in services {
        let Some(spec) = &service.spec else { continue };
        let address = spec
            .cluster_ip
            .as_deref()
            .filter(|address| !address.is_empty() && *address != "None");
        let (Some(address), Some(name)) = (address, &service.metadata.name) else {
            continue;
        };
        let name = variable_name(name);
        let ports = spec.ports.as_deref().unwrap_or_default();
        let Some(first) = ports.first() else { continue };
        links.insert(format!("{name}_SERVICE_HOST"), address.to_owned());
        links.insert(format!("{name}_SERVICE_PORT"), first.port.to_string());
        let url = |port: i32, protocol: &str| {
            format!("{}://{address}:{port}", protocol.to_ascii_lowercase())
        };
        links.insert(
            format!("{name}_PORT"),
            url(first.port, first.protocol.as_deref().unwrap_or("TCP")),
        );
        for port in ports {
            if let Some(own) = port.name.as_ref().filter(|own| !own.is_empty()) {
                links.insert(
                    format!("{name}_SERVICE_PORT_{}", variable_name(own)),
                    port.port.to_string(),
                );
            }
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let prefix = format!("{name}_PORT_{}_{protocol}", port.port);
            links.insert(prefix.clone(), url(port.port, protocol));
            links.insert(format!("{prefix}_PROTO"), protocol.to_ascii_lowercase());
            links.insert(format!("{prefix}_PORT"), port.port.to_string());
            links.insert(format!("{prefix}_ADDR"), address.to_owned());
        }
    }
    links
}

fn variable_name(name: &str) -> String {
    name.to_ascii_uppercase().replace(['-', '.'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn a_service_is_announced_by_host_and_ports() {
        let services: Vec<Service> = from_value(json!([
            {"metadata": {"name": "my-kafka"}, "spec": {"clusterIP": "127.2.0.3", "ports": [
                {"port": 9092, "name": "tcp-client", "protocol": "TCP"}, {"port": 9093}]}},
            {"metadata": {"name": "headless"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}]))
        .unwrap();
        let links = service_links(&services);
        assert_eq!(links["MY_KAFKA_SERVICE_HOST"], "127.2.0.3");
        assert_eq!(links["MY_KAFKA_SERVICE_PORT"], "9092");
        assert_eq!(links["MY_KAFKA_SERVICE_PORT_TCP_CLIENT"], "9092");
        assert_eq!(links["MY_KAFKA_PORT_9093_TCP_ADDR"], "127.2.0.3");
        assert!(links.keys().all(|name| name.starts_with("MY_KAFKA")));
    }
}
