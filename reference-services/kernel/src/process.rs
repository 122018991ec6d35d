//! process — one service as a process of its own: log lines, signals, exit codes.

use crate::env::Env;
use crate::serve::{Running, StartError, start};
use crate::service::Service;
use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// The environment or the arguments cannot be used.
pub const EXIT_USAGE: u8 = 64;
/// Everything else that went wrong.
pub const EXIT_FAILURE: u8 = 70;

/// Runs one service until SIGTERM or SIGINT (exit 0), or tells on stderr why it cannot (64 for the environment, else 70).
pub fn run(service: Service, env: &Env) -> ExitCode {
    run_until_stopped(start(service, env), Running::stop)
}

/// Starts something, waits for SIGTERM or SIGINT, and ends it; a signal during a slow start ends it at once. One thread is enough for
/// a service and keeps it small. Log lines go to stdout.
pub fn run_until_stopped<T, F>(
    start: impl Future<Output = Result<T, StartError>>,
    stop: impl FnOnce(T) -> F,
) -> ExitCode
where
    F: Future<Output = ()>,
{
    log_to_stdout();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(why) => return failed(&why, EXIT_FAILURE),
    };
    let result = runtime.block_on(async {
        let mut signal = pin!(stop_signal());
        let running = tokio::select! {
            biased;
            () = &mut signal => return Ok(()),
            started = start => started?,
        };
        signal.await;
        stop(running).await;
        Ok(())
    });
    // A name that is being looked up must not hold up the end.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why @ StartError::BadEnv(_)) => failed(&why, EXIT_USAGE),
        Err(why) => failed(&why, EXIT_FAILURE),
    }
}

/// Comes back on SIGTERM or SIGINT.
async fn stop_signal() {
    let on = |kind| signal(kind).expect("the runtime handles signals");
    let (mut term, mut int) = (on(SignalKind::terminate()), on(SignalKind::interrupt()));
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// Tells an error with all its causes.
fn failed(why: &dyn Error, code: u8) -> ExitCode {
    let causes = std::iter::successors(why.source(), |cause: &&dyn Error| (*cause).source());
    let text = causes.fold(why.to_string(), |text, cause| format!("{text}: {cause}"));
    eprintln!("{text}");
    ExitCode::from(code)
}

/// `LOG` chooses what is logged (`info`, `kernel=debug,info`); by default `info`.
fn log_to_stdout() {
    let wanted = std::env::var("LOG")
        .ok()
        .and_then(|wanted| wanted.parse::<Targets>().ok());
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    let lines = tracing_subscriber::fmt::layer().with_ansi(false);
    // Somebody else in this process may have set up logging already; then it stays theirs.
    tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init()
        .ok();
}
