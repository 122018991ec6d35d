//! Ctrl-C, SIGTERM and, when a terminal closes, SIGHUP: the first ends the run and undoes, a second one does not wait for that.
use nix::libc::SIGXFSZ;
use runner::Stop;
use std::time::Duration;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::Instant,
};

/// What comes so soon after the first signal is the same one: `timeout` sends it to its child and to the group of that, and a
/// shell to everybody in the foreground.
const SAME_WITHIN: Duration = Duration::from_secs(1);

/// Asks `stop` at the first signal. At the second, `left` is told of it and the process ends at once, with 4: a fault may still
/// be in place.
pub fn stop_on_signals(
    stop: Stop,
    left: impl FnOnce(&str) + Send + 'static,
) -> std::io::Result<()> {
    let heard = heard()?;
    // Somebody listens, so that a file that may not grow further is an error of its writer and not the end of the process.
    let too_long = signal(SignalKind::from_raw(SIGXFSZ))?;
    tokio::spawn(async move {
        let (_too_long, mut heard) = (too_long, heard);
        let Some(by) = heard.recv().await else {
            return;
        };
        eprintln!("\nbrownout: {by}: stopping and undoing; once more to leave at once");
        stop.ask(by);
        let Some(by) = insisted(&mut heard).await else {
            return;
        };
        left(by);
        eprintln!(
            "brownout: left at once; `brownout recover` takes away what is left in a real cluster"
        );
        std::process::exit(i32::from(model::ExitCode::FaultInPlace.number()));
    });
    Ok(())
}

/// Signals by their names, as they come.
fn heard() -> std::io::Result<UnboundedReceiver<&'static str>> {
    let (sender, heard) = unbounded_channel();
    let kinds = [
        ("SIGINT", SignalKind::interrupt()),
        ("SIGTERM", SignalKind::terminate()),
        ("SIGHUP", SignalKind::hangup()),
    ];
    // Under `nohup` the end of the terminal is to be none of ours.
    let kinds = kinds
        .into_iter()
        .filter(|(_, kind)| *kind != SignalKind::hangup() || !ignores_hangup());
    for (name, kind) in kinds {
        let (mut signals, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move {
            while signals.recv().await.is_some() && sender.send(name).is_ok() {}
        });
    }
    Ok(heard)
}

/// Whether whoever started this process had it ignore SIGHUP.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    has_hangup(&status)
}

/// Whether SIGHUP, number 1, is in the set of ignored signals of a process's `status`.
fn has_hangup(status: &str) -> bool {
    let mut lines = status.lines();
    let ignored = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let set = ignored.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    set.is_some_and(|set| set & 1 != 0)
}

/// The first signal that is not the one that was just heard.
async fn insisted(heard: &mut UnboundedReceiver<&'static str>) -> Option<&'static str> {
    let first = Instant::now();
    loop {
        let by = heard.recv().await?;
        if first.elapsed() >= SAME_WITHIN {
            return Some(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_that_was_to_be_ignored_is_known_from_the_process_s_status() {
        assert!(has_hangup("Name:\tx\nSigIgn:\t0000000000001001\n"));
        assert!(!has_hangup("Name:\tx\nSigIgn:\t0000000000001000\n"));
        assert!(!has_hangup("Name:\tx\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_within_a_second_is_the_same_one() {
        let (sender, mut heard) = unbounded_channel();
        tokio::spawn(async move {
            for (ms, by) in [(0, "SIGTERM"), (999, "SIGINT"), (2, "SIGTERM")] {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                sender.send(by).unwrap();
            }
        });
        let began = Instant::now();
        assert_eq!(insisted(&mut heard).await, Some("SIGTERM"));
        assert_eq!(began.elapsed(), Duration::from_millis(1001));
    }
}
