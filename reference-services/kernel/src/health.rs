//! health — what a cluster wants to know of a process: is it alive, is it ready, is it on its way out.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// A process's stage of life, and who still needs it.
#[derive(Debug)]
pub struct Life {
    is_draining: AtomicBool,
    requests: watch::Sender<usize>,
    connections: watch::Sender<usize>,
}

/// Counts as one request or connection for as long as it is kept.
#[derive(Debug)]
pub struct Presence(watch::Sender<usize>);

impl Life {
    /// A life that has begun.
    pub fn new() -> Arc<Life> {
        let counter = || watch::Sender::new(0);
        Arc::new(Life {
            is_draining: AtomicBool::new(false),
            requests: counter(),
            connections: counter(),
        })
    }

    /// From now on the service is out of service: answers say so and close their connections.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether the service is on its way out.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// One request more until the presence is dropped.
    pub fn request(&self) -> Presence {
        Presence::new(&self.requests)
    }

    /// One connection more until the presence is dropped.
    pub fn connection(&self) -> Presence {
        Presence::new(&self.connections)
    }

    /// Comes back when no request is being answered.
    pub async fn no_requests(&self) {
        none_left(&self.requests).await;
    }

    /// Comes back when no connection is open.
    pub async fn no_connections(&self) {
        none_left(&self.connections).await;
    }
}

async fn none_left(counter: &watch::Sender<usize>) {
    let waited = counter
        .subscribe()
        .wait_for(|count| *count == 0)
        .await
        .map(|_| ());
    waited.expect("the counter outlives those who wait for it");
}

impl Presence {
    fn new(counter: &watch::Sender<usize>) -> Presence {
        counter.send_modify(|count| *count += 1);
        Presence(counter.clone())
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// `/actuator/health` with its groups `liveness` and `readiness`.
pub fn routes(life: Arc<Life>) -> Router {
    Router::new()
        .route(
            "/actuator/health",
            get(|State(life): State<Arc<Life>>| async move {
                readiness(&life, r#","groups":["liveness","readiness"]"#)
            }),
        )
        .route(
            "/actuator/health/liveness",
            get(|| async { answer(StatusCode::OK, "UP", "") }),
        )
        .route(
            "/actuator/health/readiness",
            get(|State(life): State<Arc<Life>>| async move { readiness(&life, "") }),
        )
        .with_state(life)
}

fn readiness(life: &Life, more: &str) -> Response {
    if life.is_draining() {
        answer(StatusCode::SERVICE_UNAVAILABLE, "OUT_OF_SERVICE", more)
    } else {
        answer(StatusCode::OK, "UP", more)
    }
}

fn answer(code: StatusCode, status: &str, more: &str) -> Response {
    (
        code,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{{\"status\":\"{status}\"{more}}}"),
    )
        .into_response()
}
