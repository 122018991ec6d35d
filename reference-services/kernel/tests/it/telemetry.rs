//! What a service does can be seen from outside: counted for Prometheus, traced for OpenTelemetry.

use crate::world::{Note, broker, env, heard_at_least, hearer, note, read, start, teller};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kernel::{Call, Collection, Env, Running, Service};
use serde_json::{Value, json};
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SENDER: &str = "00f067aa0ba902b7";

/// Asks `till` before it stores a note.
fn asker() -> Service {
    let ask = |_, note: &Note| vec![Call::post("till", "/notes", note).into()];
    Service::new("asker")
        .calls("till")
        .collection(Collection::new("notes", "note").on_create(ask))
}

fn alone() -> Env {
    env("127.0.0.1:9".parse().unwrap()).with("KAFKA_BROKERS", "none")
}

/// Posts a note as part of a trace.
async fn post_traced(to: SocketAddr) -> StatusCode {
    let request = Request::post(format!("http://{to}/notes"))
        .header("traceparent", format!("00-{TRACE}-{SENDER}-01"))
        .body(Full::new(Bytes::from(r#"{"text":"one"}"#)));
    let client = Client::builder(TokioExecutor::new()).build_http();
    client.request(request.unwrap()).await.unwrap().status()
}

/// Waits until what is read at `/metrics` has this line.
async fn counts(of: &Running, line: &str) {
    let mut last = String::new();
    let counting = async {
        while !last.lines().any(|is| is == line) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            last = read(of.address, "/metrics").await.1;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), counting).await;
    assert!(in_time.is_ok(), "no {line} in\n{last}");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_calls_by_callee() {
    let till = start(Service::new("till"), &alone()).await.unwrap();
    let env = alone()
        .with("TILL_URL", format!("http://{}", till.address))
        .with("EDGE_TILL_BREAKER", "1");
    let asker = start(asker(), &env).await.unwrap();
    assert_eq!(
        post_traced(asker.address).await,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    till.stop().await;
    // Nobody is there any more: the breaker opens, and the next call is not made.
    post_traced(asker.address).await;
    post_traced(asker.address).await;
    let call = "http_client_requests_seconds_count{application=\"asker\",callee=\"till\"";
    for status in ["4xx", "unreachable", "short_circuited"] {
        counts(&asker, &format!("{call},status=\"{status}\"}} 1")).await;
    }
    counts(
        &asker,
        "circuit_breaker_state{application=\"asker\",callee=\"till\"} 2",
    )
    .await;
    counts(
        &asker,
        "http_server_requests_seconds_count{application=\"asker\",method=\"POST\",uri=\"/notes\",status=\"500\"} 3",
    )
    .await;
    read(asker.address, "/notes/7").await;
    read(asker.address, "/notes/8").await;
    counts(
        &asker,
        "http_server_requests_seconds_count{application=\"asker\",method=\"GET\",uri=\"/notes/{id}\",status=\"404\"} 2",
    )
    .await;
    let (headers, text) = read(asker.address, "/actuator/prometheus").await;
    assert!(
        headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    assert!(text.ends_with("# EOF\n"));
}

/// Takes spans, as a collector of OpenTelemetry does.
async fn collector() -> (String, Arc<Mutex<Vec<Value>>>) {
    let spans = Arc::new(Mutex::new(vec![]));
    let taking = {
        let spans = spans.clone();
        post(async move |Json(export): Json<Value>| {
            let resource = &export["resourceSpans"][0];
            let service = &resource["resource"]["attributes"][0]["value"]["stringValue"];
            for span in resource["scopeSpans"][0]["spans"].as_array().unwrap() {
                let mut span = span.clone();
                span["service"] = service.clone();
                spans.lock().unwrap().push(span);
            }
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", taking);
    tokio::spawn(axum::serve(listener, router).into_future());
    (url, spans)
}

/// The one span of this name.
fn span(spans: &Mutex<Vec<Value>>, service: &str, name: &str) -> Value {
    let spans = spans.lock().unwrap();
    let named = |span: &&Value| span["service"] == service && span["name"] == name;
    let found: Vec<_> = spans.iter().filter(named).collect();
    assert_eq!(found.len(), 1, "{name} of {service} in {spans:?}");
    found[0].clone()
}

#[tokio::test]
async fn a_trace_goes_through_calls_and_events() {
    let (broker, _folder) = broker().await;
    let (collector, spans) = collector().await;
    let env = env(broker.local_addr()).with("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    let teller = start(teller(), &env).await.unwrap();
    let asker_env = env
        .clone()
        .with("TILL_URL", format!("http://{}", teller.address));
    let asker = start(asker(), &asker_env).await.unwrap();
    let hearer = start(hearer(), &env).await.unwrap();
    assert_eq!(post_traced(asker.address).await, StatusCode::CREATED);
    heard_at_least(&hearer, 1).await;
    counts(
        &teller,
        "events_published_total{application=\"teller\",type=\"Noted\"} 1",
    )
    .await;
    counts(
        &hearer,
        "events_consumed_total{application=\"hearer\",type=\"Noted\",outcome=\"handled\"} 1",
    )
    .await;
    // What is left to be told is told before a service ends.
    for service in [asker, teller, hearer] {
        service.stop().await;
    }
    let chain = [
        ("asker", "POST /notes", 2),
        ("asker", "POST till", 3),
        ("teller", "POST /notes", 2),
        ("teller", "publish Noted", 4),
        ("hearer", "process Noted", 5),
    ];
    let mut parent = json!(SENDER);
    for (service, name, kind) in chain {
        let span = span(&spans, service, name);
        let is = (&span["traceId"], &span["parentSpanId"], &span["kind"]);
        assert_eq!(
            is,
            (&json!(TRACE), &parent, &json!(kind)),
            "{name} of {service}"
        );
        parent = span["spanId"].clone();
    }
}

#[tokio::test]
async fn the_trace_is_passed_on_when_nobody_takes_spans() {
    let seen = Arc::new(Mutex::new(String::new()));
    let seeing = {
        let seen = seen.clone();
        post(async move |headers: HeaderMap| {
            *seen.lock().unwrap() = headers["traceparent"].to_str().unwrap().to_owned();
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/notes", seeing);
    tokio::spawn(axum::serve(listener, router).into_future());
    let asker = start(asker(), &alone().with("TILL_URL", url))
        .await
        .unwrap();
    assert_eq!(post_traced(asker.address).await, StatusCode::CREATED);
    let seen = seen.lock().unwrap().clone();
    assert!(
        seen.starts_with(&format!("00-{TRACE}-")) && !seen.contains(SENDER),
        "{seen}"
    );
}

#[tokio::test]
async fn a_collector_that_is_not_there_keeps_nobody_waiting() {
    let env = alone().with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let teller = start(teller(), &env).await.unwrap();
    note(&teller, "one").await;
    teller.stop().await;
}
