//! Loads that say what a good answer is, against a server that answers 200 with anything else.
use crate::support::{Server, get, send, siege};
use axum::{
    Router,
    http::{StatusCode, header},
    routing::get as read,
};
use load::wire::WireRequest;
use model::{Connection, Expected, Load, LoadModel, Micros, Request, Stage};
use serde_json::json;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// Every fifth answer of `/look` is a page for people, `/moved` leads elsewhere, `/slow` takes 80 ms.
fn planted() -> Server {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let look = async || match ASKED.fetch_add(1, Ordering::SeqCst) % 5 {
        0 => "<html>maintenance</html>".to_string(),
        _ => json!({"price": 10, "text": "x".repeat(20_000)}).to_string(),
    };
    let slow = async || {
        tokio::time::sleep(Duration::from_millis(80)).await;
        "slow"
    };
    let moved = async || (StatusCode::FOUND, [(header::LOCATION, "/here")]);
    Server::start(
        Router::new()
            .route("/look", read(look))
            .route("/slow", read(slow))
            .route("/moved", read(moved))
            .route("/here", read(async || "here")),
    )
}

fn expecting(url: String, expect: Expected) -> Request {
    Request {
        expect: Some(expect),
        ..get(url)
    }
}

fn open(request: Request) -> Load {
    let second = Stage {
        rate: 50.0,
        duration: Micros::from_secs(1),
    };
    Load {
        model: LoadModel::Open {
            stages: vec![second],
            in_flight_max: 100,
        },
        connection: Connection::New,
        siege: false,
        requests: vec![request],
        ..siege(1, 1, "")
    }
}

fn unmet(requests: &[WireRequest]) -> Vec<&str> {
    requests.iter().filter_map(|r| r.unmet.as_deref()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_body_is_told_and_a_right_one_leaves_nothing_behind() {
    let server = planted();
    let price = Expected {
        json: Some(json!({"price": 10})),
        ..Expected::default()
    };
    let printed = send(open(expecting(format!("{}/look", server.url), price))).await;
    let requests = printed.requests();
    assert_eq!(unmet(&requests), ["the body is not JSON"; 10]);
    for request in &requests {
        let body = request.body.as_deref();
        let wrong = request.unmet.is_some();
        assert_eq!(body, wrong.then_some("<html>maintenance</html>"));
    }
    let facts = printed.facts();
    assert_eq!(facts.iter().filter(|f| f.is_good()).count(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_and_a_redirect_fail_where_the_load_says_so() {
    let server = planted();
    let within = Expected {
        within: Some(Micros::from_millis(50)),
        ..Expected::default()
    };
    let slow = send(open(expecting(format!("{}/slow", server.url), within))).await;
    assert!(
        unmet(&slow.requests())
            .iter()
            .all(|u| u.starts_with("took "))
    );
    assert_eq!(unmet(&slow.requests()).len(), 50);

    let status = |status| Expected {
        status: Some(status),
        ..Expected::default()
    };
    let moved = format!("{}/moved", server.url);
    let bad = send(open(expecting(moved.clone(), status(200)))).await;
    assert_eq!(unmet(&bad.requests()), ["HTTP 302 instead of HTTP 200"; 50]);
    let good = send(open(expecting(moved, status(302)))).await;
    assert_eq!(unmet(&good.requests()), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_redirected_request_the_last_answer_is_judged() {
    let server = planted();
    let says = |text: &str| Expected {
        status: Some(200),
        contains: vec![text.into()],
        ..Expected::default()
    };
    let load = |text| Load {
        requests: vec![expecting(format!("{}/moved", server.url), says(text))],
        ..siege(1, 2, "")
    };
    assert_eq!(unmet(&send(load("here")).await.requests()), [""; 0]);
    let told = r#""there" is not in the body "here""#;
    let wrong = send(load("there")).await.requests();
    assert_eq!(unmet(&wrong), [told; 2]);
    let statuses: Vec<_> = wrong.iter().map(|r| r.status).collect();
    assert_eq!(statuses, [Some(302), Some(200), Some(302), Some(200)]);
}
