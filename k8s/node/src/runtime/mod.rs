//! runtime — how a container is run. Three ways that answer to one trait: real processes in a world of their own, plain
//! processes, and scripts in virtual time.

mod detect;
mod exec;
mod log;
mod process;
mod simulated;
mod sockets;

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use apiserver::{ExecError, ExecIo};
use futures::future::BoxFuture;
use tokio::sync::watch;

pub use detect::detect;
pub(crate) use exec::Capture;
pub use log::{Log, LogStream};
pub use process::{Plain, Sandboxed, ShimCommand};
pub use simulated::{Load, Script, Simulated};

use crate::limits::{Level, Resources};
use crate::probes::{Attempt, Check, ProbeKind};
use crate::shim::Mount;

/// How much of a real container a container of this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// A script; no process at all.
    Simulated,
    /// A process with an environment and a loopback address. It shares `/tmp` with everyone, knows Service names only through
    /// `BROWNOUT_HOSTS`, and can mount nothing.
    Plain,
    /// A process with its own `/tmp`, hosts file, volumes, host name and process numbering, on a loopback address.
    Sandboxed,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tier::Simulated => "simulated",
            Tier::Plain => "plain",
            Tier::Sandboxed => "sandboxed",
        })
    }
}

/// Runs containers.
pub trait Runtime: Send + Sync + 'static {
    /// What its containers are.
    fn tier(&self) -> Tier;
    /// How their limits are kept.
    fn level(&self) -> Level;
    /// Starts a container. It has started when the program itself runs; a missing program is an error, not an exit code.
    fn start(
        &self,
        spec: ContainerSpec,
    ) -> BoxFuture<'static, Result<Arc<dyn Container>, StartError>>;
}

/// One started container. It ends when the last handle is dropped, and when this process ends, however it ends.
pub trait Container: Send + Sync + 'static {
    /// Sends a signal to the main process, which being the first of its world feels only what it has a handler for.
    /// Killing it ends every process of the container.
    fn signal(&self, signal: Stop);
    /// `Some` once the container has ended and its log is complete.
    fn wait(&self) -> watch::Receiver<Option<Exit>>;
    /// Runs one more process in the container and returns its exit code. Dropping the future ends the process.
    fn exec(&self, command: Vec<String>, io: ExecIo) -> BoxFuture<'static, Result<i32, ExecError>>;
    /// One attempt of a probe, without its time limit.
    fn probe(&self, kind: ProbeKind, check: Check) -> BoxFuture<'static, Attempt>;
    /// TCP ports at which it listens for itself only, at 127.0.0.1, where others ask at the pod's address.
    fn listens_at_loopback(&self) -> Vec<u16> {
        vec![]
    }
    /// What it has used so far; zero once it has ended.
    fn usage(&self) -> Usage;
    /// In how many periods of 100 ms its CPU limit has held it back so far.
    fn throttled(&self) -> u64 {
        0
    }
    /// TCP ports on which it listens at every address, where that is a mistake.
    fn listens_everywhere(&self) -> Vec<u16> {
        vec![]
    }
}

/// The two signals a node sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Please end (SIGTERM).
    Term,
    /// End (SIGKILL).
    Kill,
}

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Exit code; 128 + n after signal n.
    pub code: i32,
    /// Whether it ran out of memory.
    pub is_out_of_memory: bool,
}

/// Resources used by all processes of a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time since the start.
    pub cpu: Duration,
    /// Memory that cannot be taken back at once, bytes.
    pub memory: u64,
}

/// The program could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// Everything needed to start one container once.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// Image as the manifest names it.
    pub image: String,
    /// What the image's name means at the beginning of a command.
    pub program: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Where the program starts.
    pub working_dir: Option<PathBuf>,
    /// Host name inside: the pod's name.
    pub hostname: String,
    /// The pod's address.
    pub address: Ipv4Addr,
    /// Volumes and the node's own files (`/etc/hosts` and so on).
    pub mounts: Vec<Mount>,
    /// An existing folder of the node for this container.
    pub folder: PathBuf,
    /// Where output goes.
    pub log: Arc<Log>,
    /// What it may use.
    pub resources: Resources,
}
