//! files — the content of volumes that come from the API, put in place as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use k8s_openapi::api::core::v1::KeyToPath;

use crate::beneath::Folder;

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
/// The link that is to take the place of [`CURRENT`].
const NEXT: &str = "..data_tmp";

/// Puts the files in place all at once: each is a link through one link to a folder, and that link is swapped.
///
/// # Errors
/// Also when a file is not one within the volume; nothing is written then.
pub(super) fn replace_files(volume: &Path, files: &Files) -> io::Result<()> {
    let files = placed(files).map_err(io::Error::other)?;
    let volume = Folder::made_at(volume)?;
    let current = generation(&volume);
    if current.is_some_and(|number| is_same(&volume, &folder_of(number), &files)) {
        return Ok(());
    }
    let next = folder_of(current.unwrap_or(0) + 1);
    // What an attempt that failed may have left.
    volume.remove_all(&next)?;
    volume.remove_file(NEXT)?;
    let folder = volume.make(&next)?;
    for (path, (bytes, mode)) in &files {
        folder.make(Path::new(path).parent().unwrap_or(Path::new("")))?;
        folder.write_new(path, bytes, *mode)?;
    }
    volume.make_link(Path::new(&next), NEXT)?;
    volume.rename(NEXT, CURRENT)?;
    link_names(&volume, &files)?;
    match current {
        Some(old) => volume.remove_all(&folder_of(old)),
        None => Ok(()),
    }
}

fn folder_of(number: u64) -> String {
    format!("..{number}")
}

/// Which of the folders is the current one. A link that we did not make says nothing.
fn generation(volume: &Folder) -> Option<u64> {
    let link = volume.link(CURRENT)?;
    link.to_str()?.strip_prefix("..")?.parse().ok()
}

/// The files by paths without detours.
fn placed(files: &Files) -> Result<Files, String> {
    let files = files.iter();
    files
        .map(|(path, content)| Ok((place(path)?, content.clone())))
        .collect()
}

/// Where in the volume a file goes, by the rules and in the words of a kubelet. The API has refused what these refuse.
fn place(path: &str) -> Result<String, String> {
    let names: Vec<&str> = path
        .split('/')
        .filter(|n| !matches!(*n, "" | "."))
        .collect();
    let reserved = names.first().is_some_and(|first| first.starts_with(".."));
    if path.starts_with('/') {
        Err(format!("invalid path: must be relative path: {path}"))
    } else if names.contains(&"..") {
        Err(format!("invalid path: must not contain '..': {path}"))
    } else if reserved {
        Err(format!("invalid path: must not start with '..': {path}"))
    } else if names.is_empty() {
        Err(format!("invalid path: must not be empty: {path:?}"))
    } else {
        Ok(names.join("/"))
    }
}

/// Whether a folder of the volume holds these files and nothing else.
fn is_same(volume: &Folder, folder: &str, files: &Files) -> bool {
    let folder = Path::new(folder);
    let paths = files.keys().flat_map(|path| Path::new(path).ancestors());
    let expected: BTreeSet<&Path> = paths.chain([Path::new("")]).collect();
    let holds_no_other = |path: &Path| {
        let names = volume.entries(folder.join(path));
        names.is_ok_and(|names| names.iter().all(|n| expected.contains(&*path.join(n))))
    };
    expected.iter().all(|path| {
        let wanted = path.to_str().and_then(|path| files.get(path));
        match wanted {
            Some((bytes, _)) => volume
                .read(folder.join(path))
                .is_ok_and(|now| now == *bytes),
            None => holds_no_other(path),
        }
    })
}

fn link_names(volume: &Folder, files: &Files) -> io::Result<()> {
    let top = |path: &String| path.split('/').next().unwrap_or(path).to_owned();
    let wanted: BTreeSet<String> = files.keys().map(top).collect();
    for name in volume.entries("")? {
        if !name.starts_with("..") && !wanted.contains(&name) {
            volume.remove_file(&name)?;
        }
    }
    for name in wanted.iter().filter(|name| volume.link(name).is_none()) {
        volume.make_link(&Path::new(CURRENT).join(name), name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

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
    fn files_may_lie_in_folders() {
        let volume = tempfile::tempdir().unwrap();
        let read = |name: &str| fs::read_to_string(volume.path().join(name)).ok();
        replace_files(volume.path(), &plain(&[("a/b/x", "1"), ("a/y", "1")])).unwrap();
        let first = fs::read_link(volume.path().join(CURRENT)).unwrap();
        replace_files(volume.path(), &plain(&[("a/b/x", "1"), ("a/y", "1")])).unwrap();
        assert_eq!(fs::read_link(volume.path().join(CURRENT)).unwrap(), first);
        replace_files(volume.path(), &plain(&[("a/b/x", "1")])).unwrap();
        assert_eq!([read("a/b/x"), read("a/y")], [Some("1".into()), None]);
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

    #[test]
    fn a_file_that_would_lie_elsewhere_is_refused_in_the_words_of_a_kubelet() {
        let cases = [
            ("/etc/x", "must be relative path: /etc/x"),
            ("../x", "must not contain '..': ../x"),
            ("a/../../x", "must not contain '..': a/../../x"),
            ("..data", "must not start with '..': ..data"),
            ("./..data", "must not start with '..': ./..data"),
            ("", "must not be empty: \"\""),
            ("./", "must not be empty: \"./\""),
        ];
        for (path, why) in cases {
            assert_eq!(place(path), Err(format!("invalid path: {why}")));
            let world = tempfile::tempdir().unwrap();
            let files = [(path.to_owned(), (b"1".to_vec(), MODE))].into();
            assert!(replace_files(&world.path().join("deep/volume"), &files).is_err());
            assert_eq!(fs::read_dir(world.path()).unwrap().count(), 0, "{path}");
        }
        assert_eq!(place("./a//b/."), Ok("a/b".into()));
    }

    #[test]
    fn what_a_container_put_in_place_of_our_links_is_neither_followed_nor_removed() {
        let world = tempfile::tempdir().unwrap();
        let (volume, outside) = (world.path().join("v"), world.path().join("out"));
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "1").unwrap();
        replace_files(&volume, &plain(&[("a", "1")])).unwrap();
        fs::remove_file(volume.join(CURRENT)).unwrap();
        symlink(&outside, volume.join(CURRENT)).unwrap();
        for name in ["..1", "..2", NEXT] {
            let _ = fs::remove_dir_all(volume.join(name));
            symlink(&outside, volume.join(name)).unwrap();
        }
        replace_files(&volume, &plain(&[("a", "2")])).unwrap();
        assert_eq!(fs::read_to_string(volume.join("a")).unwrap(), "2");
        let kept: Vec<_> = fs::read_dir(&outside).unwrap().collect();
        assert_eq!(kept.len(), 1);
    }
}
