//! server — the server's process, and the container's first one, which passes signals on to it and waits for it.

use crate::settings::Settings;
use crate::user::User;
use crate::{Error, Programs};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::io;
use std::process::{Command, ExitCode};

/// Starts the server with these arguments, or another program, as the official image does; returns how it ended.
pub(crate) fn run(
    programs: &Programs,
    settings: &Settings,
    user: &User,
    args: &[String],
) -> Result<ExitCode, Error> {
    let failed = |doing| move |source: io::Error| Error::System { doing, source };
    let mut awaited = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
    ] {
        awaited.add(signal);
    }
    awaited
        .thread_block()
        .map_err(|error| failed("blocking signals")(error.into()))?;
    let child = command(programs, settings, user, args)
        .spawn()
        .map_err(failed("starting the server"))?;
    let server = Pid::from_raw(child.id().cast_signed());
    let code = attend(server, &awaited).map_err(|e| failed("waiting for the server")(e.into()))?;
    Ok(ExitCode::from(code))
}

fn command(programs: &Programs, settings: &Settings, user: &User, args: &[String]) -> Command {
    let own = match args.first().map(String::as_str) {
        Some("postgres") => &args[1..],
        Some(first) if !first.starts_with('-') => {
            let mut command = user.command(first.as_ref());
            command.args(&args[1..]);
            return command;
        }
        _ => args,
    };
    let mut command = user.command(&programs.path("postgres"));
    command.arg("-D").arg(&settings.data);
    for setting in [
        format!("listen_addresses={}", settings.address),
        // Pods may share /tmp, and its path may be longer than a socket's can be.
        "unix_socket_directories=".into(),
        // Else a killed server leaves its memory behind in the machine's /dev/shm.
        "dynamic_shared_memory_type=mmap".into(),
    ] {
        command.args(["-c", &setting]);
    }
    command.args(own);
    command
}

/// Until the server has ended, with its exit code, 128 + n after signal n. Orphans are ours, too, as first process.
fn attend(server: Pid, awaited: &SigSet) -> Result<u8, Errno> {
    loop {
        let signal = awaited.wait()?;
        if signal != Signal::SIGCHLD {
            // An error means that it has just ended.
            let _ = kill(server, passed_on(signal));
            continue;
        }
        if let Some(code) = ended(server)? {
            return Ok(code);
        }
    }
}

/// One signal may stand for several ends.
fn ended(server: Pid) -> Result<Option<u8>, Errno> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(pid, code) if pid == server => {
                return Ok(Some(u8::try_from(code).unwrap_or(u8::MAX)));
            }
            WaitStatus::Signaled(pid, signal, _) if pid == server => {
                return Ok(Some(128 + signal as u8));
            }
            WaitStatus::StillAlive => return Ok(None),
            _ => {}
        }
    }
}

/// SIGTERM would wait until the last client has gone; the official image's stop signal is SIGINT, a fast shutdown.
fn passed_on(signal: Signal) -> Signal {
    match signal {
        Signal::SIGTERM => Signal::SIGINT,
        other => other,
    }
}
