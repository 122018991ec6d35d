//! volumes — what a pod's containers mount: folders of the run, filled from maps and secrets where the manifest says so.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{ConfigMap, Container, KeyToPath, Pod, Secret, Volume};
use kube::{Api, Client, ResourceExt};

use crate::shim::Mount;

const MODE: u32 = 0o644;

/// The volumes of one pod.
pub(crate) struct Volumes {
    client: Client,
    namespace: String,
    folder: PathBuf,
    volumes: Vec<Volume>,
}

impl Volumes {
    /// Volumes in `folder`; call [`prepare`](Volumes::prepare) before use.
    pub fn new(client: Client, pod: &Pod, folder: PathBuf) -> Volumes {
        let volumes = pod
            .spec
            .iter()
            .flat_map(|spec| spec.volumes.iter().flatten())
            .cloned()
            .collect();
        Volumes {
            client,
            namespace: pod.namespace().unwrap_or_default(),
            folder,
            volumes,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.volumes.is_empty()
    }

    /// Makes every volume, and brings those from maps and secrets up to date, each as a whole.
    ///
    /// # Errors
    /// Says what is missing, as the pod's event does.
    pub async fn prepare(&self) -> Result<(), String> {
        for volume in &self.volumes {
            let failed = |why: String| {
                format!(
                    "MountVolume.SetUp failed for volume {:?} : {why}",
                    volume.name
                )
            };
            match self.content(volume).await.map_err(failed)? {
                Some(files) => replace_files(&self.path(volume), &files)
                    .map_err(|error| failed(error.to_string()))?,
                None => self.make(volume).map_err(failed)?,
            }
        }
        Ok(())
    }

    /// Files of a volume that comes from the API; `None` for the others.
    async fn content(&self, volume: &Volume) -> Result<Option<Files>, String> {
        if let Some(from) = &volume.config_map {
            let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
            let found = api
                .get_opt(&from.name)
                .await
                .map_err(|error| error.to_string())?;
            let bytes = found.map(|map| {
                let texts = map
                    .data
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(key, text)| (key, text.into_bytes()));
                texts
                    .chain(
                        map.binary_data
                            .unwrap_or_default()
                            .into_iter()
                            .map(|(key, bytes)| (key, bytes.0)),
                    )
                    .collect()
            });
            let missing = format!("configmap {:?} not found", from.name);
            return files(
                bytes,
                from.items.as_deref(),
                from.default_mode,
                from.optional,
                missing,
            )
            .map(Some);
        }
        if let Some(from) = &volume.secret {
            let name = from.secret_name.as_deref().unwrap_or_default();
            let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
            let found = api.get_opt(name).await.map_err(|error| error.to_string())?;
            let bytes = found.map(|secret| {
                secret
                    .data
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(key, bytes)| (key, bytes.0))
                    .collect()
            });
            let missing = format!("secret {name:?} not found");
            return files(
                bytes,
                from.items.as_deref(),
                from.default_mode,
                from.optional,
                missing,
            )
            .map(Some);
        }
        Ok(None)
    }

    fn make(&self, volume: &Volume) -> Result<(), String> {
        let path = self.path(volume);
        if volume.empty_dir.is_some() {
            return fs::create_dir_all(&path).map_err(|error| error.to_string());
        }
        let Some(host) = &volume.host_path else {
            return Err("this kind of volume is not supported by the embedded cluster".into());
        };
        let kind = host.type_.as_deref().unwrap_or_default();
        match kind {
            "DirectoryOrCreate" => fs::create_dir_all(&path).map_err(|error| error.to_string()),
            "FileOrCreate" if !path.exists() => {
                fs::write(&path, "").map_err(|error| error.to_string())
            }
            "Directory" if !path.is_dir() => Err(format!(
                "hostPath type check failed: {} is not a directory",
                path.display()
            )),
            "File" if !path.is_file() => Err(format!(
                "hostPath type check failed: {} is not a file",
                path.display()
            )),
            _ if path.exists() => Ok(()),
            _ => Err(format!("{}: no such file or directory", path.display())),
        }
    }

    fn path(&self, volume: &Volume) -> PathBuf {
        match &volume.host_path {
            Some(host) => PathBuf::from(&host.path),
            None => self.folder.join(&volume.name),
        }
    }

    /// What a container of the pod mounts.
    ///
    /// # Errors
    /// When a sub-path cannot be made.
    pub fn mounts(&self, container: &Container) -> Result<Vec<Mount>, String> {
        let mut mounts = vec![];
        for wanted in container.volume_mounts.iter().flatten() {
            let Some(volume) = self
                .volumes
                .iter()
                .find(|volume| volume.name == wanted.name)
            else {
                continue;
            };
            let mut source = self.path(volume);
            if let Some(sub) = wanted.sub_path.as_deref().filter(|sub| !sub.is_empty()) {
                source = sub_path(&source, sub)?;
            }
            let from_api = volume.config_map.is_some() || volume.secret.is_some();
            let read_only = from_api || wanted.read_only == Some(true);
            mounts.push(Mount {
                source,
                target: PathBuf::from(&wanted.mount_path),
                read_only,
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
}

fn sub_path(volume: &Path, sub: &str) -> Result<PathBuf, String> {
    if sub.starts_with('/') || sub.split('/').any(|part| part == "..") {
        return Err(format!(
            "failed to prepare subPath for volumeMount: {sub:?} leaves the volume"
        ));
    }
    let path = volume.join(sub);
    if !path.exists() {
        fs::create_dir_all(&path).map_err(|error| error.to_string())?;
    }
    Ok(path)
}

/// Path within the volume → content and mode.
type Files = BTreeMap<String, (Vec<u8>, u32)>;

fn files(
    found: Option<BTreeMap<String, Vec<u8>>>,
    items: Option<&[KeyToPath]>,
    mode: Option<i32>,
    optional: Option<bool>,
    missing: String,
) -> Result<Files, String> {
    let optional = optional == Some(true);
    let bits = |mode: Option<i32>| mode.and_then(|mode| u32::try_from(mode).ok());
    let default = bits(mode).unwrap_or(MODE);
    let mut data = match found {
        Some(data) => data,
        None if optional => BTreeMap::new(),
        None => return Err(missing),
    };
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        return Ok(data
            .into_iter()
            .map(|(key, bytes)| (key, (bytes, default)))
            .collect());
    };
    let mut chosen = Files::new();
    for item in items {
        match data.remove(&item.key) {
            Some(bytes) => drop(chosen.insert(
                item.path.clone(),
                (bytes, bits(item.mode).unwrap_or(default)),
            )),
            None if optional => {}
            None => return Err(format!("references non-existent config key: {}", item.key)),
        }
    }
    Ok(chosen)
}

const CURRENT: &str = "..data";

/// Puts the files in place all at once: each is a link through one link to a folder, and that link is swapped.
fn replace_files(volume: &Path, files: &Files) -> io::Result<()> {
    fs::create_dir_all(volume)?;
    let current = fs::read_link(volume.join(CURRENT)).ok();
    if current
        .as_ref()
        .is_some_and(|current| same(&volume.join(current), files))
    {
        return Ok(());
    }
    let number = current
        .as_ref()
        .and_then(|current| current.to_str()?.strip_prefix("..")?.parse::<u64>().ok())
        .unwrap_or(0);
    let next = format!("..{}", number + 1);
    for (path, (bytes, mode)) in files {
        let file = volume.join(&next).join(path);
        fs::create_dir_all(file.parent().unwrap_or(volume))?;
        fs::write(&file, bytes)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(*mode))?;
    }
    fs::create_dir_all(volume.join(&next))?;
    let swap = volume.join("..data_tmp");
    symlink(&next, &swap)?;
    fs::rename(&swap, volume.join(CURRENT))?;
    link_names(volume, files)?;
    match current {
        Some(old) => fs::remove_dir_all(volume.join(old)),
        None => Ok(()),
    }
}

fn same(folder: &Path, files: &Files) -> bool {
    let mut names = vec![];
    walk(folder, &mut names);
    names.len() == files.len()
        && files
            .iter()
            .all(|(path, (bytes, _))| fs::read(folder.join(path)).is_ok_and(|now| now == *bytes))
}

fn walk(at: &Path, names: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => walk(&path, names),
            path => names.push(path),
        }
    }
}

fn link_names(volume: &Path, files: &Files) -> io::Result<()> {
    let top = |path: &str| path.split('/').next().unwrap_or(path).to_owned();
    let wanted: Vec<String> = files.keys().map(|path| top(path)).collect();
    for entry in fs::read_dir(volume)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") && !wanted.contains(&name) {
            fs::remove_file(volume.join(name))?;
        }
    }
    for name in wanted {
        let link = volume.join(&name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(CURRENT).join(&name), &link)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        entries
            .iter()
            .map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    fn plain(entries: &[(&str, &str)]) -> Files {
        files(Some(map(entries)), None, None, None, String::new()).unwrap()
    }

    #[test]
    fn vol_9_all_files_change_at_once_and_those_no_longer_there_go() {
        let volume = tempfile::tempdir().unwrap();
        let read = |name: &str| fs::read_to_string(volume.path().join(name)).ok();
        replace_files(volume.path(), &plain(&[("a", "1"), ("b", "1")])).unwrap();
        let first = fs::read_link(volume.path().join(CURRENT)).unwrap();
        replace_files(volume.path(), &plain(&[("a", "1"), ("b", "1")])).unwrap();
        assert_eq!(fs::read_link(volume.path().join(CURRENT)).unwrap(), first);
        replace_files(volume.path(), &plain(&[("a", "2"), ("c", "2")])).unwrap();
        assert_eq!(
            [read("a"), read("b"), read("c")],
            [Some("2".into()), None, Some("2".into())]
        );
        assert!(!volume.path().join(first).exists());
    }

    #[test]
    fn items_choose_keys_and_name_files() {
        let item = |key: &str, path: &str| KeyToPath {
            key: key.into(),
            path: path.into(),
            mode: Some(0o400),
        };
        let chosen = |items: &[KeyToPath]| {
            files(
                Some(map(&[("a", "1"), ("b", "2")])),
                Some(items),
                None,
                None,
                String::new(),
            )
        };
        assert_eq!(
            chosen(&[item("b", "conf/x")]).unwrap(),
            [("conf/x".to_owned(), (b"2".to_vec(), 0o400))].into()
        );
        assert_eq!(
            chosen(&[item("nope", "x")]).unwrap_err(),
            "references non-existent config key: nope"
        );
    }

    #[test]
    fn a_missing_map_is_an_error_unless_it_is_optional() {
        assert_eq!(
            files(None, None, None, None, "configmap \"x\" not found".into()).unwrap_err(),
            "configmap \"x\" not found"
        );
        assert_eq!(
            files(None, None, None, Some(true), String::new()).unwrap(),
            Files::new()
        );
    }

    #[test]
    fn a_sub_path_stays_within_its_volume() {
        let volume = tempfile::tempdir().unwrap();
        assert!(sub_path(volume.path(), "a/b").unwrap().is_dir());
        assert!(sub_path(volume.path(), "../b").is_err() && sub_path(volume.path(), "/b").is_err());
    }
}
