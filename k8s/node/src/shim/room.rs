//! room — places to mount something where the host has none, without touching the host.
//!
//! A directory that lacks an entry is covered by an empty one in memory, into which everything the host has there is mounted
//! again; the new entry is then made in memory. For an entry of `/` itself the whole root is replaced that way.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};
use nix::unistd::{chdir, pivot_root};

use super::mounts::{bind, make_target, new_tmpfs, open};
use super::sandbox::step;

const OLD_ROOT: &str = ".host";

pub(super) struct Room {
    old_root: Option<PathBuf>,
    /// Device numbers of what was mounted in memory for this container.
    ours: BTreeSet<u64>,
}

impl Room {
    /// Must be called before `/tmp` is covered; replaces the root if one of `targets` needs it.
    pub(super) fn new<'a>(targets: impl Iterator<Item = &'a Path>) -> io::Result<Room> {
        let mut missing = targets
            .filter(|target| !target.starts_with("/tmp") && nearest(target) == Path::new("/"));
        let mut room = Room {
            old_root: None,
            ours: BTreeSet::new(),
        };
        if missing.next().is_some() {
            room.old_root = Some(replace_root().map_err(step("new root"))?);
            room.own(Path::new("/"))?;
        }
        Ok(room)
    }

    /// Makes `target` exist, as a directory or a file, inside this container only.
    pub(super) fn make(&mut self, target: &Path, is_dir: bool) -> io::Result<()> {
        if target.exists() {
            return Ok(());
        }
        let parent = nearest(target);
        if !self.ours.contains(&fs::metadata(&parent)?.dev()) {
            let name = target
                .strip_prefix(&parent)
                .ok()
                .and_then(|rest| rest.iter().next());
            cover(&parent, name.unwrap_or_default())?;
            self.own(&parent)?;
        }
        make_target(target, is_dir)
    }

    /// `dir` was mounted in memory: entries can be made in it.
    pub(super) fn own(&mut self, dir: &Path) -> io::Result<()> {
        self.ours.insert(fs::metadata(dir)?.dev());
        Ok(())
    }

    /// The last step: nothing of the old root can be mounted afterwards.
    pub(super) fn leave_old_root(self) -> io::Result<()> {
        let Some(old) = self.old_root else {
            return Ok(());
        };
        umount2(&old, MntFlags::MNT_DETACH).map_err(step("old root"))?;
        fs::remove_dir(&old)
    }
}

/// The deepest directory above `target` that exists.
fn nearest(target: &Path) -> PathBuf {
    let found = target.ancestors().skip(1).find(|above| above.is_dir());
    found.unwrap_or(Path::new("/")).to_path_buf()
}

/// Covers `dir` with a copy in memory that leaves out the entry `name`.
fn cover(dir: &Path, name: &OsStr) -> io::Result<()> {
    let host = File::open(dir)?;
    new_tmpfs(dir, "mode=0755")?;
    copy_entries(&host, dir, |entry| entry == name)
}

fn copy_entries(host: &File, to: &Path, leave_out: impl Fn(&OsStr) -> bool) -> io::Result<()> {
    let from = PathBuf::from(format!("/proc/self/fd/{}", host.as_raw_fd()));
    for entry in fs::read_dir(&from)? {
        let name = entry?.file_name();
        if leave_out(&name) {
            continue;
        }
        let (source, target) = (from.join(&name), to.join(&name));
        let kind = fs::symlink_metadata(&source)?.file_type();
        if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else {
            make_target(&target, kind.is_dir())?;
            bind(&open(&source)?, &target)?;
        }
    }
    Ok(())
}

fn replace_root() -> io::Result<PathBuf> {
    let (host, new) = (File::open("/")?, Path::new("/tmp"));
    new_tmpfs(new, "mode=0755")?;
    copy_entries(&host, new, |name| name == "tmp")?;
    fs::create_dir(new.join("tmp"))?;
    fs::create_dir(new.join(OLD_ROOT))?;
    pivot_root(new, &new.join(OLD_ROOT))?;
    chdir("/")?;
    Ok(Path::new("/").join(OLD_ROOT))
}
