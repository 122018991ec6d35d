//! edge — calls to other services, guarded: a time limit always, a circuit breaker where the environment asks for one.
//!
//! Per callee, from the environment: `<CALLEE>_URL` (default `http://<callee>:8080`), `EDGE_<CALLEE>_TIMEOUT` (default 10 s, for
//! connecting and the answer together), `EDGE_<CALLEE>_BREAKER` (failures in a row that open the breaker; none by default) and
//! `EDGE_<CALLEE>_BREAKER_WAIT` (how long it stays open, default 10 s). With `EDGE_<CALLEE>_CALL=off` nobody is asked and every call
//! counts as done with an empty answer: an experiment that cannot tell this from a call shows nothing about the call.

use crate::correlation::Correlation;
use crate::effect::Call;
use crate::env::Env;
use axum::body::Body;
use bytes::Bytes;
use failsafe::backoff::Constant;
use failsafe::failure_policy::ConsecutiveFailures;
use failsafe::{StateMachine, backoff, failure_policy};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a call may take in all: the 10 s after which the report's room gave up **\[S figure\]**.
pub const TIMEOUT: Duration = Duration::from_secs(10);
const BREAKER_WAIT: Duration = Duration::from_secs(10);
/// An unused connection is closed before the other side does it, as the reports' clients did.
const IDLE: Duration = Duration::from_secs(5);
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

/// The outgoing calls of one service.
#[derive(Debug)]
pub struct Edge {
    client: Client<HttpConnector<Names>, Body>,
    guards: BTreeMap<&'static str, Guard>,
}

/// What stands between this service and one it calls.
#[derive(Debug)]
struct Guard {
    asks: bool,
    origin: String,
    timeout: Duration,
    breaker: Option<Breaker>,
}

type Breaker = StateMachine<ConsecutiveFailures<Constant>, ()>;

impl Edge {
    /// Guards for the named callees, as the environment wants them.
    pub fn new(callees: &[&'static str], env: &Env) -> Edge {
        let mut connector = HttpConnector::new_with_resolver(Names);
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Edge {
            client,
            guards: callees
                .iter()
                .map(|callee| (*callee, Guard::new(callee, env)))
                .collect(),
        }
    }

    /// Makes the call; comes back within the callee's time limit. A callee that was not named to [`Edge::new`] is refused.
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
        if guard
            .breaker
            .as_ref()
            .is_some_and(|breaker| !breaker.is_call_permitted())
        {
            return Answer::Refused(format!("{}: circuit breaker is open", call.callee));
        }
        let request = request(call, &guard.origin, correlation);
        let answer = match request {
            Ok(request) => self.answered(request, guard.timeout).await,
            Err(why) => Answer::Refused(why.to_string()),
        };
        guard.count(&answer);
        answer.about(call.callee)
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
        match tokio::time::timeout(guard.timeout, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(why)) => {
                tracing::warn!(callee, "no answer: {}", deepest(&why));
                Err(if why.is_connect() {
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    StatusCode::BAD_GATEWAY
                })
            }
            Err(_) => {
                tracing::warn!(callee, "no answer within {:?}", guard.timeout);
                Err(StatusCode::GATEWAY_TIMEOUT)
            }
        }
    }

    async fn answered(&self, request: Request<Body>, timeout: Duration) -> Answer {
        let exchange = async {
            let response = match self.client.request(request).await {
                Ok(response) => response,
                Err(why) => return Answer::of_failure(&why),
            };
            let status = response.status();
            match Limited::new(response.into_body(), ANSWER_MAX)
                .collect()
                .await
            {
                Ok(body) => Answer::of_status(status, body.to_bytes()),
                Err(why) => Answer::Unknown(why.to_string()),
            }
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Answer::Unknown(format!("no answer within {timeout:?}")),
        }
    }
}

impl Guard {
    fn new(callee: &str, env: &Env) -> Guard {
        let name = callee.to_ascii_uppercase().replace('-', "_");
        let origin: String = env.or(&format!("{name}_URL"), format!("http://{callee}:8080"));
        let wait = env.or(&format!("EDGE_{name}_BREAKER_WAIT"), BREAKER_WAIT);
        let failures: Option<u32> = env.get(&format!("EDGE_{name}_BREAKER"));
        Guard {
            asks: env.or(&format!("EDGE_{name}_CALL"), true),
            origin: origin.trim_end_matches('/').to_owned(),
            timeout: env.or(&format!("EDGE_{name}_TIMEOUT"), TIMEOUT),
            breaker: failures
                .filter(|failures| *failures > 0)
                .map(|failures| breaker(failures, wait)),
        }
    }

    /// A refusal by status says that the callee is well; only silence and its own errors count against it.
    fn count(&self, answer: &Answer) {
        let Some(breaker) = &self.breaker else { return };
        match answer {
            Answer::Ok(_) => breaker.on_success(),
            Answer::Refused(why) if why.starts_with("status") => breaker.on_success(),
            Answer::Refused(_) | Answer::Unknown(_) => breaker.on_error(),
        }
    }
}

fn request(
    call: &Call,
    origin: &str,
    correlation: &Correlation,
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
        .body(body)
}

fn breaker(failures: u32, wait: Duration) -> Breaker {
    failsafe::Config::new()
        .failure_policy(failure_policy::consecutive_failures(
            failures,
            backoff::constant(wait),
        ))
        .build()
}

impl Answer {
    fn of_status(status: StatusCode, body: Bytes) -> Answer {
        match status.as_u16() {
            200..400 => Answer::Ok(body),
            400..500 => Answer::Refused(format!("status {status}")),
            _ => Answer::Unknown(format!("status {status}")),
        }
    }

    fn of_failure(why: &ClientError) -> Answer {
        let text = deepest(why);
        if why.is_connect() {
            Answer::Refused(text)
        } else {
            Answer::Unknown(text)
        }
    }

    fn about(self, callee: &str) -> Answer {
        match self {
            Answer::Ok(body) => Answer::Ok(body),
            Answer::Refused(why) => Answer::Refused(format!("{callee}: {why}")),
            Answer::Unknown(why) => Answer::Unknown(format!("{callee}: {why}")),
        }
    }
}

/// The first cause says most: "Connection refused" rather than "client error".
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Host names through the crate `names`, which knows the names of every kind of cluster.
#[derive(Clone, Debug)]
struct Names;

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
