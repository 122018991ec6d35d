//! Names, refusals and the spread of connections.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use serde_json::json;

use crate::kinds::*;
use crate::world::{World, conform};

/// A real cluster's DNS remembers a deleted name for so long; the embedded one not at all.
const NAMES_LINGER: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn net_1_and_box_7_names_come_and_go_with_services_and_nobody_behind_one_is_a_refusal() {
    conform("NET-1, BOX-7", async |world| {
        world.caller().await;
        world.create::<Service>(service("room")).await;
        let resolved = world.until_answer("room:8080", "refused", SOON).await;
        println!("NET-1: the new name answers, with a refusal, after {resolved:?}");
        // Resolving is a second at most; the command that asks has its own start besides.
        assert!(resolved < Duration::from_secs(2), "{resolved:?}");
        world.delete::<Service>("room").await;
        // The whole name: a real cluster asks its own DNS servers for a short one at last, and they may not answer.
        let whole = format!("room.{}.svc.cluster.local:8080", world.namespace);
        let forgotten = world
            .until_answer(&whole, "unknown-name", NAMES_LINGER)
            .await;
        println!("BOX-7: the deleted name is unknown after {forgotten:?}");
        if !world.is_real {
            assert!(forgotten < Duration::from_secs(1), "{forgotten:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn net_1_an_endpoint_that_does_not_listen_refuses() {
    conform("NET-1", async |world| {
        let deaf = world.shell("sleep 1000");
        let (_, _, deaf) = tokio::join!(
            world.caller(),
            world.create::<Service>(service("deaf")),
            world.pod("deaf", deaf, json!({}))
        );
        drop::<Pod>(deaf);
        world.until("deaf", "ready", is_ready).await;
        // A program in place of the kernel's tables accepts before it knows.
        let expected = if world.is_real { "refused" } else { "reset" };
        world.until_answer("deaf:8080", expected, SOON).await;
        let met = world.get("deaf:8080", 20).await;
        assert!(met.iter().all(|met| met.what == expected), "{met:?}");
    })
    .await;
}

/// How many connections each pod got.
async fn spread(world: &World, count: u32) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for met in world.get("room:8080", count).await {
        *counts.entry(met.what).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn net_2_three_hundred_connections_are_spread_over_three_pods() {
    conform("NET-2", async |world| {
        let mut server = world.server("$(NAME)", json!({"readinessProbe": http_probe("/")}));
        let name = json!({"env": [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]});
        merge(&mut server, name);
        let pods = pod_spec(vec![server], json!({}));
        world.create::<Service>(service("room")).await;
        world.create::<Deployment>(deployment("room", 3, pods)).await;
        world.caller().await;
        world.until("room", "rolled out", is_rolled_out).await;
        world
            .eventually("all three are called", SOON, async || {
                spread(world, 30).await.len() == 3
            })
            .await;
        let counts = spread(world, 300).await;
        println!("NET-2: {counts:?}");
        let fair = counts.values().all(|count| (60..=140).contains(count));
        assert!(counts.len() == 3 && fair, "{counts:?}");
    })
    .await;
}
