//! watchdog — limits kept by the node itself, by looking: stops a container's processes when they have used their CPU, kills them when
//! they hold too much memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::Resources;
use super::budget::{Budget, PERIOD};
use crate::runtime::Usage;
use crate::shim::processes;

/// Between two looks at a container that is working; one that is not is looked at less often.
const TICK: Duration = Duration::from_millis(5);
const IDLE_TICK: Duration = Duration::from_millis(20);
/// Between two looks at memory.
const MEMORY_TICK: Duration = Duration::from_millis(500);

/// Finds the processes of a container.
pub(crate) trait Processes: Send + Sync + 'static {
    /// All of them, now.
    fn all(&self) -> Vec<i32>;
    /// Ends them all.
    fn kill(&self);
}

/// Watches one container until it is dropped.
pub(crate) struct Watchdog {
    is_over_memory: Arc<AtomicBool>,
    throttled: Arc<AtomicU64>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Watchdog {
    /// Must be called inside a tokio runtime. Without limits nothing is watched.
    pub fn start(resources: &Resources, of: Arc<dyn Processes>) -> Watchdog {
        let is_over_memory = Arc::new(AtomicBool::new(false));
        let throttled = Arc::<AtomicU64>::default();
        let mut tasks = vec![];
        if let Some(limit) = resources.cpu_limit {
            tasks.push(tokio::spawn(throttle(
                Budget::new(limit),
                of.clone(),
                throttled.clone(),
            )));
        }
        if let Some(limit) = resources.memory_limit {
            tasks.push(tokio::spawn(weigh(limit, of, is_over_memory.clone())));
        }
        Watchdog {
            is_over_memory,
            throttled,
            _tasks: tasks.into_iter().map(AbortOnDropHandle::new).collect(),
        }
    }

    /// Where it counts the periods in which it stopped the container.
    pub fn throttled(&self) -> Arc<AtomicU64> {
        self.throttled.clone()
    }

    /// Whether it has killed the container for its memory.
    pub fn has_run_out_of_memory(&self) -> bool {
        self.is_over_memory.load(Ordering::Relaxed)
    }
}

/// What these processes have used, with the children they have waited for.
pub(crate) fn usage(pids: &[i32]) -> Usage {
    let each = pids.iter().map(|pid| processes::usage(*pid));
    each.fold(Usage::default(), |sum, one| Usage {
        cpu: sum.cpu + one.cpu,
        memory: sum.memory + one.memory,
    })
}

async fn throttle(mut budget: Budget, of: Arc<dyn Processes>, periods: Arc<AtomicU64>) {
    let mut ends = Instant::now() + PERIOD;
    let mut pids = of.all();
    let mut is_stopped = false;
    loop {
        let used = pids.iter().map(|pid| processes::cpu(*pid)).sum();
        let is_idle = budget.spend(used).is_zero();
        if budget.left().is_none() && !is_stopped {
            // Those started since the last look are stopped, too.
            pids = of.all();
            signal(&pids, Signal::SIGSTOP);
            is_stopped = true;
        }
        let tick = match budget.left() {
            None => PERIOD,
            Some(_) if is_idle => IDLE_TICK,
            Some(_) => TICK,
        };
        let now = Instant::now();
        sleep(tick.min(ends.saturating_duration_since(now))).await;
        if Instant::now() < ends {
            continue;
        }
        while ends <= Instant::now() {
            budget.refill();
            ends += PERIOD;
            periods.fetch_add(u64::from(is_stopped), Ordering::Relaxed);
        }
        pids = of.all();
        if is_stopped && budget.left().is_some() {
            signal(&pids, Signal::SIGCONT);
            is_stopped = false;
        }
    }
}

fn signal(pids: &[i32], signal: Signal) {
    for pid in pids {
        // One that has ended meanwhile needs no signal.
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}

async fn weigh(limit: u64, of: Arc<dyn Processes>, is_over: Arc<AtomicBool>) {
    loop {
        sleep(MEMORY_TICK).await;
        if usage(&of.all()).memory > limit {
            is_over.store(true, Ordering::Relaxed);
            of.kill();
            return;
        }
    }
}
