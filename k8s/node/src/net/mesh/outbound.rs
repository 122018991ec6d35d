//! outbound — the side of the caller: a route, its faults and time limit, further tries, and for each try a host.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Incoming};
use hyper::{Request, Response, Version};
use mesh::outlier::Seen;
use mesh::profile::Profile;
use mesh::retry::{RetryPolicy, Tried};
use mesh::route::{Dice, Route};
use tokio::time::{Instant, sleep, timeout};
use tower::retry::{Policy as Again, Retry};
use tower::timeout::Timeout;
use tower::{Service, ServiceExt};

use super::cluster::{Cluster, Payload, Unsent};
use super::lease::{Answer, Lease};
use super::replies::{Reason, is_overloaded, number, prepare, sign};
use super::view::{MeshPod, View};
use super::{ClusterId, Mesh, Target, lock, worker};
use crate::net::l4::Backends;

/// How an answer of this side is signed.
const SERVER: &str = "envoy";
/// Bodies up to this, in bytes, are kept so that they can be sent again; Envoy's own limit.
const KEPT_MAX: u64 = 1024 * 1024;

/// The outbound side of one connection of a pod.
#[derive(Clone)]
pub(super) struct Outbound {
    mesh: Arc<Mesh>,
    pod: Arc<MeshPod>,
    called: Target,
    worker: usize,
}

impl Outbound {
    pub fn new(mesh: Arc<Mesh>, pod: Arc<MeshPod>, called: Target) -> Outbound {
        Outbound {
            mesh,
            pod,
            called,
            worker: worker(),
        }
    }

    pub async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        let view = self.mesh.view();
        let (parts, body) = request.into_parts();
        let profile = view.profile(None, self.pod.namespace());
        let Some(route) = self.route(&view, &parts, profile) else {
            return signed(Reason::NoRoute.answer(profile));
        };
        if let Some(delay) = route.delay {
            sleep(delay).await;
        }
        if let Some(status) = route.abort {
            return signed(Reason::Abort(status).answer(profile));
        }
        let target = Target {
            port: route.port.unwrap_or(self.called.port),
            service: route.service.clone(),
            subset: route.subset.clone(),
        };
        let Some(hosts) = self.hosts(&view, &target) else {
            return signed(Reason::NoSuchService.answer(profile));
        };
        let policy = self.mesh.policy(&view, self.pod.namespace(), &target);
        let id = ClusterId {
            pod: self.pod.id.clone(),
            inbound: None,
            target,
        };
        let cluster = self.mesh.cluster(id, policy);
        cluster.counters.asked();
        let payload = payload(body, &route.retries).await;
        let mut request = Request::from_parts(parts, payload);
        *request.version_mut() = Version::HTTP_11;
        prepare(request.headers_mut());
        number(request.headers_mut(), 1);
        signed(ask(cluster, self.worker, hosts, route, request).await)
    }

    /// What a VirtualService says, else straight to what was called. The release that matters for further tries is the rule's.
    fn route(&self, view: &View, parts: &http::request::Parts, profile: Profile) -> Option<Route> {
        let (namespace, service) = (self.pod.namespace(), &self.called.service);
        let profile = match view.rule(namespace, service) {
            Some(rule) => view.profile(Some(rule), namespace),
            None => profile,
        };
        match view.routes(namespace, service) {
            Some(routes) => {
                let dice = Dice {
                    destination: rand::random(),
                    delay: rand::random(),
                    abort: rand::random(),
                };
                let of = routes.metadata.namespace.as_deref().unwrap_or_default();
                Route::of(&routes.spec, of, parts, dice, profile)
            }
            None => Some(Route::straight(service.clone(), profile)),
        }
    }

    /// Who is behind a target; none if there is no such port.
    fn hosts(&self, view: &View, target: &Target) -> Option<Backends> {
        let all = self.mesh.backends(target)?;
        let Some(name) = &target.subset else {
            return Some(all);
        };
        let rule = view.rule(self.pod.namespace(), &target.service);
        let mut subsets = rule.iter().flat_map(|rule| &rule.spec.subsets);
        let labels = &subsets.find(|subset| subset.name == *name)?.labels;
        let chosen = all
            .iter()
            .filter(|host| view.has_labels(host.ip(), labels))
            .copied();
        Some(chosen.collect())
    }
}

fn signed(mut answer: Response<Answer>) -> Response<Answer> {
    sign(answer.headers_mut(), SERVER, None);
    answer
}

/// A body that can be sent again is read first, if it may have to be.
async fn payload(body: Incoming, retries: &RetryPolicy) -> Payload {
    let is_small = body
        .size_hint()
        .upper()
        .is_some_and(|size| size <= KEPT_MAX);
    if retries.attempts == 0 || !is_small {
        return Either::Right(body);
    }
    // A caller that breaks off in its body gets no answer anyway.
    let whole = body.collect().await.map(|body| body.to_bytes());
    Either::Left(Full::from(whole.unwrap_or_default()))
}

/// The time limit around all tries, and these around one another: tower's layers, with the mesh's decisions in them.
async fn ask(
    cluster: Arc<Cluster>,
    worker: usize,
    hosts: Backends,
    route: Route,
    request: Request<Payload>,
) -> Response<Answer> {
    let tried = Arc::<Mutex<Vec<SocketAddr>>>::default();
    let one = Try {
        cluster: cluster.clone(),
        worker,
        hosts,
        tried: tried.clone(),
        per_try: route.retries.per_try,
    };
    let again = Tries {
        cluster: cluster.clone(),
        policy: route.retries,
        made: 0,
        under_way: None,
    };
    let tries = Retry::new(again, one);
    let answered = match route.timeout {
        Some(limit) => Timeout::new(tries, limit).oneshot(request).await,
        None => tries.oneshot(request).await.map_err(Into::into),
    };
    answered.unwrap_or_else(|error| match error.downcast_ref::<Failed>() {
        Some(Failed(reason)) => reason.answer(cluster.profile()),
        None => {
            if let Some(host) = lock(&tried).last() {
                cluster.see(*host, Seen::Timeout);
            }
            Reason::TimedOut.answer(cluster.profile())
        }
    })
}

/// A try without an answer of a host.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0:?}")]
struct Failed(Reason);

/// One try: a host, a connection, an answer.
#[derive(Clone)]
struct Try {
    cluster: Arc<Cluster>,
    worker: usize,
    hosts: Backends,
    tried: Arc<Mutex<Vec<SocketAddr>>>,
    per_try: Option<std::time::Duration>,
}

impl Service<Request<Payload>> for Try {
    type Response = Response<Answer>;
    type Error = Failed;
    type Future = BoxFuture<'static, Result<Response<Answer>, Failed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Payload>) -> Self::Future {
        self.clone().perform(request).boxed()
    }
}

impl Try {
    async fn perform(self, request: Request<Payload>) -> Result<Response<Answer>, Failed> {
        let counters = &self.cluster.counters;
        let host = self.cluster.choose(&self.hosts, &lock(&self.tried));
        let Some(host) = host else {
            counters.rejected();
            return Err(Failed(Reason::NoHealthyHost));
        };
        lock(&self.tried).push(host);
        let sending = self.send(host, request);
        let sent = match self.per_try {
            Some(limit) => timeout(limit, sending)
                .await
                .unwrap_or(Err(Failed(Reason::TimedOut))),
            None => sending.await,
        };
        let seen = match &sent {
            Ok(answer) => Seen::Status(answer.status().as_u16()),
            Err(Failed(Reason::Overflow)) => {
                // The host has no part in it.
                counters.rejected();
                return sent;
            }
            Err(Failed(Reason::TimedOut)) => Seen::Timeout,
            Err(_) => Seen::Reset,
        };
        self.cluster.see(host, seen);
        sent
    }

    async fn send(
        &self,
        host: SocketAddr,
        request: Request<Payload>,
    ) -> Result<Response<Answer>, Failed> {
        let ticket = self.cluster.ticket(self.worker, host).await;
        let (ticket, mut sender) = ticket.map_err(|why| {
            Failed(match why {
                Unsent::Overflow => Reason::Overflow,
                Unsent::NotConnected => Reason::NotConnected,
            })
        })?;
        let began = Instant::now();
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|_| Failed(Reason::Reset))?;
        let mut answer = Lease::of(answer, ticket, sender);
        sign(answer.headers_mut(), SERVER, Some(began.elapsed()));
        Ok(answer)
    }
}

/// Which tries are made after the first.
#[derive(Clone)]
struct Tries {
    cluster: Arc<Cluster>,
    policy: RetryPolicy,
    made: u32,
    under_way: Option<Arc<UnderWay>>,
}

/// A further try, counted as long as it lasts.
struct UnderWay(Arc<Cluster>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.retried();
    }
}

impl Again<Request<Payload>, Response<Answer>, Failed> for Tries {
    type Future = BoxFuture<'static, ()>;

    fn retry(
        &mut self,
        request: &mut Request<Payload>,
        result: &mut Result<Response<Answer>, Failed>,
    ) -> Option<Self::Future> {
        self.under_way = None;
        let is_wanted = self.policy.wants(tried(result));
        if !is_wanted || self.made >= self.policy.attempts || !self.cluster.retry() {
            return None;
        }
        self.under_way = Some(Arc::new(UnderWay(self.cluster.clone())));
        self.made += 1;
        self.cluster.counters.retried();
        number(request.headers_mut(), self.made + 1);
        Some(sleep(RetryPolicy::pause(self.made, rand::random())).boxed())
    }

    fn clone_request(&mut self, request: &Request<Payload>) -> Option<Request<Payload>> {
        let Either::Left(body) = request.body() else {
            return None;
        };
        let mut copy = Request::new(Either::Left(body.clone()));
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        Some(copy)
    }
}

fn tried(result: &Result<Response<Answer>, Failed>) -> Tried {
    match result {
        Ok(answer) => Tried::Answered {
            status: answer.status().as_u16(),
            overloaded: is_overloaded(answer.headers()),
        },
        Err(Failed(Reason::NotConnected)) => Tried::NotConnected,
        Err(Failed(Reason::TimedOut)) => Tried::TimedOut,
        Err(Failed(Reason::Reset)) => Tried::Reset,
        Err(Failed(_)) => Tried::Refused,
    }
}
