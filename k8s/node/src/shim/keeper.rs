//! keeper — stays outside the container, passes signals in and reports how it went. When the node is gone, so is the container.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{ExitCode, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Again, Order, processes, sandbox};

pub(super) fn keep(order: &Order, again: &Again) -> io::Result<ExitCode> {
    let mut node = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    match start(order, again) {
        Ok((container, children)) => {
            writeln!(node, "started {}", container.init)?;
            let end = container.attend(&mut node, &children)?;
            // Nobody may be there to read it any more.
            let _ = writeln!(node, "{end}");
        }
        Err(error) => writeln!(node, "failed {}", error.to_string().replace('\n', " "))?,
    }
    Ok(ExitCode::SUCCESS)
}

struct Container {
    init: Pid,
    sandboxed: bool,
}

fn start(order: &Order, again: &Again) -> io::Result<(Container, SignalFd)> {
    match &order.sandbox {
        Some(world) => sandbox::enter(world)?,
        // Orphans become the keeper's children, so that none escapes it.
        None => set_child_subreaper(true)?,
    }
    let children = watch_children()?;
    let (mut near, far) = UnixStream::pair()?;
    // The command, and with it this side's copy of `far`, is gone after the statement: then only the container holds it.
    let init = again
        .command("init", order)?
        .stdin(Stdio::from(OwnedFd::from(far)))
        .spawn()?;
    let mut why = String::new();
    near.read_to_string(&mut why)?;
    if !why.is_empty() {
        return Err(io::Error::other(why));
    }
    let init = Pid::from_raw(init.id().cast_signed());
    Ok((
        Container {
            init,
            sandboxed: order.sandbox.is_some(),
        },
        children,
    ))
}

fn watch_children() -> io::Result<SignalFd> {
    let mut child = SigSet::empty();
    child.add(Signal::SIGCHLD);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&child), None)?;
    Ok(SignalFd::with_flags(
        &child,
        SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK,
    )?)
}

impl Container {
    /// Until the container has ended, with everything in it.
    fn attend(&self, node: &mut UnixStream, children: &SignalFd) -> io::Result<String> {
        loop {
            if let Some(end) = self.ended()? {
                self.kill_all();
                return Ok(end);
            }
            let mut ready = [
                PollFd::new(node.as_fd(), PollFlags::POLLIN),
                PollFd::new(children.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut ready, PollTimeout::NONE) {
                Err(nix::Error::EINTR) => continue,
                other => other?,
            };
            let [spoken, died] = ready.map(|fd| fd.any().unwrap_or(false));
            if died {
                while children.read_signal()?.is_some() {}
            }
            if spoken && !self.hear(node) {
                self.send(Signal::SIGKILL);
                let _ = waitpid(self.init, None);
                self.kill_all();
                return Ok("killed 9".into());
            }
        }
    }

    /// Does what the node says. False: the node is gone.
    fn hear(&self, node: &mut UnixStream) -> bool {
        let mut said = [0; 256];
        let length = node.read(&mut said).unwrap_or(0);
        for line in String::from_utf8_lossy(&said[..length]).lines() {
            let number = line
                .strip_prefix("signal ")
                .and_then(|number| number.parse::<i32>().ok());
            if let Some(signal) = number.and_then(|number| Signal::try_from(number).ok()) {
                self.send(signal);
            }
        }
        length > 0
    }

    fn send(&self, signal: Signal) {
        // In a container the kernel drops signals for which the first process has no handler; outside one we must.
        if !self.sandboxed && signal != Signal::SIGKILL && !processes::catches(self.init, signal) {
            return;
        }
        // The process was not yet waited for, so its number cannot mean another one.
        let _ = kill(self.init, signal);
    }

    fn ended(&self) -> io::Result<Option<String>> {
        loop {
            match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == self.init => {
                    return Ok(Some(format!("exited {code}")));
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.init => {
                    return Ok(Some(format!("killed {}", signal as i32)));
                }
                Ok(WaitStatus::StillAlive) => return Ok(None),
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What the kernel does when the first process of a PID namespace ends.
    fn kill_all(&self) {
        if self.sandboxed {
            return;
        }
        loop {
            for pid in processes::descendants(std::process::id()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            if let Err(nix::Error::ECHILD) = waitpid(None::<Pid>, None) {
                return;
            }
        }
    }
}
