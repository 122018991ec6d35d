//! shim — the small process between the node and a container: it makes the container's world and ends it with the node.
//!
//! The node cannot do this itself: namespaces may only be entered by a process without threads. So the product starts itself
//! again as `… shim <order>`, and calls [`main`] before anything else:
//!
//! | order | the process becomes |
//! |---|---|
//! | `run`   | the *keeper* of one container, outside it: waits, passes signals in, reports; ends the container when the node is gone |
//! | `init`  | the container's first process: its own `/proc`, then the program itself |
//! | `exec`  | the keeper of one more process inside a running container (probes, `kubectl exec`) |
//! | `enter` | that process |
//!
//! The shim never writes to standard output or standard error: those belong to the program. Keeper and node talk over standard
//! input, a socket: a line `signal <number>` goes in; `started <pid>` or `failed <why>`, later `exited <code>` or
//! `killed <signal>`, come out. End of file on it means that the node is gone, however it went.

mod enter;
mod init;
mod keeper;
mod mounts;
pub(crate) mod processes;
mod room;
mod sandbox;

use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What the shim itself exits with when it could not do its work.
const FAILED: u8 = 125;

/// One container, as the node orders it. Its environment is the shim's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Its own world; without one it is a process like any other (the plain tier).
    pub sandbox: Option<Sandbox>,
    pub command: Vec<String>,
    pub working_dir: Option<PathBuf>,
    /// The control groups of the container: its first process enters them before it becomes the program.
    pub groups: Vec<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sandbox {
    pub hostname: String,
    pub mounts: Vec<Mount>,
}

/// A file or directory of the host that the container sees at `target`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is on the host.
    pub source: PathBuf,
    /// Only this part of the source, if not empty; nothing on the way leads out of the source.
    pub below: PathBuf,
    /// Where the container sees it; made if it does not exist, never on the host.
    pub target: PathBuf,
    /// Whether the container may only read it.
    pub read_only: bool,
}

impl Mount {
    /// The path of what the container sees, on the host.
    pub fn path(&self) -> PathBuf {
        match self.below.as_os_str().is_empty() {
            true => self.source.clone(),
            false => self.source.join(&self.below),
        }
    }
}

/// One more process in a running container. Its environment is the shim's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The container's first process, or in the plain tier its keeper.
    pub container: i32,
    pub sandboxed: bool,
    pub command: Vec<String>,
    pub working_dir: Option<PathBuf>,
    /// Written only if the command could not be started: then it says why. Its folder exists.
    pub report: PathBuf,
    /// The control groups of the container.
    pub groups: Vec<PathBuf>,
}

/// Does what `args` say (the command line after the words that led here) and returns the exit code. Call it first thing in
/// `main`, before any thread is started.
pub fn main(args: Vec<String>) -> ExitCode {
    let again = Again::new(&args);
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", order] => parse(order).and_then(|order| keeper::keep(&order, &again)),
        ["init", order] => parse(order).and_then(|order| init::become_program(&order)),
        ["exec", entry] => parse(entry).and_then(|entry| enter::keep(&entry, &again)),
        ["enter", entry] => parse(entry).and_then(|entry| enter::become_program(&entry)),
        _ => Err(io::Error::other(
            "the shim is started by the node, not by hand",
        )),
    };
    done.unwrap_or(ExitCode::from(FAILED))
}

fn parse<T: DeserializeOwned>(text: &str) -> io::Result<T> {
    serde_json::from_str(text).map_err(io::Error::other)
}

/// How this program starts itself again, whatever path it was started by and whether or not that path still exists.
struct Again {
    prefix: Vec<String>,
}

impl Again {
    fn new(args: &[String]) -> Again {
        let all: Vec<String> = std::env::args().skip(1).collect();
        let prefix = all[..all.len().saturating_sub(args.len())].to_vec();
        Again { prefix }
    }

    fn command<T: Serialize>(&self, order: &str, value: &T) -> io::Result<Command> {
        let mut command = Command::new("/proc/self/exe");
        command
            .args(&self.prefix)
            .arg(order)
            .arg(serde_json::to_string(value)?);
        Ok(command)
    }
}

/// The program of `command`, ready to replace this process.
fn program(command: &[String], working_dir: Option<&PathBuf>) -> io::Result<Command> {
    let (name, args) = command
        .split_first()
        .ok_or_else(|| io::Error::other("no command specified"))?;
    let mut program = Command::new(name);
    program.args(args);
    if let Some(dir) = working_dir {
        program.current_dir(dir);
    }
    Ok(program)
}

/// Why a program could not be started, as a container runtime words it.
fn not_started(command: &[String], error: &io::Error) -> String {
    let name = command.first().map_or("", String::as_str);
    match error.kind() {
        io::ErrorKind::NotFound if !name.contains('/') => {
            format!("exec: {name:?}: executable file not found in $PATH")
        }
        io::ErrorKind::NotFound => {
            format!("exec: {name:?}: stat {name}: no such file or directory")
        }
        io::ErrorKind::PermissionDenied => format!("exec: {name:?}: permission denied"),
        _ => format!("exec: {name:?}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_missing_is_told_apart_by_how_it_was_named() {
        let missing = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(
            not_started(&["nope".into()], &missing),
            r#"exec: "nope": executable file not found in $PATH"#
        );
        assert_eq!(
            not_started(&["/no/pe".into()], &missing),
            r#"exec: "/no/pe": stat /no/pe: no such file or directory"#
        );
    }
}
