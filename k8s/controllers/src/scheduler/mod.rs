//! scheduler — puts pods on a node when something had to be asked first: whether their volumes are there, whether a node is open,
//! whether it is the kind of node they want. The API places all others itself, because there is one node.

mod decide;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use apiserver::Clock;
use futures::{StreamExt, stream::select_all};
use k8s_openapi::{
    api::{
        core::v1::{
            Binding, Node, ObjectReference, PersistentVolume, PersistentVolumeClaim, Pod,
            PodCondition,
        },
        storage::v1::StorageClass,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
    runtime::{Controller, WatchStreamExt, watcher},
};
use serde_json::json;

use crate::{
    events::Events,
    run::{self, Step},
    storage::SELECTED_NODE,
};
use decide::{Verdict, World, decide};

#[derive(Clone)]
struct Scheduler {
    events: Events,
    /// What was last told about a pod, by its uid: the same is not told again and again.
    told: Arc<Mutex<BTreeMap<String, String>>>,
}

/// Runs the scheduler until it is dropped.
pub async fn run(client: Client, clock: Clock) {
    let any = watcher::Config::default;
    let nodes = watcher(Api::<Node>::all(client.clone()), any()).default_backoff();
    let claims = watcher(Api::<PersistentVolumeClaim>::all(client.clone()), any());
    let volumes = watcher(Api::<PersistentVolume>::all(client.clone()), any());
    let changes = select_all([
        nodes.map(|_| ()).boxed(),
        claims.default_backoff().map(|_| ()).boxed(),
        volumes.default_backoff().map(|_| ()).boxed(),
    ]);
    let unplaced = any().fields("spec.nodeName=");
    let controller =
        Controller::new(Api::<Pod>::all(client.clone()), unplaced).reconcile_all_on(changes);
    let scheduler = Scheduler {
        events: Events {
            client,
            clock,
            component: "default-scheduler",
        },
        told: Arc::default(),
    };
    run::run("scheduler", controller, move |pod| {
        scheduler.clone().step(pod)
    })
    .await;
}

fn is_waiting(pod: &Pod) -> bool {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    node.unwrap_or_default().is_empty() && pod.metadata.deletion_timestamp.is_none()
}

impl Scheduler {
    async fn step(self, seen: Arc<Pod>) -> Step {
        let client = &self.events.client;
        let namespace = seen.namespace().unwrap_or_default();
        let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        let pod = pods.get_opt(&seen.name_any()).await?.filter(is_waiting);
        let Some(pod) = pod else {
            self.told().remove(&seen.uid().unwrap_or_default());
            return Ok(None);
        };
        let all = ListParams::default();
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
        let world = World {
            nodes: Api::<Node>::all(client.clone()).list(&all).await?.items,
            claims: claims.list(&all).await?.items,
            volumes: Api::<PersistentVolume>::all(client.clone())
                .list(&all)
                .await?
                .items,
            classes: Api::<StorageClass>::all(client.clone())
                .list(&all)
                .await?
                .items,
        };
        match decide(&pod, &world) {
            Verdict::Place { node } => self.place(&pods, &pod, node).await?,
            Verdict::Choose {
                node,
                claims: wanted,
            } => choose(&claims, &node, &wanted).await?,
            Verdict::Wait { why } => self.wait(&pods, &pod, why).await?,
            Verdict::Later => {}
        }
        Ok(None)
    }

    async fn place(&self, pods: &Api<Pod>, pod: &Pod, node: String) -> Result<(), kube::Error> {
        let name = pod.name_any();
        let binding = Binding {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: pod.namespace(),
                ..ObjectMeta::default()
            },
            target: ObjectReference {
                kind: Some("Node".into()),
                name: Some(node.clone()),
                ..ObjectReference::default()
            },
        };
        let params = PostParams::default();
        let bound = pods
            .create_subresource::<_, serde_json::Value>("binding", &name, &params, &binding)
            .await;
        match bound {
            Err(error) if run::is_conflict(&error) || run::is_gone(&error) => return Ok(()),
            other => drop(other?),
        }
        let namespace = pod.namespace().unwrap_or_default();
        let text = format!("Successfully assigned {namespace}/{name} to {node}");
        self.events.normal(pod, "Scheduled", text).await;
        Ok(())
    }

    async fn wait(&self, pods: &Api<Pod>, pod: &Pod, why: String) -> Result<(), kube::Error> {
        let before = self
            .told()
            .insert(pod.uid().unwrap_or_default(), why.clone());
        if before.as_ref() == Some(&why) {
            return Ok(());
        }
        let condition = PodCondition {
            type_: "PodScheduled".into(),
            status: "False".into(),
            reason: Some("Unschedulable".into()),
            message: Some(why.clone()),
            last_transition_time: Some(Time(self.events.clock.now())),
            ..PodCondition::default()
        };
        let patch = Patch::Strategic(json!({"status": {"conditions": [condition]}}));
        let params = PatchParams::default();
        run::unless_gone(pods.patch_status(&pod.name_any(), &params, &patch).await)?;
        self.events.warning(pod, "FailedScheduling", why).await;
        Ok(())
    }

    fn told(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says on which node volumes are wanted, so that they are bound or made.
async fn choose(
    claims: &Api<PersistentVolumeClaim>,
    node: &str,
    wanted: &[String],
) -> Result<(), kube::Error> {
    for claim in wanted {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {SELECTED_NODE: node}}}));
        let params = PatchParams::default();
        run::unless_gone(claims.patch(claim, &params, &patch).await)?;
    }
    Ok(())
}
