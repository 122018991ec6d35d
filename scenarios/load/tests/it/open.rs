//! Open loads: what is due is sent.
use crate::support::{Server, get, send};
use axum::{Router, routing::any};
use model::{Connection, Load, LoadModel, Micros, Stage};
use std::{thread, time::Duration};

fn open(rate: f64, duration: Micros, in_flight_max: u32, url: String) -> Load {
    Load {
        model: LoadModel::Open {
            stages: vec![Stage { rate, duration }],
            in_flight_max,
        },
        connection: Connection::Reused,
        timeout: Micros::from_millis(3_000),
        siege: false,
        requests: vec![get(url)],
        think_time: None,
        stress: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_freezes_for_a_second_is_seen_as_users_would_see_it() {
    // It has one thread: while that sleeps, nobody is served.
    let app = Router::new().route("/", any(async || "ok")).route(
        "/freeze",
        any(async || thread::sleep(Duration::from_secs(1))),
    );
    let server = Server::start(app);
    let freeze = open(
        1.0,
        Micros::from_secs(1),
        1,
        format!("{}/freeze", server.url),
    );
    let load = open(
        200.0,
        Micros::from_secs(5),
        1_000,
        format!("{}/", server.url),
    );
    let later = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        send(freeze).await
    };
    let (printed, _) = tokio::join!(send(load), later);

    let (finished, dropped, _) = printed.ended();
    assert_eq!(finished + dropped, 1000, "offered");
    let mut latencies: Vec<u64> = printed
        .requests()
        .iter()
        .map(|r| r.done_us - r.due_us)
        .collect();
    latencies.sort();
    let p99 = latencies[latencies.len() * 99 / 100];
    assert!(
        (850_000..1_300_000).contains(&p99),
        "p99 {p99} µs: the last of 200 waiting requests in 1000 is at 0.95 s"
    );
    assert!(printed.requests().iter().all(|r| r.sent_us >= r.due_us));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_beyond_the_limit_in_flight_is_dropped_and_counted() {
    let app = Router::new().fallback(any(async || {
        tokio::time::sleep(Duration::from_secs(60)).await
    }));
    let server = Server::start(app);
    let load = Load {
        timeout: Micros::from_millis(1_000),
        ..open(50.0, Micros::from_millis(500), 5, server.url.clone())
    };
    let (finished, dropped, _) = send(load).await.ended();
    assert_eq!((finished, dropped), (5, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_reused_or_not_as_asked() {
    let server = Server::start(Router::new().fallback(any(async || "ok")));
    let reused = open(50.0, Micros::from_millis(500), 5, server.url.clone());
    send(reused.clone()).await;
    assert!(server.accepted() <= 5, "{}", server.accepted());
    let before = server.accepted();
    let new = Load {
        connection: Connection::New,
        ..reused
    };
    send(new).await;
    assert_eq!(server.accepted() - before, 25);
}
