//! Does a job and prints what happened.
use crate::{
    LoadJob,
    answer::WallClock,
    canary, closed,
    closed::Users,
    collect,
    heartbeat::{Heartbeat, Told, WAITING_MIN},
    job::JOB_VARIABLE,
    once, open,
    output::{self, Lines},
    reach, scrape,
    template::BadRequest,
    wire::Line,
};
use model::{Load, LoadModel};
use std::{
    env, fs,
    io::{self, Write},
    process::ExitCode,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Why a job ended before its time.
pub(crate) const STOPPED: &str = "stopped";

/// So many threads at most look up names, write lines and keep the schedule.
const BLOCKING_MAX: usize = 32;

/// What a worker counts itself.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) finished: u64,
    pub(crate) dropped: u64,
    pub(crate) lag_max_us: u64,
    pub(crate) cut_short: Option<String>,
}

/// The worker could not do its job. A system under test that fails is not an error.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// There is no job, or it cannot be read.
    #[error("the job: {0}")]
    Job(String),
    /// A request of it cannot be sent.
    #[error(transparent)]
    Request(#[from] BadRequest),
    /// There is nothing to send.
    #[error("the load has no {0}")]
    Nothing(&'static str),
    /// goose knows GET, POST, PUT, PATCH, DELETE and HEAD.
    #[error("a closed load cannot send {0}")]
    Method(String),
    /// A client could not be made.
    #[error("the client: {0}")]
    Client(#[source] reqwest::Error),
    /// goose gave up.
    #[error("goose: {0}")]
    Goose(String),
    /// What happened could not be printed.
    #[error("printing: {0}")]
    Output(#[from] io::Error),
}

/// Does `job`, prints [`wire`](crate::wire) lines to `out`, and returns when everything it started is over.
///
/// When `stop` is cancelled, or `out` fails, nothing more is sent, what is in flight is given up, and the last line says
/// that the job was cut short. Must be called in a runtime with at least two threads. Closed loads of one process run
/// one after the other.
///
/// # Errors
/// The job cannot be done, or `out` failed. There may be no last line then.
pub async fn work(
    job: LoadJob,
    out: impl Write + Send + 'static,
    stop: CancellationToken,
) -> Result<(), WorkError> {
    if let Some(rest) = perform(&job, out, stop).await? {
        // How goose ends is of no interest: the load had ended before.
        let _ = rest.await;
    }
    Ok(())
}

/// As [`work`], but returns as soon as everything is printed.
async fn perform(
    job: &LoadJob,
    out: impl Write + Send + 'static,
    stop: CancellationToken,
) -> Result<Option<closed::Rest>, WorkError> {
    let (lines, written) = output::open(out, stop.clone());
    let clock = WallClock::now();
    let heart = is_timed(job).then(|| beat(&lines, clock));
    let (tally, rest) = match job {
        LoadJob::Load { load, canary } => {
            beside_canary(load, canary.clone(), &lines, clock, &stop).await?
        }
        LoadJob::Requests {
            requests,
            expected,
            timeout,
        } => {
            let list = once::List::of(requests, expected, *timeout)?;
            (list.send(&lines, &stop).await, None)
        }
        LoadJob::Collect { collect } => (collect::run(collect, &lines, &stop).await?, None),
        LoadJob::Scrape { scrape } => (scrape::run(scrape, &lines, &stop).await, None),
        LoadJob::Reach { addresses, timeout } => {
            (reach::run(addresses, *timeout, &stop).await, None)
        }
    };
    // Nothing is told after the last line.
    drop(heart);
    let ended = Line::Ended {
        finished: tally.finished,
        dropped: tally.dropped,
        lag_max_us: tally.lag_max_us,
        cut_short: tally.cut_short,
    };
    lines.put(ended).await;
    written.await.unwrap_or_else(|e| Err(io::Error::other(e)))?;
    Ok(rest)
}

/// Whether it matters when things happen in this job.
fn is_timed(job: &LoadJob) -> bool {
    match job {
        LoadJob::Load { .. } | LoadJob::Requests { .. } | LoadJob::Collect { .. } => true,
        LoadJob::Scrape { .. } | LoadJob::Reach { .. } => false,
    }
}

/// A heart that tells when the worker stood still, and when its machine was busy.
fn beat(lines: &Lines, clock: WallClock) -> Heartbeat {
    let lines = lines.clone();
    Heartbeat::begin(move |told| {
        if let Some(line) = heard_line(told, &clock) {
            lines.put_blocking(line);
        }
    })
}

/// Sends a load, while the canary is asked.
async fn beside_canary(
    load: &Load,
    canary: Option<String>,
    lines: &Lines,
    clock: WallClock,
    stop: &CancellationToken,
) -> Result<(Tally, Option<closed::Rest>), WorkError> {
    let over = stop.child_token();
    let asking = canary.map(|url| {
        let (lines, over) = (lines.clone(), over.clone());
        tokio::spawn(canary::ask(url, load.connection, lines, clock, over))
    });
    let sent = send(load, lines, stop).await;
    over.cancel();
    if let Some(asking) = asking {
        // What it was told is on its way; how its task ended is of no interest.
        let _ = asking.await;
    }
    sent
}

fn heard_line(told: Told, clock: &WallClock) -> Option<Line> {
    match told {
        Told::Stalled { from, until } => Some(Line::Stalled(clock.at(from), clock.at(until))),
        Told::Machine {
            from,
            until,
            waiting,
            throttled,
        } => (waiting >= WAITING_MIN || throttled > 0.0).then(|| {
            let (from, until) = (clock.at(from), clock.at(until));
            Line::Pressed(from, until, waiting, throttled)
        }),
    }
}

async fn send(
    load: &Load,
    lines: &Lines,
    stop: &CancellationToken,
) -> Result<(Tally, Option<closed::Rest>), WorkError> {
    if load.requests.is_empty() {
        return Err(WorkError::Nothing("requests"));
    }
    match &load.model {
        LoadModel::Open {
            stages,
            in_flight_max,
        } => {
            let tally = open::run(load, stages, *in_flight_max, lines, stop).await?;
            Ok((tally, None))
        }
        &LoadModel::Closed { users: 0, .. } => Err(WorkError::Nothing("users")),
        &LoadModel::Closed {
            users,
            duration,
            repetitions,
            max_rate,
        } => {
            let users = Users {
                count: users,
                duration: duration.map(Into::into),
                repetitions,
                max_rate,
            };
            let (tally, rest) = closed::run(load, users, lines, stop).await?;
            Ok((tally, Some(rest)))
        }
    }
}

/// The worker as a process: the job is in the environment variable [`JOB_VARIABLE`], lines go to stdout, SIGTERM ends it
/// early and well.
///
/// Exit codes: 0 the job was done or was stopped, 64 there is no such job, 70 it failed.
pub fn main_worker() -> ExitCode {
    let job = match job() {
        Ok(job) => job,
        Err(error) => return give_up(&error, 64),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_MAX)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return give_up(&error.into(), 70),
    };
    let done = runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_on_signals(&stop)?;
        perform(&job, io::stdout(), stop).await
    });
    // What goose still does needs no end: its users send nothing more, and the process is over.
    runtime.shutdown_background();
    match done {
        Ok(_) => ExitCode::SUCCESS,
        Err(error @ (WorkError::Request(_) | WorkError::Nothing(_) | WorkError::Method(_))) => {
            give_up(&error, 64)
        }
        Err(error) => give_up(&error, 70),
    }
}

fn give_up(error: &WorkError, code: u8) -> ExitCode {
    eprintln!("load worker: {error}");
    ExitCode::from(code)
}

fn job() -> Result<LoadJob, WorkError> {
    let bad = |because: String| WorkError::Job(because);
    let text = env::var(JOB_VARIABLE).map_err(|e| bad(format!("{JOB_VARIABLE}: {e}")))?;
    let text = match text.strip_prefix('@') {
        Some(path) => fs::read_to_string(path).map_err(|e| bad(format!("{path}: {e}")))?,
        None => text,
    };
    serde_json::from_str(&text).map_err(|e| bad(e.to_string()))
}

/// SIGTERM is what a kubelet sends. SIGINT comes from a terminal; goose would take it, unless `ctrlc` is ours already.
fn stop_on_signals(stop: &CancellationToken) -> Result<(), io::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let terminated = stop.clone();
    tokio::spawn(async move {
        terminate.recv().await;
        terminated.cancel();
    });
    let interrupted = stop.clone();
    ctrlc::set_handler(move || interrupted.cancel()).map_err(io::Error::other)
}
