//! collections — a collection's rows as resources: Spring Data REST's paths, statuses, headers and bodies.

use super::Endpoint;
use super::answers::{base, hal_answer, rejected};
use crate::core::{Extent, Rejected};
use crate::correlation::Correlation;
use crate::hal;
use crate::page::Page;
use crate::service::Resource;
use crate::store::Row;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

pub(super) fn routes(resource: &Resource, endpoint: Endpoint) -> Router {
    let path = format!("/{}", resource.relation.many);
    Router::new()
        .route(&path, get(list).post(create))
        .route(
            &format!("{path}/{{id}}"),
            get(one).put(replace).patch(modify).delete(delete),
        )
        .with_state(endpoint)
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
