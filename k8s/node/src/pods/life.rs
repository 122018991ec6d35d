//! life — one pod from its first sight to its deletion.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodStatus};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::sync::{Mutex, watch};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::container::{ContainerLife, Place};
use super::{Context, Marks, Order, delete};
use crate::events::PodEvents;
use crate::net::Lease;
use crate::status::{self, PodView, Record};
use crate::volumes::Volumes;

/// After the API refused a write it is tried again so much later.
const RETRY: Duration = Duration::from_secs(1);
/// What a pod waits for is looked at again so much later, should no change have told of it.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What a pod's containers share.
pub(super) struct PodLife {
    pub context: Arc<Context>,
    pub pod: Pod,
    pub address: Ipv4Addr,
    /// For logs and volumes.
    pub folder: PathBuf,
    pub events: PodEvents,
    pub volumes: Volumes,
    pub order: watch::Receiver<Order>,
    marks: watch::Receiver<Marks>,
    pub view: watch::Sender<PodView>,
    written: Mutex<Option<PodStatus>>,
    _lease: Lease,
}

/// Until the pod's object is gone.
pub(super) async fn live(
    context: Arc<Context>,
    pod: Pod,
    order: watch::Receiver<Order>,
    marks: watch::Receiver<Marks>,
) {
    let Some(lease) = lease(&context, &pod, order.clone()).await else {
        return;
    };
    let life = Arc::new(PodLife::new(context, pod, lease, (order, marks)));
    let [namespace, name, uid] = life.id();
    let registry = life.context.registry.clone();
    registry.add(
        &namespace,
        &name,
        &uid,
        life.manifests().map(|container| container.name.clone()),
    );
    let keep_up = AbortOnDropHandle::new(tokio::spawn(life.clone().keep_status()));
    if life.mount().await {
        let _fresh = AbortOnDropHandle::new(tokio::spawn(life.clone().keep_volumes()));
        life.run().await;
    }
    life.ordered().await;
    drop(keep_up);
    life.view.send_modify(|view| view.stopped = true);
    life.finish().await;
    registry.remove(&namespace, &name, &uid);
    life.volumes.remove();
}

/// An address, as soon as one is free. `None`: the pod went before that.
async fn lease(context: &Context, pod: &Pod, mut order: watch::Receiver<Order>) -> Option<Lease> {
    loop {
        if let Some(lease) = context.block.lease() {
            return Some(lease);
        }
        let full = "all 254 pod addresses of this cluster are in use".to_owned();
        PodEvents::new(context.events.clone(), pod).warning(None, "FailedCreatePodSandBox", full);
        tokio::select! {
            _ = order.wait_for(|order| *order == Order::Gone) => return None,
            () = sleep(RETRY) => {}
        }
    }
}

impl PodLife {
    fn new(
        context: Arc<Context>,
        pod: Pod,
        lease: Lease,
        (order, marks): (watch::Receiver<Order>, watch::Receiver<Marks>),
    ) -> PodLife {
        let id = [
            pod.namespace().unwrap_or_default(),
            pod.name_any(),
            pod.uid().unwrap_or_default(),
        ];
        let folder = context.dir.join("pods").join(id.join("_"));
        let spec = pod.spec.clone().unwrap_or_default();
        let init = spec.init_containers.unwrap_or_default();
        let waiting = if init.is_empty() {
            "ContainerCreating"
        } else {
            "PodInitializing"
        };
        let records = |containers: &[Container]| -> Vec<Record> {
            let record = |one: &Container| {
                Record::new(&one.name, one.image.as_deref().unwrap_or_default(), waiting)
            };
            containers.iter().map(record).collect()
        };
        let view = PodView {
            address: Some(lease.address.into()),
            since: context.clock.now(),
            init: records(&init),
            app: records(&spec.containers),
            stopped: false,
        };
        PodLife {
            address: lease.address,
            events: PodEvents::new(context.events.clone(), &pod),
            volumes: Volumes::new(
                context.client.clone(),
                context.clock,
                (&pod, lease.address.into()),
                marks.clone(),
                folder.join("volumes"),
            ),
            marks,
            folder,
            order,
            view: watch::Sender::new(view),
            written: Mutex::default(),
            context,
            pod,
            _lease: lease,
        }
    }

    /// Namespace, name, uid.
    pub fn id(&self) -> [String; 3] {
        [
            self.pod.namespace().unwrap_or_default(),
            self.pod.name_any(),
            self.pod.uid().unwrap_or_default(),
        ]
    }

    pub fn spec(&self) -> &PodSpec {
        self.pod.spec.as_ref().expect("the API requires a spec")
    }

    fn manifests(&self) -> impl Iterator<Item = &Container> {
        self.spec()
            .containers
            .iter()
            .chain(self.spec().init_containers.iter().flatten())
    }

    pub fn is_ordered(&self) -> bool {
        *self.order.borrow() != Order::Run
    }

    /// Until it is to end.
    pub async fn ordered(&self) {
        // The sender goes only after it has said that the pod is gone.
        let _ = self
            .order
            .clone()
            .wait_for(|order| *order != Order::Run)
            .await;
    }

    /// Until the volumes are there. False: the pod is to end instead.
    async fn mount(&self) -> bool {
        let mut maps = self.context.maps.clone();
        loop {
            maps.mark_unchanged();
            let Err(why) = self.volumes.prepare().await else {
                return !self.is_ordered();
            };
            self.events.warning(None, "FailedMount", why);
            tokio::select! {
                () = self.ordered() => return false,
                _ = maps.changed() => {}
                () = sleep(LOOK_AGAIN) => {}
            }
        }
    }

    async fn keep_volumes(self: Arc<Self>) {
        let (mut maps, mut marks) = (self.context.maps.clone(), self.marks.clone());
        while !self.volumes.is_empty() {
            let ends = self.volumes.token_ends_in();
            tokio::select! {
                changed = maps.changed() => if changed.is_err() { return },
                Ok(()) = marks.changed() => {}
                () = sleep(ends.unwrap_or_default()), if ends.is_some() => {}
            }
            if let Err(why) = self.volumes.prepare().await {
                tracing::debug!(why, "a volume keeps its old content");
                sleep(RETRY).await;
            }
        }
    }

    /// Init containers one after the other, then the others together, until all have ended for good.
    async fn run(self: &Arc<Self>) {
        for (index, manifest) in self.spec().init_containers.iter().flatten().enumerate() {
            let place = Place { init: true, index };
            if !ContainerLife::new(self.clone(), manifest.clone(), place)
                .run()
                .await
            {
                return;
            }
        }
        let lives = self
            .spec()
            .containers
            .iter()
            .enumerate()
            .map(|(index, manifest)| {
                ContainerLife::new(self.clone(), manifest.clone(), Place { init: false, index })
                    .run()
            });
        join_all(lives).await;
    }

    /// Writes every change of the status, at once.
    async fn keep_status(self: Arc<Self>) {
        let mut views = self.view.subscribe();
        loop {
            views.mark_unchanged();
            if let Err(error) = self.write().await {
                tracing::debug!(pod = self.pod.name_any(), %error, "a status was not written");
                sleep(RETRY).await;
            } else if views.changed().await.is_err() {
                return;
            }
        }
    }

    async fn write(&self) -> kube::Result<()> {
        let mut written = self.written.lock().await;
        let view = self.view.borrow().clone();
        let status = status::of(&self.pod, &view, written.as_ref(), self.context.clock.now());
        if written.as_ref() == Some(&status) {
            return Ok(());
        }
        let [namespace, name, uid] = self.id();
        let api: Api<Pod> = Api::namespaced(self.context.client.clone(), &namespace);
        let patch = Patch::Merge(json!({"metadata": {"uid": uid}, "status": status}));
        match api
            .patch_status(&name, &PatchParams::default(), &patch)
            .await
        {
            Err(kube::Error::Api(refusal)) if matches!(refusal.code, 404 | 409) => {}
            other => drop(other?),
        }
        *written = Some(status);
        Ok(())
    }

    /// The last status, then the end of the object.
    async fn finish(&self) {
        while *self.order.borrow() != Order::Gone {
            match async {
                self.write().await?;
                delete(&self.context, &self.pod).await
            }
            .await
            {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(pod = self.pod.name_any(), %error, "a pod was not deleted")
                }
            }
            sleep(RETRY).await;
        }
    }
}
