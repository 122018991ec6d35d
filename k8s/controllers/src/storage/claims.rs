//! claims — finds a volume for each PersistentVolumeClaim, or somebody who makes one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use apiserver::Clock;
use futures::StreamExt;
use k8s_openapi::{
    api::{
        core::v1::{
            ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus,
            Pod,
        },
        storage::v1::StorageClass,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, PostParams},
    runtime::{Controller, WatchStreamExt, reflector::ObjectRef, watcher},
};

use super::{
    BIND_COMPLETED, BOUND_BY_CONTROLLER, NO_PROVISIONER, SELECTED_NODE, best, is_delayed,
    matching::is_reserved_for,
};
use crate::{
    events::Events,
    pods,
    run::{self, Step},
};

const FINALIZER: &str = "kubernetes.io/pvc-protection";
/// By these a claim asks a provisioner; the older name is still set by Kubernetes.
const ASKED: [&str; 2] = [
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-provisioner",
];

#[derive(Clone)]
struct Binder {
    events: Events,
    /// What was last told about a claim, by its uid: the same is not told again and again.
    told: Arc<Mutex<BTreeMap<String, String>>>,
}

pub(super) async fn run(client: Client, clock: Clock) {
    let any = watcher::Config::default;
    let changes = watcher(Api::<PersistentVolume>::all(client.clone()), any());
    let classes = watcher(Api::<StorageClass>::all(client.clone()), any());
    let changes = changes.default_backoff().map(|_| ());
    let changes = futures::stream::select(changes, classes.default_backoff().map(|_| ()));
    let controller = Controller::new(Api::<PersistentVolumeClaim>::all(client.clone()), any())
        .watches(Api::<Pod>::all(client.clone()), any(), |pod| {
            let namespace = pod.namespace().unwrap_or_default();
            let claims: Vec<String> = claims_of(&pod).map(String::from).collect();
            claims
                .into_iter()
                .map(move |claim| ObjectRef::new(&claim).within(&namespace))
        })
        .reconcile_all_on(changes);
    let binder = Binder {
        events: Events {
            client,
            clock,
            component: "persistentvolume-controller",
        },
        told: Arc::default(),
    };
    run::run("claims", controller, move |claim| {
        binder.clone().step(claim)
    })
    .await;
}

/// Names of the claims that a pod mounts.
pub(crate) fn claims_of(pod: &Pod) -> impl Iterator<Item = &str> {
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    let claims = volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref());
    claims.map(|claim| claim.claim_name.as_str())
}

impl Binder {
    fn claims(&self, namespace: &str) -> Api<PersistentVolumeClaim> {
        Api::namespaced(self.events.client.clone(), namespace)
    }

    fn volumes(&self) -> Api<PersistentVolume> {
        Api::all(self.events.client.clone())
    }

    async fn step(self, seen: Arc<PersistentVolumeClaim>) -> Step {
        let namespace = seen.namespace().unwrap_or_default();
        let api = self.claims(&namespace);
        let Some(claim) = api.get_opt(&seen.name_any()).await? else {
            self.told().remove(&seen.uid().unwrap_or_default());
            return Ok(None);
        };
        let done = if claim.metadata.deletion_timestamp.is_some() {
            self.let_go(&api, claim).await
        } else if named(&claim).is_some() {
            self.keep(&api, claim).await
        } else {
            self.find(&api, claim).await
        };
        match done {
            // Whoever changed it caused another step.
            Err(error) if run::is_conflict(&error) => Ok(None),
            other => other.map(|()| None),
        }
    }

    /// A claim that is to go stays while a pod uses it.
    async fn let_go(
        &self,
        api: &Api<PersistentVolumeClaim>,
        mut claim: PersistentVolumeClaim,
    ) -> Result<(), kube::Error> {
        let name = claim.name_any();
        let pods: Api<Pod> = Api::namespaced(
            self.events.client.clone(),
            &claim.namespace().unwrap_or_default(),
        );
        let pods = pods.list(&ListParams::default()).await?;
        let uses = |pod: &Pod| !pods::is_finished(pod) && claims_of(pod).any(|used| used == name);
        if pods.iter().any(uses) || !claim.finalizers().iter().any(|f| f == FINALIZER) {
            return Ok(());
        }
        claim.finalizers_mut().retain(|f| f != FINALIZER);
        run::unless_gone(api.replace(&name, &PostParams::default(), &claim).await)
    }

    /// A claim that has its volume, or names the one it wants.
    async fn keep(
        &self,
        api: &Api<PersistentVolumeClaim>,
        claim: PersistentVolumeClaim,
    ) -> Result<(), kube::Error> {
        let name = named(&claim).unwrap_or_default();
        let volume = self.volumes().get_opt(name).await?;
        let is_complete = claim.annotations().contains_key(BIND_COMPLETED);
        match volume {
            Some(volume) if is_reserved_for(&volume, &claim) => self.bind(api, claim, volume).await,
            Some(volume) if !is_complete && reference(&volume).is_none() => {
                self.bind(api, claim, volume).await
            }
            Some(_) if !is_complete => {
                let text = format!("volume {name:?} already bound to a different claim.");
                self.warn(&claim, "FailedBinding", text).await;
                Ok(())
            }
            None if !is_complete => Ok(()),
            Some(_) => {
                let text = "Two claims are bound to the same volume, this one is bound incorrectly";
                self.lose(api, claim, "ClaimMisbound", text).await
            }
            None => {
                let text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
                self.lose(api, claim, "ClaimLost", text).await
            }
        }
    }

    async fn lose(
        &self,
        api: &Api<PersistentVolumeClaim>,
        mut claim: PersistentVolumeClaim,
        reason: &str,
        text: &str,
    ) -> Result<(), kube::Error> {
        let status = PersistentVolumeClaimStatus {
            phase: Some("Lost".into()),
            ..PersistentVolumeClaimStatus::default()
        };
        if claim.status.as_ref() != Some(&status) {
            claim.status = Some(status);
            let name = claim.name_any();
            api.replace_status(&name, &PostParams::default(), &claim)
                .await?;
            self.warn(&claim, reason, text.into()).await;
        }
        Ok(())
    }

    async fn find(
        &self,
        api: &Api<PersistentVolumeClaim>,
        claim: PersistentVolumeClaim,
    ) -> Result<(), kube::Error> {
        let volumes = self.volumes().list(&ListParams::default()).await?.items;
        let name = claim
            .spec
            .as_ref()
            .and_then(|spec| spec.storage_class_name.clone());
        let name = name.unwrap_or_default();
        let classes: Api<StorageClass> = Api::all(self.events.client.clone());
        let class = match name.as_str() {
            "" => None,
            name => classes.get_opt(name).await?,
        };
        let found = best(&claim, &volumes);
        let is_wanted = claim.annotations().contains_key(SELECTED_NODE);
        let waits = is_delayed(class.as_ref()) && !is_wanted;
        match found.filter(|volume| !waits || reference(volume).is_some()) {
            Some(volume) => self.bind(api, claim, volume.clone()).await,
            None if waits => {
                self.tell_of_wait(&claim).await?;
                Ok(())
            }
            None => self.provide(api, claim, &name, class).await,
        }
    }

    async fn tell_of_wait(&self, claim: &PersistentVolumeClaim) -> Result<(), kube::Error> {
        let namespace = claim.namespace().unwrap_or_default();
        let pods: Api<Pod> = Api::namespaced(self.events.client.clone(), &namespace);
        let pods = pods.list(&ListParams::default()).await?;
        let name = claim.name_any();
        let pod = pods
            .iter()
            .find(|pod| claims_of(pod).any(|used| used == name));
        let (reason, text) = match pod {
            Some(pod) => (
                "WaitForPodScheduled",
                format!("waiting for pod {} to be scheduled", pod.name_any()),
            ),
            None => (
                "WaitForFirstConsumer",
                "waiting for first consumer to be created before binding".into(),
            ),
        };
        self.say(claim, reason, text).await;
        Ok(())
    }

    /// No volume fits: whoever makes volumes of this class is asked for one.
    async fn provide(
        &self,
        api: &Api<PersistentVolumeClaim>,
        mut claim: PersistentVolumeClaim,
        name: &str,
        class: Option<StorageClass>,
    ) -> Result<(), kube::Error> {
        let Some(class) = class else {
            match name {
                "" => {
                    let text = "no persistent volumes available for this claim and no storage class is set";
                    self.say(&claim, "FailedBinding", text.into()).await;
                }
                name => {
                    let text = format!("storageclass.storage.k8s.io {name:?} not found");
                    self.warn(&claim, "ProvisioningFailed", text).await;
                }
            }
            return Ok(());
        };
        let provisioner = class.provisioner;
        if provisioner == NO_PROVISIONER {
            let text = format!("no volume plugin matched name: {provisioner}");
            self.warn(&claim, "ProvisioningFailed", text).await;
            return Ok(());
        }
        if claim.annotations().get(ASKED[1]) != Some(&provisioner) {
            let asked = ASKED.map(|key| (key.to_owned(), provisioner.clone()));
            claim.annotations_mut().extend(asked);
            let name = claim.name_any();
            claim = api.replace(&name, &PostParams::default(), &claim).await?;
        }
        let text = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system \
             administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
        );
        self.say(&claim, "ExternalProvisioning", text).await;
        Ok(())
    }

    /// First the volume, so that no other claim gets it; then the claim. Each step may have been done before.
    async fn bind(
        &self,
        api: &Api<PersistentVolumeClaim>,
        mut claim: PersistentVolumeClaim,
        mut volume: PersistentVolume,
    ) -> Result<(), kube::Error> {
        let (params, name) = (PostParams::default(), claim.name_any());
        let volumes = self.volumes();
        if reference(&volume).and_then(|r| r.uid.as_deref()) != claim.metadata.uid.as_deref() {
            if reference(&volume).is_none() {
                let key = BOUND_BY_CONTROLLER.to_owned();
                volume.annotations_mut().insert(key, "yes".into());
            }
            let about = ObjectReference {
                resource_version: claim.resource_version(),
                ..claim.object_ref(&())
            };
            volume.spec.get_or_insert_default().claim_ref = Some(about);
            volume = volumes
                .replace(&volume.name_any(), &params, &volume)
                .await?;
        }
        let status = volume.status.get_or_insert_default();
        if status.phase.as_deref() != Some("Bound") {
            status.phase = Some("Bound".into());
            status.last_phase_transition_time = Some(Time(self.events.clock.now()));
            volume = volumes
                .replace_status(&volume.name_any(), &params, &volume)
                .await?;
        }
        if !claim.annotations().contains_key(BIND_COMPLETED) {
            let yes = |key: &str| (key.to_owned(), "yes".to_owned());
            if named(&claim).is_none() {
                claim.annotations_mut().extend([yes(BOUND_BY_CONTROLLER)]);
            }
            claim.annotations_mut().extend([yes(BIND_COMPLETED)]);
            claim.spec.get_or_insert_default().volume_name = Some(volume.name_any());
            claim = api.replace(&name, &params, &claim).await?;
        }
        let offered = volume.spec.unwrap_or_default();
        let status = PersistentVolumeClaimStatus {
            phase: Some("Bound".into()),
            access_modes: offered.access_modes,
            capacity: offered.capacity,
            ..PersistentVolumeClaimStatus::default()
        };
        if claim.status.as_ref() != Some(&status) {
            claim.status = Some(status);
            api.replace_status(&name, &params, &claim).await?;
        }
        Ok(())
    }

    fn told(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is news.
    fn is_new(&self, claim: &PersistentVolumeClaim, text: &str) -> bool {
        let before = self
            .told()
            .insert(claim.uid().unwrap_or_default(), text.into());
        before.as_deref() != Some(text)
    }

    async fn say(&self, claim: &PersistentVolumeClaim, reason: &str, text: String) {
        if self.is_new(claim, &text) {
            self.events.normal(claim, reason, text).await;
        }
    }

    async fn warn(&self, claim: &PersistentVolumeClaim, reason: &str, text: String) {
        if self.is_new(claim, &text) {
            self.events.warning(claim, reason, text).await;
        }
    }
}

fn named(claim: &PersistentVolumeClaim) -> Option<&str> {
    let name = claim.spec.as_ref()?.volume_name.as_deref()?;
    (!name.is_empty()).then_some(name)
}

fn reference(volume: &PersistentVolume) -> Option<&ObjectReference> {
    volume.spec.as_ref()?.claim_ref.as_ref()
}
