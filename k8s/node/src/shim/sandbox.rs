//! sandbox — a world for one container: its own mounts, processes, host name and shared memory.

use std::fs;
use std::io;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid, sethostname};

use super::{Sandbox, mounts};

pub(super) const NOTHING: Option<&str> = None;

/// Moves this process into the new world, and every child it starts into its process numbering. This is no security
/// boundary: the host's files stay visible.
pub(super) fn enter(world: &Sandbox) -> io::Result<()> {
    separate().map_err(step("namespaces"))?;
    mount(
        NOTHING,
        "/",
        NOTHING,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        NOTHING,
    )
    .map_err(step("private mounts"))?;
    sethostname(&world.hostname).map_err(step("host name"))?;
    mounts::arrange(&world.mounts)
}

/// Who lacks the right to make namespaces makes a user namespace first, in which it has every right.
fn separate() -> nix::Result<()> {
    let own = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    let (user, group) = (getuid(), getgid());
    match unshare(own) {
        Err(nix::Error::EPERM) => {}
        other => return other,
    }
    unshare(own | CloneFlags::CLONE_NEWUSER)?;
    let write = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| nix::Error::from_raw(error.raw_os_error().unwrap_or(0)))
    };
    write("setgroups", "deny".into())?;
    write("uid_map", format!("0 {user} 1"))?;
    write("gid_map", format!("0 {group} 1"))
}

/// Says which step failed.
pub(super) fn step<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> io::Error {
    move |error| io::Error::other(format!("{what}: {error}"))
}
