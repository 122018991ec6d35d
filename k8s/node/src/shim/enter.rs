//! enter — one more process in a running container.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitCode, ExitStatus};
use std::thread::sleep;
use std::time::Duration;

use nix::fcntl::{OFlag, openat};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::getppid;

use super::{Again, Entry, FAILED, not_started, program};
use crate::limits;

/// How soon a process of the plain tier follows its container, or the node, into death.
const WATCH: Duration = Duration::from_millis(10);

/// Outside the container: waits and passes the exit code on, 128 + n for signal n.
pub(super) fn keep(entry: &Entry, again: &Again) -> io::Result<ExitCode> {
    let node = getppid();
    if entry.sandboxed
        && let Err(error) = join(entry.container)
    {
        fs::write(&entry.report, format!("container not running: {error}"))?;
        return Ok(ExitCode::from(FAILED));
    }
    let mut inside = again.command("enter", entry)?.spawn()?;
    let status = if entry.sandboxed {
        inside.wait()?
    } else {
        wait_while(&mut inside, || {
            getppid() == node && Path::new(&format!("/proc/{}", entry.container)).exists()
        })?
    };
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(ExitCode::from(
        code.and_then(|code| u8::try_from(code).ok())
            .unwrap_or(FAILED),
    ))
}

/// Everything but the mounts: the next stage must still find itself under the host's paths.
fn join(container: i32) -> io::Result<()> {
    let open = |name: &str| File::open(format!("/proc/{container}/ns/{name}"));
    let link = |of: &str| fs::read_link(format!("/proc/{of}/ns/user"));
    let (user, uts, ipc, pid) = (open("user")?, open("uts")?, open("ipc")?, open("pid")?);
    if link("self")? != link(&container.to_string())? {
        setns(&user, CloneFlags::CLONE_NEWUSER)?;
    }
    setns(&uts, CloneFlags::CLONE_NEWUTS)?;
    setns(&ipc, CloneFlags::CLONE_NEWIPC)?;
    setns(&pid, CloneFlags::CLONE_NEWPID)?;
    Ok(())
}

fn wait_while(child: &mut Child, wanted: impl Fn() -> bool) -> io::Result<ExitStatus> {
    while wanted() {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        sleep(WATCH);
    }
    child.kill()?;
    child.wait()
}

/// Inside: becomes the command. Why it cannot goes into the report, never into the command's output.
pub(super) fn become_program(entry: &Entry) -> io::Result<ExitCode> {
    set_pdeathsig(Signal::SIGKILL)?;
    limits::enter(&entry.groups)?;
    let folder = File::open(entry.report.parent().unwrap_or(Path::new("/")))?;
    if entry.sandboxed {
        setns(
            File::open(format!("/proc/{}/ns/mnt", entry.container))?,
            CloneFlags::CLONE_NEWNS,
        )?;
    }
    let error = match program(&entry.command, entry.working_dir.as_ref()) {
        Ok(mut program) => program.exec(),
        Err(error) => error,
    };
    let name = entry.report.file_name().unwrap_or_default();
    let report = openat(
        &folder,
        name,
        OFlag::O_CREAT | OFlag::O_WRONLY | OFlag::O_CLOEXEC,
        Mode::from_bits_truncate(0o600),
    )?;
    File::from(report).write_all(not_started(&entry.command, &error).as_bytes())?;
    Ok(ExitCode::from(FAILED))
}
