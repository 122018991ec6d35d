//! simulated — containers that are scripts. They live in tokio's time and do no I/O, so under paused time an hour of them passes
//! in milliseconds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apiserver::{ExecError, ExecIo};
use futures::future::BoxFuture;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Container, ContainerSpec, Exit, LogStream, Runtime, StartError, Stop, Tier, Usage};
use crate::limits::{Level, Resources};
use crate::probes::{Attempt, Check, ProbeKind};

/// What a container does, in times after its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// From then on its startup and readiness probes succeed.
    pub ready_after: Duration,
    /// From then on all its probes fail; never by default.
    pub sick_after: Option<Duration>,
    /// Ends by itself, with this exit code; never by default.
    pub exits: Option<(Duration, i32)>,
    /// How it answers a request to end: so much later, with this exit code. `None`: not at all, it must be killed.
    pub on_term: Option<(Duration, i32)>,
    /// Lines of output, each at its time, in order.
    pub log: Vec<(Duration, String)>,
    /// What it uses all the time: thousandths of a CPU, and bytes. With more bytes than it may hold it ends at once.
    pub uses: (u32, u64),
    /// CPU that changes with time, in place of what it uses all the time.
    pub load: Option<Load>,
}

/// Thousandths of a CPU that each container wants, changeable while they run.
#[derive(Debug, Clone)]
pub struct Load(Arc<Mutex<Vec<(Instant, u32)>>>);

impl Load {
    /// From now on. Must be called inside a tokio runtime whose time is paused, if it will be.
    pub fn new(millis: u32) -> Load {
        Load(Arc::new(Mutex::new(vec![(Instant::now(), millis)])))
    }

    /// From now on so much.
    pub fn set(&self, millis: u32) {
        self.steps().push((Instant::now(), millis));
    }

    fn steps(&self) -> MutexGuard<'_, Vec<(Instant, u32)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// CPU time since `began` of a container that may use no more than `limit`.
    fn spent(&self, began: Instant, limit: u32) -> Duration {
        let steps = self.steps();
        let ends = steps.iter().skip(1).map(|(at, _)| *at);
        let spans = steps.iter().zip(ends.chain([Instant::now()]));
        let spans = spans.map(|((from, millis), to)| {
            to.saturating_duration_since((*from).max(began)) * (*millis).min(limit) / 1000
        });
        spans.sum()
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Load) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Load {}

impl Default for Script {
    /// Ready at once, healthy for ever, ends at once with 0 when asked to.
    fn default() -> Script {
        Script {
            ready_after: Duration::ZERO,
            sick_after: None,
            exits: None,
            on_term: Some((Duration::ZERO, 0)),
            log: vec![],
            uses: (1, 1 << 20),
            load: None,
        }
    }
}

/// Runs scripts, chosen by image.
#[derive(Debug, Clone, Default)]
pub struct Simulated {
    scripts: BTreeMap<String, Script>,
}

impl Simulated {
    /// Every image behaves as the default [`Script`] says.
    pub fn new() -> Simulated {
        Simulated::default()
    }

    /// The image, named as in the manifest, behaves as `script` says.
    pub fn with(mut self, image: &str, script: Script) -> Simulated {
        self.scripts.insert(image.to_owned(), script);
        self
    }
}

impl Runtime for Simulated {
    fn tier(&self) -> Tier {
        Tier::Simulated
    }

    fn level(&self) -> Level {
        Level::Simulated
    }

    fn start(
        &self,
        spec: ContainerSpec,
    ) -> BoxFuture<'static, Result<Arc<dyn Container>, StartError>> {
        let script = self.scripts.get(&spec.image).cloned().unwrap_or_default();
        Box::pin(async move { Ok(Arc::new(Actor::start(script, spec)) as Arc<dyn Container>) })
    }
}

struct Actor {
    script: Script,
    resources: Resources,
    began: Instant,
    signals: mpsc::UnboundedSender<Stop>,
    ended: watch::Receiver<Option<Exit>>,
}

impl Actor {
    fn start(script: Script, spec: ContainerSpec) -> Actor {
        let (signals, heard) = mpsc::unbounded_channel();
        let (end, ended) = watch::channel(None);
        let began = Instant::now();
        let resources = spec.resources;
        let play = play(script.clone(), began, heard, spec);
        tokio::spawn(async move { end.send(Some(play.await)) });
        Actor {
            script,
            resources,
            began,
            signals,
            ended,
        }
    }

    fn is_well(&self, kind: ProbeKind) -> bool {
        let age = self.began.elapsed();
        let slow = kind != ProbeKind::Liveness && age < self.script.ready_after;
        !slow && self.script.sick_after.is_none_or(|sick| age < sick)
    }
}

async fn play(
    script: Script,
    began: Instant,
    mut heard: mpsc::UnboundedReceiver<Stop>,
    spec: ContainerSpec,
) -> Exit {
    let may_hold = spec.resources.memory_limit.unwrap_or(u64::MAX);
    if script.uses.1 > may_hold {
        return Exit {
            code: 137,
            is_out_of_memory: true,
        };
    }
    let ended = |code| Exit {
        code,
        is_out_of_memory: false,
    };
    let never = || (began + Duration::from_secs(u64::from(u32::MAX)), 0);
    let (mut ends_at, mut code) = script
        .exits
        .map_or_else(never, |(after, code)| (began + after, code));
    let mut lines = script.log.into_iter().peekable();
    loop {
        let next_line = lines.peek().map(|(after, _)| began + *after);
        tokio::select! {
            biased;
            signal = heard.recv() => match (signal, script.on_term) {
                (Some(Stop::Term), Some((after, with))) => {
                    let asked = Instant::now() + after;
                    if asked < ends_at {
                        (ends_at, code) = (asked, with);
                    }
                }
                (Some(Stop::Term), None) => {}
                (Some(Stop::Kill) | None, _) => return ended(137),
            },
            () = sleep_until(next_line.unwrap_or(ends_at)), if next_line.is_some() => {
                if let Some((_, line)) = lines.next() {
                    spec.log.write(LogStream::Stdout, line.as_bytes());
                }
            }
            () = sleep_until(ends_at) => return ended(code),
        }
    }
}

impl Container for Actor {
    fn signal(&self, signal: Stop) {
        let _ = self.signals.send(signal);
    }

    fn wait(&self) -> watch::Receiver<Option<Exit>> {
        self.ended.clone()
    }

    fn exec(
        &self,
        command: Vec<String>,
        mut io: ExecIo,
    ) -> BoxFuture<'static, Result<i32, ExecError>> {
        if self.ended.borrow().is_some() {
            return Box::pin(async { Err(ExecError::NotRunning("container not running".into())) });
        }
        Box::pin(async move {
            // The one command whose time matters: hooks use it to wait.
            if let [name, seconds] = &command[..]
                && name == "sleep"
                && let Ok(seconds) = seconds.parse()
            {
                sleep(Duration::from_secs(seconds)).await;
            }
            let _ = io
                .stdout
                .write_all(format!("{}\n", command.join(" ")).as_bytes())
                .await;
            let _ = io.stdout.shutdown().await;
            Ok(0)
        })
    }

    fn probe(&self, kind: ProbeKind, _check: Check) -> BoxFuture<'static, Attempt> {
        let attempt = if self.is_well(kind) {
            Attempt::Success
        } else {
            Attempt::Failure("the script says so".into())
        };
        Box::pin(async { attempt })
    }

    fn usage(&self) -> Usage {
        if self.ended.borrow().is_some() {
            return Usage::default();
        }
        let (millis, memory) = self.script.uses;
        let limit = self.resources.cpu_limit.unwrap_or(u64::MAX);
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let steady = || self.began.elapsed() * millis.min(limit) / 1000;
        let load = self.script.load.as_ref();
        Usage {
            cpu: load.map_or_else(steady, |load| load.spent(self.began, limit)),
            memory,
        }
    }
}
