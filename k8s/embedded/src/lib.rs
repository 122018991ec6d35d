//! embedded — a Kubernetes cluster in this process, with pods as processes of this machine.
//!
//! It is a cluster and nothing else: an API server, the controllers, one node. Whoever uses it speaks to it through
//! [`Embedded::client`], or with `kubectl` and the kubeconfig it writes. When the process ends, in whatever way, every pod
//! ends with it.
use apiserver::{ApiServer, Clock, Config, Door, Inside};
pub use node::METRIC_RESOLUTION;
use node::{
    AddressBlock, Images, Node, NodeConfig, ShimCommand,
    limits::{Level, Limits},
    net::ProxyTiming,
    runtime::{self, Plain, Runtime, Sandboxed, Simulated, Tier},
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything it writes is in here; made if missing.
    pub dir: PathBuf,
    /// Starts the shim that stands between the node and a pod's process.
    pub shim: ShimCommand,
    /// What image names stand for.
    pub images: Images,
    /// The isolation of pods; the best this machine allows if absent.
    pub tier: Option<Tier>,
    /// How limits on CPU and memory are kept; the best this machine allows if absent.
    pub level: Option<Level>,
    /// Time between two measurements of what pods use: metrics-server's `--metric-resolution`.
    pub metric_resolution: Duration,
}

/// What keeps a cluster from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its folder cannot be written.
    #[error("the cluster's folder {dir}: {source}")]
    Folder {
        /// Which.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No addresses are free, or none can be bound.
    #[error("no block of loopback addresses is free for pods and services: {0}")]
    Addresses(#[source] io::Error),
    /// The machine does not allow the level of limits that was asked for.
    #[error("limits cannot be kept by {level} here: {source}")]
    Limits {
        /// Which level.
        level: Level,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The API cannot be listened on for kubectl or for pods.
    #[error("the API cannot listen on loopback: {0}")]
    Listen(#[source] io::Error),
}

/// A running cluster.
pub struct Embedded {
    api: ApiServer,
    node: Node,
    tier: Tier,
    kubeconfig: PathBuf,
    _door: Door,
    _inside: Inside,
    _controllers: JoinSet<()>,
}

/// Starts a cluster. Must be called inside a tokio runtime.
///
/// # Errors
/// See [`Error`]; nothing is left running.
pub async fn start(options: Options) -> Result<Embedded, Error> {
    let folder = |source| Error::Folder {
        dir: options.dir.clone(),
        source,
    };
    std::fs::create_dir_all(&options.dir).map_err(folder)?;
    let block = AddressBlock::claim().map_err(Error::Addresses)?;
    let clock = Clock::new();
    let api = ApiServer::new(Config {
        clock,
        service_prefix: block.service_prefix(),
    });
    let door = api.listen().await.map_err(Error::Listen)?;
    let inside = api.open_to_pods().await.map_err(Error::Listen)?;
    let kubeconfig = options.dir.join("kubeconfig");
    write_private(&kubeconfig, &door.kubeconfig()).map_err(folder)?;
    let tier = options
        .tier
        .unwrap_or_else(|| runtime::detect(&options.shim));
    let limits = || match options.level {
        None => Ok(Limits::detect()),
        Some(level) => Limits::at(level).map_err(|source| Error::Limits { level, source }),
    };
    let runtime: Arc<dyn Runtime> = match tier {
        Tier::Sandboxed => Arc::new(Sandboxed::new(options.shim, limits()?)),
        Tier::Plain => Arc::new(Plain::new(options.shim, limits()?)),
        Tier::Simulated => Arc::new(Simulated::default()),
    };
    let config = NodeConfig {
        dir: options.dir.clone(),
        block,
        images: options.images,
        runtime,
        clock,
        proxy: ProxyTiming::default(),
        metric_resolution: options.metric_resolution,
    };
    let controllers = controllers::start(api.client("default"), clock);
    let node = node::start(api.client("default"), config).map_err(folder)?;
    api.set_streams(Arc::new(node.clone()));
    api.set_metrics(Arc::new(node.clone()));
    // Whoever asks for the nodes right away is to find it. The watch is in this process: it does not break.
    let nodes = kube::Api::<k8s_openapi::api::core::v1::Node>::all(api.client("default"));
    let is_there = |found: Option<&_>| found.is_some();
    let _ = kube::runtime::wait::await_condition(nodes, node::NODE_NAME, is_there).await;
    Ok(Embedded {
        api,
        node,
        tier,
        kubeconfig,
        _door: door,
        _inside: inside,
        _controllers: controllers,
    })
}

impl Embedded {
    /// A client that speaks to it in this process, without a socket.
    pub fn client(&self) -> kube::Client {
        self.api.client("default")
    }

    /// For `kubectl --kubeconfig`.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// How pods are kept apart.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// How limits on CPU and memory are kept.
    pub fn level(&self) -> Level {
        self.node.level()
    }

    /// Ends every pod and the cluster.
    pub async fn shutdown(self) {
        self.node.shutdown().await;
    }
}

/// Whoever can read the kubeconfig can start processes.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
