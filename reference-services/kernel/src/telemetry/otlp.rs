//! otlp — sends spans to an OpenTelemetry collector, as JSON over HTTP.
//!
//! By hand: the format is one JSON document that is posted to `/v1/traces`, and the service has an HTTP client and serde already. The
//! crates of OpenTelemetry would bring protobuf, a second HTTP client and several dozen crates for it.

use super::trace::Span;
use crate::edge::client::{HttpClient, http_client};
use crate::env::Setting;
use axum::body::Body;
use http::{Request, StatusCode, Uri, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

/// Spans in one document.
const BATCH: usize = 512;
/// How long more spans are waited for.
const PAUSE: Duration = Duration::from_millis(500);
/// OpenTelemetry's own limit for one export.
const LIMIT: Duration = Duration::from_secs(10);

/// What the exporter is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// A span has come to its end.
    Ended(Box<Span>),
    /// Send what there is, and say so.
    Flush(oneshot::Sender<()>),
}

/// Where a collector listens: `http://otel-collector:4318`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(String);

impl Setting for Endpoint {
    const WAY_OUT: &'static str =
        "not an http:// address; write one, as http://otel-collector:4318";

    fn read(text: &str) -> Option<Endpoint> {
        let uri: Uri = text.parse().ok()?;
        let is_http = uri.scheme_str() == Some("http") && uri.host().is_some();
        is_http.then(|| Endpoint(format!("{}/v1/traces", text.trim_end_matches('/'))))
    }
}

/// Sends spans in batches until nobody is left who could tell of any. What a collector does not take is lost, and said once.
pub(super) async fn export(
    endpoint: Endpoint,
    service: String,
    mut waiting: mpsc::Receiver<Message>,
) {
    let client = http_client();
    let mut has_failed = false;
    let mut messages = Vec::new();
    while waiting.recv_many(&mut messages, BATCH).await > 0 {
        let is_urgent = |message: &Message| matches!(message, Message::Flush(_));
        if !messages.iter().any(is_urgent) {
            sleep(PAUSE).await;
            while messages.len() < BATCH
                && let Ok(message) = waiting.try_recv()
            {
                messages.push(message);
            }
        }
        let (mut spans, mut flushes) = (Vec::new(), Vec::new());
        for message in messages.drain(..) {
            match message {
                Message::Ended(span) => spans.push(*span),
                Message::Flush(sent) => flushes.push(sent),
            }
        }
        if !spans.is_empty() {
            match post(&client, &endpoint, &document(&service, &spans)).await {
                Ok(()) => has_failed = false,
                Err(why) if has_failed => tracing::debug!("spans are lost: {why}"),
                Err(why) => {
                    tracing::warn!("spans are lost: {}: {why}", endpoint.0);
                    has_failed = true;
                }
            }
        }
        for sent in flushes {
            // Nobody waits for it any more when that took too long.
            sent.send(()).ok();
        }
    }
}

async fn post(client: &HttpClient, endpoint: &Endpoint, document: &Value) -> Result<(), String> {
    let request = Request::post(&endpoint.0)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(document.to_string()))
        .map_err(|why| why.to_string())?;
    let posting = async {
        let response = client
            .request(request)
            .await
            .map_err(|why| why.to_string())?;
        let status = response.status();
        // Read to its end, so that the connection can be used again.
        response.into_body().collect().await.ok();
        match status {
            StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Ok(()),
            status => Err(format!("status {status}")),
        }
    };
    match timeout(LIMIT, posting).await {
        Ok(posted) => posted,
        Err(_) => Err(format!("no answer within {LIMIT:?}")),
    }
}

/// An `ExportTraceServiceRequest` in OTLP's JSON: ids in hexadecimal, times as texts.
fn document(service: &str, spans: &[Span]) -> Value {
    let spans: Vec<Value> = spans.iter().map(span_json).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": [attribute(&("service.name", service.to_owned()))]},
        "scopeSpans": [{"scope": {"name": "kernel"}, "spans": spans}],
    }]})
}

fn span_json(span: &Span) -> Value {
    let nanos = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap_or_default().as_nanos().to_string()
    };
    let id = |span: u64| format!("{span:016x}");
    let attributes: Vec<Value> = span.attributes.iter().map(attribute).collect();
    json!({
        "traceId": format!("{:032x}", span.place.trace),
        "spanId": id(span.place.span),
        "parentSpanId": span.place.parent.map(id).unwrap_or_default(),
        "name": span.name,
        "kind": span.kind as u8,
        "startTimeUnixNano": nanos(span.began),
        "endTimeUnixNano": nanos(span.began + span.took),
        "attributes": attributes,
        "status": if span.is_error { json!({"code": 2}) } else { json!({}) },
    })
}

fn attribute((key, value): &(&'static str, String)) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::trace::{Kind, Place};

    #[test]
    fn a_span_is_told_in_otlps_json() {
        let place = Place {
            trace: 0x4bf9,
            span: 7,
            parent: Some(6),
            is_sampled: true,
        };
        let span = Span {
            place,
            kind: Kind::Client,
            name: "POST auth".into(),
            began: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
            took: Duration::from_millis(5),
            attributes: vec![("server.address", "auth".into())],
            is_error: true,
        };
        let told = document("room", &[span]);
        let span = &told["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(
            *span,
            json!({
                "traceId": "00000000000000000000000000004bf9",
                "spanId": "0000000000000007",
                "parentSpanId": "0000000000000006",
                "name": "POST auth",
                "kind": 3,
                "startTimeUnixNano": "1000000000",
                "endTimeUnixNano": "1005000000",
                "attributes": [{"key": "server.address", "value": {"stringValue": "auth"}}],
                "status": {"code": 2},
            })
        );
        let resource = &told["resourceSpans"][0]["resource"]["attributes"][0];
        assert_eq!(resource["value"]["stringValue"], "room");
    }

    #[test]
    fn an_endpoint_is_an_http_address() {
        let read = |text| Endpoint::read(text).map(|endpoint| endpoint.0);
        let expected = Some("http://c:4318/v1/traces".to_owned());
        assert_eq!(read("http://c:4318"), expected);
        assert_eq!(read("http://c:4318/"), expected);
        assert_eq!(read("https://c:4318"), None);
        assert_eq!(read("c:4318"), None);
    }
}
