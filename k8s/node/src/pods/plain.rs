//! plain — the nearest to an own file system that a plain process can have: its own `TMPDIR`, and paths of volumes put in place of
//! mount paths where the manifest names them.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::shim::Mount;

const TMP: &str = "/tmp";

/// A folder that is `/tmp` to programs that heed `TMPDIR`: empty but for the volumes that the manifest mounts below `/tmp`.
pub(super) fn own_tmp(folder: &Path, mounts: &[Mount]) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for mount in mounts.iter().filter(|mount| !is_in_another(mount, mounts)) {
        let Ok(below) = mount.target.strip_prefix(TMP) else {
            continue;
        };
        if below.as_os_str().is_empty() {
            continue;
        }
        let link = folder.join(below);
        fs::create_dir_all(link.parent().unwrap_or(folder))?;
        symlink(mount.path(), link)?;
    }
    Ok(())
}

/// Its link would be made in the other volume, or wherever a link in that leads.
fn is_in_another(mount: &Mount, mounts: &[Mount]) -> bool {
    mounts.iter().any(|other| {
        let is_below_tmp = other.target.starts_with(TMP) && other.target != Path::new(TMP);
        is_below_tmp && other.target != mount.target && mount.target.starts_with(&other.target)
    })
}

/// A word of the command line or the environment, with a mount path at its beginning replaced by the volume's own path.
pub(super) fn real_path(word: &str, mounts: &[Mount]) -> String {
    let path = Path::new(word);
    let below = |mount: &Mount| -> Option<PathBuf> {
        let below = path.strip_prefix(&mount.target).ok()?;
        Some(if below.as_os_str().is_empty() {
            mount.path()
        } else {
            mount.path().join(below)
        })
    };
    let deepest = mounts.iter().max_by_key(|mount| match below(mount) {
        Some(_) => mount.target.components().count(),
        None => 0,
    });
    match deepest.and_then(below) {
        Some(real) => real.display().to_string(),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(source: &str, target: &str) -> Mount {
        Mount {
            source: source.into(),
            below: PathBuf::new(),
            target: target.into(),
            read_only: false,
        }
    }

    #[test]
    fn only_whole_paths_at_the_beginning_of_a_word_are_replaced() {
        let mounts = [mount("/run/a", "/data"), mount("/run/b", "/data/deep")];
        let words = [
            "/data",
            "/data/x",
            "/data/deep/y",
            "/database",
            "cat /data",
            "--dir=/data",
        ];
        let real = words.map(|word| real_path(word, &mounts));
        assert_eq!(
            real,
            [
                "/run/a",
                "/run/a/x",
                "/run/b/y",
                "/database",
                "cat /data",
                "--dir=/data"
            ]
        );
    }

    #[test]
    fn nothing_is_linked_by_way_of_another_volume() {
        let world = tempfile::tempdir().unwrap();
        let path = |name: &str| world.path().join(name);
        for name in ["volume", "other", "outside"] {
            fs::create_dir(path(name)).unwrap();
        }
        symlink(path("outside"), path("volume/link")).unwrap();
        let mount = |name: &str, target: &str| mount(path(name).to_str().unwrap(), target);
        let mounts = [mount("other", "/tmp/v/link/x"), mount("volume", "/tmp/v")];
        own_tmp(&path("tmp"), &mounts).unwrap();
        assert_eq!(fs::read_link(path("tmp/v")).unwrap(), path("volume"));
        assert_eq!(fs::read_dir(path("outside")).unwrap().count(), 0);
    }

    #[test]
    fn a_volume_below_tmp_is_found_in_the_own_tmp_and_the_rest_is_new_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let (tmp, volume) = (folder.path().join("tmp"), folder.path().join("volume"));
        fs::create_dir(&volume).unwrap();
        let mounts = [mount(volume.to_str().unwrap(), "/tmp/kafka/log")];
        own_tmp(&tmp, &mounts).unwrap();
        fs::write(tmp.join("kafka/log/x"), "kept").unwrap();
        fs::write(tmp.join("y"), "lost").unwrap();
        own_tmp(&tmp, &mounts).unwrap();
        assert_eq!(fs::read_to_string(tmp.join("kafka/log/x")).unwrap(), "kept");
        assert!(!tmp.join("y").exists());
    }
}
