//! claims — what a PersistentVolumeClaim stands for on this machine.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
};
use kube::Api;

use super::{Volumes, make_host_path};

/// A volume that a pod may use.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    pub path: PathBuf,
}

impl Volumes {
    /// The volume behind a claim of the pod's namespace, made if its type says so.
    pub(super) async fn claimed(
        &self,
        source: &PersistentVolumeClaimVolumeSource,
    ) -> Result<Claimed, String> {
        let namespace = self.namespace();
        let name = &source.claim_name;
        let said = |error: kube::Error| error.to_string();
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &namespace);
        let claim = claims.get_opt(name).await.map_err(said)?;
        let claim = claim.ok_or_else(|| format!("persistentvolumeclaim {name:?} not found"))?;
        let phase = claim.status.and_then(|status| status.phase);
        let volume = claim.spec.and_then(|spec| spec.volume_name);
        let (Some("Bound"), Some(volume)) = (phase.as_deref(), volume) else {
            return Err(format!("PVC {namespace}/{name} is not bound"));
        };
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let found = volumes.get_opt(&volume).await.map_err(said)?;
        let spec = found.and_then(|found| found.spec);
        let spec = spec.ok_or_else(|| format!("persistentvolume {volume:?} not found"))?;
        at(&volume, &spec)
    }
}

fn at(name: &str, spec: &PersistentVolumeSpec) -> Result<Claimed, String> {
    if let Some(host) = &spec.host_path {
        make_host_path(host)?;
        let path = PathBuf::from(&host.path);
        return Ok(Claimed { path });
    }
    let Some(local) = &spec.local else {
        return Err(format!(
            "persistentvolume {name:?} is of kind {}: the embedded cluster can mount hostPath and local, others need a real \
             cluster",
            kind_of(spec)
        ));
    };
    match Path::new(&local.path).exists() {
        true => Ok(Claimed {
            path: PathBuf::from(&local.path),
        }),
        false => Err(format!("path {:?} does not exist", local.path)),
    }
}

/// How the manifest calls what the volume is made of.
fn kind_of(spec: &PersistentVolumeSpec) -> String {
    let about = [
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    ];
    let fields = serde_json::to_value(spec).unwrap_or_default();
    let mut names = fields.as_object().into_iter().flat_map(|all| all.keys());
    let kind = names.find(|name| !about.contains(&name.as_str()));
    kind.map_or_else(|| "unknown".into(), Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn found(spec: Value) -> Result<PathBuf, String> {
        at("v", &from_value(spec).unwrap()).map(|claimed| claimed.path)
    }

    #[test]
    fn paths_of_this_machine_can_be_mounted_and_the_rest_says_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new");
        let made = json!({"hostPath": {"path": new, "type": "DirectoryOrCreate"}});
        assert_eq!(found(made).unwrap(), new);
        assert!(new.is_dir());
        assert_eq!(found(json!({"local": {"path": new}})).unwrap(), new);
        let why = found(json!({"local": {"path": "/no/such/path"}})).unwrap_err();
        assert_eq!(why, "path \"/no/such/path\" does not exist");
        let nfs = json!({"capacity": {"storage": "1Gi"}, "nfs": {"server": "s", "path": "/"}});
        assert!(found(nfs).unwrap_err().contains("is of kind nfs"));
    }
}
