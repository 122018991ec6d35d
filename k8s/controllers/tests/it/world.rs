//! world — a cluster in this process: API server, controllers, scripted node, and somebody who writes down what pods do.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use apiserver::{ApiServer, Clock, Config};
use futures::StreamExt;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::{Event, Pod},
    },
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
    runtime::{
        wait::{Condition, await_condition},
        watcher,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::kubelet::Kubelet;

/// No wait of a test is longer, in virtual time.
const PATIENCE: Duration = Duration::from_secs(3600);

pub struct World {
    pub client: Client,
    pub kubelet: Kubelet,
    pub history: History,
    _controllers: JoinSet<()>,
}

impl World {
    pub async fn new() -> World {
        World::with(|server| server.client("default")).await
    }

    /// A world whose controllers, and nobody else, use the given client.
    pub async fn with(client_of: impl FnOnce(&ApiServer) -> Client) -> World {
        // A CronJob's hour must not depend on when the tests are run.
        let clock = Clock::showing("2026-02-03T10:03:30Z".parse().expect("a time"));
        let server = ApiServer::new(Config {
            clock,
            ..Config::default()
        });
        let client = server.client("default");
        let _controllers = controllers::start(client_of(&server), clock);
        let kubelet = Kubelet::start(client.clone(), clock);
        let history = History::start(client.clone());
        World {
            client,
            kubelet,
            history,
            _controllers,
        }
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::default_namespaced(self.client.clone())
    }

    pub async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Serialize,
    {
        self.api()
            .create(
                &PostParams::default(),
                &serde_json::from_value(object).unwrap(),
            )
            .await
            .unwrap()
    }

    pub async fn merge<K>(&self, name: &str, patch: Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        self.api()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap()
    }

    /// Waits until the object, or its absence, satisfies the condition.
    pub async fn wait<K>(&self, name: &str, condition: impl Condition<K>)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        within(await_condition(self.api::<K>(), name, condition))
            .await
            .unwrap();
    }

    /// A deployment `web` of `web:1` whose roll-out is complete.
    pub async fn deployed(&self, replicas: i32, more: Value) -> Deployment {
        self.create::<Deployment>(web(replicas, more)).await;
        self.complete("web:1").await
    }

    /// Waits until every wanted pod runs this image and is available, and all others are gone or told to go.
    pub async fn complete(&self, image: &str) -> Deployment {
        let image = image.to_owned();
        self.wait("web", move |d: Option<&Deployment>| {
            d.is_some_and(|d| image_of(d) == image && is_complete(d))
        })
        .await;
        self.api().get("web").await.unwrap()
    }

    pub async fn roll_to(&self, image: &str) {
        self.merge::<Deployment>(
            "web",
            json!({"spec": {"template": {"spec": {"containers": [container(image)]}}}}),
        )
        .await;
    }

    pub async fn pods(&self) -> Vec<Pod> {
        self.api::<Pod>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
    }

    pub async fn sets(&self) -> Vec<ReplicaSet> {
        self.api::<ReplicaSet>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
    }

    /// The version of the whole store: it stands still while nobody writes.
    pub async fn version(&self) -> Option<String> {
        self.api::<Pod>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .metadata
            .resource_version
    }

    pub async fn events(&self, reason: &str) -> Vec<String> {
        let events = self
            .api::<Event>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items;
        events
            .into_iter()
            .filter(|event| event.reason.as_deref() == Some(reason))
            .filter_map(|event| event.message)
            .collect()
    }
}

pub async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it takes far too long")
}

pub fn container(image: &str) -> Value {
    json!({"name": "web", "image": image, "ports": [{"name": "http", "containerPort": 8080}]})
}

pub fn web(replicas: i32, more: Value) -> Value {
    let mut spec = json!({"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container("web:1")]}}});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"metadata": {"name": "web"}, "spec": spec})
}

pub fn image_of(deployment: &Deployment) -> String {
    deployment
        .spec
        .as_ref()
        .unwrap()
        .template
        .spec
        .as_ref()
        .unwrap()
        .containers[0]
        .image
        .clone()
        .unwrap()
}

pub fn is_complete(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().unwrap().replicas;
    deployment.status.as_ref().is_some_and(|s| {
        s.observed_generation == deployment.metadata.generation
            && [s.replicas, s.updated_replicas, s.available_replicas] == [wanted; 3]
    })
}

/// The reason of the deployment's condition.
pub fn reason(deployment: &Deployment, type_: &str) -> Option<String> {
    deployment
        .status
        .as_ref()?
        .conditions
        .as_ref()?
        .iter()
        .find(|c| c.type_ == type_)?
        .reason
        .clone()
}

/// A pod at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub name: String,
    pub image: String,
    pub is_going: bool,
    pub is_ready: bool,
}

impl Seen {
    fn of(pod: &Pod) -> Seen {
        let conditions = pod
            .status
            .iter()
            .filter_map(|status| status.conditions.as_ref())
            .flatten();
        Seen {
            name: pod.name_any(),
            image: pod.spec.as_ref().unwrap().containers[0]
                .image
                .clone()
                .unwrap_or_default(),
            is_going: pod.metadata.deletion_timestamp.is_some(),
            is_ready: conditions
                .into_iter()
                .any(|c| c.type_ == "Ready" && c.status == "True"),
        }
    }

    /// Whether it counts as available.
    pub fn serves(&self) -> bool {
        self.is_ready && !self.is_going
    }
}

/// All pods as they were after each change, with the time.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<Vec<Moment>>>);

type Moment = (tokio::time::Instant, Vec<Seen>);

impl History {
    fn start(client: Client) -> History {
        let history = History::default();
        let writer = history.clone();
        tokio::spawn(async move {
            let mut present = BTreeMap::new();
            let mut pods = pin!(watcher(Api::<Pod>::all(client), watcher::Config::default()));
            while let Some(event) = pods.next().await {
                match event.unwrap() {
                    watcher::Event::Apply(pod) | watcher::Event::InitApply(pod) => {
                        drop(present.insert(pod.uid(), Seen::of(&pod)))
                    }
                    watcher::Event::Delete(pod) => drop(present.remove(&pod.uid())),
                    watcher::Event::Init | watcher::Event::InitDone => continue,
                }
                let moment = (
                    tokio::time::Instant::now(),
                    present.values().cloned().collect(),
                );
                writer.0.lock().unwrap().push(moment);
            }
        });
        history
    }

    /// Forgets what was.
    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub fn moments(&self) -> Vec<Vec<Seen>> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(_, pods)| pods.clone())
            .collect()
    }

    /// When the pods first were as described.
    pub fn first(&self, is: impl Fn(&[Seen]) -> bool) -> Option<tokio::time::Instant> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .find(|(_, pods)| is(pods))
            .map(|(at, _)| *at)
    }
}
