//! http_api — a service's collections over HTTP: Spring Data REST's paths, statuses, headers and bodies.

use crate::asked::Asked;
use crate::core::{Core, Extent, Rejected};
use crate::correlation::{self, Correlation};
use crate::cost;
use crate::hal;
use crate::health::{self, Life};
use crate::page::Page;
use crate::service::Resource;
use crate::store::Row;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{MethodFilter, any, get, on};
use axum::{Extension, Router};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use jiff::Timestamp;
use std::collections::BTreeMap;
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
            domain = domain.merge(collection(resource, endpoint));
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
        .layer(middleware::from_fn_with_state(life.clone(), accompany))
}

fn collection(resource: &Resource, endpoint: Endpoint) -> Router {
    let path = format!("/{}", resource.relation.many);
    Router::new()
        .route(&path, get(list).post(create))
        .route(
            &format!("{path}/{{id}}"),
            get(one).put(replace).patch(modify).delete(delete),
        )
        .with_state(endpoint)
}

/// Every request: counted while it is answered, given its correlation id, and the last of its connection when the service drains. It
/// is carried through even if its client goes away: what it began with others must come to an end.
async fn accompany(State(life): State<Arc<Life>>, mut request: Request, next: Next) -> Response {
    let presence = life.request();
    let correlation = Correlation::of_headers(request.headers());
    let id = HeaderValue::from_str(correlation.as_str())
        .expect("an id from a header, or hexadecimal digits");
    request
        .headers_mut()
        .insert(correlation::HEADER, id.clone());
    request.extensions_mut().insert(correlation);
    let path = request.uri().path().to_owned();
    let answering = tokio::spawn(async move {
        let _presence = presence;
        next.run(request).await
    });
    let mut response = answering.await.unwrap_or_else(|why| {
        tracing::error!("{path}: {why}");
        error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "No message available",
            &path,
        )
    });
    response.headers_mut().insert(correlation::HEADER, id);
    if life.is_draining() {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What a request is made to cost. Health is free: it is about the process, not about its work.
async fn labour(State(cpu): State<Duration>, request: Request, next: Next) -> Response {
    cost::burn(cpu).await;
    next.run(request).await
}

async fn list(
    State(endpoint): State<Endpoint>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let page = Page::of_query(query.as_deref().unwrap_or_default());
    let resource = endpoint.resource();
    match endpoint.core.store.list(&resource.table, &page).await {
        Ok((rows, total)) => {
            let body = hal::collection(&base(&headers), resource.relation, &page, &rows, total);
            hal_answer(StatusCode::OK, hal::HAL_JSON, body)
        }
        Err(why) => rejected(&why.into(), uri.path()),
    }
}

async fn one(
    State(endpoint): State<Endpoint>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let found = match id.parse() {
        Ok(id) => {
            endpoint
                .core
                .store
                .get(&endpoint.resource().table, id)
                .await
        }
        Err(_) => Ok(None),
    };
    match found {
        Ok(Some(row)) => endpoint.item(StatusCode::OK, hal::HAL_JSON, &headers, &row),
        Ok(None) => rejected(&Rejected::NotFound, uri.path()),
        Err(why) => rejected(&why.into(), uri.path()),
    }
}

async fn create(
    State(endpoint): State<Endpoint>,
    Extension(correlation): Extension<Correlation>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let resource = endpoint.resource();
    match endpoint.core.create(resource, &body, &correlation).await {
        Ok(row) => {
            tracing::info!(
                correlation = correlation.as_str(),
                "created {}/{}",
                resource.relation.many,
                row.id
            );
            let location = hal::location(&base(&headers), resource.relation, row.id);
            let mut response = endpoint.item(StatusCode::CREATED, hal::JSON, &headers, &row);
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        }
        Err(why) => {
            tracing::warn!(
                correlation = correlation.as_str(),
                "did not create one of {}: {why}",
                resource.relation.many
            );
            rejected(&why, uri.path())
        }
    }
}

async fn replace(
    endpoint: State<Endpoint>,
    id: Path<String>,
    flow: Extension<Correlation>,
    request: Change,
) -> Response {
    changed(endpoint.0, &id, Extent::Whole, &flow, request).await
}

async fn modify(
    endpoint: State<Endpoint>,
    id: Path<String>,
    flow: Extension<Correlation>,
    request: Change,
) -> Response {
    changed(endpoint.0, &id, Extent::Part, &flow, request).await
}

type Change = (Uri, HeaderMap, Bytes);

async fn changed(
    endpoint: Endpoint,
    id: &str,
    extent: Extent,
    flow: &Correlation,
    request: Change,
) -> Response {
    let (uri, headers, body) = request;
    let Ok(id) = id.parse() else {
        return rejected(&Rejected::NotFound, uri.path());
    };
    match endpoint
        .core
        .update(endpoint.resource(), id, &body, extent, flow)
        .await
    {
        Ok(row) => endpoint.item(StatusCode::OK, hal::JSON, &headers, &row),
        Err(why) => rejected(&why, uri.path()),
    }
}

async fn delete(
    State(endpoint): State<Endpoint>,
    Path(id): Path<String>,
    Extension(correlation): Extension<Correlation>,
    uri: Uri,
) -> Response {
    let Ok(id) = id.parse() else {
        return rejected(&Rejected::NotFound, uri.path());
    };
    match endpoint
        .core
        .delete(endpoint.resource(), id, &correlation)
        .await
    {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => rejected(&why, uri.path()),
    }
}

async fn operate(
    State(Endpoint { core, index }): State<Endpoint>,
    Extension(correlation): Extension<Correlation>,
    Path(path): Path<BTreeMap<String, String>>,
    Query(query): Query<BTreeMap<String, String>>,
    uri: Uri,
    body: Bytes,
) -> Response {
    let operation = &core.operations[index];
    let asked = Asked {
        at: Timestamp::now(),
        parameters: query.into_iter().chain(path).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    match core.operate(operation, &asked, &correlation).await {
        Ok(None) => StatusCode::OK.into_response(),
        Ok(Some(reply)) => hal_answer(status(reply.status), reply.content_type, reply.body),
        Err(why) => {
            tracing::warn!(correlation = correlation.as_str(), "{operation:?}: {why}");
            rejected(&why, uri.path())
        }
    }
}

async fn forward(core: &Core, to: &str, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    match core.edge.forward(to, without_hop_headers(request)).await {
        Ok(mut response) => {
            HOP_HEADERS
                .iter()
                .for_each(|name| drop(response.headers_mut().remove(name)));
            response.map(Body::new)
        }
        Err(status) => error(status, &format!("{to} does not answer"), &path),
    }
}

/// Headers that are about one connection; and the host, which is the callee's own on the next.
const HOP_HEADERS: [header::HeaderName; 3] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

fn without_hop_headers(mut request: Request) -> Request {
    HOP_HEADERS
        .iter()
        .for_each(|name| drop(request.headers_mut().remove(name)));
    request.headers_mut().remove(header::HOST);
    request
}

impl Endpoint {
    fn resource(&self) -> &Resource {
        &self.core.resources[self.index]
    }

    fn item(
        &self,
        status: StatusCode,
        content_type: &'static str,
        headers: &HeaderMap,
        row: &Row,
    ) -> Response {
        hal_answer(
            status,
            content_type,
            hal::item(&base(headers), self.resource().relation, row),
        )
    }
}

/// Scheme and host as the client wrote them: links lead back the way the request came.
fn base(headers: &HeaderMap) -> String {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    format!("http://{host}")
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

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).expect("a status the domain wrote down")
}

fn hal_answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

fn error(status: StatusCode, message: &str, path: &str) -> Response {
    hal_answer(
        status,
        hal::JSON,
        hal::error(Timestamp::now(), status, message, path),
    )
}

fn rejected(why: &Rejected, path: &str) -> Response {
    match why {
        Rejected::Misshapen(_) | Rejected::Untypable(_) => {
            error(StatusCode::BAD_REQUEST, &why.to_string(), path)
        }
        Rejected::NotFound => StatusCode::NOT_FOUND.into_response(),
        Rejected::Refused(refusal) => error(status(refusal.status), &refusal.message, path),
        Rejected::Contended | Rejected::Repeated => {
            error(StatusCode::CONFLICT, &why.to_string(), path)
        }
        Rejected::NoConnection => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Could not open JPA EntityManager for transaction",
            path,
        ),
        Rejected::CallFailed(_) => error(StatusCode::INTERNAL_SERVER_ERROR, hal::ROLLED_BACK, path),
        Rejected::Undelivered { .. } => {
            tracing::error!("{why}");
            error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "No message available",
                path,
            )
        }
        Rejected::Store(_) => {
            tracing::error!("{why}");
            error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "could not execute statement",
                path,
            )
        }
    }
}
