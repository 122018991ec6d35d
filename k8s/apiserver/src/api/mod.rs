//! api — the Kubernetes API over the store: one request in, one answer or refusal out.

mod addresses;
mod admission;
mod binding;
mod call;
mod delete;
mod events;
mod eviction;
mod inject;
mod metrics;
mod read;
mod scale;
mod watch;
mod write;

pub use call::{Call, Shape};
pub use metrics::{Amounts, GROUP as METRICS_GROUP, Measured, Metrics, PodUsage};
pub use read::metadata_of;

use crate::{
    Clock, Config, Streams,
    access::{self, Tokens, User},
    discovery,
    kinds::Use,
    refusal::Refusal,
    store::Store,
    streams, wire,
};
use axum::{
    Router,
    body::{self, Body},
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// Largest body of a request, in bytes; the real server's limit.
const BODY_MAX: usize = 3 * 1024 * 1024;

/// Everything that answering needs. Cloning shares the store.
#[derive(Clone)]
pub struct Api {
    pub store: Store,
    pub clock: Clock,
    /// First three bytes of the addresses of Services.
    pub service_prefix: [u8; 3],
    /// What programs in pods identify themselves by.
    pub tokens: Arc<Tokens>,
    streams: Arc<OnceLock<Arc<dyn Streams>>>,
    metrics: Arc<OnceLock<Arc<dyn Metrics>>>,
}

impl Api {
    /// A server with the two namespaces and the roles that every cluster has.
    pub fn new(config: Config) -> Api {
        let api = Api {
            store: Store::new(),
            clock: config.clock,
            service_prefix: config.service_prefix,
            tokens: Arc::default(),
            streams: Arc::default(),
            metrics: Arc::default(),
        };
        for name in ["default", "kube-system"] {
            api.found("namespaces", json!({"metadata": {"name": name}}));
        }
        for role in access::built_in() {
            api.found("clusterroles", role);
        }
        api
    }

    pub fn set_streams(&self, streams: Arc<dyn Streams>) {
        // The first node stays: there is one.
        let _ = self.streams.set(streams);
    }

    pub fn set_metrics(&self, metrics: Arc<dyn Metrics>) {
        let _ = self.metrics.set(metrics);
    }

    /// Who answers for containers.
    pub fn streams(&self) -> Result<&Arc<dyn Streams>, Refusal> {
        let none = || Refusal::internal("no node has joined the cluster");
        self.streams.get().ok_or_else(none)
    }

    fn found(&self, plural: &str, object: Value) {
        self.create(&Call::to_create(plural, ""), object)
            .expect("an empty store takes a well-named object");
    }

    /// Answers everything that is one synchronous step.
    fn perform(&self, method: &Method, call: &Call, body: &Bytes) -> Result<Response, Refusal> {
        if call.kind.group == METRICS_GROUP {
            return self.measured(method, call);
        }
        match (
            method.as_str(),
            call.name.is_empty(),
            call.subresource.as_str(),
        ) {
            ("GET", true, _) if call.flag("watch") => self.watch(call),
            ("GET", true, _) => self.list(call),
            ("GET", false, "" | "status") => self.get(call),
            ("GET", false, "scale") => self.get_scale(call),
            ("POST", true, _) => self.create(call, object(call, body)?),
            ("POST", false, "binding") => self.bind(call, object(call, body)?),
            ("POST", false, "token") => self.issue_token(call, object(call, body)?),
            ("POST", false, "eviction") => self.evict(call, object(call, body)?),
            ("PUT", false, "scale") => self.put_scale(call, object(call, body)?),
            ("PUT", false, "" | "status" | "finalize") => self.replace(call, object(call, body)?),
            ("PATCH", false, "scale") => self.patch_scale(call, body),
            ("PATCH", false, "" | "status") => self.patch(call, body),
            ("DELETE", false, "") => self.delete(call, delete_options(call, body)?),
            ("DELETE", true, _) => self.delete_all(call, delete_options(call, body)?),
            _ => Err(Refusal::not_allowed()),
        }
    }
}

/// The API as a router; every path is its own affair. Whoever shows no token is an administrator.
pub fn router(api: Arc<Api>) -> Router {
    opened(api, User::administrator())
}

/// The API for callers who have to say who they are.
pub fn guarded_router(api: Arc<Api>) -> Router {
    opened(api, User::anonymous())
}

/// The API, and who a request is from that shows no token.
fn opened(api: Arc<Api>, otherwise: User) -> Router {
    let state = (api, Arc::new(otherwise));
    Router::new().fallback(entry).with_state(state)
}

type Opened = (Arc<Api>, Arc<User>);

async fn entry(State((api, otherwise)): State<Opened>, request: Request) -> Response {
    answer(api, &otherwise, request)
        .await
        .unwrap_or_else(|refusal| refusal.into_response())
}

async fn answer(api: Arc<Api>, otherwise: &User, request: Request) -> Result<Response, Refusal> {
    let user = api.user_of(request.uri(), request.headers(), otherwise)?;
    let path = request.uri().path();
    if let Some(document) = discovery::answer(path, request.headers()) {
        return match api.allows_path(&user, "get", path) {
            true => Ok(document),
            false => Err(Refusal::no_entry(&user, path)),
        };
    }
    let call = Call::read(request.uri(), request.headers(), user)?;
    let method = request.method().clone();
    api.authorise(&call.by, &method, &call)?;
    match call.subresource.as_str() {
        "log" if method == Method::GET => return streams::log(&api, &call).await,
        "exec" => return streams::exec(&api, &call, request).await,
        _ => {}
    }
    let body = body::to_bytes(request.into_body(), BODY_MAX)
        .await
        .map_err(|_| Refusal::too_large())?;
    if call.kind.usage == Use::AnsweredOnly {
        return match method {
            Method::POST => Ok(api.answer_about(&call, object(&call, &body)?)),
            _ => Err(Refusal::not_allowed()),
        };
    }
    api.perform(&method, &call, &body)
}

/// The body as an object.
fn object(call: &Call, body: &Bytes) -> Result<Value, Refusal> {
    match call.media_type.as_str() {
        "" | "application/json" => parsed(body),
        wire::MEDIA_TYPE => {
            wire::decode(body).ok_or_else(|| Refusal::unsupported_media_type("application/json"))
        }
        _ => Err(Refusal::unsupported_media_type("application/json")),
    }
}

fn parsed(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal::bad_request(format!("the object provided is unrecognized: {error}"))
    })
}

fn delete_options(call: &Call, body: &Bytes) -> Result<delete::Options, Refusal> {
    let body = if body.is_empty() {
        json!({})
    } else {
        object(call, body)?
    };
    delete::Options::read(call, &body)
}

/// An answer in JSON.
pub fn reply(code: StatusCode, value: &Value) -> Response {
    (
        code,
        [(header::CONTENT_TYPE, "application/json")],
        Body::from(value.to_string()),
    )
        .into_response()
}

/// Adds `Warning` headers, which kubectl prints.
pub fn warned(mut response: Response, texts: &[String]) -> Response {
    for text in texts {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        reply(code, &self.status())
    }
}
