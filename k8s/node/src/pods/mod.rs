//! pods — one task per pod, told by a watch what is wanted of it.

mod attend;
mod container;
mod hooks;
mod life;
mod plain;
mod prepare;
mod registry;
mod stop;
mod throttle;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use apiserver::Clock;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::watcher::Event;
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::NODE_NAME;
use crate::events::{Events, PodEvents};
use crate::images::Images;
use crate::net::{AddressBlock, Hosts};
use crate::runtime::Runtime;
use crate::watch::watch_all;

pub(crate) use registry::Registry;

/// What all pods of a node share.
pub(crate) struct Context {
    pub client: Client,
    pub clock: Clock,
    pub runtime: Arc<dyn Runtime>,
    pub images: Images,
    pub block: AddressBlock,
    /// Absolute: containers start elsewhere.
    pub dir: PathBuf,
    pub hosts: Hosts,
    pub events: Events,
    pub registry: Registry,
    /// Changes whenever a ConfigMap or a Secret does.
    pub maps: watch::Receiver<u64>,
}

/// What is wanted of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Run,
    /// It is being deleted; its containers have so long to end.
    Stop {
        grace: Duration,
    },
    /// The object is gone: its containers are to end at once.
    Gone,
}

impl Order {
    fn of(pod: &Pod) -> Order {
        match pod.metadata.deletion_timestamp {
            None => Order::Run,
            Some(_) => {
                let seconds = pod.metadata.deletion_grace_period_seconds.unwrap_or(30);
                Order::Stop {
                    grace: Duration::from_secs(seconds.try_into().unwrap_or(0)),
                }
            }
        }
    }
}

/// What may be changed about a pod while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

impl Marks {
    fn of(pod: &Pod) -> Marks {
        Marks {
            labels: pod.labels().clone(),
            annotations: pod.annotations().clone(),
        }
    }
}

/// Sees pods come, change and go, for ever. Dropping it drops every pod.
pub(crate) async fn run(context: Arc<Context>) {
    let mut events = watch_all::<Pod>(&context.client);
    let mut pods = Pods {
        context,
        orders: BTreeMap::new(),
        listed: vec![],
        tasks: JoinSet::new(),
    };
    while let Some(event) = events.next().await {
        while pods.tasks.try_join_next().is_some() {}
        match event {
            Event::Apply(pod) => pods.see(pod),
            Event::Delete(pod) => pods.lose(&pod.uid().unwrap_or_default()),
            Event::Init => pods.listed.clear(),
            Event::InitApply(pod) => {
                pods.listed.extend(pod.uid());
                pods.see(pod);
            }
            Event::InitDone => pods.lose_unlisted(),
        }
    }
}

struct Pods {
    context: Arc<Context>,
    /// By uid: a name may be used again while the old pod is still ending.
    orders: BTreeMap<String, (watch::Sender<Order>, watch::Sender<Marks>)>,
    listed: Vec<String>,
    tasks: JoinSet<()>,
}

impl Pods {
    fn see(&mut self, pod: Pod) {
        let Some(uid) = pod.uid() else { return };
        let wanted = Order::of(&pod);
        let now = Marks::of(&pod);
        if let Some((order, marks)) = self.orders.get(&uid) {
            order.send_if_modified(|order| std::mem::replace(order, wanted) != wanted);
            let is_new = *marks.borrow() != now;
            if is_new {
                marks.send_replace(now);
            }
            return;
        }
        if pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) != Some(NODE_NAME) {
            return;
        }
        let (order, orders) = watch::channel(wanted);
        let (mark, marks) = watch::channel(now);
        self.orders.insert(uid, (order, mark));
        if !is_over(&pod) || wanted != Order::Run {
            self.tasks
                .spawn(life::live(self.context.clone(), pod, orders, marks));
        }
    }

    fn lose(&mut self, uid: &str) {
        if let Some((order, _)) = self.orders.remove(uid) {
            order.send_replace(Order::Gone);
        }
    }

    fn lose_unlisted(&mut self) {
        let lost: Vec<_> = self
            .orders
            .keys()
            .filter(|uid| !self.listed.contains(uid))
            .cloned()
            .collect();
        lost.iter().for_each(|uid| self.lose(uid));
    }
}

fn is_over(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Ends the object of a pod whose containers have ended.
async fn delete(context: &Context, pod: &Pod) -> Result<(), kube::Error> {
    let api: Api<Pod> =
        Api::namespaced(context.client.clone(), &pod.namespace().unwrap_or_default());
    let params = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions {
            uid: pod.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match api.delete(&pod.name_any(), &params).await {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        other => other.map(drop),
    }
}
