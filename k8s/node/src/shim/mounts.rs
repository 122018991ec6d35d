//! mounts — what a container sees besides the host's files: an empty `/tmp`, and the node's files and volumes.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_PATH;
use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::{FsFlags, statvfs};

use super::Mount;
use super::room::Room;
use super::sandbox::{NOTHING, step};
use crate::beneath::Folder;

/// Mounts everything, outer targets before inner ones.
pub(super) fn arrange(mounts: &[Mount]) -> io::Result<()> {
    // Sources may lie under /tmp, which is about to be covered.
    let mut opened = Vec::new();
    for wanted in mounts {
        let source = source(wanted).map_err(step(&format!("{}", wanted.path().display())))?;
        opened.push((source, wanted));
    }
    opened.sort_by_key(|(_, wanted)| wanted.target.components().count());
    let mut room = Room::new(opened.iter().map(|(_, wanted)| wanted.target.as_path()))?;
    new_tmpfs(Path::new("/tmp"), "mode=1777")?;
    room.own(Path::new("/tmp"))?;
    for (source, wanted) in &opened {
        room.make(&wanted.target, source.metadata()?.is_dir())?;
        bind(source, &wanted.target)?;
        if wanted.read_only {
            make_read_only(&wanted.target);
        }
    }
    room.leave_old_root()
}

/// What is to be mounted. A container may have changed its volume since the node looked at it, so the way within it is gone again.
fn source(wanted: &Mount) -> io::Result<File> {
    match wanted.below.as_os_str().is_empty() {
        true => open(&wanted.source),
        false => Folder::at(&wanted.source)?.find(&wanted.below, false),
    }
}

/// A handle by which a file can be mounted though it may not be read.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(O_PATH)
        .open(path)
}

pub(super) fn new_tmpfs(target: &Path, options: &str) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), target, Some("tmpfs"), flags, Some(options))
        .map_err(step(&format!("tmpfs on {}", target.display())))
}

pub(super) fn bind(source: &File, target: &Path) -> io::Result<()> {
    let source = format!("/proc/self/fd/{}", source.as_raw_fd());
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source.as_str()), target, NOTHING, flags, NOTHING)
        .map_err(step(&format!("mount on {}", target.display())))
}

/// As far as the kernel lets us: in a user namespace a mount keeps the flags it was given outside.
fn make_read_only(target: &Path) {
    let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    if let Ok(now) = statvfs(target) {
        for (has, keep) in [
            (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
            (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
            (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
            (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
            (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
        ] {
            if now.flags().contains(has) {
                flags |= keep;
            }
        }
    }
    let _ = mount(NOTHING, target, NOTHING, flags, NOTHING);
}

/// An empty file or directory to mount something on, with the directories above it.
pub(super) fn make_target(target: &Path, is_dir: bool) -> io::Result<()> {
    if is_dir {
        return fs::create_dir_all(target).map_err(step(&format!("{}", target.display())));
    }
    fs::create_dir_all(target.parent().unwrap_or(Path::new("/")))?;
    // A link in its place may lead to the host.
    File::create_new(target)
        .map(drop)
        .map_err(step(&format!("{}", target.display())))
}
