//! streams — logs and exec: what the API asks the node for, and how it is passed on to clients.

mod exec;
mod log;

pub use exec::exec;
pub use log::log;

use crate::{api::Call, kinds::texts, refusal::Refusal};
use futures::future::BoxFuture;
use serde_json::Value;
use std::path::PathBuf;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

/// Where a container's output is written, and whether it still is. Lines are as container runtimes write them:
/// `<time, RFC 3339 with nanoseconds> stdout F text`, or `stderr`; `P` in place of `F` for a part of a line.
pub struct LogFile {
    /// The file, which may still grow.
    pub path: PathBuf,
    /// Turns true when nothing more will be written.
    pub ended: watch::Receiver<bool>,
}

/// What the node answers.
pub trait Streams: Send + Sync + 'static {
    /// The log of a container, or of the one before it (`previous`). Without a name the pod's only container is meant. The error is
    /// told to the client as it is (400).
    fn log_file(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        previous: bool,
    ) -> Result<LogFile, String>;

    /// Runs a command in a container until it ends; the answer is its exit code. Dropping the future ends the command.
    fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: Vec<String>,
        io: ExecIo,
    ) -> BoxFuture<'static, Result<i32, ExecError>>;
}

/// The ends of a command's standard streams. Closing `stdin` is the end of the input.
pub struct ExecIo {
    /// What the command reads; none if the client sends nothing.
    pub stdin: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// What the command writes.
    pub stdout: Box<dyn AsyncWrite + Send + Unpin>,
    /// What the command complains of.
    pub stderr: Box<dyn AsyncWrite + Send + Unpin>,
}

/// Why a command gave no exit code.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExecError {
    /// The container does not run.
    #[error("{0}")]
    NotRunning(String),
    /// The program is missing or cannot be executed. (Probes do not count this.)
    #[error("{0}")]
    CannotStart(String),
}

/// The container that a request means: the one it names, else the pod's default or only one.
fn container_of(pod: &Value, call: &Call) -> Result<Option<String>, Refusal> {
    let names: Vec<&str> = ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| texts(&pod["spec"][list], "name"))
        .collect();
    let default =
        pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
    let asked = call.option("container").filter(|name| !name.is_empty());
    let own: Vec<&str> = texts(&pod["spec"]["containers"], "name").collect();
    match (asked.or(default), own.as_slice()) {
        (Some(name), _) if !names.contains(&name) => Err(Refusal::bad_request(format!(
            "container {name} is not valid for pod {}",
            call.name
        ))),
        (Some(name), _) => Ok(Some(name.into())),
        (None, [only]) => Ok(Some((*only).into())),
        (None, _) => Err(Refusal::bad_request(format!(
            "a container name must be specified for pod {}, choose one of: [{}]",
            call.name,
            own.join(" ")
        ))),
    }
}
