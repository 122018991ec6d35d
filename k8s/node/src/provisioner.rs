//! provisioner — makes volumes for claims of the class `standard`: folders of this node. It is what runs beside a real cluster as
//! an external provisioner, and speaks to the API in the same way.

use std::path::{Path, PathBuf};
use std::time::Duration;

use apiserver::Clock;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::{from_value, json};
use tokio::time::sleep;

use crate::NODE_NAME;
use crate::beneath::Folder;
use crate::events::Events;
use crate::watch::watch_all;

/// What classes name to have their volumes made here.
pub(crate) const PROVISIONER: &str = "brownout.dev/directory";
/// The default class.
const CLASS: &str = "standard";
/// By this a cluster tells a provisioner that a claim is its to serve.
const ASKED: &str = "volume.kubernetes.io/storage-provisioner";
/// By this a provisioner knows its own volumes again.
const MADE_BY: &str = "pv.kubernetes.io/provisioned-by";
/// The API refused something: all is looked at again so much later.
const RETRY: Duration = Duration::from_secs(1);

/// Makes and removes volumes in `folder`.
pub(crate) struct Provisioner {
    pub client: Client,
    pub clock: Clock,
    pub events: Events,
    pub folder: PathBuf,
}

impl Provisioner {
    /// For ever.
    pub async fn run(self) {
        while let Err(error) = self.offer().await {
            tracing::debug!(%error, "the default class was not made");
            sleep(RETRY).await;
        }
        let mut claims = watch_all::<PersistentVolumeClaim>(&self.client);
        let mut volumes = watch_all::<PersistentVolume>(&self.client);
        loop {
            tokio::select! {
                Some(_) = claims.next() => {}
                Some(_) = volumes.next() => {}
                else => return,
            }
            while let Err(error) = self.serve().await {
                tracing::debug!(%error, "a volume was neither made nor removed");
                sleep(RETRY).await;
            }
        }
    }

    async fn offer(&self) -> kube::Result<()> {
        let class: StorageClass = from_value(json!({
            "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": PROVISIONER,
            "volumeBindingMode": "WaitForFirstConsumer",
        }))
        .expect("a literal class");
        let api: Api<StorageClass> = Api::all(self.client.clone());
        match api.create(&PostParams::default(), &class).await {
            Err(kube::Error::Api(refusal)) if refusal.code == 409 => Ok(()),
            other => other.map(drop),
        }
    }

    async fn serve(&self) -> kube::Result<()> {
        let claims: Api<PersistentVolumeClaim> = Api::all(self.client.clone());
        for claim in claims.list(&ListParams::default()).await? {
            if is_asked_for(&claim) {
                self.make(&claim).await?;
            }
        }
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        for volume in volumes.list(&ListParams::default()).await? {
            if is_done_with(&volume) {
                self.remove(&volumes, &volume).await?;
            }
        }
        Ok(())
    }

    async fn make(&self, claim: &PersistentVolumeClaim) -> kube::Result<()> {
        let api: Api<PersistentVolume> = Api::all(self.client.clone());
        let name = name_for(claim);
        if api.get_opt(&name).await?.is_some() {
            return Ok(());
        }
        let classes: Api<StorageClass> = Api::all(self.client.clone());
        let spec = claim.spec.clone().unwrap_or_default();
        let class = spec.storage_class_name.as_deref().unwrap_or_default();
        let policy = classes.get_opt(class).await?;
        let policy = policy.and_then(|class| class.reclaim_policy);
        let volume = volume_for(claim, &self.folder, policy.as_deref().unwrap_or("Delete"));
        match api.create(&PostParams::default(), &volume).await {
            Err(kube::Error::Api(refusal)) if refusal.code == 409 => Ok(()),
            Ok(_) => {
                let text = format!("Successfully provisioned volume {name}");
                let about = claim.object_ref(&());
                self.events
                    .normal_about(about, "ProvisioningSucceeded", text);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The folder first: while the object is there, the removal can be taken up again.
    async fn remove(
        &self,
        volumes: &Api<PersistentVolume>,
        volume: &PersistentVolume,
    ) -> kube::Result<()> {
        let name = volume.name_any();
        let removed = Folder::made_at(&self.folder).and_then(|all| all.remove_all(&name));
        if let Err(error) = removed {
            let why = format!("{}: {error}", self.folder.join(&name).display());
            return self.failed(volumes, volume, why).await;
        }
        match volumes.delete(&name, &DeleteParams::default()).await {
            Err(kube::Error::Api(refusal)) if refusal.code == 404 => Ok(()),
            other => other.map(drop),
        }
    }

    async fn failed(
        &self,
        volumes: &Api<PersistentVolume>,
        volume: &PersistentVolume,
        why: String,
    ) -> kube::Result<()> {
        let status = json!({"status": {"phase": "Failed", "message": why,
            "lastPhaseTransitionTime": self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}});
        let params = PatchParams::default();
        let patch = Patch::Merge(status);
        volumes
            .patch_status(&volume.name_any(), &params, &patch)
            .await?;
        let about = volume.object_ref(&());
        self.events.warning_about(about, "VolumeFailedDelete", why);
        Ok(())
    }
}

fn is_asked_for(claim: &PersistentVolumeClaim) -> bool {
    let spec = claim.spec.as_ref();
    let is_bound = spec.is_some_and(|spec| spec.volume_name.is_some());
    let asked = claim.annotations().get(ASKED);
    asked.is_some_and(|asked| asked == PROVISIONER)
        && !is_bound
        && claim.metadata.deletion_timestamp.is_none()
}

/// Whether its claim is gone and nobody wants to keep what is in it.
fn is_done_with(volume: &PersistentVolume) -> bool {
    let is_ours = volume
        .annotations()
        .get(MADE_BY)
        .is_some_and(|by| by == PROVISIONER);
    let phase = volume
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let spec = volume.spec.as_ref();
    let policy = spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    is_ours
        && phase == Some("Released")
        && policy == Some("Delete")
        && volume.metadata.deletion_timestamp.is_none()
}

fn name_for(claim: &PersistentVolumeClaim) -> String {
    format!("pvc-{}", claim.uid().unwrap_or_default())
}

/// The volume that a claim gets: as large as it asked for, which on a folder is no limit.
fn volume_for(claim: &PersistentVolumeClaim, folder: &Path, policy: &str) -> PersistentVolume {
    let name = name_for(claim);
    let spec = claim.spec.clone().unwrap_or_default();
    let requests = spec.resources.and_then(|resources| resources.requests);
    let on_this_node =
        json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME]});
    from_value(json!({
        "metadata": {"name": name, "annotations": {MADE_BY: PROVISIONER}},
        "spec": {
            "accessModes": spec.access_modes,
            "capacity": requests,
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.namespace(),
                "name": claim.name_any(), "uid": claim.uid()},
            "hostPath": {"path": folder.join(&name), "type": "DirectoryOrCreate"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_this_node]}]}},
            "persistentVolumeReclaimPolicy": policy,
            "storageClassName": spec.storage_class_name,
            "volumeMode": spec.volume_mode,
        },
    }))
    .expect("a literal volume")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn claim(annotations: Value, spec: Value) -> PersistentVolumeClaim {
        from_value(json!({"metadata": {"name": "data", "namespace": "shop", "uid": "u", "annotations": annotations}, "spec": spec}))
            .unwrap()
    }

    #[test]
    fn it_serves_claims_it_is_asked_for_that_have_no_volume_yet() {
        assert!(is_asked_for(&claim(json!({ASKED: PROVISIONER}), json!({}))));
        assert!(!is_asked_for(&claim(json!({ASKED: "other"}), json!({}))));
        let bound = json!({"volumeName": "v"});
        assert!(!is_asked_for(&claim(json!({ASKED: PROVISIONER}), bound)));
    }

    #[test]
    fn a_volume_is_what_the_claim_asks_for() {
        let wanted = json!({"accessModes": ["ReadWriteMany"], "storageClassName": "standard",
            "resources": {"requests": {"storage": "6Ki"}}});
        let volume = volume_for(&claim(json!({}), wanted), Path::new("/run/v"), "Delete");
        let volume = serde_json::to_value(volume).unwrap();
        assert_eq!(volume["metadata"]["name"], "pvc-u");
        assert_eq!(volume["spec"]["hostPath"]["path"], "/run/v/pvc-u");
        assert_eq!(volume["spec"]["capacity"], json!({"storage": "6Ki"}));
        assert_eq!(volume["spec"]["accessModes"], json!(["ReadWriteMany"]));
    }

    #[test]
    fn it_removes_its_own_volumes_when_they_are_released_unless_they_are_to_be_kept() {
        let volume = |by: &str, policy: &str, phase: &str| -> PersistentVolume {
            from_value(json!({"metadata": {"annotations": {MADE_BY: by}},
                "spec": {"persistentVolumeReclaimPolicy": policy}, "status": {"phase": phase}}))
            .unwrap()
        };
        assert!(is_done_with(&volume(PROVISIONER, "Delete", "Released")));
        assert!(!is_done_with(&volume(PROVISIONER, "Delete", "Bound")));
        assert!(!is_done_with(&volume(PROVISIONER, "Retain", "Released")));
        assert!(!is_done_with(&volume("other", "Delete", "Released")));
    }
}
