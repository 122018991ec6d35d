//! kubelet — plays the node: pods become ready, end or vanish when their script says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use apiserver::Clock;
use futures::StreamExt;
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};

/// What pods of one image do. Without a script a pod is ready after 300 ms and gone 200 ms after it was told to stop.
#[derive(Clone)]
pub struct Script {
    /// After what time a pod is ready; never if none.
    pub ready: Option<Duration>,
    /// How long it takes to stop; it stays ready meanwhile.
    pub stop: Duration,
    /// When it ends by itself, and how.
    pub end: Option<(Duration, i32)>,
}

impl Default for Script {
    fn default() -> Script {
        Script {
            ready: Some(Duration::from_millis(300)),
            stop: Duration::from_millis(200),
            end: None,
        }
    }
}

#[derive(Clone)]
pub struct Kubelet {
    client: Client,
    clock: Clock,
    scripts: Arc<Mutex<BTreeMap<String, Script>>>,
}

impl Kubelet {
    pub fn start(client: Client, clock: Clock) -> Kubelet {
        let kubelet = Kubelet {
            client,
            clock,
            scripts: Arc::default(),
        };
        tokio::spawn(kubelet.clone().run());
        kubelet
    }

    pub fn script(&self, image: &str, script: Script) {
        self.scripts.lock().unwrap().insert(image.into(), script);
    }

    async fn run(self) {
        let (mut started, mut stopping) = (BTreeSet::new(), BTreeSet::new());
        let all = Api::<Pod>::all(self.client.clone());
        let mut pods = pin!(
            watcher(all, watcher::Config::default())
                .default_backoff()
                .applied_objects()
        );
        while let Some(pod) = pods.next().await {
            let Ok(pod) = pod else { continue };
            let uid = pod.uid().unwrap();
            if started.insert(uid.clone()) {
                tokio::spawn(self.clone().start_pod(pod.clone(), started.len()));
            }
            if pod.metadata.deletion_timestamp.is_some() && stopping.insert(uid) {
                tokio::spawn(self.clone().stop_pod(pod));
            }
        }
    }

    fn script_of(&self, pod: &Pod) -> Script {
        let image = pod.spec.as_ref().unwrap().containers[0]
            .image
            .clone()
            .unwrap_or_default();
        self.scripts
            .lock()
            .unwrap()
            .get(&image)
            .cloned()
            .unwrap_or_default()
    }

    async fn start_pod(self, pod: Pod, number: usize) {
        let script = self.script_of(&pod);
        self.write(&pod, json!({"phase": "Running", "podIP": format!("127.1.0.{number}"), "conditions": [self.ready(false)]})).await;
        if let Some(delay) = script.ready {
            tokio::time::sleep(delay).await;
            self.set_ready(&pod, true).await;
        }
        if let Some((after, code)) = script.end {
            tokio::time::sleep(after).await;
            let end =
                json!({"terminated": {"exitCode": code, "finishedAt": Time(self.clock.now())}});
            let container = json!({"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": end});
            let phase = if code == 0 { "Succeeded" } else { "Failed" };
            self.write(&pod, json!({"phase": phase, "conditions": [self.ready(false)], "containerStatuses": [container]})).await;
        }
    }

    async fn stop_pod(self, pod: Pod) {
        tokio::time::sleep(self.script_of(&pod).stop).await;
        let now = DeleteParams {
            grace_period_seconds: Some(0),
            ..DeleteParams::default()
        };
        let _ = self.api(&pod).delete(&pod.name_any(), &now).await;
    }

    pub async fn set_ready(&self, pod: &Pod, is_ready: bool) {
        self.write(pod, json!({"conditions": [self.ready(is_ready)]}))
            .await;
    }

    fn ready(&self, is_ready: bool) -> Value {
        let status = if is_ready { "True" } else { "False" };
        json!({"type": "Ready", "status": status, "lastTransitionTime": Time(self.clock.now())})
    }

    async fn write(&self, pod: &Pod, status: Value) {
        // The pod may be gone meanwhile.
        let _ = self
            .api(pod)
            .patch_status(
                &pod.name_any(),
                &PatchParams::default(),
                &Patch::Merge(json!({"status": status})),
            )
            .await;
    }

    fn api(&self, pod: &Pod) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &pod.namespace().unwrap())
    }
}
