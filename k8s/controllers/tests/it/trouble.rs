//! A server that fails now and then, and how much is asked of it when nothing happens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use apiserver::ApiServer;
use axum::{body::Body, extract::Request, http::StatusCode, response::IntoResponse};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Client;
use serde_json::json;
use tower::{ServiceExt, service_fn};

use crate::world::{World, reason, web};

/// A client of which some requests fail, and the number of requests made.
fn counting(
    server: &ApiServer,
    fails: impl Fn(usize, &Request<kube::client::Body>) -> bool + Clone + Send + 'static,
) -> (Client, Arc<AtomicUsize>) {
    let (router, count) = (server.router(), Arc::new(AtomicUsize::new(0)));
    let seen = count.clone();
    let service = service_fn(move |request: Request<kube::client::Body>| {
        let (router, number) = (router.clone(), seen.fetch_add(1, Ordering::Relaxed) + 1);
        let fails = fails(number, &request);
        async move {
            if fails {
                return Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response());
            }
            router.oneshot(request.map(Body::new)).await
        }
    });
    (Client::new(service, "default"), count)
}

// Without a period: a step of so many requests would otherwise always fail at the same one.
fn is_in_a_quarter(number: usize) -> bool {
    (number.wrapping_mul(0x9e37_79b9) >> 13) & 3 == 0
}

#[tokio::test(start_paused = true)]
async fn a_quarter_of_all_requests_may_fail_and_the_rollout_completes_within_its_budget() {
    let world = World::with(|server| counting(server, |number, _| is_in_a_quarter(number)).0).await;
    world.deployed(4, json!({})).await;
    world.history.clear();
    world.roll_to("web:2").await;
    world.complete("web:2").await;
    for pods in world.history.moments() {
        assert!(pods.iter().filter(|pod| !pod.is_going).count() <= 5);
        assert!(pods.iter().filter(|pod| pod.serves()).count() >= 3);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_costs_no_more_than_the_renewal_of_watches() {
    let requests = Arc::new(std::sync::OnceLock::new());
    let world = World::with(|server| {
        let (client, count) = counting(server, |_, _| false);
        requests.set(count).unwrap();
        client
    })
    .await;
    world.deployed(3, json!({})).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let count = || requests.get().unwrap().load(Ordering::Relaxed);
    let before = count();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    // About fifty watches, each renewed after not quite five minutes.
    assert!(count() - before < 800, "{}", count() - before);
}

#[tokio::test(start_paused = true)]
async fn pods_that_cannot_be_made_are_told_of_and_made_later() {
    let is_full = Arc::new(AtomicBool::new(true));
    let refuses = is_full.clone();
    let is_pod_made = |request: &Request<kube::client::Body>| {
        request.method() == "POST" && request.uri().path().ends_with("/pods")
    };
    let world = World::with(|server| {
        let fails = move |_, request: &_| refuses.load(Ordering::Relaxed) && is_pod_made(request);
        counting(server, fails).0
    })
    .await;
    world.create::<Deployment>(web(2, json!({}))).await;
    let failure = |d: Option<&Deployment>| d.and_then(|d| reason(d, "ReplicaFailure"));
    world
        .wait("web", move |d: Option<&Deployment>| {
            failure(d).as_deref() == Some("FailedCreate")
        })
        .await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let tries = world.events("FailedCreate").await.len();
    assert!((5..20).contains(&tries), "{tries}");
    is_full.store(false, Ordering::Relaxed);
    let healed = world.complete("web:1").await;
    assert_eq!(failure(Some(&healed)), None);
}
