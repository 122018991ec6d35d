//! files — the content of volumes that come from the API, put in place as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::KeyToPath;

pub(super) const MODE: u32 = 0o644;

/// Path within the volume → content and mode.
pub(super) type Files = BTreeMap<String, (Vec<u8>, u32)>;

/// Permissions as manifests give them.
pub(super) fn bits(mode: Option<i32>) -> Option<u32> {
    mode.and_then(|mode| u32::try_from(mode).ok())
}

/// Where files come from, for the words that say what is missing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Missing<'a> {
    ConfigMap(&'a str),
    Secret(&'a str),
}

impl Missing<'_> {
    fn whole(self) -> String {
        match self {
            Missing::ConfigMap(name) => format!("configmap {name:?} not found"),
            Missing::Secret(name) => format!("secret {name:?} not found"),
        }
    }

    fn key(self, key: &str) -> String {
        match self {
            Missing::ConfigMap(_) => format!("references non-existent config key: {key}"),
            Missing::Secret(_) => format!("references non-existent secret key: {key}"),
        }
    }
}

pub(super) fn files(
    found: Option<BTreeMap<String, Vec<u8>>>,
    items: Option<&[KeyToPath]>,
    mode: Option<i32>,
    optional: Option<bool>,
    missing: Missing,
) -> Result<Files, String> {
    let optional = optional == Some(true);
    let default = bits(mode).unwrap_or(MODE);
    let mut data = match found {
        Some(data) => data,
        None if optional => BTreeMap::new(),
        None => return Err(missing.whole()),
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
            None => return Err(missing.key(&item.key)),
        }
    }
    Ok(chosen)
}

const CURRENT: &str = "..data";

/// Puts the files in place all at once: each is a link through one link to a folder, and that link is swapped.
pub(super) fn replace_files(volume: &Path, files: &Files) -> io::Result<()> {
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
        files(
            Some(map(entries)),
            None,
            None,
            None,
            Missing::ConfigMap("conf"),
        )
        .unwrap()
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
                Missing::ConfigMap("conf"),
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
            files(None, None, None, None, Missing::ConfigMap("x")).unwrap_err(),
            "configmap \"x\" not found"
        );
        assert_eq!(
            files(None, None, None, Some(true), Missing::Secret("x")).unwrap(),
            Files::new()
        );
    }
}
