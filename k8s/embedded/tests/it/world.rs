//! The cluster under test, a namespace in it, and words to ask it.

use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use embedded::{Embedded, Options};
use futures::{AsyncReadExt, FutureExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, LogParams, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Config};
use node::runtime::{Tier, detect};
use node::{ImageEntry, Images, ShimCommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::kinds;

/// For what takes a moment; generous, because a real cluster on a small machine may be busy.
const MOMENTS: Duration = Duration::from_secs(60);
/// Between two looks at something that cannot be watched.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A cluster and a namespace of its own.
pub struct World {
    pub client: Client,
    pub namespace: String,
    /// Whether it is a real cluster: some of its answers are known to differ.
    pub is_real: bool,
    /// Busybox and `conformance-pod`.
    image: String,
}

/// What an object must be to be asked for by `World`.
pub trait Kind:
    kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> Kind for K where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// Performs a test in a namespace of its own and removes that, however the test ends. Skips, with a printed line, where this machine
/// cannot hold the cluster.
pub async fn conform(statement: &str, test: impl AsyncFnOnce(&World)) {
    let folder = tempfile::tempdir().unwrap();
    let (client, embedded) = match std::env::var("BROWNOUT_KUBECONFIG") {
        Ok(path) => (real(&path).await, None),
        Err(_) => {
            let shim = ShimCommand {
                program: env!("CARGO_BIN_EXE_conformance-pod").into(),
                args: vec!["shim".into()],
            };
            if detect(&shim) != Tier::Sandboxed {
                println!("{statement}: skipped, this machine allows no namespaces");
                return;
            }
            let cluster = embedded(folder.path(), shim).await;
            (cluster.client(), Some(cluster))
        }
    };
    let world = World::new(client, embedded.is_none()).await;
    let result = AssertUnwindSafe(test(&world)).catch_unwind().await;
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let params = DeleteParams::default();
    let deleted = namespaces.delete(&world.namespace, &params).await;
    if let Some(embedded) = embedded {
        embedded.shutdown().await;
    }
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
    deleted.expect("the namespace is deleted");
}

async fn embedded(dir: &std::path::Path, shim: ShimCommand) -> Embedded {
    let entry = ImageEntry {
        program: shim.program.clone(),
        ..ImageEntry::default()
    };
    let options = Options {
        dir: dir.into(),
        shim,
        images: Images::new().with("conformance-pod", entry),
        tier: Some(Tier::Sandboxed),
        level: None,
        metric_resolution: embedded::METRIC_RESOLUTION,
    };
    embedded::start(options).await.expect("a cluster")
}

async fn real(path: &str) -> Client {
    let kubeconfig = Kubeconfig::read_from(path).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await;
    Client::try_from(config.expect("a usable kubeconfig")).expect("a client")
}

/// What a command in a pod came to; no code if it could not be started.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// What the client in a pod met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    pub what: String,
    pub millis: u64,
}

impl Met {
    pub fn read(line: &str) -> Met {
        let (what, millis) = line.split_once(' ').expect("two words");
        Met {
            what: what.into(),
            millis: millis.parse().expect("a number"),
        }
    }
}

impl World {
    async fn new(client: Client, is_real: bool) -> World {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = json!({"metadata": {"generateName": "conformance-"}});
        let namespace = serde_json::from_value(namespace).unwrap();
        let made = namespaces.create(&PostParams::default(), &namespace).await;
        let namespace = made.expect("a namespace").metadata.name.expect("its name");
        let image = std::env::var("BROWNOUT_TEST_IMAGE");
        let world = World {
            client,
            namespace,
            is_real,
            image: image.unwrap_or_else(|_| "conformance-pod".into()),
        };
        if is_real {
            // Before it exists no pod is admitted.
            world
                .until::<ServiceAccount>("default", "made", |_| true)
                .await;
        }
        world
    }

    pub fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub async fn create<K: Kind>(&self, object: Value) -> K {
        let object: K = serde_json::from_value(object).unwrap();
        let made = self.api().create(&PostParams::default(), &object).await;
        made.expect("it is created")
    }

    pub async fn patch<K: Kind>(&self, name: &str, patch: Value) -> K {
        let api = self.api::<K>();
        let patched = api
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        patched.expect("it is patched")
    }

    pub async fn delete<K: Kind>(&self, name: &str) {
        let api = self.api::<K>();
        let deleted = api.delete(name, &DeleteParams::default()).await;
        deleted.expect("it is deleted");
    }

    /// One container in which pods of both clusters start from the same image; `more` is the rest of its manifest.
    pub fn container(&self, name: &str, command: &[&str], more: Value) -> Value {
        let mut container = json!({"name": name, "image": self.image, "imagePullPolicy": "Never", "command": command,
            "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]});
        kinds::merge(&mut container, more);
        container
    }

    /// A server that says `name`; `more` is the rest of its container, `env` included.
    pub fn server(&self, name: &str, more: Value) -> Value {
        self.container("c", &["conformance-pod", "serve", name], more)
    }

    pub fn shell(&self, script: &str) -> Value {
        self.container("c", &["sh", "-c", script], json!({}))
    }

    /// A pod of one container, labelled `app: NAME`, with a volume at `/state` and a grace of 1 s; `more` changes its spec.
    pub async fn pod(&self, name: &str, container: Value, more: Value) -> Pod {
        let spec = kinds::pod_spec(vec![container], more);
        self.create(json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": spec}))
            .await
    }

    /// A running pod from which to call.
    pub async fn caller(&self) {
        self.pod("caller", self.shell("sleep 1000"), json!({}))
            .await;
        self.until("caller", "running", kinds::is_running).await;
    }

    /// Waits until an object is as wanted.
    pub async fn until<K: Kind>(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&K) -> bool + Send,
    ) -> K {
        let condition = move |object: Option<&K>| object.is_some_and(&wanted);
        let api = self.api::<K>();
        let Ok(done) = timeout(MOMENTS, await_condition(api.clone(), name, condition)).await else {
            panic!("{name} is not {what}: {:#?}", api.get_opt(name).await);
        };
        done.expect("it can be watched").expect("it exists")
    }

    /// Looks again and again until it is so.
    pub async fn eventually(&self, what: &str, within: Duration, is_so: impl AsyncFnMut() -> bool) {
        let mut is_so = is_so;
        let deadline = Instant::now() + within;
        while !is_so().await {
            assert!(Instant::now() < deadline, "within {within:?}: {what}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub async fn log_with(&self, pod: &str, params: LogParams) -> Vec<String> {
        let text = self.api::<Pod>().logs(pod, &params).await;
        let text = text.unwrap_or_else(|error| panic!("the log of {pod}: {error}"));
        text.lines().map(str::to_owned).collect()
    }

    pub async fn log(&self, pod: &str) -> Vec<String> {
        self.log_with(pod, LogParams::default()).await
    }

    /// Waits for a line in a log; there is none before the container has started.
    pub async fn until_says(&self, pod: &str, line: &str) {
        self.until_container_says(pod, "c", line).await;
    }

    pub async fn until_container_says(&self, pod: &str, container: &str, line: &str) {
        let what = format!("{container} of {pod} says {line}");
        let params = LogParams {
            container: Some(container.into()),
            ..LogParams::default()
        };
        self.eventually(&what, MOMENTS, async || {
            let text = self.api::<Pod>().logs(pod, &params).await;
            text.is_ok_and(|text| text.lines().any(|said| said == line))
        })
        .await;
    }

    /// What a container says from its start to its end, which the answer waits for.
    pub async fn follow(&self, pod: &str, container: &str) -> JoinHandle<Vec<(Timestamp, String)>> {
        let params = LogParams {
            container: Some(container.into()),
            follow: true,
            timestamps: true,
            ..LogParams::default()
        };
        let log = self.api::<Pod>().log_stream(pod, &params).await;
        let log = log.expect("the container has started");
        tokio::spawn(async move { dated(&read_to_end(log).await) })
    }

    pub async fn exec(&self, pod: &str, command: &[&str], input: Option<&str>) -> Ended {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let params = kube::api::AttachParams::default()
            .stdin(input.is_some())
            .stderr(true);
        let command = command.iter().copied();
        let process = self.api::<Pod>().exec(pod, command, &params).await;
        let mut process = process.unwrap_or_else(|error| panic!("exec in {pod}: {error}"));
        if let Some(input) = input {
            let mut stdin = process.stdin().expect("it was asked for");
            stdin.write_all(input.as_bytes()).await.unwrap();
            stdin.shutdown().await.unwrap();
        }
        let status = process.take_status().expect("it is taken once");
        let (mut out, mut err) = (String::new(), String::new());
        let (mut stdout, mut stderr) = (process.stdout().unwrap(), process.stderr().unwrap());
        let (_, _, status) = tokio::join!(
            stdout.read_to_string(&mut out),
            stderr.read_to_string(&mut err),
            status
        );
        let code = kinds::exit_status(&status.expect("a status comes"));
        Ended { code, out, err }
    }

    /// Runs a script that must succeed.
    pub async fn sh(&self, pod: &str, script: &str) -> String {
        let ended = self.exec(pod, &["sh", "-c", script], None).await;
        assert_eq!(ended.code, Some(0), "{script}: {ended:?}");
        ended.out
    }

    /// What so many new connections from the caller meet.
    pub async fn get(&self, address: &str, count: u32) -> Vec<Met> {
        let count = count.to_string();
        let command = ["conformance-pod", "get", address, &count];
        let ended = self.exec("caller", &command, None).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.out.lines().map(Met::read).collect()
    }

    /// Calls until the answer is as wanted; how long that took.
    pub async fn until_answer(&self, address: &str, wanted: &str, within: Duration) -> Duration {
        let began = Instant::now();
        loop {
            let met = self.get(address, 1).await.remove(0).what;
            if met == wanted {
                return began.elapsed();
            }
            assert!(
                began.elapsed() < within,
                "{address}: {met} instead of {wanted} within {within:?}"
            );
        }
    }
}

/// The lines of a log with timestamps.
pub fn dated(log: &str) -> Vec<(Timestamp, String)> {
    let lines = log.lines().map(|line| {
        let (at, text) = line.split_once(' ').expect("a time and more");
        (at.parse().expect("a time"), text.to_owned())
    });
    lines.collect()
}

/// Reads a log until its end, at most as long as `MOMENTS`.
pub async fn read_to_end(mut log: impl futures::AsyncRead + Unpin) -> String {
    let mut text = String::new();
    let read = timeout(MOMENTS, log.read_to_string(&mut text)).await;
    read.expect("it ends").expect("it can be read");
    text
}
