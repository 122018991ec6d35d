//! Names, addresses and Services of pods that are processes.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::*;

fn server(answer: &str) -> Value {
    json!([{"name": "c", "image": "test-pod", "args": ["serve", "8080", answer],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}}])
}

/// A ready server and its address.
async fn served(cluster: &Cluster, name: &str) -> String {
    cluster.pod(name, server(name), json!({})).await;
    cluster
        .until(name, is_ready)
        .await
        .status
        .unwrap()
        .pod_ip
        .unwrap()
}

/// A pod to call from.
async fn caller(cluster: &Cluster) {
    let sleep = json!([{"name": "c", "image": "test-pod", "command": ["sh", "-c", "sleep 100"]}]);
    cluster.pod("caller", sleep, json!({})).await;
    cluster.until("caller", is_running).await;
}

async fn service(cluster: &Cluster, name: &str) {
    let ports = json!([{"port": 8080, "protocol": "TCP", "targetPort": 8080}]);
    cluster.create::<Service>(json!({"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports}})).await;
}

fn endpoints(addresses: &[String]) -> Value {
    let endpoint = |address: &String| json!({"addresses": [address], "conditions": {"ready": true, "serving": true, "terminating": false}});
    json!({"metadata": {"name": "room-1", "labels": {"kubernetes.io/service-name": "room"}}, "addressType": "IPv4",
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}], "endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>()})
}

async fn set_endpoints(cluster: &Cluster, addresses: &[String]) {
    let api: Api<EndpointSlice> = Api::default_namespaced(cluster.client.clone());
    api.patch(
        "room-1",
        &PatchParams::default(),
        &Patch::Merge(endpoints(addresses)),
    )
    .await
    .unwrap();
}

async fn get(cluster: &Cluster, address: &str) -> String {
    cluster
        .exec("caller", &[test_pod().to_str().unwrap(), "get", address])
        .await
        .unwrap()
        .1
}

/// Asks until the answer is as wanted, for a second at most.
async fn until_answer(cluster: &Cluster, address: &str, wanted: &str) {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        let answer = get(cluster, address).await;
        if answer.contains(wanted) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{address}: {answer:?} instead of {wanted:?}"
        );
    }
}

#[tokio::test]
async fn box_7_and_net_1_a_pod_calls_a_service_by_name_is_refused_without_endpoints_and_the_name_goes_with_it()
 {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        let room = served(&cluster, "room").await;
        caller(&cluster).await;
        until_answer(&cluster, "room:8080", "Name or service not known").await;
        service(&cluster, "room").await;
        until_answer(&cluster, "room:8080", "refused").await;
        cluster.create::<EndpointSlice>(endpoints(&[room])).await;
        until_answer(&cluster, "room:8080", "room").await;
        assert_eq!(
            get(&cluster, "room.default.svc.cluster.local:8080").await,
            "room"
        );
        set_endpoints(&cluster, &[]).await;
        until_answer(&cluster, "room:8080", "refused").await;
        let services: Api<Service> = Api::default_namespaced(cluster.client.clone());
        services
            .delete("room", &DeleteParams::default())
            .await
            .unwrap();
        until_answer(&cluster, "room:8080", "Name or service not known").await;
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn box_6_replicas_on_one_port_have_their_own_addresses_and_changes_of_endpoints_come_late() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        let (a, b) = tokio::join!(served(&cluster, "a"), served(&cluster, "b"));
        caller(&cluster).await;
        service(&cluster, "room").await;
        cluster.create::<EndpointSlice>(endpoints(&[a])).await;
        until_answer(&cluster, "room:8080", "a").await;
        set_endpoints(&cluster, &[b]).await;
        // The change is at least 200 ms late here: until then the old endpoint is called, as on a real cluster.
        assert_eq!(get(&cluster, "room:8080").await, "a");
        until_answer(&cluster, "room:8080", "b").await;
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn two_clusters_side_by_side_do_not_meet() {
    for runtime in tiers() {
        let (one, two) = (
            Cluster::of_processes(runtime.clone()),
            Cluster::of_processes(runtime),
        );
        let (first, second) = tokio::join!(served(&one, "a"), served(&two, "a"));
        assert_ne!(
            first.rsplit_once('.').unwrap().0,
            second.rsplit_once('.').unwrap().0
        );
        one.node.shutdown().await;
        two.node.shutdown().await;
    }
}

#[tokio::test]
async fn services_are_announced_in_the_environment() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        service(&cluster, "my-room").await;
        caller(&cluster).await;
        let text = cluster
            .sh(
                "caller",
                "echo $MY_ROOM_SERVICE_HOST $MY_ROOM_SERVICE_PORT $HOSTNAME $POD_IP",
            )
            .await;
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(
            words[0].starts_with("127.2.") && words[3].starts_with("127.1."),
            "{text}"
        );
        assert_eq!(words[1..3], ["8080", "caller"]);
    }
}

#[tokio::test]
async fn box_8_a_program_that_listens_at_every_address_is_told_the_cure() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        let everywhere = json!([{"name": "c", "image": "test-pod", "args": ["serve", "0", "x"], "env": [{"name": "POD_IP", "value": "0.0.0.0"}]}]);
        cluster.pod("stray", everywhere, json!({})).await;
        eventually("it is told", async || {
            !cluster.events("ListensEverywhere").await.is_empty()
        })
        .await;
        let message = cluster.events("ListensEverywhere").await[0]
            .message
            .clone()
            .unwrap();
        assert!(message.ends_with("bind the address in POD_IP"), "{message}");
        cluster.node.shutdown().await;
    }
}
