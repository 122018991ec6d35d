//! world — gasstation's services in this process, on free ports, spoken to over real HTTP.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kernel::{Env, Running};
use serde_json::Value;
use std::time::Duration;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

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
    kernel::start(gasstation::SYSTEM.service(name, &env).unwrap(), &env)
        .await
        .unwrap()
}

/// Where a service is, as a value for `<CALLEE>_URL`.
pub fn url(service: &Running) -> String {
    format!("http://{}", service.address)
}

async fn send(method: Method, to: &Running, path: &str, kind: &str, body: String) -> Reply {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", url(to)))
        .header(header::CONTENT_TYPE, kind)
        .body(Full::new(Bytes::from(body)))
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

pub async fn get(from: &Running, path: &str) -> Reply {
    send(Method::GET, from, path, JSON, String::new()).await
}

pub async fn post(to: &Running, path: &str, body: Value) -> Reply {
    send(Method::POST, to, path, JSON, body.to_string()).await
}

/// Posts a form, as siege and `http -f` do.
pub async fn post_form(to: &Running, path: &str, form: &str) -> Reply {
    send(Method::POST, to, path, FORM, form.to_owned()).await
}

/// The rows of a collection, without their links.
pub async fn rows(of: &Running, collection: &str) -> Vec<Value> {
    let list = get(of, &format!("/{collection}?size=1000")).await.json();
    let mut rows = list["_embedded"][collection].as_array().unwrap().clone();
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("_links");
    }
    rows
}

/// Waits until a collection has exactly these rows.
pub async fn becomes(of: &Running, collection: &str, expected: Value) {
    let expected = expected.as_array().unwrap().clone();
    let mut last = vec![];
    let waiting = async {
        while last != expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
            last = rows(of, collection).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .is_ok();
    assert!(in_time, "{collection} is {last:?} instead of {expected:?}");
}
