//! client — one HTTP client for all calls of a service: it keeps connections, and finds hosts by the names of every kind of cluster.

use axum::body::Body;
use futures::future::BoxFuture;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

/// An unused connection is closed before the other side does it, as the reports' clients did.
const IDLE: Duration = Duration::from_secs(5);

pub(crate) type HttpClient = Client<HttpConnector<Names>, Body>;

pub(crate) fn http_client() -> HttpClient {
    let mut connector = HttpConnector::new_with_resolver(Names);
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .build(connector)
}

/// The first cause says most: "Connection refused" rather than "client error".
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Host names through the crate `names`, which knows the names of every kind of cluster.
#[derive(Clone, Debug)]
pub(crate) struct Names;

impl tower::Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let found =
                tokio::task::spawn_blocking(move || names::resolve(name.as_str())).await??;
            let addresses: Vec<_> = found
                .into_iter()
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            Ok(addresses.into_iter())
        })
    }
}
