//! A cluster of an API and a node, and words to ask it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apiserver::{ApiServer, Clock, Config, ExecError, ExecIo, Streams};
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use node::limits::Limits;
use node::net::ProxyTiming;
use node::runtime::{Plain, Runtime, Sandboxed, Simulated, Tier, detect};
use node::{AddressBlock, ImageEntry, Images, Node, NodeConfig, ShimCommand};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout};

pub struct Cluster {
    pub client: Client,
    pub node: Node,
    pub clock: Clock,
    folder: tempfile::TempDir,
}

pub fn shim() -> ShimCommand {
    ShimCommand {
        program: env!("CARGO_BIN_EXE_pod-shim").into(),
        args: vec![],
    }
}

/// The program that plays server and client in pods.
pub fn test_pod() -> PathBuf {
    env!("CARGO_BIN_EXE_test-pod").into()
}

/// The tiers of processes that this machine allows; says which it skips.
pub fn tiers() -> Vec<Arc<dyn Runtime>> {
    let plain: Arc<dyn Runtime> = Arc::new(Plain::new(shim(), Limits::detect()));
    sandboxed().map_or_else(
        || vec![plain.clone()],
        |sandboxed| vec![plain.clone(), sandboxed],
    )
}

pub fn sandboxed() -> Option<Arc<dyn Runtime>> {
    if detect(&shim()) != Tier::Sandboxed {
        println!("skipped: this machine allows no namespaces");
        return None;
    }
    Some(Arc::new(Sandboxed::new(shim(), Limits::detect())))
}

impl Cluster {
    pub fn simulated(scripts: Simulated) -> Cluster {
        let images = scripts_images();
        Cluster::new(Arc::new(scripts), AddressBlock::imaginary(), images)
    }

    pub fn of_processes(runtime: Arc<dyn Runtime>) -> Cluster {
        let images = Images::new().with(
            "test-pod",
            ImageEntry {
                program: test_pod(),
                ..ImageEntry::default()
            },
        );
        let images = images.with(
            "keeper",
            ImageEntry {
                program: "/bin/sh".into(),
                words: vec!["-c".into()],
                env: vec![("GREETING".into(), "$(WORD) from $(POD_IP)".into())],
                volumes: vec!["/var/lib/keeper/data".into()],
                ..ImageEntry::default()
            },
        );
        Cluster::new(runtime, AddressBlock::claim().unwrap(), images)
    }

    fn new(runtime: Arc<dyn Runtime>, block: AddressBlock, images: Images) -> Cluster {
        let clock = Clock::new();
        let server = ApiServer::new(Config {
            clock,
            service_prefix: block.service_prefix(),
        });
        let client = server.client("default");
        let folder = tempfile::tempdir().unwrap();
        let proxy = ProxyTiming {
            spacing: Duration::from_millis(300),
            latency: Duration::from_millis(200),
        };
        let config = NodeConfig {
            dir: folder.path().to_path_buf(),
            block,
            images,
            runtime,
            clock,
            proxy,
            metric_resolution: node::METRIC_RESOLUTION,
        };
        let node = node::start(client.clone(), config).unwrap();
        server.set_streams(Arc::new(node.clone()));
        server.set_metrics(Arc::new(node.clone()));
        Cluster {
            client,
            node,
            clock,
            folder,
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::default_namespaced(self.client.clone())
    }

    pub async fn create<K>(&self, object: Value) -> K
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + DeserializeOwned,
    {
        let object: K = serde_json::from_value(object).unwrap();
        Api::default_namespaced(self.client.clone())
            .create(&PostParams::default(), &object)
            .await
            .unwrap()
    }

    /// A pod with these containers; `more` is the rest of its spec.
    pub async fn pod(&self, name: &str, containers: Value, more: Value) -> Pod {
        let mut spec = json!({"containers": containers});
        json_merge(&mut spec, more);
        self.create(json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": spec}))
            .await
    }

    /// Waits up to a (perhaps virtual) while for the pod to be as wanted.
    pub async fn until(&self, name: &str, wanted: impl Fn(&Pod) -> bool + Send) -> Pod {
        let condition = move |pod: Option<&Pod>| pod.is_some_and(&wanted);
        let done = timeout(
            Duration::from_secs(1000),
            await_condition(self.pods(), name, condition),
        )
        .await;
        done.expect("it came true in time").unwrap().unwrap()
    }

    pub async fn until_gone(&self, name: &str) {
        let gone = await_condition(self.pods(), name, |pod: Option<&Pod>| pod.is_none());
        timeout(Duration::from_secs(1000), gone)
            .await
            .expect("it went in time")
            .unwrap();
    }

    pub async fn delete(&self, name: &str, grace: Option<u32>) {
        let params = DeleteParams {
            grace_period_seconds: grace,
            ..DeleteParams::default()
        };
        self.pods().delete(name, &params).await.unwrap();
    }

    /// Seconds until the pod is gone.
    pub async fn time_to_end(&self, name: &str) -> f64 {
        let began = Instant::now();
        self.until_gone(name).await;
        began.elapsed().as_secs_f64()
    }

    /// Exit code and output of a command in the pod's first container.
    pub async fn exec(&self, pod: &str, command: &[&str]) -> Result<(i32, String), ExecError> {
        let (mut out, stdout) = tokio::io::simplex(1 << 16);
        let (mut err, stderr) = tokio::io::simplex(1 << 16);
        let io = ExecIo {
            stdin: None,
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
        };
        let command = command.iter().map(ToString::to_string).collect();
        let code = self.node.exec("default", pod, None, command, io).await?;
        let mut text = String::new();
        out.read_to_string(&mut text).await.unwrap();
        err.read_to_string(&mut text).await.unwrap();
        Ok((code, text))
    }

    pub async fn sh(&self, pod: &str, script: &str) -> String {
        self.exec(pod, &["sh", "-c", script]).await.unwrap().1
    }

    pub async fn events(&self, reason: &str) -> Vec<Event> {
        let events: Api<Event> = Api::default_namespaced(self.client.clone());
        let all = events.list(&ListParams::default()).await.unwrap().items;
        all.into_iter()
            .filter(|event| event.reason.as_deref() == Some(reason))
            .collect()
    }

    /// Waits for a line in the log of the pod's first container.
    pub async fn until_says(&self, pod: &str, line: &str) {
        eventually(&format!("{pod} says {line}"), async || {
            self.log(pod, false).iter().any(|said| said == line)
        })
        .await;
    }

    /// The text of a container's log, complete or not.
    pub fn log(&self, pod: &str, previous: bool) -> Vec<String> {
        let file = self.node.log_file("default", pod, None, previous).unwrap();
        let text = std::fs::read_to_string(file.path).unwrap();
        text.lines()
            .map(|line| line.splitn(4, ' ').nth(3).unwrap().to_owned())
            .collect()
    }
}

/// Looks again and again, for ten seconds at most, until it is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn scripts_images() -> Images {
    ["room", "room:1", "room:2"]
        .into_iter()
        .fold(Images::new(), |images, name| {
            images.with(name, ImageEntry::default())
        })
}

fn json_merge(into: &mut Value, more: Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else {
        return;
    };
    into.extend(more);
}

pub fn container(pod: &Pod) -> &ContainerStatus {
    &pod.status
        .as_ref()
        .unwrap()
        .container_statuses
        .as_ref()
        .unwrap()[0]
}

pub fn has_container(pod: &Pod) -> bool {
    pod.status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref())
        .is_some_and(|all| !all.is_empty())
}

pub fn is_running(pod: &Pod) -> bool {
    has_container(pod)
        && container(pod)
            .state
            .as_ref()
            .is_some_and(|state| state.running.is_some())
}

pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| {
        all.iter()
            .any(|one| one.type_ == "Ready" && one.status == "True")
    })
}

pub fn restarts(pod: &Pod) -> i32 {
    if has_container(pod) {
        container(pod).restart_count
    } else {
        0
    }
}

pub fn is_waiting_for(reason: &'static str) -> impl Fn(&Pod) -> bool {
    move |pod| {
        let state = has_container(pod)
            .then(|| container(pod).state.clone())
            .flatten();
        state
            .and_then(|state| state.waiting)
            .is_some_and(|waiting| waiting.reason.as_deref() == Some(reason))
    }
}

pub fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

/// Exit code of the container's last end, or of the one before its present state.
pub fn exit_code(pod: &Pod) -> Option<i32> {
    let one = container(pod);
    let ended = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
        state
            .as_ref()
            .and_then(|state| state.terminated.as_ref())
            .map(|ended| ended.exit_code)
    };
    ended(&one.state).or_else(|| ended(&one.last_state))
}
