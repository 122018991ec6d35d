//! trace — where a request or an event is in its trace: W3C's `traceparent`, taken over and passed on; and the spans of this service.

use super::otlp::{self, Message};
use crate::env::Env;
use http::{HeaderMap, HeaderValue};
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// The header, in HTTP and in Kafka, that carries a place in a trace.
pub(crate) const HEADER: &str = "traceparent";
/// Spans that wait to be sent. More are thrown away: a service never waits for those who watch it.
const WAITING_MAX: usize = 4096;
/// How long an ending service waits for its last spans to be taken.
const LAST_SPANS: Duration = Duration::from_secs(1);

/// One span's place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub trace: u128,
    pub span: u64,
    /// The span it is part of.
    pub parent: Option<u64>,
    /// Whether spans are wanted.
    pub is_sampled: bool,
}

/// Something that took time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub place: Place,
    pub kind: Kind,
    pub name: String,
    pub began: SystemTime,
    pub took: Duration,
    pub attributes: Vec<(&'static str, String)>,
    pub is_error: bool,
}

/// OpenTelemetry's kinds of spans, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

/// Takes spans, if anybody wants them.
#[derive(Debug)]
pub(crate) struct Tracer(Option<mpsc::Sender<Message>>);

impl Place {
    /// The beginning of a trace.
    pub fn new() -> Place {
        Place {
            trace: rand::random_range(1..=u128::MAX),
            span: random_span(),
            parent: None,
            is_sampled: true,
        }
    }

    /// A span that is part of this one.
    pub fn child(self) -> Place {
        Place {
            span: random_span(),
            parent: Some(self.span),
            ..self
        }
    }

    /// The place as a header's value.
    pub fn header(self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("hexadecimal digits and dashes")
    }

    /// Where the sender was, if it says so well.
    pub fn read(traceparent: &str) -> Option<Place> {
        let is_lower_hex = |text: &&str| {
            text.bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let mut parts = traceparent.split('-');
        let mut hex = |digits| {
            let part = parts.next().filter(|part| part.len() == digits);
            part.filter(is_lower_hex)
        };
        let (version, trace) = (hex(2)?, hex(32)?);
        let (span, flags) = (hex(16)?, hex(2)?);
        // Only a version that does not exist yet may have more to say.
        if version == "ff" || version == "00" && parts.next().is_some() {
            return None;
        }
        let place = Place {
            trace: u128::from_str_radix(trace, 16).ok()?,
            span: u64::from_str_radix(span, 16).ok()?,
            parent: None,
            is_sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (place.trace != 0 && place.span != 0).then_some(place)
    }

    /// The place of whoever works on a request: part of what the sender did, or the beginning.
    pub fn of_headers(headers: &HeaderMap) -> Place {
        let sender = headers.get(HEADER).and_then(|place| place.to_str().ok());
        Place::after(sender)
    }

    /// The same for a text.
    pub fn after(traceparent: Option<&str>) -> Place {
        let sender = traceparent.and_then(Place::read);
        sender.map_or_else(Place::new, Place::child)
    }
}

fn random_span() -> u64 {
    rand::random_range(1..=u64::MAX)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.is_sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }
}

impl Tracer {
    /// Sends spans to `OTEL_EXPORTER_OTLP_ENDPOINT`, if that is set, as `OTEL_SERVICE_NAME` (the service's own name by default).
    pub fn of(service: &str, env: &Env) -> Tracer {
        let service = env.or("OTEL_SERVICE_NAME", service.to_owned());
        let endpoint = env.get::<otlp::Endpoint>("OTEL_EXPORTER_OTLP_ENDPOINT");
        Tracer(endpoint.map(|endpoint| {
            let (sender, waiting) = mpsc::channel(WAITING_MAX);
            tokio::spawn(otlp::export(endpoint, service, waiting));
            sender
        }))
    }

    /// Takes a span that has come to its end. It is made only if it is wanted.
    pub fn ended(&self, place: Place, span: impl FnOnce() -> Span) {
        if let Some(sender) = self.0.as_ref().filter(|_| place.is_sampled) {
            sender.try_send(Message::Ended(Box::new(span()))).ok();
        }
    }

    /// Comes back when everything taken so far has been sent, or nobody takes it.
    pub async fn flush(&self) {
        let Some(sender) = &self.0 else { return };
        let (sent, is_sent) = oneshot::channel();
        let flushing = async {
            if sender.send(Message::Flush(sent)).await.is_ok() {
                is_sent.await.ok();
            }
        };
        if timeout(LAST_SPANS, flushing).await.is_err() {
            tracing::warn!("the last spans were not taken");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_place_is_taken_over_and_passed_on() {
        let sender = Place::read(GIVEN).unwrap();
        assert_eq!(sender.to_string(), GIVEN);
        let place = Place::after(Some(GIVEN));
        assert_eq!(
            (place.trace, place.parent),
            (sender.trace, Some(sender.span))
        );
        assert_ne!(place.span, sender.span);
        let unsampled = GIVEN.replace("-01", "-00");
        assert!(!Place::after(Some(&unsampled)).is_sampled);
    }

    #[test]
    fn what_is_no_place_is_the_beginning() {
        let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let zero_span = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16));
        let wrong = [
            "",
            "flow-7",
            &GIVEN.to_uppercase(),
            &GIVEN.replacen("00", "ff", 1),
            &format!("{GIVEN}-more"),
            &zero_trace,
            &zero_span,
        ];
        for wrong in wrong {
            assert_eq!(Place::read(wrong), None, "{wrong}");
        }
        assert_eq!(Place::after(Some("flow-7")).parent, None);
        let newer = format!("{}-more", GIVEN.replacen("00", "01", 1));
        assert!(Place::read(&newer).is_some());
    }
}
