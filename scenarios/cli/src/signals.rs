//! Ctrl-C and SIGTERM: the first ends the run and undoes, the second does not wait for that.
use runner::Stop;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Asks `stop` at the first signal. At the second the process ends at once, with 4: a fault may still be in place.
pub fn stop_on_signals(stop: Stop) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        let by = next(&mut interrupt, &mut terminate).await;
        eprintln!("\nbrownout: {by}: stopping and undoing; once more to leave at once");
        stop.ask(by);
        next(&mut interrupt, &mut terminate).await;
        eprintln!(
            "brownout: left at once; `brownout recover` takes away what is left in a real cluster"
        );
        std::process::exit(i32::from(model::ExitCode::FaultInPlace.number()));
    });
    Ok(())
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
