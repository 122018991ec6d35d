//! world — two services, a teller and a hearer, and what is needed to speak to them.

use broker::{Broker, Config};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kernel::{Collection, Effect, Env, Running, Service, StartError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    pub text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "eventType")]
pub enum Happened {
    Noted {
        text: String,
    },
    #[serde(other)]
    SomethingElse,
}

/// Tells everyone what was noted.
pub fn teller() -> Service {
    let told = |id, note: &Note| {
        vec![Effect::publish(
            id,
            &Happened::Noted {
                text: note.text.clone(),
            },
        )]
    };
    Service::new("teller").collection(Collection::new("notes", "note").on_create(told))
}

/// Writes down what it hears.
pub fn hearer() -> Service {
    let rumours = Collection::<Note>::new("rumours", "rumour");
    Service::new("hearer")
        .collection(rumours)
        .on_event(|event| match event {
            Happened::Noted { text } => vec![Effect::save("rumours", &Note { text: text.clone() })],
            Happened::SomethingElse => vec![],
        })
}

/// A broker in a folder of its own.
pub async fn broker() -> (Broker, TempDir) {
    broker_at("127.0.0.1:0".parse().unwrap()).await
}

pub async fn broker_at(address: SocketAddr) -> (Broker, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        initial_rebalance_delay: Duration::ZERO,
        ..Config::new(address, folder.path())
    };
    (Broker::start(config).await.unwrap(), folder)
}

/// The environment of a service that speaks to the broker at `address`.
pub fn env(address: SocketAddr) -> Env {
    let listen = [("POD_IP", "127.0.0.1"), ("PORT", "0")];
    Env::from_iter(listen).with("KAFKA_BROKERS", address.to_string())
}

/// Starts a service with a database of its own, unless the environment names one.
pub async fn start(service: Service, env: &Env) -> Result<Running, StartError> {
    let env = match env.get::<String>("DATABASE_URL") {
        Some(_) => env.clone(),
        None => env.clone().with("DATABASE_URL", databases::url()),
    };
    kernel::start(service, &env).await
}

pub async fn send(
    method: Method,
    to: SocketAddr,
    path: &str,
    body: Value,
) -> (StatusCode, HeaderMap, Value) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{to}{path}"));
    let response = client
        .request(
            request
                .body(Full::new(Bytes::from(body.to_string())))
                .unwrap(),
        )
        .await
        .unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        head.status,
        head.headers,
        serde_json::from_slice(&body).unwrap_or(Value::Null),
    )
}

/// What is read at a path, as it is written there.
pub async fn read(from: SocketAddr, path: &str) -> (HeaderMap, String) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(format!("http://{from}{path}")).body(Full::<Bytes>::default());
    let response = client.request(request.unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.headers, String::from_utf8(body.to_vec()).unwrap())
}

pub async fn note(teller: &Running, text: &str) {
    let (status, ..) = send(
        Method::POST,
        teller.address,
        "/notes",
        json!({"text": text}),
    )
    .await;
    assert_eq!(status, StatusCode::CREATED);
}

/// What the hearer has heard so far, in that order.
pub async fn heard(hearer: &Running) -> Vec<String> {
    let (_, _, list) = send(
        Method::GET,
        hearer.address,
        "/rumours?size=1000",
        Value::Null,
    )
    .await;
    let rumours = list["_embedded"]["rumours"].as_array().unwrap();
    rumours
        .iter()
        .map(|rumour| rumour["text"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until the hearer has heard so much.
pub async fn heard_at_least(hearer: &Running, count: usize) -> Vec<String> {
    let hearing = async {
        loop {
            let heard = heard(hearer).await;
            if heard.len() >= count {
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, hearing)
        .await
        .expect("heard in time")
}
