//! A server that fails now and then, and how much is asked of it when nothing happens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use apiserver::ApiServer;
use axum::{body::Body, extract::Request, http::StatusCode, response::IntoResponse};
use kube::Client;
use serde_json::json;
use tower::{ServiceExt, service_fn};

use crate::world::World;

/// A client of which some requests fail, and the number of requests made.
fn counting(server: &ApiServer, fails: fn(usize) -> bool) -> (Client, Arc<AtomicUsize>) {
    let (router, count) = (server.router(), Arc::new(AtomicUsize::new(0)));
    let seen = count.clone();
    let service = service_fn(move |request: Request<kube::client::Body>| {
        let (router, number) = (router.clone(), seen.fetch_add(1, Ordering::Relaxed) + 1);
        async move {
            if fails(number) {
                return Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response());
            }
            router.oneshot(request.map(Body::new)).await
        }
    });
    (Client::new(service, "default"), count)
}

// Without a period: a step of so many requests would otherwise always fail at the same one.
fn a_quarter(number: usize) -> bool {
    (number.wrapping_mul(0x9e37_79b9) >> 13) & 3 == 0
}

#[tokio::test(start_paused = true)]
async fn a_quarter_of_all_requests_may_fail_and_the_rollout_completes_within_its_budget() {
    let world = World::with(|server| counting(server, a_quarter).0).await;
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
        let (client, count) = counting(server, |_| false);
        requests.set(count).unwrap();
        client
    })
    .await;
    world.deployed(3, json!({})).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let count = || requests.get().unwrap().load(Ordering::Relaxed);
    let before = count();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    // About thirty watches, each renewed after not quite five minutes.
    assert!(count() - before < 600, "{}", count() - before);
}
