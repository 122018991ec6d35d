//! edge — calls to other services, guarded: a time limit always, a circuit breaker where the environment asks for one.
//!
//! Per callee, from the environment: `<CALLEE>_URL` (default `http://<callee>:8080`), `EDGE_<CALLEE>_TIMEOUT` (default 10 s, for
//! connecting and the answer together), `EDGE_<CALLEE>_BREAKER` (failures in a row that open the breaker; none by default) and
//! `EDGE_<CALLEE>_BREAKER_WAIT` (how long it stays open, default 10 s). With `FEIGN_HYSTRIX_ENABLED=true` a call is made as
//! [`hystrix`] does it instead. With `EDGE_<CALLEE>_CALL=off` nobody is asked and every call counts as done with an empty answer: an
//! experiment that cannot tell this from a call shows nothing about the call.

pub(crate) mod client;
mod ending;
mod guard;
pub mod hystrix;
mod watch;

pub use guard::TIMEOUT;

use crate::correlation::Correlation;
use crate::effect::Call;
use crate::env::Env;
use crate::telemetry::Telemetry;
use crate::telemetry::trace::{self, Kind, Place, Span};
use axum::body::Body;
use bytes::Bytes;
use client::{HttpClient, deepest, http_client};
use ending::{Class, Ending};
use guard::Guard;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Answers to calls are small; a larger one is not read.
const ANSWER_MAX: usize = 1 << 20;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done: the answer's body.
    Ok(Bytes),
    /// Certainly not done, and why.
    Refused(String),
    /// It may have been done, and why nobody knows.
    Unknown(String),
}

/// What is answered in a callee's place.
pub type Fallback = fn(&Call) -> Value;

/// The outgoing calls of one service.
#[derive(Debug)]
pub struct Edge {
    client: HttpClient,
    guards: BTreeMap<&'static str, Guard>,
    fallbacks: BTreeMap<&'static str, Fallback>,
    telemetry: Arc<Telemetry>,
}

impl Edge {
    /// Guards for the named callees, as the environment wants them.
    pub(crate) fn new(callees: &[&'static str], env: &Env, telemetry: &Arc<Telemetry>) -> Edge {
        Edge {
            telemetry: telemetry.clone(),
            client: http_client(),
            guards: callees
                .iter()
                .map(|callee| (*callee, Guard::new(callee, env, &telemetry.metrics)))
                .collect(),
            fallbacks: BTreeMap::new(),
        }
    }

    /// The same edge with what is answered when a callee does not answer well and is called the way of [`hystrix`].
    pub fn with_fallbacks(mut self, fallbacks: &[(&'static str, Fallback)]) -> Edge {
        self.fallbacks.extend(fallbacks.iter().copied());
        self
    }

    /// Makes the call; comes back within the callee's time limit. A callee that was not named is refused.
    pub async fn call(&self, call: &Call, correlation: &Correlation) -> Answer {
        let Some(guard) = self.guards.get(call.callee) else {
            return Answer::Refused(format!(
                "{} is not among the services this one calls",
                call.callee
            ));
        };
        if !guard.asks {
            return Answer::Ok(Bytes::new());
        }
        let place = correlation.place().child();
        let request = match request(call, &guard.origin, correlation, place) {
            Ok(request) => request,
            Err(why) => return Answer::Refused(why.to_string()).about(call.callee),
        };
        let began = Began::now();
        let method = request.method().clone();
        let exchange = answered(self.client.clone(), request, guard.timeout);
        let ending = guard.pass(exchange).await;
        self.tell(guard, ending.class, began, place, &method);
        let answer = ending.answer.about(call.callee);
        let fallback = self.fallbacks.get(call.callee);
        match (answer, fallback.filter(|_| guard.has_fallback())) {
            (Answer::Refused(why) | Answer::Unknown(why), Some(fallback)) => {
                tracing::info!(correlation = correlation.as_str(), "fallback: {why}");
                Answer::Ok(fallback(call).to_string().into())
            }
            (answer, _) => answer,
        }
    }

    /// Passes a request on to a callee, bodies streaming both ways; the time limit is for the head of the answer.
    pub async fn forward(
        &self,
        callee: &str,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, StatusCode> {
        let guard = self.guards.get(callee).ok_or(StatusCode::NOT_FOUND)?;
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("{}{path}", guard.origin)
            .parse()
            .map_err(|_| StatusCode::BAD_REQUEST)?;
        let place = Place::of_headers(request.headers());
        request.headers_mut().insert(trace::HEADER, place.header());
        let (began, method) = (Began::now(), request.method().clone());
        let (answer, class) =
            match tokio::time::timeout(guard.timeout, self.client.request(request)).await {
                Ok(Ok(response)) => {
                    let class = Class::of(response.status());
                    (Ok(response), class)
                }
                Ok(Err(why)) => {
                    tracing::warn!(callee, "no answer: {}", deepest(&why));
                    if why.is_connect() {
                        (Err(StatusCode::SERVICE_UNAVAILABLE), Class::Unreachable)
                    } else {
                        (Err(StatusCode::BAD_GATEWAY), Class::Broken)
                    }
                }
                Err(_) => {
                    tracing::warn!(callee, "no answer within {:?}", guard.timeout);
                    (Err(StatusCode::GATEWAY_TIMEOUT), Class::TimedOut)
                }
            };
        self.tell(guard, class, began, place, &method);
        answer
    }

    /// Counts a call and traces it.
    fn tell(&self, guard: &Guard, class: Class, began: Began, place: Place, method: &Method) {
        let (callee, took) = (guard.callee, began.clock.elapsed());
        self.telemetry.metrics.called(callee, class.label(), took);
        self.telemetry.tracer.ended(place, || Span {
            place,
            kind: Kind::Client,
            name: format!("{method} {callee}"),
            began: began.wall,
            took,
            attributes: vec![
                ("server.address", callee.to_owned()),
                ("http.request.method", method.to_string()),
                ("brownout.ending", class.label().to_owned()),
            ],
            is_error: !class.is_well(),
        });
    }
}

/// When a call began: by the clock that measures, and by the one on the wall.
#[derive(Clone, Copy, Debug)]
struct Began {
    clock: Instant,
    wall: SystemTime,
}

impl Began {
    fn now() -> Began {
        Began {
            clock: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

/// One request and its whole answer, within the limit.
async fn answered(client: HttpClient, request: Request<Body>, limit: Duration) -> Ending {
    let exchange = async {
        let response = match client.request(request).await {
            Ok(response) => response,
            Err(why) => return Ending::of_failure(&why),
        };
        let status = response.status();
        match Limited::new(response.into_body(), ANSWER_MAX)
            .collect()
            .await
        {
            Ok(body) => Ending::of_status(status, body.to_bytes()),
            Err(why) => Ending::unknown(Class::Broken, why.to_string()),
        }
    };
    match tokio::time::timeout(limit, exchange).await {
        Ok(ending) => ending,
        Err(_) => Ending::timed_out(limit),
    }
}

fn request(
    call: &Call,
    origin: &str,
    correlation: &Correlation,
    place: Place,
) -> Result<Request<Body>, http::Error> {
    let uri = format!("{origin}{}", call.path);
    let request = match call.body {
        Value::Null => Request::get(uri),
        _ => Request::post(uri).header(header::CONTENT_TYPE, "application/json"),
    };
    let body = match &call.body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    request
        .header(crate::correlation::HEADER, correlation.as_str())
        .header(trace::HEADER, place.header())
        .body(body)
}

impl Answer {
    fn about(self, callee: &str) -> Answer {
        match self {
            Answer::Ok(body) => Answer::Ok(body),
            Answer::Refused(why) => Answer::Refused(format!("{callee}: {why}")),
            Answer::Unknown(why) => Answer::Unknown(format!("{callee}: {why}")),
        }
    }
}
