//! Evictions, the budgets that stand in their way, and nodes that take no pods.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{EvictParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::kinds::*;
use crate::world::{World, conform};

/// A Deployment and a budget that wants so many of its pods.
async fn guarded(world: &World, replicas: u32, least: u32) {
    let spec = pod_spec(vec![world.shell("sleep 1000")], json!({}));
    world
        .create::<Deployment>(deployment("room", replicas, spec))
        .await;
    world.until("room", "rolled out", is_rolled_out).await;
    let selector = json!({"matchLabels": {"app": "room"}});
    world
        .create::<PodDisruptionBudget>(json!({"metadata": {"name": "guard"}, "spec": {"minAvailable": least, "selector": selector}}))
        .await;
}

async fn until_allows(world: &World, count: i32) {
    let allows = move |budget: &PodDisruptionBudget| {
        let status = budget.status.as_ref();
        status.is_some_and(|status| {
            status.disruptions_allowed == count && status.observed_generation == Some(1)
        })
    };
    world.until("guard", "counted", allows).await;
}

/// Pods that are not on their way out.
async fn names(world: &World) -> Vec<String> {
    let selected = ListParams::default().labels("app=room");
    let pods = world.api::<Pod>().list(&selected).await.unwrap();
    let here = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none());
    here.map(|pod| pod.name_any()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_lets_so_many_pods_go_and_no_more() {
    conform("PodDisruptionBudget", async |world| {
        guarded(world, 2, 1).await;
        until_allows(world, 1).await;
        let before = names(world).await;
        let (pods, params) = (world.api::<Pod>(), EvictParams::default());
        let first = pods.evict(&before[0], &params).await;
        first.expect("one may go");
        let within = Duration::from_secs(60);
        world
            .eventually("both are replaced", within, async || {
                let second = pods.evict(&before[1], &params).await;
                if let Err(kube::Error::Api(refusal)) = second
                    && refusal.code != 404
                {
                    let text = "Cannot evict pod as it would violate the pod's disruption budget.";
                    let told = (refusal.code, &*refusal.reason, &*refusal.message);
                    assert_eq!(told, (429, "TooManyRequests", text));
                }
                let now = names(world).await;
                assert!(!now.is_empty());
                now.len() == 2 && !now.iter().any(|name| before.contains(name))
            })
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_needs_all_lets_none_go() {
    conform("Eviction refused", async |world| {
        guarded(world, 1, 1).await;
        until_allows(world, 0).await;
        let name = names(world).await.remove(0);
        let (pods, params) = (world.api::<Pod>(), EvictParams::default());
        let Err(kube::Error::Api(refusal)) = pods.evict(&name, &params).await else {
            panic!("it was evicted")
        };
        assert_eq!(refusal.code, 429);
        let details = refusal.details.clone().expect("a cause");
        let cause = &details.causes[0];
        let message = "The disruption budget guard needs 1 healthy pods and has 1 currently";
        assert_eq!(
            (&*cause.reason, &*cause.message),
            ("DisruptionBudget", message)
        );
        world.delete::<PodDisruptionBudget>("guard").await;
        let second = pods.evict(&name, &params).await;
        second.expect("nothing guards it now");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_node_keeps_its_pods_and_takes_no_others() {
    conform("Cordon", async |world| {
        if world.is_real {
            println!("Cordon: skipped, others need the node");
            return;
        }
        let nodes: Api<Node> = Api::all(world.client.clone());
        let close = async |is_closed: bool| {
            let patch = Patch::Strategic(json!({"spec": {"unschedulable": is_closed}}));
            let params = PatchParams::default();
            nodes.patch("node-1", &params, &patch).await.unwrap();
        };
        world
            .pod("old", world.shell("sleep 1000"), json!({}))
            .await;
        world.until("old", "running", is_running).await;
        close(true).await;
        world
            .pod("new", world.shell("sleep 1000"), json!({}))
            .await;
        let message = "0/1 nodes are available: 1 node(s) were unschedulable. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
        let waits = |pod: &Pod| {
            let status = pod.status.as_ref();
            let conditions = status.and_then(|status| status.conditions.as_ref());
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|one| one.message.as_deref() == Some(message))
        };
        let pod: Pod = world.until("new", "unschedulable", waits).await;
        assert_eq!(phase(&pod), "Pending");
        let old: Pod = world.until("old", "there", |_| true).await;
        assert!(is_running(&old));
        close(false).await;
        world.until("new", "running", is_running).await;
    })
    .await;
}
