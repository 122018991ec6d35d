//! process — containers that are processes, each kept by a shim: the plain and the sandboxed tier.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use apiserver::{ExecError, ExecIo};
use futures::future::BoxFuture;
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::exec::{self, ExecIn};
use super::log::pump;
use super::sockets;
use super::{Container, ContainerSpec, Exit, LogStream, Runtime, StartError, Stop, Tier, Usage};
use crate::images::by_path;
use crate::limits::{self, Level, Limits, Place, Processes, Watchdog};
use crate::probes::{Attempt, Check, ProbeKind, attempt};
use crate::shim::{Order, Sandbox, processes};

/// A start takes milliseconds; one that hangs, on a dead network mount for example, must not hold up its pod for ever.
const START_MAX: Duration = Duration::from_secs(30);

/// Tells what runs in a container without PID numbers of its own which process is the container's first.
const INIT_VARIABLE: &str = "BROWNOUT_INIT";

/// How to start the shim: a program that calls [`shim::main`](crate::shim::main) with what follows `args`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShimCommand {
    /// The program; in the product the current executable.
    pub program: PathBuf,
    /// The words before the shim's own arguments.
    pub args: Vec<String>,
}

impl ShimCommand {
    pub(super) fn order(&self, order: &str, value: &impl serde::Serialize) -> io::Result<Command> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .arg(order)
            .arg(serde_json::to_string(value)?);
        // A Ctrl-C at the terminal is for the node, which ends its containers in order.
        command.process_group(0).env_clear();
        Ok(command)
    }
}

/// Containers with a world of their own.
pub struct Sandboxed {
    shim: ShimCommand,
    limits: Limits,
}

impl Sandboxed {
    /// Ask [`detect`](super::detect) first whether this machine allows it.
    pub fn new(shim: ShimCommand, limits: Limits) -> Sandboxed {
        Sandboxed { shim, limits }
    }
}

impl Runtime for Sandboxed {
    fn tier(&self) -> Tier {
        Tier::Sandboxed
    }

    fn level(&self) -> Level {
        self.limits.level()
    }

    fn start(
        &self,
        spec: ContainerSpec,
    ) -> BoxFuture<'static, Result<Arc<dyn Container>, StartError>> {
        let sandbox = Sandbox {
            hostname: spec.hostname.clone(),
            mounts: spec.mounts.clone(),
        };
        Box::pin(start(self.shim.clone(), &self.limits, Some(sandbox), spec))
    }
}

/// Containers that are ordinary processes.
pub struct Plain {
    shim: ShimCommand,
    limits: Limits,
}

impl Plain {
    /// Works on every Linux.
    pub fn new(shim: ShimCommand, limits: Limits) -> Plain {
        Plain { shim, limits }
    }
}

impl Runtime for Plain {
    fn tier(&self) -> Tier {
        Tier::Plain
    }

    fn level(&self) -> Level {
        self.limits.level()
    }

    fn start(
        &self,
        spec: ContainerSpec,
    ) -> BoxFuture<'static, Result<Arc<dyn Container>, StartError>> {
        Box::pin(start(self.shim.clone(), &self.limits, None, spec))
    }
}

struct Process {
    tree: Arc<Tree>,
    /// Gone when the container has ended.
    place: Weak<Place>,
    image: String,
    /// The image's own.
    program: String,
    exec: ExecIn,
    /// What the node itself has counted, where the kernel does not.
    throttled: Option<Arc<AtomicU64>>,
    signals: mpsc::UnboundedSender<Stop>,
    ended: watch::Receiver<Option<Exit>>,
}

/// The processes of a container: its first one, the commands run in it, and all their descendants.
struct Tree {
    /// As the node sees it.
    init: i32,
    keepers: Arc<Mutex<BTreeSet<i32>>>,
    /// Weak: the watchdog does not keep the container.
    signals: mpsc::WeakUnboundedSender<Stop>,
}

impl Processes for Tree {
    fn all(&self) -> Vec<i32> {
        let keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        let commands = keepers.iter().flat_map(|keeper| {
            // The keeper itself is none of the container's.
            processes::tree(*keeper).into_iter().skip(1)
        });
        let mut all = processes::tree(self.init);
        all.extend(commands);
        all
    }

    fn kill(&self) {
        if let Some(signals) = self.signals.upgrade() {
            let _ = signals.send(Stop::Kill);
        }
    }
}

fn start(
    shim: ShimCommand,
    limits: &Limits,
    sandbox: Option<Sandbox>,
    spec: ContainerSpec,
) -> impl Future<Output = Result<Arc<dyn Container>, StartError>> + use<> {
    let limits = limits.clone();
    async move {
        let place = limits.place(&spec.resources);
        let place = place.map_err(|error| StartError(format!("limits: {error}")))?;
        run(shim, place, limits.level(), sandbox, spec).await
    }
}

async fn run(
    shim: ShimCommand,
    place: Place,
    level: Level,
    sandbox: Option<Sandbox>,
    spec: ContainerSpec,
) -> Result<Arc<dyn Container>, StartError> {
    let sandboxed = sandbox.is_some();
    let order = Order {
        sandbox,
        command: spec.command.clone(),
        working_dir: spec.working_dir.clone(),
        groups: place.doors(),
    };
    let (mut keeper, line) = spawn(&shim, &order, &spec)
        .await
        .map_err(|error| StartError(format!("shim: {error}")))?;
    let keeper_pid = keeper.child.id().map_or(0, u32::cast_signed);
    let init = match line.split_once(' ') {
        Some(("started", pid)) => pid.parse().unwrap_or(0),
        Some(("failed", why)) => return Err(StartError(why.to_owned())),
        _ => {
            return Err(StartError(
                "the shim ended before the container began".to_owned(),
            ));
        }
    };
    let (signals, orders) = mpsc::unbounded_channel();
    let (end, ended) = watch::channel(None);
    let keepers = Arc::default();
    let tree = Arc::new(Tree {
        init,
        keepers: Arc::clone(&keepers),
        signals: signals.downgrade(),
    });
    let watchdog =
        (level == Level::StopAndGo).then(|| Watchdog::start(&spec.resources, tree.clone()));
    let place = Arc::new(place);
    let mut env = spec.env;
    if !sandboxed {
        // In a sandbox it is 1.
        env.push((INIT_VARIABLE.to_owned(), init.to_string()));
    }
    let exec = ExecIn {
        shim,
        container: if sandboxed { init } else { keeper_pid },
        sandboxed,
        env,
        working_dir: spec.working_dir,
        folder: spec.folder,
        groups: order.groups,
        keepers,
    };
    let process = Process {
        tree,
        place: Arc::downgrade(&place),
        image: spec.image,
        program: spec.program,
        exec,
        throttled: watchdog.as_ref().map(Watchdog::throttled),
        signals,
        ended,
    };
    tokio::spawn(async move {
        let mut exit = keeper.attend(orders).await;
        exit.is_out_of_memory = place.has_run_out_of_memory()
            || watchdog.is_some_and(|watchdog| watchdog.has_run_out_of_memory());
        drop(place);
        end.send(Some(exit))
    });
    Ok(Arc::new(process))
}

/// Our end of the keeper. Dropping it ends the container.
struct Keeper {
    child: Child,
    hear: Lines<BufReader<OwnedReadHalf>>,
    say: OwnedWriteHalf,
    output: [JoinHandle<()>; 2],
}

async fn spawn(
    shim: &ShimCommand,
    order: &Order,
    spec: &ContainerSpec,
) -> io::Result<(Keeper, String)> {
    let (near, far) = std::os::unix::net::UnixStream::pair()?;
    near.set_nonblocking(true)?;
    let mut command = shim.order("run", order)?;
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    command
        .stdin(Stdio::from(OwnedFd::from(far)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    drop(command);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = out.zip(err).ok_or_else(|| io::Error::other("no output"))?;
    let output = [
        tokio::spawn(pump(spec.log.clone(), LogStream::Stdout, out)),
        tokio::spawn(pump(spec.log.clone(), LogStream::Stderr, err)),
    ];
    let (hear, say) = UnixStream::from_std(near)?.into_split();
    let mut keeper = Keeper {
        child,
        hear: BufReader::new(hear).lines(),
        say,
        output,
    };
    let first = timeout(START_MAX, keeper.hear.next_line()).await??;
    Ok((keeper, first.unwrap_or_default()))
}

impl Keeper {
    /// Passes signals on until the container has ended and all its output is written.
    async fn attend(&mut self, mut orders: mpsc::UnboundedReceiver<Stop>) -> Exit {
        let end = loop {
            tokio::select! {
                line = self.hear.next_line() => break line.ok().flatten().unwrap_or_default(),
                order = orders.recv() => {
                    let signal = match order {
                        Some(Stop::Term) => Signal::SIGTERM,
                        // Nobody holds the container any more.
                        Some(Stop::Kill) | None => Signal::SIGKILL,
                    };
                    let sent = self.say.write_all(format!("signal {}\n", signal as i32).as_bytes()).await;
                    if order.is_none() || sent.is_err() {
                        break self.hear.next_line().await.ok().flatten().unwrap_or_default();
                    }
                }
            }
        };
        let _ = self.child.wait().await;
        for output in &mut self.output {
            let _ = output.await;
        }
        Exit {
            code: exit_code(&end),
            is_out_of_memory: false,
        }
    }
}

// Without a last word the keeper was killed, and its container with it.
fn exit_code(end: &str) -> i32 {
    let number = |text: &str| text.parse::<i32>().ok();
    let code = match end.split_once(' ') {
        Some(("exited", code)) => number(code),
        Some(("killed", signal)) => number(signal).map(|signal| 128 + signal),
        _ => None,
    };
    code.unwrap_or(128 + Signal::SIGKILL as i32)
}

impl Container for Process {
    fn signal(&self, signal: Stop) {
        // An error means that it has ended.
        let _ = self.signals.send(signal);
    }

    fn wait(&self) -> watch::Receiver<Option<Exit>> {
        self.ended.clone()
    }

    fn exec(&self, command: Vec<String>, io: ExecIo) -> BoxFuture<'static, Result<i32, ExecError>> {
        if self.ended.borrow().is_some() {
            return Box::pin(async { Err(ExecError::NotRunning("container not running".into())) });
        }
        let command = by_path(&self.image, &self.program, &command);
        Box::pin(exec::run(self.exec.clone(), command, io))
    }

    fn probe(&self, _kind: ProbeKind, check: Check) -> BoxFuture<'static, Attempt> {
        match check {
            Check::Exec(command) => {
                let (io, output) = super::Capture::io();
                let done = self.exec(command, io);
                Box::pin(async move { attempt::of_exec(done.await, &output) })
            }
            other => Box::pin(attempt::over_network(other)),
        }
    }

    fn usage(&self) -> Usage {
        if self.ended.borrow().is_some() {
            return Usage::default();
        }
        let counted = self.place.upgrade().and_then(|place| place.usage());
        counted.unwrap_or_else(|| limits::usage(&self.tree.all()))
    }

    fn throttled(&self) -> u64 {
        let counted = self.throttled.as_ref();
        let counted = counted.map(|periods| periods.load(Ordering::Relaxed));
        counted.unwrap_or_else(|| self.place.upgrade().map_or(0, |place| place.throttled()))
    }

    fn listens_everywhere(&self) -> Vec<u16> {
        if self.ended.borrow().is_some() {
            return vec![];
        }
        sockets::listen_at(&self.tree.all(), sockets::EVERYWHERE)
    }

    fn listens_at_loopback(&self) -> Vec<u16> {
        if self.ended.borrow().is_some() {
            return vec![];
        }
        sockets::listen_at(&self.tree.all(), sockets::LOOPBACK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_an_exit_code_above_128() {
        assert_eq!(
            ["exited 3", "killed 15", "killed 9", ""].map(exit_code),
            [3, 143, 137, 137]
        );
    }
}
