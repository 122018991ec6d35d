//! apiserver — a Kubernetes API over a versioned store in memory, for clients in the same process and for kubectl on loopback.
//!
//! Codes, texts and defaults are those of Kubernetes 1.33. Only callers from inside a pod have to say who they are; there is one API
//! version of each kind, but two of HorizontalPodAutoscaler; kinds that nothing acts on answer writes with a `Warning` header.
//!
//! | module | |
//! |---|---|
//! | [`clock`](Clock) | the cluster's time, real or virtual |
//! | `store` | versioned objects and the log of their changes |
//! | `kinds` | what each kind is called, contains, means and must not be |
//! | `selector`, `patch` | which objects, and what is to become of them |
//! | `api` | paths and verbs over the store |
//! | `streams`, [`Metrics`] | logs, exec and what pods use, answered by the node |
//! | `discovery`, `print`, `wire` | what kubectl wants besides: what there is, tables, protobuf |
//! | `door` | the ways in: a client in this process, a listener on loopback |
//! | `patience` | how long half a request is waited for |
//! | `inside`, `access` | the way in from a pod, with TLS and a token, and what it may do there |

mod access;
mod api;
mod clock;
mod discovery;
mod door;
mod inside;
mod kinds;
mod names;
mod patch;
mod patience;
mod print;
mod refusal;
mod schedule;
mod selector;
mod store;
mod streams;
mod wire;

/// Amounts of CPU and memory as Kubernetes writes them.
pub mod quantity {
    pub use crate::kinds::{canonical, thousandths};
}

pub use api::{Amounts, Measured, Metrics, PodUsage};
pub use clock::Clock;
pub use door::Door;
pub use inside::Inside;
pub use schedule::Schedule;
pub use streams::{ExecError, ExecIo, LogFile, Streams};

use api::Api;
use std::{io, sync::Arc};

/// What a server is made with.
pub struct Config {
    /// The cluster's time.
    pub clock: Clock,
    /// Services get addresses `a.b.c.1` to `a.b.c.254`, free again when they are deleted.
    pub service_prefix: [u8; 3],
}

impl Default for Config {
    /// Time from now on, and addresses in 127.2.0.0/24.
    fn default() -> Config {
        Config {
            clock: Clock::new(),
            service_prefix: [127, 2, 0],
        }
    }
}

/// A Kubernetes API server. Cloning shares it. The namespaces `default` and `kube-system` exist from the start; new pods are placed on
/// the node `node-1`.
#[derive(Clone)]
pub struct ApiServer {
    api: Arc<Api>,
}

impl ApiServer {
    /// An empty cluster.
    pub fn new(config: Config) -> ApiServer {
        ApiServer {
            api: Arc::new(Api::new(config)),
        }
    }

    /// A client in this process: no socket, no waiting for other threads, upgrades (exec) included. Must be called inside a tokio runtime.
    pub fn client(&self, default_namespace: &str) -> kube::Client {
        door::client(self.router(), default_namespace)
    }

    /// The API as a service of HTTP requests.
    pub fn router(&self) -> axum::Router {
        api::router(self.api.clone())
    }

    /// The cluster's time.
    pub fn clock(&self) -> &Clock {
        &self.api.clock
    }

    /// From now on logs and exec are answered by `streams`; before, they are refused.
    pub fn set_streams(&self, streams: Arc<dyn Streams>) {
        self.api.set_streams(streams);
    }

    /// Opens the API for the cluster's own pods, until the answer is dropped: at the Service `default/kubernetes`, port 443 or, where
    /// ordinary users may not listen there, 6443. Callers show a ServiceAccount's token and may do what roles bound to it say. From
    /// now on pods get such a token as a volume. Call it once.
    ///
    /// # Errors
    /// When no port of 127.0.0.1 is free.
    pub async fn open_to_pods(&self) -> io::Result<Inside> {
        Inside::open(&self.api, api::guarded_router(self.api.clone())).await
    }

    /// From now on `metrics.k8s.io` shows what `metrics` measures; before, it is unavailable.
    pub fn set_metrics(&self, metrics: Arc<dyn Metrics>) {
        self.api.set_metrics(metrics);
    }

    /// Opens the API on a free port of 127.0.0.1, behind a path nobody can guess, until the door is dropped.
    pub async fn listen(&self) -> io::Result<Door> {
        Door::open(self.router()).await
    }
}
