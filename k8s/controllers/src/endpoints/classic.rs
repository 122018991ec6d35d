//! classic — the older Endpoints object of a Service, for whoever still reads it. Pods that are going are not in it.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service},
        discovery::v1,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::ResourceExt;

use super::{ports, slices};
use crate::{owner, pods};

/// The Endpoints object that the service should have. Unlike in Kubernetes it is owned by the service and so goes with it.
pub(crate) fn endpoints(service: &Service, pods: &[Pod]) -> Endpoints {
    let mut by_ports: BTreeMap<String, EndpointSubset> = BTreeMap::new();
    let everybody = slices::publishes_not_ready(service);
    let is_in = |pod: &&Pod| {
        slices::is_reachable(pod) && (everybody || pod.metadata.deletion_timestamp.is_none())
    };
    let mut reachable: Vec<&Pod> = pods.iter().filter(is_in).collect();
    reachable.sort_by_key(|pod| pod.name_any());
    for pod in reachable {
        let ports: Vec<EndpointPort> = ports::of(service, pod).into_iter().map(port).collect();
        let subset = by_ports
            .entry(format!("{ports:?}"))
            .or_insert_with(|| EndpointSubset {
                ports: some(ports),
                ..Default::default()
            });
        let is_ready = everybody || pods::is_ready(pod);
        let list = if is_ready {
            &mut subset.addresses
        } else {
            &mut subset.not_ready_addresses
        };
        list.get_or_insert_default().push(address(pod));
    }
    Endpoints {
        metadata: ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.namespace(),
            labels: service.metadata.labels.clone(),
            owner_references: owner::reference(service).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        subsets: some(by_ports.into_values().collect()),
    }
}

// Lists without members are left out, as the API keeps them.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn port(port: v1::EndpointPort) -> EndpointPort {
    EndpointPort {
        name: port.name.filter(|name| !name.is_empty()),
        port: port.port.unwrap_or_default(),
        protocol: port.protocol,
        app_protocol: port.app_protocol,
    }
}

fn address(pod: &Pod) -> EndpointAddress {
    EndpointAddress {
        ip: slices::address(pod).unwrap_or_default().into(),
        node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        target_ref: Some(slices::target(pod)),
        ..EndpointAddress::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::slices::tests::*, *};
    use serde_json::json;

    #[test]
    fn ready_pods_are_addresses_others_not_ready_ones_and_those_that_go_are_out() {
        let pods = [
            pod("a", "Running", true, false),
            pod("b", "Running", false, false),
            pod("c", "Running", true, true),
        ];
        let subsets = endpoints(&service(json!({})), &pods).subsets.unwrap();
        let names = |list: &Option<Vec<EndpointAddress>>| -> Vec<String> {
            list.iter()
                .flatten()
                .filter_map(|address| address.target_ref.as_ref()?.name.clone())
                .collect()
        };
        assert_eq!(
            (
                names(&subsets[0].addresses),
                names(&subsets[0].not_ready_addresses)
            ),
            (vec!["a".into()], vec!["b".into()])
        );
        assert_eq!(subsets.len(), 1);
    }

    #[test]
    fn a_service_without_pods_has_an_object_without_subsets() {
        assert_eq!(endpoints(&service(json!({})), &[]).subsets, None);
    }
}
