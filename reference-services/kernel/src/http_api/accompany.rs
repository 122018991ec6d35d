//! accompany — what every request is given: an id and a place in its trace, a count, a span, and an end.

use super::answers::error;
use crate::correlation::{self, Correlation};
use crate::cost;
use crate::health::Life;
use crate::telemetry::Telemetry;
use crate::telemetry::trace::{self, Kind, Span};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Every request: counted while it is answered and when it is, given its correlation id and its place in a trace, and the last of its
/// connection when the service drains. It is carried through even if its client goes away: what it began with others must come to an
/// end.
pub(super) async fn accompany(
    State((life, telemetry)): State<(Arc<Life>, Arc<Telemetry>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let (presence, began, began_wall) = (life.request(), Instant::now(), SystemTime::now());
    let correlation = Correlation::of_headers(request.headers());
    let place = correlation.place();
    let id = HeaderValue::from_str(correlation.as_str())
        .expect("an id from a header, or hexadecimal digits");
    let headers = request.headers_mut();
    headers.insert(correlation::HEADER, id.clone());
    headers.insert(trace::HEADER, place.header());
    let flow = correlation.as_str().to_owned();
    request.extensions_mut().insert(correlation);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().cloned();
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
    // Micrometer's word for what no route was found for.
    let route = route.as_ref().map_or("UNKNOWN", MatchedPath::as_str);
    let (status, took) = (response.status(), began.elapsed());
    telemetry.metrics.answered(&method, route, status, took);
    telemetry.tracer.ended(place, || Span {
        place,
        kind: Kind::Server,
        name: format!("{method} {route}"),
        began: began_wall,
        took,
        attributes: vec![
            ("http.request.method", method.to_string()),
            ("http.route", route.to_owned()),
            ("url.path", path),
            ("http.response.status_code", status.as_u16().to_string()),
            ("correlation.id", flow),
        ],
        is_error: status.is_server_error(),
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
pub(super) async fn labour(State(cpu): State<Duration>, request: Request, next: Next) -> Response {
    cost::burn(cpu).await;
    next.run(request).await
}
