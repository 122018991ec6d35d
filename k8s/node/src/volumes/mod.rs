//! volumes — what a pod's containers mount: folders of the run, filled from the API where the manifest says so, and paths of this
//! machine that stand for persistent volumes.

mod claims;
mod files;
mod sources;
mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use apiserver::Clock;
use k8s_openapi::api::core::v1::{Container, HostPathVolumeSource, Pod, Volume, VolumeMount};
use kube::{Client, ResourceExt};
use tokio::sync::watch;

use crate::beneath::Folder;
use crate::env;
use crate::pods::Marks;
use crate::shim::Mount;
use claims::Claimed;
use files::replace_files;
use tokens::Held;

/// Where every client library looks for the token of its pod.
pub(crate) const TOKEN_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How the volume is called that the API adds to pods for it.
pub(crate) const TOKEN_VOLUME: &str = "kube-api-access-";
/// In that volume: how to reach the API, for clients that read a kubeconfig.
pub(crate) const KUBECONFIG: &str = "kubeconfig";

/// The volumes of one pod.
pub(crate) struct Volumes {
    client: Client,
    clock: Clock,
    pod: Pod,
    address: IpAddr,
    /// What the pod's labels and annotations are now.
    marks: watch::Receiver<Marks>,
    folder: PathBuf,
    volumes: Vec<Volume>,
    /// What claims stand for, by the name of the volume.
    claimed: Mutex<BTreeMap<String, Claimed>>,
    /// By volume and path within it.
    tokens: Mutex<BTreeMap<(String, String), Held>>,
}

impl Volumes {
    /// Volumes in `folder`; call [`prepare`](Volumes::prepare) before use.
    pub fn new(
        client: Client,
        clock: Clock,
        (pod, address): (&Pod, IpAddr),
        marks: watch::Receiver<Marks>,
        folder: PathBuf,
    ) -> Volumes {
        let volumes = pod
            .spec
            .iter()
            .flat_map(|spec| spec.volumes.iter().flatten())
            .cloned()
            .collect();
        Volumes {
            client,
            clock,
            pod: pod.clone(),
            address,
            marks,
            folder,
            volumes,
            claimed: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.volumes.is_empty()
    }

    /// Makes every volume, and brings those from the API up to date, each as a whole.
    ///
    /// # Errors
    /// Says what is missing, as the pod's event does.
    pub async fn prepare(&self) -> Result<(), String> {
        if !self.volumes.is_empty() {
            self.make_folder().map_err(|error| error.to_string())?;
        }
        for volume in &self.volumes {
            let failed = |why: String| {
                format!(
                    "MountVolume.SetUp failed for volume {:?} : {why}",
                    volume.name
                )
            };
            match self.content(volume).await.map_err(failed)? {
                Some(files) => {
                    let place = self.place(volume).map_err(failed)?;
                    let written = replace_files(&place, &files);
                    written.map_err(|error| failed(error.to_string()))?;
                }
                None => self.make(volume).await.map_err(failed)?,
            }
        }
        Ok(())
    }

    /// The folder of a volume, which has the volume's name. The API has refused names that are paths.
    fn place(&self, volume: &Volume) -> Result<PathBuf, String> {
        let folder = Folder::at(&self.folder).and_then(|all| all.make(&volume.name));
        folder.map_err(|error| error.to_string())?;
        Ok(self.folder.join(&volume.name))
    }

    /// There are Secrets and tokens in it: it is for this user alone.
    fn make_folder(&self) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))
    }

    async fn make(&self, volume: &Volume) -> Result<(), String> {
        if let Some(claim) = &volume.persistent_volume_claim {
            let claimed = self.claimed(claim).await?;
            let mut all = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(volume.name.clone(), claimed);
            return Ok(());
        }
        if volume.empty_dir.is_some() {
            return self.place(volume).map(drop);
        }
        match &volume.host_path {
            Some(host) => make_host_path(host),
            None => Err(format!(
                "{} is not supported by the embedded cluster, which knows configMap, downwardAPI, emptyDir, hostPath, \
                 persistentVolumeClaim, projected and secret",
                kind_of(volume)
            )),
        }
    }

    /// Where a volume is on this machine; none for a claim that was not looked up.
    fn path(&self, volume: &Volume) -> Option<PathBuf> {
        match (&volume.host_path, &volume.persistent_volume_claim) {
            (Some(host), _) => Some(PathBuf::from(&host.path)),
            (None, Some(_)) => {
                let all = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
                all.get(&volume.name).map(|claimed| claimed.path.clone())
            }
            (None, None) => Some(self.folder.join(&volume.name)),
        }
    }

    /// What a container of the pod mounts; its environment is what paths may refer to.
    ///
    /// # Errors
    /// When a sub-path cannot be made.
    pub fn mounts(
        &self,
        container: &Container,
        environment: &BTreeMap<String, String>,
    ) -> Result<Vec<Mount>, String> {
        let mut mounts = vec![];
        for wanted in container.volume_mounts.iter().flatten() {
            let volume = self
                .volumes
                .iter()
                .find(|volume| volume.name == wanted.name);
            let Some((volume, source)) =
                volume.and_then(|volume| Some((volume, self.path(volume)?)))
            else {
                continue;
            };
            let below = below(wanted, &source, environment).map_err(|why| {
                let (mount, container) = (&wanted.name, &container.name);
                format!("failed to prepare subPath for volumeMount {mount:?} of container {container:?}: {why}")
            })?;
            mounts.push(Mount {
                source,
                below,
                target: absolute(&wanted.mount_path),
                read_only: wanted.read_only == Some(true) || is_read_only(volume),
            });
        }
        Ok(mounts)
    }

    /// Removes what belongs to the pod; a path of the host stays.
    pub fn remove(&self) {
        if self.folder.exists()
            && let Err(error) = fs::remove_dir_all(&self.folder)
        {
            tracing::warn!(folder = %self.folder.display(), %error, "volumes were not removed");
        }
    }

    fn namespace(&self) -> String {
        self.pod.namespace().unwrap_or_default()
    }
}

/// What comes from the API is nobody's to write.
fn is_read_only(volume: &Volume) -> bool {
    let claim = volume.persistent_volume_claim.as_ref();
    volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.downward_api.is_some()
        || volume.projected.is_some()
        || claim.is_some_and(|claim| claim.read_only == Some(true))
}

/// How the manifest calls what the volume is made of.
fn kind_of(volume: &Volume) -> String {
    let fields = serde_json::to_value(volume).unwrap_or_default();
    let mut names = fields.as_object().into_iter().flat_map(|all| all.keys());
    let kind = names.find(|name| *name != "name");
    kind.map_or_else(|| "this volume".into(), Clone::clone)
}

/// Checks a path of this machine, or makes it, as its type says.
fn make_host_path(host: &HostPathVolumeSource) -> Result<(), String> {
    let path = Path::new(&host.path);
    let wrong = |what: &str| {
        let path = path.display();
        Err(format!(
            "hostPath type check failed: {path} is not a {what}"
        ))
    };
    match host.type_.as_deref().unwrap_or_default() {
        "DirectoryOrCreate" => fs::create_dir_all(path).map_err(|error| error.to_string()),
        "FileOrCreate" if !path.exists() => fs::write(path, "").map_err(|error| error.to_string()),
        "Directory" if !path.is_dir() => wrong("directory"),
        "File" if !path.is_file() => wrong("file"),
        _ if path.exists() => Ok(()),
        _ => Err(format!("{}: no such file or directory", path.display())),
    }
}

fn expanded(expression: &str, environment: &BTreeMap<String, String>) -> Result<String, String> {
    let path = env::expand(expression, environment);
    match path.contains("$(") {
        true => Err(format!(
            "failed to expand subPathExpr {expression:?}: a variable is not set"
        )),
        false => Ok(path),
    }
}

/// Which part of the volume at `source` a container is to see; empty for all of it. Folders on the way are made.
fn below(
    wanted: &VolumeMount,
    source: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<PathBuf, String> {
    let expression = wanted.sub_path_expr.as_deref().filter(|e| !e.is_empty());
    let sub = match (&wanted.sub_path, expression) {
        (_, Some(expression)) => expanded(expression, environment)?,
        (sub, None) => sub.clone().unwrap_or_default(),
    };
    if !sub.is_empty() {
        sub_path(source, &sub)?;
    }
    Ok(sub.into())
}

/// Looks whether a path is within its volume, and makes it if it is missing.
fn sub_path(volume: &Path, sub: &str) -> Result<(), String> {
    if sub.starts_with('/') {
        let why = format!("error SubPath `{sub}` must not be an absolute path");
        return Err(why);
    }
    if sub.split('/').any(|part| part == "..") {
        let why = format!("unable to provision SubPath `{sub}`: must not contain '..'");
        return Err(why);
    }
    let found = Folder::at(volume).and_then(|volume| volume.find(Path::new(sub), true));
    found.map(drop).map_err(|error| error.to_string())
}

/// A mount path as a container runtime reads it: from the root, and never above it.
fn absolute(path: &str) -> PathBuf {
    let mut names = vec![];
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    PathBuf::from(format!("/{}", names.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sub_path_stays_within_its_volume() {
        let volume = tempfile::tempdir().unwrap();
        let inside = volume.path().join("v");
        fs::create_dir(&inside).unwrap();
        sub_path(&inside, "a/b").unwrap();
        assert!(inside.join("a/b").is_dir());
        std::os::unix::fs::symlink("/etc", inside.join("link")).unwrap();
        let cases = [
            ("/b", "error SubPath `/b` must not be an absolute path"),
            (
                "../b",
                "unable to provision SubPath `../b`: must not contain '..'",
            ),
            ("link", "“link” leads out of the volume"),
            ("link/made", "“link/made” leads out of the volume"),
        ];
        for (sub, why) in cases {
            assert_eq!(sub_path(&inside, sub), Err(why.into()));
        }
    }

    #[test]
    fn a_mount_path_begins_at_the_root_and_stays_below_it() {
        for (written, meant) in [
            ("/data/", "/data"),
            ("data", "/data"),
            ("/tmp/../../../etc/./x", "/etc/x"),
            ("/..", "/"),
        ] {
            assert_eq!(absolute(written), Path::new(meant));
        }
    }

    #[test]
    fn a_sub_path_may_name_variables_that_are_set() {
        let environment = BTreeMap::from([("POD".to_owned(), "room-1".to_owned())]);
        assert_eq!(
            expanded("logs/$(POD)", &environment).unwrap(),
            "logs/room-1"
        );
        assert!(expanded("$(NOPE)", &environment).is_err());
    }

    #[test]
    fn a_volume_that_cannot_be_mounted_is_called_by_its_name() {
        let nfs = serde_json::json!({"name": "v", "nfs": {"server": "s", "path": "/"}});
        assert_eq!(kind_of(&serde_json::from_value(nfs).unwrap()), "nfs");
    }
}
