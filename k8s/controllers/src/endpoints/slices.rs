//! slices — a Service's EndpointSlices: which pods are in, under which conditions (`semantics.md` 4.1), and what must change.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::{Pod, Service},
        discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::ResourceExt;

use super::ports;
use crate::{owner, pods};

/// A slice holds no more endpoints than this.
const ENDPOINTS_MAX: usize = 100;
/// Says whose endpoints a slice holds.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Says who keeps a slice; slices of others are left alone.
pub(crate) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Says that the service has no address of its own.
const HEADLESS: &str = "service.kubernetes.io/headless";
/// Us.
pub(crate) const MANAGER: &str = "endpointslice-controller.k8s.io";

/// What one slice should hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Content {
    pub ports: Vec<EndpointPort>,
    pub endpoints: Vec<Endpoint>,
}

/// One write to the API.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Create(Box<EndpointSlice>),
    Replace(Box<EndpointSlice>),
    Delete(String),
}

/// Whether a pod can be reached at all: it has an address and has not ended.
pub(crate) fn is_reachable(pod: &Pod) -> bool {
    !pods::is_finished(pod) && address(pod).is_some()
}

pub(crate) fn address(pod: &Pod) -> Option<&str> {
    pod.status
        .as_ref()?
        .pod_ip
        .as_deref()
        .filter(|address| !address.is_empty())
}

/// What the service's slices should hold: pods in whom its ports have the same numbers share slices. With no pod at all there is one
/// empty slice.
pub(crate) fn contents(service: &Service, pods: &[Pod]) -> Vec<Content> {
    let mut by_ports: BTreeMap<String, Content> = BTreeMap::new();
    let mut reachable: Vec<&Pod> = pods.iter().filter(|pod| is_reachable(pod)).collect();
    reachable.sort_by_key(|pod| pod.name_any());
    for pod in reachable {
        let ports = ports::of(service, pod);
        let content = by_ports
            .entry(format!("{ports:?}"))
            .or_insert_with(|| Content {
                ports,
                endpoints: vec![],
            });
        content.endpoints.push(endpoint(service, pod));
    }
    let full = |content: Content| {
        let chunks: Vec<Vec<Endpoint>> = content
            .endpoints
            .chunks(ENDPOINTS_MAX)
            .map(<[Endpoint]>::to_vec)
            .collect();
        chunks.into_iter().map(move |endpoints| Content {
            ports: content.ports.clone(),
            endpoints,
        })
    };
    let contents: Vec<Content> = by_ports.into_values().flat_map(full).collect();
    if contents.is_empty() {
        vec![Content {
            ports: vec![],
            endpoints: vec![],
        }]
    } else {
        contents
    }
}

fn endpoint(service: &Service, pod: &Pod) -> Endpoint {
    let spec = pod.spec.as_ref();
    let hostname = spec
        .filter(|spec| spec.subdomain == service.metadata.name)
        .and_then(|spec| spec.hostname.clone());
    Endpoint {
        addresses: address(pod).map(str::to_owned).into_iter().collect(),
        conditions: Some(conditions(pod, publishes_not_ready(service))),
        hostname,
        node_name: spec.and_then(|spec| spec.node_name.clone()),
        target_ref: Some(target(pod)),
        ..Endpoint::default()
    }
}

/// A reference to the pod behind an address.
pub(crate) fn target(pod: &Pod) -> k8s_openapi::api::core::v1::ObjectReference {
    k8s_openapi::api::core::v1::ObjectReference {
        kind: Some("Pod".into()),
        namespace: pod.namespace(),
        name: pod.metadata.name.clone(),
        uid: pod.uid(),
        ..Default::default()
    }
}

/// Whether the service wants its pods named even before they are ready.
pub(crate) fn publishes_not_ready(service: &Service) -> bool {
    service
        .spec
        .as_ref()
        .and_then(|spec| spec.publish_not_ready_addresses)
        == Some(true)
}

fn conditions(pod: &Pod, publishes_not_ready: bool) -> EndpointConditions {
    let serving = pods::is_ready(pod);
    let terminating = pod.metadata.deletion_timestamp.is_some();
    let ready = publishes_not_ready || (serving && !terminating);
    EndpointConditions {
        ready: Some(ready),
        serving: Some(serving),
        terminating: Some(terminating),
    }
}

/// What turns the present slices into the wanted ones with the fewest writes: a slice with the right ports is kept before another is
/// filled anew.
pub(crate) fn plan(
    service: &Service,
    present: &[EndpointSlice],
    wanted: Vec<Content>,
) -> Vec<Change> {
    let mut unused: Vec<&EndpointSlice> = present
        .iter()
        .filter(|slice| slice.metadata.deletion_timestamp.is_none())
        .collect();
    unused.sort_by_key(|slice| slice.name_any());
    let mut homeless = Vec::new();
    let mut changes = Vec::new();
    for content in wanted {
        match unused
            .iter()
            .position(|slice| slice.ports.clone().unwrap_or_default() == content.ports)
        {
            Some(place) => changes.extend(fill(unused.remove(place), content)),
            None => homeless.push(content),
        }
    }
    let mut unused = unused.into_iter();
    for content in homeless {
        match unused.next() {
            Some(slice) => changes.extend(fill(slice, content)),
            None => changes.push(Change::Create(Box::new(new_slice(service, content)))),
        }
    }
    changes.extend(unused.map(|slice| Change::Delete(slice.name_any())));
    changes
}

fn fill(slice: &EndpointSlice, content: Content) -> Option<Change> {
    let present = Content {
        ports: slice.ports.clone().unwrap_or_default(),
        endpoints: slice.endpoints.clone(),
    };
    (present != content).then(|| {
        let filled = EndpointSlice {
            ports: Some(content.ports),
            endpoints: content.endpoints,
            ..slice.clone()
        };
        Change::Replace(Box::new(filled))
    })
}

fn is_headless(service: &Service) -> bool {
    service
        .spec
        .as_ref()
        .and_then(|spec| spec.cluster_ip.as_deref())
        == Some("None")
}

fn new_slice(service: &Service, content: Content) -> EndpointSlice {
    let mut labels = service.labels().clone();
    labels.insert(SERVICE_NAME.into(), service.name_any());
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    if is_headless(service) {
        labels.insert(HEADLESS.into(), String::new());
    }
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", service.name_any())),
            namespace: service.namespace(),
            labels: Some(labels),
            owner_references: owner::reference(service).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        address_type: "IPv4".into(),
        endpoints: content.endpoints,
        ports: Some(content.ports),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};

    pub(in super::super) fn service(more: Value) -> Service {
        let mut spec =
            json!({"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value(
            json!({"metadata": {"name": "web", "namespace": "ns", "uid": "s"}, "spec": spec}),
        )
        .unwrap()
    }

    pub(in super::super) fn pod(name: &str, phase: &str, ready: bool, going: bool) -> Pod {
        let metadata = json!({"name": name, "namespace": "ns", "uid": name, "deletionTimestamp": going.then_some("2026-01-01T00:00:00Z")});
        let ready = if ready { "True" } else { "False" };
        let status = json!({"phase": phase, "podIP": format!("127.1.0.{}", name.len()), "conditions": [{"type": "Ready", "status": ready}]});
        let ports =
            json!([{"name": "http", "containerPort": 8000 + i32::try_from(name.len()).unwrap()}]);
        serde_json::from_value(json!({"metadata": metadata, "spec": {"nodeName": "n", "containers": [{"name": "web", "ports": ports}]}, "status": status}))
            .unwrap()
    }

    fn row(more: Value, pod: Pod) -> Option<(bool, bool, bool)> {
        let endpoint = contents(&service(more), &[pod]).remove(0).endpoints.pop()?;
        let conditions = endpoint.conditions.unwrap();
        Some((
            conditions.ready.unwrap(),
            conditions.serving.unwrap(),
            conditions.terminating.unwrap(),
        ))
    }

    #[test]
    fn the_table_of_endpoint_conditions_holds() {
        assert_eq!(
            row(json!({}), pod("a", "Running", true, false)),
            Some((true, true, false))
        );
        assert_eq!(
            row(json!({}), pod("a", "Running", false, false)),
            Some((false, false, false))
        );
        assert_eq!(
            row(json!({}), pod("a", "Running", true, true)),
            Some((false, true, true))
        );
        assert_eq!(
            row(json!({}), pod("a", "Running", false, true)),
            Some((false, false, true))
        );
        assert_eq!(row(json!({}), pod("a", "Succeeded", false, false)), None);
        assert_eq!(row(json!({}), Pod::default()), None);
    }

    #[test]
    fn svc_11_who_publishes_not_ready_addresses_has_only_ready_ones() {
        let publishes = json!({"publishNotReadyAddresses": true});
        assert_eq!(
            row(publishes.clone(), pod("a", "Running", false, false)),
            Some((true, false, false))
        );
        assert_eq!(
            row(publishes, pod("a", "Running", false, true)),
            Some((true, false, true))
        );
    }

    #[test]
    fn svc_13_pods_with_another_number_for_the_port_have_a_slice_of_their_own() {
        let pods = [
            pod("a", "Running", true, false),
            pod("bb", "Running", true, false),
            pod("c", "Running", true, false),
        ];
        let summary: Vec<(Option<i32>, usize)> = contents(&service(json!({})), &pods)
            .iter()
            .map(|c| (c.ports[0].port, c.endpoints.len()))
            .collect();
        assert_eq!(summary, [(Some(8001), 2), (Some(8002), 1)]);
    }

    #[test]
    fn a_slice_is_full_at_a_hundred() {
        let pods: Vec<Pod> = (0..201)
            .map(|i| pod(&format!("web-{i:03}"), "Running", true, false))
            .collect();
        let sizes: Vec<usize> = contents(&service(json!({})), &pods)
            .iter()
            .map(|c| c.endpoints.len())
            .collect();
        assert_eq!(sizes, [100, 100, 1]);
    }

    fn created(changes: &[Change]) -> EndpointSlice {
        let [Change::Create(slice)] = changes else {
            panic!("{changes:?}")
        };
        let mut slice = (**slice).clone();
        slice.metadata.name = Some("web-1".into());
        slice
    }

    #[test]
    fn a_service_without_pods_has_one_empty_slice_that_is_filled_later() {
        let service = service(json!({}));
        let slice = created(&plan(&service, &[], contents(&service, &[])));
        assert_eq!(
            (slice.endpoints.len(), slice.labels()[SERVICE_NAME].as_str()),
            (0, "web")
        );
        let filled = plan(
            &service,
            std::slice::from_ref(&slice),
            contents(&service, &[pod("a", "Running", true, false)]),
        );
        let [Change::Replace(filled)] = &filled[..] else {
            panic!("{filled:?}")
        };
        assert_eq!(
            (filled.name_any(), filled.endpoints.len()),
            ("web-1".into(), 1)
        );
    }

    #[test]
    fn nothing_is_written_when_nothing_changed_and_superfluous_slices_go() {
        let (service, pods) = (service(json!({})), [pod("a", "Running", true, false)]);
        let slice = created(&plan(&service, &[], contents(&service, &pods)));
        assert_eq!(
            plan(
                &service,
                std::slice::from_ref(&slice),
                contents(&service, &pods)
            ),
            []
        );
        let mut second = slice.clone();
        second.metadata.name = Some("web-2".into());
        assert_eq!(
            plan(&service, &[slice, second], contents(&service, &pods)),
            [Change::Delete("web-2".into())]
        );
    }
}
