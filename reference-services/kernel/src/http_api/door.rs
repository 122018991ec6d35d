//! door — requests that are passed on to another service.

use super::answers::error;
use crate::core::Core;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header;

pub(super) async fn forward(core: &Core, to: &str, request: Request) -> Response {
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
