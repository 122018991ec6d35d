//! http_api — everything a service answers: its collections, operations and pages, what it passes on, its health and its counts.

mod accompany;
mod answers;
mod collections;
mod door;
mod operations;

use crate::core::Core;
use crate::hal;
use crate::health::{self, Life};
use crate::telemetry::Telemetry;
use crate::telemetry::metrics::CONTENT_TYPE;
use accompany::{accompany, labour};
use answers::{base, error, hal_answer};
use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::{Html, Redirect};
use axum::routing::{MethodFilter, any, get, on};
use door::forward;
use http::{HeaderMap, StatusCode, Uri, header};
use operations::operate;
use std::sync::Arc;
use std::time::Duration;
use tower_http::cors::CorsLayer;

/// Routes and pages of a service that are not collections.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub routes: Vec<(&'static str, &'static str)>,
    pub otherwise: Option<&'static str>,
    pub pages: Vec<(&'static str, &'static str)>,
    pub has_cors: bool,
}

/// One of a service's collections, or one of its operations.
#[derive(Clone)]
struct Endpoint {
    core: Arc<Core>,
    index: usize,
}

/// Everything a service answers.
pub(crate) fn router(
    core: &Arc<Core>,
    life: &Arc<Life>,
    extras: &Extras,
    cpu_per_request: Duration,
) -> Router {
    let mut domain = Router::new();
    for (index, resource) in core.resources.iter().enumerate() {
        let endpoint = Endpoint {
            core: core.clone(),
            index,
        };
        if !resource.is_internal {
            domain = domain.merge(collections::routes(resource, endpoint));
        }
    }
    for (index, operation) in core.operations.iter().enumerate() {
        let filter = MethodFilter::try_from(operation.method.clone())
            .expect("operations have one of the methods of HTTP");
        let endpoint = Endpoint {
            core: core.clone(),
            index,
        };
        domain = domain.route(operation.path, on(filter, operate).with_state(endpoint));
    }
    for (path, html) in &extras.pages {
        let html = *html;
        domain = domain.route(path, get(async move || Html(html)));
    }
    let passing_on = |to: &'static str| {
        let core = core.clone();
        any(async move |request: Request| forward(&core, to, request).await)
    };
    for (prefix, to) in &extras.routes {
        domain = domain
            .route(prefix, passing_on(to))
            .route(&format!("{prefix}/{{*rest}}"), passing_on(to));
    }
    let has_home = extras.pages.iter().any(|(path, _)| *path == "/");
    let leads_home = extras.routes.iter().any(|(prefix, _)| *prefix == "/html");
    domain = match extras.otherwise {
        Some(to) => domain.fallback_service(passing_on(to)),
        None => domain.fallback(async |uri: Uri| {
            error(StatusCode::NOT_FOUND, "No message available", uri.path())
        }),
    };
    if leads_home {
        domain = domain.route("/", get(async || Redirect::temporary("/html/index.html")));
    } else if !has_home && extras.otherwise.is_none() {
        let core = core.clone();
        let root = async move |headers: HeaderMap| {
            hal_answer(StatusCode::OK, hal::HAL_JSON, root(&core, &headers))
        };
        domain = domain.route("/", get(root));
    }
    if extras.has_cors {
        domain = domain.layer(CorsLayer::very_permissive());
    }
    domain
        .layer(middleware::from_fn_with_state(cpu_per_request, labour))
        .merge(health::routes(life.clone()))
        .merge(measured(core.telemetry.clone()))
        .layer(middleware::from_fn_with_state(
            (life.clone(), core.telemetry.clone()),
            accompany,
        ))
}

/// What Prometheus reads, at its own path and at Spring's.
fn measured(telemetry: Arc<Telemetry>) -> Router {
    let read = get(async move || {
        (
            [(header::CONTENT_TYPE, CONTENT_TYPE)],
            telemetry.metrics.text(),
        )
    });
    Router::new()
        .route("/metrics", read.clone())
        .route("/actuator/prometheus", read)
}

fn root(core: &Core, headers: &HeaderMap) -> String {
    let relations: Vec<_> = core
        .resources
        .iter()
        .filter(|resource| !resource.is_internal)
        .map(|resource| resource.relation)
        .collect();
    hal::root(&base(headers), &relations)
}
