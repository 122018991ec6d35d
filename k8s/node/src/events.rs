//! events — what the node tells about its pods: the lines at the end of `kubectl describe pod`.

use std::collections::BTreeMap;
use std::sync::Arc;

use apiserver::Clock;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use tokio::sync::mpsc;

const COMPONENT: &str = "kubelet";
/// Kinds of events remembered for counting; beyond it the count begins anew.
const REMEMBERED_MAX: usize = 4096;

/// Something to tell about one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    namespace: String,
    uid: String,
    field: Option<String>,
    warning: bool,
    reason: &'static str,
    message: String,
}

/// Accepts events and returns at once; they are written in order, equal ones as one with a count.
#[derive(Clone)]
pub(crate) struct Events {
    queue: mpsc::UnboundedSender<(Told, ObjectReference)>,
}

impl Events {
    /// The queue, and the task that writes what is put into it.
    pub fn start(
        client: Client,
        clock: Clock,
        node: &str,
    ) -> (Events, impl Future<Output = ()> + Send + 'static) {
        let (queue, mut told) = mpsc::unbounded_channel();
        let mut writer = Writer {
            client,
            clock,
            node: node.to_owned(),
            written: BTreeMap::new(),
        };
        let task = async move {
            while let Some((event, about)) = told.recv().await {
                writer.write(event, about).await;
            }
        };
        (Events { queue }, task)
    }

    /// A warning about an object that is no pod.
    pub fn warning_about(&self, about: ObjectReference, reason: &'static str, message: String) {
        self.tell(about, true, reason, message);
    }

    /// Something ordinary about an object that is no pod.
    pub fn normal_about(&self, about: ObjectReference, reason: &'static str, message: String) {
        self.tell(about, false, reason, message);
    }

    fn tell(&self, about: ObjectReference, warning: bool, reason: &'static str, message: String) {
        let told = Told {
            namespace: about.namespace.clone().unwrap_or_else(|| "default".into()),
            uid: about.uid.clone().unwrap_or_default(),
            field: about.field_path.clone(),
            warning,
            reason,
            message,
        };
        // Without the writer the node is shutting down, and nobody reads on.
        let _ = self.queue.send((told, about));
    }
}

/// Events about one pod.
#[derive(Clone)]
pub(crate) struct PodEvents {
    events: Events,
    pod: Arc<ObjectReference>,
}

impl PodEvents {
    pub fn new(events: Events, pod: &Pod) -> PodEvents {
        PodEvents {
            events,
            pod: Arc::new(pod.object_ref(&())),
        }
    }

    pub fn normal(&self, container: Option<&str>, reason: &'static str, message: String) {
        self.events
            .tell(self.about(container), false, reason, message);
    }

    pub fn warning(&self, container: Option<&str>, reason: &'static str, message: String) {
        self.events
            .tell(self.about(container), true, reason, message);
    }

    fn about(&self, container: Option<&str>) -> ObjectReference {
        let field_path = container.map(|name| format!("spec.containers{{{name}}}"));
        ObjectReference {
            field_path,
            ..(*self.pod).clone()
        }
    }
}

struct Writer {
    client: Client,
    clock: Clock,
    node: String,
    /// Name and count of what was written.
    written: BTreeMap<Told, (String, i32)>,
}

impl Writer {
    // An event is a courtesy: a lost one must not hold up the work it tells of.
    async fn write(&mut self, told: Told, about: ObjectReference) {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &told.namespace);
        let now = Time(self.clock.now());
        if let Some((name, count)) = self.written.get_mut(&told) {
            *count += 1;
            let patch = Patch::Merge(json!({"count": count, "lastTimestamp": now}));
            if api
                .patch(name, &PatchParams::default(), &patch)
                .await
                .is_ok()
            {
                return;
            }
        }
        match api
            .create(&PostParams::default(), &self.event(&told, about, now))
            .await
        {
            Ok(event) => self.remember(told, event.metadata.name.unwrap_or_default()),
            Err(error) => tracing::debug!(reason = told.reason, %error, "an event was not written"),
        }
    }

    fn remember(&mut self, told: Told, name: String) {
        if self.written.len() >= REMEMBERED_MAX {
            self.written.clear();
        }
        self.written.insert(told, (name, 1));
    }

    fn event(&self, told: &Told, about: ObjectReference, now: Time) -> Event {
        Event {
            metadata: ObjectMeta {
                generate_name: about.name.as_ref().map(|name| format!("{name}.")),
                namespace: Some(told.namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: about,
            type_: Some(if told.warning { "Warning" } else { "Normal" }.into()),
            reason: Some(told.reason.into()),
            message: Some(told.message.clone()),
            count: Some(1),
            first_timestamp: Some(now.clone()),
            last_timestamp: Some(now),
            reporting_component: Some(COMPONENT.into()),
            reporting_instance: Some(self.node.clone()),
            source: Some(EventSource {
                component: Some(COMPONENT.into()),
                host: Some(self.node.clone()),
            }),
            ..Event::default()
        }
    }
}
