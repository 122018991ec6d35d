//! Who gets new connections while pods turn unready and end.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Service};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::kinds::*;
use crate::world::{World, conform};

/// From a change of a pod until new connections follow it, at the latest.
const FOLLOWED: Duration = Duration::from_secs(3);

/// For what is no statement, but has to come before one.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that is ready until `/state/down` exists; asked to end, it goes on for 8 s.
fn room(world: &World, name: &str) -> Value {
    let more = json!({"readinessProbe": http_probe("/switch"), "env": [{"name": "STOP_AFTER", "value": "8"}]});
    world.server(name, more)
}

async fn rooms(world: &World, names: &[&str]) {
    let mut room_service = service("room");
    room_service["spec"]["selector"] = json!({"part-of": "room"});
    world.create::<Service>(room_service).await;
    world.caller().await;
    for name in names {
        let spec = pod_spec(
            vec![room(world, name)],
            json!({"terminationGracePeriodSeconds": 10}),
        );
        let pod = json!({"metadata": {"name": name, "labels": {"part-of": "room"}}, "spec": spec});
        world.create::<Pod>(pod).await;
    }
    for name in names {
        world.until(name, "ready", is_ready).await;
    }
    for name in names {
        world
            .eventually("it is called", PATIENCE, async || {
                let met = world.get("room:8080", 20).await;
                met.iter().any(|met| met.what == *name)
            })
            .await;
    }
}

async fn turn_unready(world: &World, pod: &str) {
    world.sh(pod, "touch /state/down").await;
    world.until(pod, "unready", is_not_ready).await;
}

/// New connections go to `name` alone, soon and from then on.
async fn only_called(world: &World, name: &str) {
    let began = Instant::now();
    world
        .eventually("the other is called no more", FOLLOWED, async || {
            let met = world.get("room:8080", 20).await;
            met.iter().all(|met| met.what == name)
        })
        .await;
    println!("followed after {:?}", began.elapsed());
    let met = world.get("room:8080", 100).await;
    assert!(met.iter().all(|met| met.what == name), "{met:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn svc_5_when_no_pod_is_ready_a_connection_is_refused_at_once() {
    conform("SVC-5", async |world| {
        rooms(world, &["one", "two"]).await;
        tokio::join!(turn_unready(world, "one"), turn_unready(world, "two"));
        world.until_answer("room:8080", "refused", PATIENCE).await;
        let met = world.get("room:8080", 20).await;
        println!("SVC-5: {met:?}");
        assert!(met.iter().all(|met| met.what == "refused"), "{met:?}");
        // A real node sends each caller a few refusals at once and then one a second (`net.ipv4.icmp_ratelimit`); the others are
        // refused when they try again after a second.
        let at_once = met.iter().filter(|met| met.millis < 100).count();
        assert!(at_once == met.len() || world.is_real && at_once > 0);
        assert!(met.iter().all(|met| met.millis < 1500));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn svc_7_a_pod_that_is_not_ready_gets_no_new_connections() {
    conform("SVC-7", async |world| {
        rooms(world, &["one", "two"]).await;
        turn_unready(world, "one").await;
        only_called(world, "two").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn svc_8_the_only_pod_is_called_while_it_drains() {
    conform("SVC-8", async |world| {
        rooms(world, &["one"]).await;
        world.delete::<Pod>("one").await;
        world.until_says("one", "SIGTERM").await;
        let began = Instant::now();
        let mut count = 0;
        while began.elapsed() < Duration::from_secs(4) {
            let met = world.get("room:8080", 5).await;
            assert!(met.iter().all(|met| met.what == "one"), "{met:?}");
            count += met.len();
        }
        assert!(count >= 10, "{count}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn svc_9_of_two_pods_the_one_that_drains_gets_no_new_connections() {
    conform("SVC-9", async |world| {
        rooms(world, &["one", "two"]).await;
        world.delete::<Pod>("one").await;
        only_called(world, "two").await;
        let one = world.api::<Pod>().get("one").await.expect("it drains");
        assert!(one.metadata.deletion_timestamp.is_some() && is_ready(&one));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn svc_11_a_service_may_publish_pods_that_are_not_ready() {
    conform("SVC-11", async |world| {
        let mut public = service("room");
        public["spec"]["publishNotReadyAddresses"] = json!(true);
        world.create::<Service>(public).await;
        let unready = json!({"readinessProbe": http_probe("/status/503")});
        world
            .pod("room", world.server("room", unready), json!({}))
            .await;
        world.caller().await;
        world.until_says("room", "/status/503 2").await;
        world.until_answer("room:8080", "room", PATIENCE).await;
        assert!(is_not_ready(&world.api().get("room").await.unwrap()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn svc_13_a_named_port_may_have_another_number_in_each_pod() {
    conform("SVC-13", async |world| {
        let mut by_name = service("room");
        by_name["spec"]["ports"][0]["targetPort"] = json!("http");
        world.create::<Service>(by_name).await;
        for (name, port) in [("one", 8080), ("two", 8081)] {
            let more = json!({"ports": [{"name": "http", "containerPort": port}],
                "env": [{"name": "PORT", "value": port.to_string()}],
                "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 1}});
            let spec = pod_spec(vec![world.server(name, more)], json!({}));
            world
                .create::<Pod>(
                    json!({"metadata": {"name": name, "labels": {"app": "room"}}, "spec": spec}),
                )
                .await;
        }
        world.caller().await;
        for name in ["one", "two"] {
            world.until(name, "ready", is_ready).await;
            world.until_answer("room:8080", name, PATIENCE).await;
        }
    })
    .await;
}
