//! A service starts when it is told to, and ends without losing a request.

use crate::world::{Note, send, start, teller};
use axum::Router;
use axum::routing::post;
use http::{Method, StatusCode};
use kernel::{Call, Collection, Env, Service, StartError};
use serde_json::{Value, json};
use std::future::IntoFuture;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

fn env() -> Env {
    Env::from_iter([
        ("POD_IP", "127.0.0.1"),
        ("PORT", "0"),
        ("KAFKA_BROKERS", "none"),
    ])
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_service_ends() {
    let (asked, agreed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (asked, agreed) = (asked.clone(), agreed.clone());
        post(async move || {
            asked.notify_one();
            agreed.notified().await;
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slow_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().route("/yes", slow)).into_future());

    let ask = |_, note: &Note| vec![Call::post("slow", "/yes", note).into()];
    let service = Service::new("asker")
        .calls("slow")
        .collection(Collection::new("notes", "note").on_create(ask));
    let running = start(service, &env().with("SLOW_URL", slow_url))
        .await
        .unwrap();
    let address = running.address;

    let request = tokio::spawn(send(
        Method::POST,
        address,
        "/notes",
        json!({"text": "late"}),
    ));
    asked.notified().await;
    let ending = tokio::spawn(running.stop());
    // Whoever asks now still gets an answer.
    let readiness = loop {
        let (status, headers, body) = send(
            Method::GET,
            address,
            "/actuator/health/readiness",
            Value::Null,
        )
        .await;
        if status != StatusCode::OK {
            break (status, headers["connection"].clone(), body);
        }
    };
    assert_eq!(
        readiness,
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "close".parse().unwrap(),
            json!({"status": "OUT_OF_SERVICE"})
        )
    );
    let (status, _, alive) = send(
        Method::GET,
        address,
        "/actuator/health/liveness",
        Value::Null,
    )
    .await;
    assert_eq!((status, alive), (StatusCode::OK, json!({"status": "UP"})));

    agreed.notify_one();
    let (status, headers, _) = request.await.unwrap();
    assert_eq!(
        (status, &headers["connection"]),
        (StatusCode::CREATED, &"close".parse().unwrap())
    );
    ending.await.unwrap();
    assert_eq!(
        TcpStream::connect(address).await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
}

#[tokio::test]
async fn while_it_starts_nothing_listens() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let env = env()
        .with("PORT", address.port().to_string())
        .with("STARTUP_DELAY", "300ms");
    let began = Instant::now();
    let starting = tokio::spawn(async move { start(teller(), &env).await });
    assert_eq!(
        TcpStream::connect(address).await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    let running = starting.await.unwrap().unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300));
    let (status, _, health) = send(
        Method::GET,
        running.address,
        "/actuator/health",
        Value::Null,
    )
    .await;
    assert_eq!(
        (status, health),
        (
            StatusCode::OK,
            json!({"status": "UP", "groups": ["liveness", "readiness"]})
        )
    );
}

#[tokio::test]
async fn a_bad_environment_is_told_before_anything_starts() {
    let refused = start(
        teller(),
        &env()
            .with("STARTUP_DELAY", "soon")
            .with("CPU_PER_REQUEST", "5"),
    )
    .await
    .unwrap_err();
    assert!(matches!(refused, StartError::BadEnv(_)));
    assert_eq!(
        refused.to_string(),
        "STARTUP_DELAY=soon: not a duration; write a number and a unit, as 20s, 500ms or 2m\n\
         CPU_PER_REQUEST=5: not a duration; write a number and a unit, as 20s, 500ms or 2m"
    );
}

#[tokio::test]
async fn requests_cost_what_they_are_made_to_cost_and_health_is_free() {
    let running = start(teller(), &env().with("CPU_PER_REQUEST", "100ms"))
        .await
        .unwrap();
    let took = async |path| {
        let began = Instant::now();
        send(Method::GET, running.address, path, Value::Null).await;
        began.elapsed()
    };
    let (notes, health) = (took("/notes").await, took("/actuator/health").await);
    assert!(
        notes >= Duration::from_millis(100) && health < Duration::from_millis(100),
        "{notes:?} {health:?}"
    );
}
