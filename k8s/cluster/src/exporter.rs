//! Where a pod may have its metrics: as Prometheus finds it by annotations, or at the ports by which services are called.
use k8s_openapi::api::core::v1::{ContainerPort, Pod};
use kube::ResourceExt;

/// `prometheus.io/scrape`, `prometheus.io/port`: what Prometheus' own example configuration goes by.
const SCRAPE: &str = "prometheus.io/scrape";
const PORT: &str = "prometheus.io/port";

/// The addresses of a running pod at which it may have metrics: its annotated port, or else every container port for TCP without a
/// name or with one that begins with `http` or speaks of metrics. None for a pod that says it has no metrics, or has no address.
pub(crate) fn addresses(pod: &Pod) -> Vec<String> {
    let status = pod.status.as_ref();
    let running = status.and_then(|s| s.phase.as_deref()) == Some("Running");
    let ip = status.and_then(|s| s.pod_ip.as_deref());
    let annotation = |name| pod.annotations().get(name).map(String::as_str);
    let (true, Some(ip), true) = (running, ip, annotation(SCRAPE) != Some("false")) else {
        return vec![];
    };
    let annotated = annotation(PORT).and_then(|port| port.parse::<u16>().ok());
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let declared = containers.flat_map(|c| c.ports.iter().flatten());
    let declared = declared.filter(|p| is_candidate(p));
    let declared = declared.filter_map(|p| u16::try_from(p.container_port).ok());
    let ports: Vec<u16> = match annotated {
        Some(port) => vec![port],
        None => declared.collect(),
    };
    let host = if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip.into()
    };
    ports.iter().map(|port| format!("{host}:{port}")).collect()
}

fn is_candidate(port: &ContainerPort) -> bool {
    let is_tcp = port.protocol.as_deref().unwrap_or("TCP") == "TCP";
    let named = port.name.as_deref().unwrap_or_default();
    let tells = ["metrics", "prometheus", "management"]
        .iter()
        .any(|word| named.contains(word));
    is_tcp && (named.is_empty() || named.starts_with("http") || tells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(annotations: serde_json::Value, ports: serde_json::Value, phase: &str) -> Vec<String> {
        let pod = json!({"metadata": {"annotations": annotations},
            "spec": {"containers": [{"name": "c", "ports": ports}]},
            "status": {"phase": phase, "podIP": "10.0.0.7"}});
        addresses(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn metrics_are_looked_for_where_a_service_is_called() {
        let ports = json!([{"name": "http", "containerPort": 8080}, {"name": "kafka", "containerPort": 9092},
            {"containerPort": 9000}, {"containerPort": 53, "protocol": "UDP"}]);
        assert_eq!(
            found(json!({}), ports.clone(), "Running"),
            ["10.0.0.7:8080", "10.0.0.7:9000"]
        );
        assert_eq!(found(json!({}), ports, "Pending"), [""; 0]);
    }

    #[test]
    fn an_annotation_says_where_they_are_or_that_there_are_none() {
        let ports = json!([{"containerPort": 8080}]);
        assert_eq!(
            found(json!({PORT: "9404"}), ports.clone(), "Running"),
            ["10.0.0.7:9404"]
        );
        assert_eq!(found(json!({SCRAPE: "false"}), ports, "Running"), [""; 0]);
    }
}
