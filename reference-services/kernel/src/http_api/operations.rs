//! operations — requests to paths of a service's own.

use super::Endpoint;
use super::answers::{hal_answer, rejected, status};
use crate::asked::Asked;
use crate::correlation::Correlation;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use jiff::Timestamp;
use std::collections::BTreeMap;

pub(super) async fn operate(
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
