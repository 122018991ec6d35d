//! Who stands behind a Service (`semantics.md` 4.1).

use std::time::Duration;

use k8s_openapi::api::{
    core::v1::{Endpoints, Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::json;

use crate::{kubelet::Script, world::World};

const SECOND: Duration = Duration::from_secs(1);

async fn service(world: &World) {
    let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]});
    world
        .create::<Service>(json!({"metadata": {"name": "web"}, "spec": spec}))
        .await;
}

/// (ready, serving, terminating) of each endpoint, once everything has settled.
async fn conditions(world: &World) -> Vec<(bool, bool, bool)> {
    tokio::time::sleep(Duration::from_millis(50)).await;
    let of_web = ListParams::default().labels("kubernetes.io/service-name=web");
    let slices = world
        .api::<EndpointSlice>()
        .list(&of_web)
        .await
        .unwrap()
        .items;
    let all = slices
        .iter()
        .flat_map(|slice| &slice.endpoints)
        .map(|endpoint| endpoint.conditions.as_ref().unwrap());
    all.map(|c| (c.ready.unwrap(), c.serving.unwrap(), c.terminating.unwrap()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn svc_7_and_8_an_endpoint_follows_its_pod_from_start_to_drain() {
    let world = World::new().await;
    service(&world).await;
    assert_eq!(conditions(&world).await, []);
    world.kubelet.script(
        "web:1",
        Script {
            stop: 10 * SECOND,
            ..Script::default()
        },
    );
    world.deployed(1, json!({})).await;
    assert_eq!(conditions(&world).await, [(true, true, false)]);
    let pod = world.pods().await.remove(0);
    world.kubelet.set_ready(&pod, false).await;
    assert_eq!(conditions(&world).await, [(false, false, false)]);
    world.kubelet.set_ready(&pod, true).await;
    world
        .merge::<k8s_openapi::api::apps::v1::Deployment>("web", json!({"spec": {"replicas": 0}}))
        .await;
    assert_eq!(conditions(&world).await, [(false, true, true)]);
    world
        .wait(&pod.name_any(), |pod: Option<&Pod>| pod.is_none())
        .await;
    assert_eq!(conditions(&world).await, []);
}

#[tokio::test(start_paused = true)]
async fn svc_9_a_pod_that_goes_is_not_ready_beside_its_replacement() {
    let world = World::new().await;
    service(&world).await;
    world.kubelet.script(
        "web:1",
        Script {
            stop: 10 * SECOND,
            ..Script::default()
        },
    );
    world.deployed(1, json!({})).await;
    world
        .api::<Pod>()
        .delete(&world.pods().await[0].name_any(), &DeleteParams::default())
        .await
        .unwrap();
    tokio::time::sleep(SECOND).await;
    let mut both = conditions(&world).await;
    both.sort();
    assert_eq!(both, [(false, true, true), (true, true, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_slice_names_address_port_node_and_pod_and_the_classic_object_agrees() {
    let world = World::new().await;
    service(&world).await;
    world.deployed(1, json!({})).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let pod = world.pods().await.remove(0);
    let slice = world
        .api::<EndpointSlice>()
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .remove(0);
    let endpoint = &slice.endpoints[0];
    let address = pod.status.as_ref().unwrap().pod_ip.clone().unwrap();
    assert_eq!(
        (&endpoint.addresses, &endpoint.node_name),
        (
            &vec![address.clone()],
            &pod.spec.as_ref().unwrap().node_name
        )
    );
    assert_eq!(endpoint.target_ref.as_ref().unwrap().uid, pod.uid());
    assert_eq!(slice.ports.unwrap()[0].port, Some(8080));
    assert_eq!(slice.metadata.owner_references.unwrap()[0].kind, "Service");
    let classic: Endpoints = world.api().get("web").await.unwrap();
    let subset = classic.subsets.unwrap().remove(0);
    assert_eq!(
        (
            &subset.addresses.unwrap()[0].ip,
            subset.ports.unwrap()[0].port
        ),
        (&address, 8080)
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_without_a_selector_is_left_to_its_owner() {
    let world = World::new().await;
    world
        .create::<Service>(
            json!({"metadata": {"name": "outside"}, "spec": {"ports": [{"port": 80}]}}),
        )
        .await;
    world.deployed(1, json!({})).await;
    tokio::time::sleep(SECOND).await;
    assert!(
        world
            .api::<EndpointSlice>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(
        world
            .api::<Endpoints>()
            .get_opt("outside")
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn the_endpoints_of_a_deleted_service_go_with_it() {
    let world = World::new().await;
    service(&world).await;
    world.deployed(1, json!({})).await;
    world
        .api::<Service>()
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    world
        .wait("web", |endpoints: Option<&Endpoints>| endpoints.is_none())
        .await;
    tokio::time::sleep(SECOND).await;
    assert!(
        world
            .api::<EndpointSlice>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn svc_13_pods_that_name_different_ports_are_told_apart() {
    let world = World::new().await;
    service(&world).await;
    for (name, port) in [("a", 8001), ("b", 8002)] {
        let ports = json!([{"name": "http", "containerPort": port}]);
        let spec = json!({"containers": [{"name": "web", "image": "web:1", "ports": ports}]});
        world
            .create::<Pod>(
                json!({"metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec}),
            )
            .await;
    }
    assert_eq!(conditions(&world).await.len(), 2);
    let slices = world
        .api::<EndpointSlice>()
        .list(&ListParams::default())
        .await
        .unwrap()
        .items;
    let place = |slice: &EndpointSlice| {
        let pod = slice.endpoints[0]
            .target_ref
            .as_ref()
            .unwrap()
            .name
            .clone()
            .unwrap();
        (pod, slice.ports.as_ref().unwrap()[0].port.unwrap())
    };
    let mut places: Vec<(String, i32)> = slices.iter().map(place).collect();
    places.sort();
    assert_eq!(places, [("a".into(), 8001), ("b".into(), 8002)]);
}
