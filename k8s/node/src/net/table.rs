//! table — from Services and EndpointSlices to "who listens where, and who is behind it". Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use mesh::protocol::Protocol;

use super::Named;

const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// A Service's port: where callers connect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListenPort {
    pub address: SocketAddr,
    pub namespace: String,
    pub service: String,
    /// The port's name; empty when the only one has none.
    pub port: String,
    /// What it speaks, as far as the Service says.
    pub protocol: Protocol,
}

/// All TCP ports on which Services are called.
pub(crate) fn listen_ports<'a>(
    services: impl IntoIterator<Item = &'a Service>,
) -> BTreeSet<ListenPort> {
    let mut all = BTreeSet::new();
    for service in services {
        let Some(ip) = cluster_ip(service) else {
            continue;
        };
        let (namespace, name) = id(service);
        for port in service
            .spec
            .iter()
            .flat_map(|spec| spec.ports.iter().flatten())
            .filter(|port| is_tcp(port))
        {
            let Ok(number) = u16::try_from(port.port) else {
                continue;
            };
            all.insert(ListenPort {
                address: SocketAddr::new(ip, number),
                namespace: namespace.clone(),
                service: name.clone(),
                port: port.name.clone().unwrap_or_default(),
                protocol: Protocol::of(
                    port.name.as_deref().unwrap_or_default(),
                    port.app_protocol.as_deref(),
                ),
            });
        }
    }
    all
}

fn is_tcp(port: &ServicePort) -> bool {
    port.protocol.as_deref().unwrap_or("TCP") == "TCP"
}

fn cluster_ip(service: &Service) -> Option<IpAddr> {
    service.spec.as_ref()?.cluster_ip.as_ref()?.parse().ok()
}

fn id(service: &Service) -> (String, String) {
    (
        service.metadata.namespace.clone().unwrap_or_default(),
        service.metadata.name.clone().unwrap_or_default(),
    )
}

/// Names of Services with their addresses; a headless one has those of its ready pods.
pub(crate) fn names<'a>(
    services: impl IntoIterator<Item = &'a Service>,
    endpoints: &EndpointTable,
) -> Vec<Named> {
    let mut all = vec![];
    for service in services {
        let (namespace, name) = id(service);
        let addresses = match cluster_ip(service) {
            Some(ip) => vec![ip],
            None => endpoints.ready_addresses(&namespace, &name),
        };
        all.extend(addresses.into_iter().map(|address| Named {
            namespace: namespace.clone(),
            name: name.clone(),
            address,
        }));
    }
    all.sort();
    all
}

/// The endpoints of all Services, by slice.
#[derive(Debug, Default)]
pub(crate) struct EndpointTable {
    slices: BTreeMap<(String, String), EndpointSlice>,
}

impl EndpointTable {
    pub fn apply(&mut self, slice: EndpointSlice) {
        self.slices.insert(slice_id(&slice), slice);
    }

    pub fn delete(&mut self, slice: &EndpointSlice) {
        self.slices.remove(&slice_id(slice));
    }

    /// Who gets new connections: the ready ones; if there are none, those that are being deleted but still serve.
    pub fn backends(&self, port: &ListenPort) -> Vec<SocketAddr> {
        let ready = self.select(port, |endpoint| is(endpoint, |c| c.ready, true));
        if !ready.is_empty() {
            return ready;
        }
        self.select(port, |endpoint| {
            is(endpoint, |c| c.serving, true) && is(endpoint, |c| c.terminating, false)
        })
    }

    fn select(&self, port: &ListenPort, wanted: impl Fn(&Endpoint) -> bool) -> Vec<SocketAddr> {
        let mut found = BTreeSet::new();
        for slice in self.of(&port.namespace, &port.service) {
            let numbers = slice
                .ports
                .iter()
                .flatten()
                .filter(|own| own.name.as_deref().unwrap_or_default() == port.port);
            for number in numbers.filter_map(|own| u16::try_from(own.port?).ok()) {
                let endpoints = slice.endpoints.iter().filter(|endpoint| wanted(endpoint));
                found.extend(
                    endpoints
                        .flat_map(addresses)
                        .map(|address| SocketAddr::new(address, number)),
                );
            }
        }
        found.into_iter().collect()
    }

    fn ready_addresses(&self, namespace: &str, service: &str) -> Vec<IpAddr> {
        let endpoints = self
            .of(namespace, service)
            .flat_map(|slice| &slice.endpoints);
        let ready = endpoints.filter(|endpoint| is(endpoint, |c| c.ready, true));
        ready
            .flat_map(addresses)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    fn of(&self, namespace: &str, service: &str) -> impl Iterator<Item = &EndpointSlice> {
        self.slices.values().filter(move |slice| {
            let label = slice
                .metadata
                .labels
                .as_ref()
                .and_then(|labels| labels.get(SERVICE_LABEL));
            slice.metadata.namespace.as_deref() == Some(namespace)
                && label.map(String::as_str) == Some(service)
        })
    }
}

fn slice_id(slice: &EndpointSlice) -> (String, String) {
    (
        slice.metadata.namespace.clone().unwrap_or_default(),
        slice.metadata.name.clone().unwrap_or_default(),
    )
}

fn is(
    endpoint: &Endpoint,
    condition: impl Fn(&k8s_openapi::api::discovery::v1::EndpointConditions) -> Option<bool>,
    unknown: bool,
) -> bool {
    endpoint
        .conditions
        .as_ref()
        .and_then(condition)
        .unwrap_or(unknown)
}

fn addresses(endpoint: &Endpoint) -> impl Iterator<Item = IpAddr> {
    endpoint
        .addresses
        .iter()
        .filter_map(|address| address.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn endpoint(address: &str, ready: bool, serving: bool, terminating: bool) -> Value {
        json!({"addresses": [address], "conditions": {"ready": ready, "serving": serving, "terminating": terminating}})
    }

    fn table(endpoints: &[Value]) -> EndpointTable {
        let mut table = EndpointTable::default();
        table.apply(from_value(json!({"metadata": {"name": "room-x", "namespace": "shop", "labels": {SERVICE_LABEL: "room"}},
            "addressType": "IPv4", "ports": [{"name": "web", "port": 8080}, {"name": "admin", "port": 9090}],
            "endpoints": endpoints})).unwrap());
        table
    }

    fn backends(endpoints: &[Value], port: &str) -> Vec<String> {
        let port = ListenPort {
            address: "127.2.0.1:80".parse().unwrap(),
            namespace: "shop".into(),
            service: "room".into(),
            port: port.into(),
            protocol: Protocol::Unknown,
        };
        table(endpoints)
            .backends(&port)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn ready_pods_get_traffic_by_the_name_of_the_port() {
        let endpoints = [
            endpoint("127.1.0.1", true, true, false),
            endpoint("127.1.0.2", false, false, false),
        ];
        assert_eq!(backends(&endpoints, "web"), ["127.1.0.1:8080"]);
        assert_eq!(backends(&endpoints, "admin"), ["127.1.0.1:9090"]);
        assert_eq!(backends(&endpoints, "nope"), [] as [&str; 0]);
    }

    #[test]
    fn svc_8_terminating_pods_that_serve_are_used_only_when_nobody_is_ready() {
        let draining = endpoint("127.1.0.1", false, true, true);
        assert_eq!(
            backends(std::slice::from_ref(&draining), "web"),
            ["127.1.0.1:8080"]
        );
        assert_eq!(
            backends(&[draining, endpoint("127.1.0.2", true, true, false)], "web"),
            ["127.1.0.2:8080"]
        );
    }

    #[test]
    fn svc_5_pods_that_are_not_ready_or_not_serving_get_nothing() {
        let endpoints = [
            endpoint("127.1.0.1", false, false, false),
            endpoint("127.1.0.2", false, false, true),
        ];
        assert_eq!(backends(&endpoints, "web"), [] as [&str; 0]);
    }

    #[test]
    fn tcp_ports_of_services_with_an_address_are_listened_on() {
        let services: Vec<Service> = from_value(json!([
            {"metadata": {"name": "room", "namespace": "shop"}, "spec": {"clusterIP": "127.2.0.1",
                "ports": [{"port": 8080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP", "name": "dns"}]}},
            {"metadata": {"name": "head", "namespace": "shop"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}]))
        .unwrap();
        let ports = listen_ports(&services);
        assert_eq!(
            ports
                .iter()
                .map(|port| port.address.to_string())
                .collect::<Vec<_>>(),
            ["127.2.0.1:8080"]
        );
    }

    #[test]
    fn a_headless_name_means_its_ready_pods() {
        let services: Vec<Service> = from_value(json!([
            {"metadata": {"name": "room", "namespace": "shop"}, "spec": {"clusterIP": "None"}}]))
        .unwrap();
        let table = table(&[
            endpoint("127.1.0.1", true, true, false),
            endpoint("127.1.0.2", false, false, false),
        ]);
        let names = names(&services, &table);
        assert_eq!(
            names
                .iter()
                .map(|named| named.address.to_string())
                .collect::<Vec<_>>(),
            ["127.1.0.1"]
        );
    }
}
