//! init — the first process of a container, until it becomes the program.

use std::convert::Infallible;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{ExitCode, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::setsid;

use super::sandbox::NOTHING;
use super::{FAILED, Order, not_started, program};
use crate::limits;

pub(super) fn become_program(order: &Order) -> io::Result<ExitCode> {
    // Closes by itself when the program takes over: silence means success.
    let mut keeper = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let Err(why) = replace(order);
    keeper.write_all(why.as_bytes())?;
    Ok(ExitCode::from(FAILED))
}

fn replace(order: &Order) -> Result<Infallible, String> {
    set_pdeathsig(Signal::SIGKILL).map_err(|error| format!("death signal: {error}"))?;
    limits::enter(&order.groups).map_err(|error| error.to_string())?;
    // The keeper waits for its children with this signal blocked; the program must not inherit that.
    SigSet::empty()
        .thread_set_mask()
        .map_err(|error| format!("signal mask: {error}"))?;
    // A leader already has its session.
    let _ = setsid();
    if order.sandbox.is_some() {
        // Inside some containers the kernel refuses; the host's view of processes is then better than none.
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let _ = mount(Some("proc"), "/proc", Some("proc"), flags, NOTHING);
    }
    let error = match program(&order.command, order.working_dir.as_ref()) {
        Ok(mut program) => program.stdin(Stdio::null()).exec(),
        Err(error) => error,
    };
    Err(not_started(&order.command, &error))
}
