//! metrics — what Prometheus reads at `/metrics`: requests by route, calls by callee, events by type. The calls of all services together
//! are the graph of who asks whom.
//!
//! No label is made of what a client sends: routes are templates, methods and kinds of ends are lists, and after [`TYPES_MAX`] types of
//! events the rest is `other`.

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The content type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// No system here has as many types of events.
const TYPES_MAX: usize = 100;
/// In seconds: from a quick answer to the longest call.
const BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The counts of one service.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Histograms<Request>,
    calls: Histograms<Call>,
    breakers: Family<Callee, Gauge>,
    published: Family<Published, Counter>,
    consumed: Family<Consumed, Counter>,
    types: Mutex<BTreeSet<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    uri: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    callee: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Callee {
    callee: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Published {
    r#type: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Consumed {
    r#type: String,
    outcome: &'static str,
}

impl Metrics {
    /// Nothing counted yet. Every line carries `application="<service>"`, as Spring's do.
    pub fn new(service: &'static str) -> Metrics {
        let label = ("application".into(), service.into());
        let mut registry = Registry::with_labels([label].into_iter());
        let histograms: fn() -> Histogram = || Histogram::new(BUCKETS);
        let metrics = Metrics {
            requests: Family::new_with_constructor(histograms),
            calls: Family::new_with_constructor(histograms),
            breakers: Family::default(),
            published: Family::default(),
            consumed: Family::default(),
            types: Mutex::default(),
            registry: Registry::default(),
        };
        registry.register(
            "http_server_requests_seconds",
            "Requests answered, by route",
            metrics.requests.clone(),
        );
        registry.register(
            "http_client_requests_seconds",
            "Calls to other services, by callee and how they ended",
            metrics.calls.clone(),
        );
        registry.register(
            "circuit_breaker_state",
            "0 closed, 1 half open, 2 open",
            metrics.breakers.clone(),
        );
        registry.register(
            "events_published",
            "Events the broker has acknowledged, by type",
            metrics.published.clone(),
        );
        registry.register(
            "events_consumed",
            "Events read, by type and what became of them",
            metrics.consumed.clone(),
        );
        Metrics {
            registry,
            ..metrics
        }
    }

    /// Everything, as Prometheus reads it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a text takes whatever is written to it");
        text
    }

    /// A request was answered. The route is a template, `/rooms/{id}`.
    pub fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let request = Request {
            method: name(method),
            uri: route.to_owned(),
            status: status.as_u16(),
        };
        self.requests
            .get_or_create(&request)
            .observe(took.as_secs_f64());
    }

    /// A call ended. The status is one of few: `2xx`, `timeout`.
    pub fn called(&self, callee: &'static str, status: &'static str, took: Duration) {
        let call = Call { callee, status };
        self.calls.get_or_create(&call).observe(took.as_secs_f64());
    }

    /// The state of the breaker in front of a callee.
    pub fn breaker(&self, callee: &'static str) -> Gauge {
        self.breakers.get_or_create_owned(&Callee { callee })
    }

    /// The broker has an event of this type.
    pub fn published(&self, r#type: &str) {
        let r#type = self.known(r#type);
        self.published.get_or_create(&Published { r#type }).inc();
    }

    /// An event of this type was read, and this became of it.
    pub fn consumed(&self, r#type: &str, outcome: &'static str) {
        let r#type = self.known(r#type);
        self.consumed
            .get_or_create(&Consumed { r#type, outcome })
            .inc();
    }

    fn known(&self, r#type: &str) -> String {
        let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        if types.contains(r#type) || types.len() < TYPES_MAX && types.insert(r#type.to_owned()) {
            r#type.to_owned()
        } else {
            "other".to_owned()
        }
    }
}

/// A method anybody can make up has no label of its own.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(metrics: &Metrics, line: &str) -> bool {
        metrics.text().lines().any(|is| is == line)
    }

    #[test]
    fn requests_and_calls_are_counted_in_seconds() {
        let metrics = Metrics::new("room");
        let took = Duration::from_millis(3);
        metrics.answered(&Method::POST, "/rooms/{id}", StatusCode::CREATED, took);
        metrics.called("auth", "timeout", Duration::from_secs(10));
        let of = r#"{application="room",method="POST",uri="/rooms/{id}",status="201"}"#;
        assert!(has(
            &metrics,
            &format!("http_server_requests_seconds_count{of} 1")
        ));
        assert!(has(
            &metrics,
            &format!("http_server_requests_seconds_sum{of} 0.003")
        ));
        let of = r#"{application="room",callee="auth",status="timeout"}"#;
        assert!(has(
            &metrics,
            &format!("http_client_requests_seconds_count{of} 1")
        ));
    }

    #[test]
    fn what_is_sent_from_outside_makes_no_new_labels_without_end() {
        let metrics = Metrics::new("room");
        (0..1000).for_each(|n| metrics.consumed(&format!("Type{n}"), "handled"));
        let mut lines = metrics.text();
        lines.retain(|c| c != '"');
        let types = lines
            .lines()
            .filter(|line| line.starts_with("events_consumed_total"));
        assert_eq!(types.count(), TYPES_MAX + 1);
        assert!(lines.contains("type=other,outcome=handled} 900"));
        let made_up = Method::from_bytes(b"BREW").unwrap();
        metrics.answered(&made_up, "/", StatusCode::OK, Duration::ZERO);
        assert!(metrics.text().contains(r#"method="other""#));
    }
}
