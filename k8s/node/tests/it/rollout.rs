//! A Deployment behind a Service, replaced while it is called.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::*;

fn room(version: &str) -> Value {
    let container = json!({"name": "c", "image": "test-pod", "args": ["serve", "8080", version],
        "readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}});
    json!({"metadata": {"name": "room"}, "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "room"}},
        "template": {
            "metadata": {"labels": {"app": "room"}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 2}}}})
}

async fn until_rolled_out(cluster: &Cluster) {
    let api: Api<Deployment> = Api::default_namespaced(cluster.client.clone());
    let done = await_condition(api, "room", |deployment: Option<&Deployment>| {
        let Some(deployment) = deployment else {
            return false;
        };
        let Some(status) = &deployment.status else {
            return false;
        };
        let seen = status.observed_generation == deployment.metadata.generation;
        seen && [
            status.updated_replicas,
            status.available_replicas,
            status.replicas,
        ] == [Some(2); 3]
    });
    timeout(Duration::from_secs(30), done)
        .await
        .expect("it rolls out in time")
        .unwrap();
}

#[tokio::test]
async fn net_3_a_rolling_update_with_readiness_and_a_pre_stop_delay_loses_no_request() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        let _controllers = controllers::start(cluster.client.clone(), cluster.clock);
        let ports = json!([{"port": 8080, "protocol": "TCP", "targetPort": 8080}]);
        cluster.create::<Service>(json!({"metadata": {"name": "room"}, "spec": {"selector": {"app": "room"}, "ports": ports}})).await;
        let began = Instant::now();
        cluster.create::<Deployment>(room("one")).await;
        until_rolled_out(&cluster).await;
        println!("{}: ready after {:?}", cluster.node.tier(), began.elapsed());
        let load = json!([{"name": "c", "image": "test-pod", "args": ["load", "room:8080"]}]);
        cluster.pod("load", load, json!({})).await;
        cluster.until("load", is_running).await;
        cluster.until_says("load", "one").await;
        let api: Api<Deployment> = Api::default_namespaced(cluster.client.clone());
        api.patch("room", &PatchParams::default(), &Patch::Merge(room("two")))
            .await
            .unwrap();
        until_rolled_out(&cluster).await;
        eventually("only the new version answers", async || {
            let lines = cluster.log("load", false);
            lines.iter().rev().take(50).all(|line| line == "two")
        })
        .await;
        // Before the first answer the Service had no endpoints yet.
        let lines = cluster.log("load", false);
        let lines: Vec<_> = lines.iter().skip_while(|line| *line != "one").collect();
        let failed: Vec<_> = lines
            .iter()
            .filter(|line| !["one", "two"].contains(&line.as_str()))
            .collect();
        assert!(
            failed.is_empty() && lines.len() > 100,
            "{} of {}: {:?}",
            failed.len(),
            lines.len(),
            failed.first()
        );
        println!("{}: {} requests", cluster.node.tier(), lines.len());
        cluster.node.shutdown().await;
    }
}
