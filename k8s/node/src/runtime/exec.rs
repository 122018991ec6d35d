//! exec — one more process in a running container, with its input and output.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use apiserver::{ExecError, ExecIo};
use nix::sys::signal::Signal;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy};
use tokio::time::timeout;

use super::ShimCommand;
use crate::shim::Entry;

/// A process that the command left behind may hold its output open; after the command's end we wait this long for more.
const LINGER: Duration = Duration::from_millis(500);
/// What a probe keeps of a command's output, as the kubelet does.
const KEPT_MAX: usize = 10 * 1024;

/// Where the process runs.
#[derive(Debug, Clone)]
pub(super) struct ExecIn {
    pub shim: ShimCommand,
    pub container: i32,
    pub sandboxed: bool,
    pub env: Vec<(String, String)>,
    pub working_dir: Option<PathBuf>,
    pub folder: PathBuf,
    pub groups: Vec<PathBuf>,
    /// The keepers of all commands that run.
    pub keepers: Arc<Mutex<BTreeSet<i32>>>,
}

pub(super) async fn run(place: ExecIn, command: Vec<String>, io: ExecIo) -> Result<i32, ExecError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let report = place
        .folder
        .join(format!("exec-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    let entry = Entry {
        container: place.container,
        sandboxed: place.sandboxed,
        command,
        working_dir: place.working_dir.clone(),
        report: report.clone(),
        groups: place.groups.clone(),
    };
    let code = attend(&place, &entry, io)
        .await
        .map_err(|error| ExecError::CannotStart(error.to_string()))?;
    match std::fs::read_to_string(&report) {
        Ok(why) => {
            let _ = std::fs::remove_file(&report);
            Err(ExecError::CannotStart(why))
        }
        Err(_) => Ok(code),
    }
}

async fn attend(place: &ExecIn, entry: &Entry, io: ExecIo) -> io::Result<i32> {
    let mut command = place.shim.order("exec", entry)?;
    command.envs(place.env.iter().map(|(name, value)| (name, value)));
    command.stdin(if io.stdin.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let _known = Known::new(&place.keepers, child.id().map_or(0, u32::cast_signed));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = forward(io.stdin, stdin);
    let output = async {
        tokio::join!(
            forward(stdout, Some(io.stdout)),
            forward(stderr, Some(io.stderr))
        )
    };
    tokio::pin!(input, output);
    let (mut input_done, mut output_done) = (false, false);
    let status = loop {
        tokio::select! {
            // The command may end without having read all of its input.
            status = child.wait() => break status?,
            () = &mut input, if !input_done => input_done = true,
            _ = &mut output, if !output_done => output_done = true,
        }
    };
    if !output_done {
        let _ = timeout(LINGER, output).await;
    }
    Ok(status.code().unwrap_or(128 + Signal::SIGKILL as i32))
}

/// The keeper of a command, as long as it runs.
struct Known<'a>(&'a Mutex<BTreeSet<i32>>, i32);

impl Known<'_> {
    fn new(keepers: &Mutex<BTreeSet<i32>>, keeper: i32) -> Known<'_> {
        let mut known = keepers.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(keeper);
        Known(keepers, keeper)
    }
}

impl Drop for Known<'_> {
    fn drop(&mut self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&self.1);
    }
}

/// Copies until one side ends, then closes the other.
async fn forward(from: Option<impl AsyncRead + Unpin>, to: Option<impl AsyncWrite + Unpin>) {
    if let (Some(mut from), Some(mut to)) = (from, to) {
        let _ = copy(&mut from, &mut to).await;
        let _ = to.shutdown().await;
    }
}

/// Keeps the beginning of what is written to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    /// No input; both outputs into one capture.
    pub fn io() -> (ExecIo, Capture) {
        let capture = Capture::default();
        let io = ExecIo {
            stdin: None,
            stdout: Box::new(capture.clone()),
            stderr: Box::new(capture.clone()),
        };
        (io, capture)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl AsyncWrite for Capture {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
