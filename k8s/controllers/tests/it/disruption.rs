//! What a disruption budget allows, from one eviction to the next.

use std::time::Duration;

use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};
use kube::{ResourceExt, api::EvictParams};
use serde_json::json;

use crate::world::World;

async fn until_allows(world: &World, count: i32) {
    let allows = move |budget: Option<&PodDisruptionBudget>| {
        let status = budget.and_then(|budget| budget.status.as_ref());
        status.is_some_and(|status| status.disruptions_allowed == count)
    };
    world.wait("web", allows).await;
}

#[tokio::test(start_paused = true)]
async fn pods_go_one_at_a_time_and_the_next_when_the_first_is_replaced() {
    let world = World::new().await;
    let deployment = world.deployed(3, json!({})).await;
    let selector = deployment.spec.unwrap().selector;
    world
        .create::<PodDisruptionBudget>(json!({"metadata": {"name": "web"}, "spec": {"maxUnavailable": 1, "selector": selector}}))
        .await;
    until_allows(&world, 1).await;
    let pods = world.pods().await;
    let names: Vec<String> = pods.iter().map(|pod| pod.name_any()).collect();
    let (api, params) = (world.api::<Pod>(), EvictParams::default());
    api.evict(&names[0], &params).await.unwrap();
    let Err(kube::Error::Api(refusal)) = api.evict(&names[1], &params).await else {
        panic!("two were evicted at once")
    };
    assert_eq!((refusal.code, &*refusal.reason), (429, "TooManyRequests"));
    until_allows(&world, 0).await;
    until_allows(&world, 1).await;
    api.evict(&names[1], &params).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let left = world.pods().await;
    assert_eq!(left.len(), 3);
    assert!(left.iter().all(|pod| !names[..2].contains(&pod.name_any())));
}
