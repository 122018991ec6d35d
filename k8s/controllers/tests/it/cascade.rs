//! API-14: what goes with what is deleted.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{ConfigMap, Namespace, Pod, Service},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, PostParams, PropagationPolicy},
    runtime::wait::await_condition,
};
use serde_json::json;

use crate::{
    kubelet::Script,
    world::{World, web, within},
};

const SECOND: Duration = Duration::from_secs(1);

async fn are_gone(world: &World, pods: &[Pod]) {
    for pod in pods {
        world
            .wait(&pod.name_any(), |pod: Option<&Pod>| pod.is_none())
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn api_14_sets_and_pods_follow_their_deployment() {
    let world = World::new().await;
    world.deployed(3, json!({})).await;
    let pods = world.pods().await;
    world
        .api::<Deployment>()
        .delete("web", &DeleteParams::background())
        .await
        .unwrap();
    are_gone(&world, &pods).await;
    assert!(world.sets().await.is_empty() && world.pods().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn api_14_orphans_stay() {
    let world = World::new().await;
    world.deployed(2, json!({})).await;
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    world
        .api::<Deployment>()
        .delete("web", &orphan)
        .await
        .unwrap();
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!((world.sets().await.len(), world.pods().await.len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn api_14_in_the_foreground_the_deployment_goes_after_its_last_pod() {
    let world = World::new().await;
    world.kubelet.script(
        "web:1",
        Script {
            stop: 5 * SECOND,
            ..Script::default()
        },
    );
    world.deployed(2, json!({})).await;
    world
        .api::<Deployment>()
        .delete("web", &DeleteParams::foreground())
        .await
        .unwrap();
    tokio::time::sleep(SECOND).await;
    let waiting: Deployment = world.api().get("web").await.unwrap();
    assert!(waiting.metadata.deletion_timestamp.is_some());
    assert_eq!((world.sets().await.len(), world.pods().await.len()), (1, 2));
    world
        .wait("web", |deployment: Option<&Deployment>| {
            deployment.is_none()
        })
        .await;
    assert!(world.sets().await.is_empty() && world.pods().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn api_14_a_namespace_is_emptied_before_it_goes() {
    let world = World::new().await;
    world.kubelet.script(
        "web:1",
        Script {
            stop: 5 * SECOND,
            ..Script::default()
        },
    );
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": "run"}})).unwrap();
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .unwrap();
    let deployments: Api<Deployment> = Api::namespaced(world.client.clone(), "run");
    deployments
        .create(
            &PostParams::default(),
            &serde_json::from_value(web(2, json!({}))).unwrap(),
        )
        .await
        .unwrap();
    let services: Api<Service> = Api::namespaced(world.client.clone(), "run");
    let service = json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    services
        .create(
            &PostParams::default(),
            &serde_json::from_value(service).unwrap(),
        )
        .await
        .unwrap();
    let is_up =
        |d: Option<&Deployment>| d.and_then(|d| d.status.as_ref()?.available_replicas) == Some(2);
    within(await_condition(deployments.clone(), "web", is_up))
        .await
        .unwrap();
    world
        .create::<ConfigMap>(json!({"metadata": {"name": "elsewhere"}}))
        .await;

    let asked = tokio::time::Instant::now();
    namespaces
        .delete("run", &DeleteParams::default())
        .await
        .unwrap();
    within(await_condition(
        namespaces.clone(),
        "run",
        |namespace: Option<&Namespace>| namespace.is_none(),
    ))
    .await
    .unwrap();
    assert!(
        (5 * SECOND..8 * SECOND).contains(&asked.elapsed()),
        "{:?}",
        asked.elapsed()
    );
    assert!(
        Api::<ReplicaSet>::all(world.client.clone())
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(
        Api::<Pod>::all(world.client.clone())
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(
        world
            .api::<ConfigMap>()
            .get_opt("elsewhere")
            .await
            .unwrap()
            .is_some()
    );
}
