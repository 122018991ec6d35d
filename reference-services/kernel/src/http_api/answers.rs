//! answers — how what came of a request is told: content types, Spring's error bodies, links that lead back the way the request came.

use crate::core::Rejected;
use crate::hal;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;

/// Scheme and host as the client wrote them: links lead back the way the request came.
pub(super) fn base(headers: &HeaderMap) -> String {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    format!("http://{host}")
}

pub(super) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).expect("a status the domain wrote down")
}

pub(super) fn hal_answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

pub(super) fn error(status: StatusCode, message: &str, path: &str) -> Response {
    hal_answer(
        status,
        hal::JSON,
        hal::error(Timestamp::now(), status, message, path),
    )
}

pub(super) fn rejected(why: &Rejected, path: &str) -> Response {
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
