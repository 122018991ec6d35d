//! Arrivals at a rate: requests are sent when they are due, whatever became of those before.
use crate::{
    answer::{Times, WallClock, record},
    http::Connections,
    output::Lines,
    pace,
    template::{self, Template},
    wire::Line,
    worker::{STOPPED, Tally, WorkError},
};
use model::{Load, Stage};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// So long before the first request is due, for its thread to be there in time.
const HEAD_START: Duration = Duration::from_millis(5);

struct Shared {
    templates: Vec<Template>,
    /// One round through them, by their indexes.
    round: Vec<usize>,
    connections: Connections,
    lines: Lines,
    clock: WallClock,
    finished: AtomicU64,
    lag_max_us: AtomicU64,
    stop: CancellationToken,
}

/// Sends the load, and waits for the last answer.
pub(crate) async fn run(
    load: &Load,
    stages: &[Stage],
    in_flight_max: u32,
    lines: &Lines,
    stop: &CancellationToken,
) -> Result<Tally, WorkError> {
    let shared = Arc::new(Shared {
        templates: template::parse(&load.requests)?,
        round: load.round(),
        connections: Connections::new(load.connection, load.timeout.into()),
        lines: lines.clone(),
        clock: WallClock::now(),
        finished: 0.into(),
        lag_max_us: 0.into(),
        stop: stop.clone(),
    });
    let start = Instant::now() + HEAD_START;
    let wall_us = shared.clock.at(start);
    lines.put(Line::Began { wall_us }).await;

    let (go_on, ended) = channel();
    let release = Release {
        shared: shared.clone(),
        in_flight: Arc::new(Semaphore::new(in_flight_max as usize)),
        tasks: TaskTracker::new(),
        runtime: Handle::current(),
    };
    let tasks = release.tasks.clone();
    let stages = stages.to_vec();
    let mut pacer = tokio::task::spawn_blocking(move || release.all(&stages, start, &ended));
    let dropped = tokio::select! {
        dropped = &mut pacer => dropped,
        _ = stop.cancelled() => {
            drop(go_on);
            pacer.await
        }
    };
    tasks.close();
    tasks.wait().await;
    Ok(Tally {
        finished: shared.finished.load(Ordering::Relaxed),
        dropped: dropped.expect("the schedule does not panic"),
        lag_max_us: shared.lag_max_us.load(Ordering::Relaxed),
        cut_short: stop.is_cancelled().then(|| STOPPED.into()),
    })
}

/// Lets requests go when they are due, from a thread of its own: its timer is finer than the runtime's millisecond.
struct Release {
    shared: Arc<Shared>,
    in_flight: Arc<Semaphore>,
    tasks: TaskTracker,
    runtime: Handle,
}

impl Release {
    /// How many were dropped because too many were unanswered. Ends early when `go_on` is dropped.
    fn all(&self, stages: &[Stage], start: Instant, go_on: &Receiver<()>) -> u64 {
        let mut dropped = 0;
        let mut gap = Gap::default();
        for (k, offset) in pace::schedule(stages).enumerate() {
            let due = start + offset;
            let left = due.saturating_duration_since(Instant::now());
            if go_on.recv_timeout(left) != Err(RecvTimeoutError::Timeout) {
                break;
            }
            match self.in_flight.clone().try_acquire_owned() {
                Err(_) => {
                    dropped += 1;
                    gap.widen(due);
                }
                Ok(permit) => {
                    self.tell(&mut gap);
                    let shared = self.shared.clone();
                    let request = async move {
                        send(&shared, k, due).await;
                        drop(permit);
                    };
                    self.tasks.spawn_on(request, &self.runtime);
                }
            }
        }
        self.tell(&mut gap);
        dropped
    }

    /// Tells of the requests dropped since the last that was sent.
    fn tell(&self, gap: &mut Gap) {
        if let Some(((from, until), count)) = gap.close() {
            let clock = &self.shared.clock;
            self.shared.lines.put_blocking(Line::Unsent {
                from_us: clock.at(from),
                until_us: clock.at(until),
                count,
            });
        }
    }
}

/// Requests dropped one after the other.
#[derive(Default)]
struct Gap {
    span: Option<(Instant, Instant)>,
    count: u64,
}

impl Gap {
    fn widen(&mut self, due: Instant) {
        self.span = Some((self.span.map_or(due, |(from, _)| from), due));
        self.count += 1;
    }

    fn close(&mut self) -> Option<((Instant, Instant), u64)> {
        let count = std::mem::take(&mut self.count);
        self.span.take().map(|span| (span, count))
    }
}

async fn send(shared: &Shared, k: usize, due: Instant) {
    let index = shared.round[k % shared.round.len()];
    let request = shared.templates[index].fill(index, k as u64 + 1);
    let sent = Instant::now();
    let answer = tokio::select! {
        _ = shared.stop.cancelled() => return,
        answer = shared.connections.exchange(&request) => answer,
    };
    let times = Times {
        due,
        sent,
        done: Instant::now(),
    };
    let lag = sent.saturating_duration_since(due).as_micros() as u64;
    shared.lag_max_us.fetch_max(lag, Ordering::Relaxed);
    shared.finished.fetch_add(1, Ordering::Relaxed);
    let line = Line::Request(record(&request, times, answer, &shared.clock));
    shared.lines.put(line).await;
}
