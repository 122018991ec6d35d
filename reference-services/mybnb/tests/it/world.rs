//! world — mybnb's services in this process, on free ports, spoken to over real HTTP.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kernel::{Env, Running};
use serde_json::Value;
use std::time::Duration;

/// What came back.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// Starts a service on a free port of the loopback.
pub async fn start(name: &str, env: &Env) -> Running {
    let env = env
        .clone()
        .with("POD_IP", "127.0.0.1")
        .with("PORT", "0")
        .with_default("KAFKA_BROKERS", "none")
        .with_default("DATABASE_URL", databases::url());
    kernel::start(mybnb::SYSTEM.service(name, &env).unwrap(), &env)
        .await
        .unwrap()
}

/// Where a service is, as a value for `<CALLEE>_URL`.
pub fn url(service: &Running) -> String {
    format!("http://{}", service.address)
}

/// Sends a request on a connection of its own, as `siege` and `http` do.
pub async fn send(method: Method, service: &Running, host: &str, path: &str, body: &str) -> Reply {
    let client = Client::builder(TokioExecutor::new())
        .set_host(false)
        .build_http();
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", url(service)))
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    let response = client.request(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

pub async fn get(service: &Running, host: &str, path: &str) -> Reply {
    send(Method::GET, service, host, path, "").await
}

pub async fn post(service: &Running, host: &str, path: &str, body: Value) -> Reply {
    send(Method::POST, service, host, path, &body.to_string()).await
}

/// Waits until a condition holds.
pub async fn eventually(condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("it holds in time");
}
