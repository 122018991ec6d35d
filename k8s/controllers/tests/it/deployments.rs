//! What a deployment and its sets do apart from rolling.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{ConfigMap, Pod},
};
use kube::{Api, ResourceExt, api::DeleteParams};
use serde_json::json;

use crate::{
    kubelet::Script,
    world::{World, reason, web},
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_new_deployment_says_what_it_did_and_how_it_is() {
    let world = World::new().await;
    world.deployed(2, json!({})).await;
    world
        .wait("web", |d: Option<&Deployment>| {
            d.and_then(|d| reason(d, "Progressing")).as_deref() == Some("NewReplicaSetAvailable")
        })
        .await;
    let deployment: Deployment = world.api().get("web").await.unwrap();
    let set = world.sets().await.remove(0);
    assert_eq!(
        reason(&deployment, "Available").as_deref(),
        Some("MinimumReplicasAvailable")
    );
    assert_eq!(
        deployment.annotations()["deployment.kubernetes.io/revision"],
        "1"
    );
    assert_eq!(
        world.events("ScalingReplicaSet").await,
        [format!(
            "Scaled up replica set {} from 0 to 2",
            set.name_any()
        )]
    );
    assert_eq!(world.events("SuccessfulCreate").await.len(), 2);
    let pods = world.pods().await;
    assert!(
        pods.iter()
            .all(|pod| pod.name_any().starts_with(&format!("{}-", set.name_any())))
    );
    assert!(
        pods.iter()
            .all(|pod| pod.labels()["pod-template-hash"] == set.labels()["pod-template-hash"])
    );
}

#[tokio::test(start_paused = true)]
async fn dep_10_scaling_down_removes_the_pod_that_is_not_ready() {
    let world = World::new().await;
    world.deployed(3, json!({})).await;
    let sick = world.pods().await.remove(1);
    world.kubelet.set_ready(&sick, false).await;
    world
        .merge::<Deployment>("web", json!({"spec": {"replicas": 2}}))
        .await;
    world
        .wait(&sick.name_any(), |pod: Option<&Pod>| pod.is_none())
        .await;
    world.complete("web:1").await;
    assert_eq!(
        world.events("SuccessfulDelete").await,
        [format!("Deleted pod: {}", sick.name_any())]
    );
}

#[tokio::test(start_paused = true)]
async fn dep_11_scaling_down_removes_the_pod_that_costs_least() {
    let world = World::new().await;
    world.deployed(3, json!({})).await;
    let cheap = world.pods().await.remove(2).name_any();
    world.merge::<Pod>(&cheap, json!({"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-1"}}})).await;
    world
        .merge::<Deployment>("web", json!({"spec": {"replicas": 2}}))
        .await;
    world.wait(&cheap, |pod: Option<&Pod>| pod.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn dep_12_scaling_down_removes_the_pod_that_was_ready_last() {
    let world = World::new().await;
    world.deployed(1, json!({})).await;
    let old = world.pods().await.remove(0).name_any();
    tokio::time::sleep(60 * SECOND).await;
    world
        .merge::<Deployment>("web", json!({"spec": {"replicas": 2}}))
        .await;
    world.complete("web:1").await;
    tokio::time::sleep(2 * SECOND).await;
    world
        .merge::<Deployment>("web", json!({"spec": {"replicas": 1}}))
        .await;
    world.complete("web:1").await;
    let left: Vec<String> = world
        .pods()
        .await
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .map(|pod| pod.name_any())
        .collect();
    assert_eq!(left, [old]);
}

#[tokio::test(start_paused = true)]
async fn dep_14_and_15_neither_the_same_manifest_nor_a_number_nor_a_config_map_starts_a_rollout() {
    let world = World::new().await;
    world
        .create::<ConfigMap>(json!({"metadata": {"name": "settings"}, "data": {"a": "1"}}))
        .await;
    world.deployed(2, json!({})).await;
    world.merge::<Deployment>("web", web(2, json!({}))).await;
    world
        .merge::<ConfigMap>("settings", json!({"data": {"a": "2"}}))
        .await;
    world
        .merge::<Deployment>("web", json!({"spec": {"replicas": 3}}))
        .await;
    world.complete("web:1").await;
    assert_eq!(world.sets().await.len(), 1);
    assert!(world.events("SuccessfulDelete").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn rst_15_a_deleted_pod_is_replaced_at_once_however_long_it_drains() {
    let world = World::new().await;
    world.kubelet.script(
        "web:1",
        Script {
            stop: 20 * SECOND,
            ..Script::default()
        },
    );
    world.deployed(1, json!({})).await;
    let first = world.pods().await.remove(0).name_any();
    let asked = tokio::time::Instant::now();
    world.history.clear();
    world
        .api::<Pod>()
        .delete(&first, &DeleteParams::default())
        .await
        .unwrap();
    tokio::time::sleep(SECOND).await;
    let came = world
        .history
        .first(|pods| pods.iter().any(|pod| pod.name != first))
        .unwrap();
    assert!(came - asked < 2 * SECOND);
    assert_eq!(world.pods().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_relabelled_is_let_go_and_replaced() {
    let world = World::new().await;
    world.deployed(1, json!({})).await;
    let sick = world.pods().await.remove(0).name_any();
    world
        .merge::<Pod>(
            &sick,
            json!({"metadata": {"labels": {"app": "quarantine"}}}),
        )
        .await;
    world
        .wait(&sick, |pod: Option<&Pod>| {
            pod.is_some_and(|pod| pod.owner_references().is_empty())
        })
        .await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(world.pods().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_belongs_to_nobody_is_adopted_by_the_set_it_fits() {
    let world = World::new().await;
    let spec = json!({"containers": [{"name": "web", "image": "web:1"}]});
    let pod: Pod = world
        .create(json!({"metadata": {"name": "alone", "labels": {"app": "web"}}, "spec": spec}))
        .await;
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": spec});
    let set: ReplicaSet = world
        .create(json!({"metadata": {"name": "web"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}}))
        .await;
    world
        .wait("web", |set: Option<&ReplicaSet>| {
            set.and_then(|set| set.status.as_ref()?.available_replicas) == Some(1)
        })
        .await;
    let pods: Api<Pod> = world.api();
    assert_eq!(
        pods.get(&pod.name_any()).await.unwrap().owner_references()[0].uid,
        set.uid().unwrap()
    );
    assert_eq!(world.pods().await.len(), 1);
}
