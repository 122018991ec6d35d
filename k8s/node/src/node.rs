//! node — everything together: one Node object, its pods, names and Services.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apiserver::{Amounts, Clock, ExecError, ExecIo, LogFile, Measured, Metrics, PodUsage, Streams};
use futures::StreamExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{ConfigMap, Node as NodeObject, Secret};
use kube::api::PostParams;
use kube::{Api, Client};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::events::Events;
use crate::limits::Level;
use crate::metrics::{self, Samples};
use crate::net::{AddressBlock, Hosts, Mesh, Proxy, ProxyTiming};
use crate::pods::{self, Context, Registry};
use crate::provisioner::Provisioner;
use crate::runtime::{Runtime, Stop, Tier, Usage};
use crate::watch::watch_all;
use crate::{HOST_ADDRESS, Images, NODE_NAME};

/// A killed container is gone within milliseconds; a stuck one must not hold up the end.
const END_MAX: Duration = Duration::from_secs(5);
/// The API refused the Node object: it is offered again so much later.
const RETRY: Duration = Duration::from_secs(1);

/// As many as a kubelet runs by default.
const PODS_MAX: u32 = 110;

/// What a node is made with.
pub struct NodeConfig {
    /// Where logs, hosts files and volumes go: `<dir>/pods/<namespace>_<pod>_<uid>/<container>/<n>.log`. Nothing is written elsewhere.
    pub dir: PathBuf,
    /// Addresses of pods; the API server must give Services addresses of the same block.
    pub block: AddressBlock,
    /// What image names mean.
    pub images: Images,
    /// How containers are run.
    pub runtime: Arc<dyn Runtime>,
    /// The cluster's clock.
    pub clock: Clock,
    /// How late Services follow their pods.
    pub proxy: ProxyTiming,
    /// Time between two looks at what containers use; [`METRIC_RESOLUTION`](crate::METRIC_RESOLUTION) unless there is a reason.
    pub metric_resolution: Duration,
}

/// A running node. Copies share it; it goes on until [`shutdown`](Node::shutdown), or until the runtime it was started in ends.
#[derive(Clone)]
pub struct Node {
    registry: Registry,
    samples: Samples,
    tier: Tier,
    level: Level,
    connections: CancellationToken,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

/// Starts the node `node-1` of the cluster behind `client`. Must be called inside a tokio runtime. With containers that are
/// processes, it raises this process's limit of open files to what it may be: every proxied connection needs two.
///
/// # Errors
/// When its folder cannot be made.
pub fn start(client: Client, config: NodeConfig) -> std::io::Result<Node> {
    std::fs::create_dir_all(&config.dir)?;
    let dir = config.dir.canonicalize()?;
    let hosts = Hosts::new(dir.join("hosts"))?;
    let (events, write_events) = Events::start(client.clone(), config.clock, NODE_NAME);
    let (maps_changed, maps) = watch::channel(0);
    let registry = Registry::default();
    let (tier, level) = (config.runtime.tier(), config.runtime.level());
    if tier != Tier::Simulated {
        raise_file_limit();
    }
    let connections = CancellationToken::new();
    let mut tasks = JoinSet::new();
    // Simulated pods have no connections to treat.
    let mesh = (tier != Tier::Simulated).then(|| {
        let (mesh, task) = Mesh::start(client.clone(), events.clone(), connections.clone());
        tasks.spawn(task);
        mesh
    });
    let proxy = Proxy {
        timing: config.proxy,
        hosts: hosts.clone(),
        events: events.clone(),
        listens: tier != Tier::Simulated,
        mesh,
        node: connections.clone(),
    };
    let provisioner = Provisioner {
        client: client.clone(),
        clock: config.clock,
        events: events.clone(),
        folder: dir.join("volumes"),
    };
    let samples = Samples::default();
    let sampling = metrics::sample(
        registry.clone(),
        samples.clone(),
        config.metric_resolution,
        config.clock,
    );
    let names = config.images.names().map(str::to_owned).collect();
    let context = Context {
        client: client.clone(),
        clock: config.clock,
        runtime: config.runtime,
        images: config.images,
        block: config.block,
        dir,
        hosts,
        events,
        registry: registry.clone(),
        maps,
    };
    tasks.spawn(write_events);
    tasks.spawn(sampling);
    tasks.spawn(announce(client.clone(), tier, level, names, config.clock));
    tasks.spawn(watch_maps(client.clone(), maps_changed));
    tasks.spawn(proxy.run(client));
    tasks.spawn(provisioner.run());
    tasks.spawn(pods::run(Arc::new(context)));
    Ok(Node {
        registry,
        samples,
        tier,
        level,
        connections,
        tasks: Arc::new(Mutex::new(tasks)),
    })
}

fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

impl Node {
    /// What its containers are.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// How limits on CPU and memory are kept.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What every running container has used since its start: namespace, pod and container name, and how much.
    pub fn usage(&self) -> Vec<((String, String, String), Usage)> {
        let looks = self.registry.looks().into_iter();
        looks.map(|(name, _, used)| (name, used)).collect()
    }

    /// Ends every container at once, without a word to the API, and returns when they are gone.
    pub async fn shutdown(&self) {
        let live = self.registry.all_live();
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
        self.connections.cancel();
        for container in &live {
            container.signal(Stop::Kill);
        }
        for container in live {
            let _ = timeout(END_MAX, container.wait().wait_for(Option::is_some)).await;
        }
    }
}

impl Streams for Node {
    fn log_file(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        previous: bool,
    ) -> Result<LogFile, String> {
        self.registry.log_file(namespace, pod, container, previous)
    }

    fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: Vec<String>,
        io: ExecIo,
    ) -> BoxFuture<'static, Result<i32, ExecError>> {
        match self.registry.running(namespace, pod, container) {
            Ok(container) => container.exec(command, io),
            Err(why) => Box::pin(async { Err(ExecError::NotRunning(why)) }),
        }
    }
}

impl Metrics for Node {
    fn pods(&self) -> Vec<PodUsage> {
        self.samples.pods()
    }

    fn node(&self) -> Option<Measured<Amounts>> {
        self.samples.node()
    }
}

/// Tells whenever a ConfigMap or a Secret changes: containers may wait for one, volumes show them.
async fn watch_maps(client: Client, changed: watch::Sender<u64>) {
    let mut maps = watch_all::<ConfigMap>(&client);
    let mut secrets = watch_all::<Secret>(&client);
    loop {
        tokio::select! {
            Some(_) = maps.next() => {}
            Some(_) = secrets.next() => {}
            else => return,
        }
        changed.send_modify(|count| *count += 1);
    }
}

async fn announce(client: Client, tier: Tier, level: Level, images: Vec<String>, clock: Clock) {
    let api: Api<NodeObject> = Api::all(client);
    loop {
        match api
            .create(
                &PostParams::default(),
                &object(tier, level, &images, &clock),
            )
            .await
        {
            Err(kube::Error::Api(refusal)) if refusal.code == 409 => return,
            Ok(_) => return,
            Err(error) => tracing::debug!(%error, "the Node object was not created"),
        }
        sleep(RETRY).await;
    }
}

/// What this machine has. Nothing is set aside for the machine itself.
fn capacity() -> serde_json::Value {
    let cpus = std::thread::available_parallelism().map_or(1, |count| count.get());
    let told = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = told.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let memory = memory.and_then(|amount| amount.trim().strip_suffix(" kB"));
    let memory = format!("{}Ki", memory.unwrap_or("0"));
    json!({"cpu": cpus.to_string(), "memory": memory, "pods": PODS_MAX.to_string()})
}

fn object(tier: Tier, level: Level, images: &[String], clock: &Clock) -> NodeObject {
    let now = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str, status: &str, reason: &str, message: String| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let isolated = if tier == Tier::Sandboxed {
        "True"
    } else {
        "False"
    };
    let exact = match level {
        Level::StopAndGo => "False",
        Level::CgroupV2 | Level::CgroupV1 | Level::Simulated => "True",
    };
    let capacity = capacity();
    let images: Vec<_> = images
        .iter()
        .map(|name| json!({"names": [name], "sizeBytes": 0}))
        .collect();
    serde_json::from_value(json!({
        "metadata": {
            "name": NODE_NAME,
            "labels": {
                "kubernetes.io/hostname": NODE_NAME,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": std::env::consts::ARCH,
                "brownout.dev/tier": tier.to_string(),
                "brownout.dev/limits": level.to_string(),
            },
        },
        "spec": {},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "addresses": [
                {"type": "InternalIP", "address": HOST_ADDRESS.to_string()},
                {"type": "Hostname", "address": NODE_NAME},
            ],
            "conditions": [
                condition("Ready", "True", "KubeletReady", "the node runs pods".into()),
                condition("Sandboxed", isolated, "Tier", format!("containers of this node are {tier}")),
                condition("LimitsExact", exact, "Level", format!("limits on CPU and memory are kept by {level}")),
            ],
            "images": images,
            "nodeInfo": {
                "architecture": std::env::consts::ARCH, "operatingSystem": "linux", "osImage": "embedded",
                "kubeletVersion": "v1.33.0", "kubeProxyVersion": "", "containerRuntimeVersion": format!("embedded://{tier}"),
                "kernelVersion": "", "machineID": "", "systemUUID": "", "bootID": "",
            },
        },
    }))
    .expect("a literal Node")
}
