//! What a person sees while a run goes on: one line that changes on a terminal, plain lines in a pipe.
use runner::Progress;
use std::{
    io::{IsTerminal, Write},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

/// A terminal is redrawn so often.
const REDRAW: Duration = Duration::from_millis(200);
/// A pipe hears of a run in which nothing changes so often.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Shows the progress of a run until it is ended.
pub struct Screen {
    task: JoinHandle<()>,
    done: watch::Sender<bool>,
}

impl Screen {
    /// Begins to show.
    pub fn start(progress: watch::Receiver<Progress>) -> Screen {
        let (done, ended) = watch::channel(false);
        let task = if std::io::stderr().is_terminal() {
            tokio::spawn(redraw(progress, ended))
        } else {
            tokio::spawn(print(progress, ended))
        };
        Screen { task, done }
    }

    /// Shows the last state and leaves the line free.
    pub async fn end(self) {
        self.done.send_replace(true);
        // A display that failed must not fail the run.
        let _ = self.task.await;
    }
}

async fn redraw(progress: watch::Receiver<Progress>, mut done: watch::Receiver<bool>) {
    let began = Instant::now();
    loop {
        let line = fit(&line(&progress.borrow(), began.elapsed()), width());
        eprint!("\r\x1b[2K{line}");
        let _ = std::io::stderr().flush();
        if tokio::time::timeout(REDRAW, done.wait_for(|d| *d))
            .await
            .is_ok()
        {
            eprint!("\r\x1b[2K");
            return;
        }
    }
}

async fn print(mut progress: watch::Receiver<Progress>, mut done: watch::Receiver<bool>) {
    let began = Instant::now();
    let mut shown = String::new();
    let mut shown_at = began;
    loop {
        let (event, now) = {
            let progress = progress.borrow_and_update();
            (event(&progress), line(&progress, began.elapsed()))
        };
        if event != shown || shown_at.elapsed() >= HEARTBEAT {
            eprintln!("{now}");
            (shown, shown_at) = (event, Instant::now());
        }
        tokio::select! {
            _ = done.wait_for(|d| *d) => return,
            changed = tokio::time::timeout(HEARTBEAT, progress.changed()) => {
                if matches!(changed, Ok(Err(_))) {
                    return;
                }
            }
        }
    }
}

/// What makes a new line in a pipe: phase, steps and faults, not every request.
fn event(progress: &Progress) -> String {
    format!(
        "{:?} {:?} {}",
        progress.phase, progress.running, progress.latest
    )
}

/// `mybnb/zero-downtime (with-probes)  Running  4.2 s  redeploy  250/s  0 errors  review 1/1  7.8 s left  next redeploy in 1.0 s`
fn line(progress: &Progress, elapsed: Duration) -> String {
    let mut parts = vec![progress.title.clone()];
    parts.push(progress.phase.map_or("Starting", |p| p.word()).into());
    parts.push(format!("{:.1} s", elapsed.as_secs_f64()));
    if !progress.running.is_empty() {
        parts.push(progress.running.join(" + "));
    }
    if progress.requests > 0 {
        parts.push(format!("{}/s", progress.rate()));
        parts.push(format!(
            "{} of {} failed",
            progress.errors, progress.requests
        ));
    }
    let not_ready = progress
        .ready
        .iter()
        .filter(|(_, (ready, desired))| ready != desired);
    let not_ready: Vec<_> = not_ready
        .map(|(name, (ready, desired))| format!("{name} {ready}/{desired}"))
        .collect();
    match (not_ready.is_empty(), progress.ready.len()) {
        (true, 0) => {}
        (true, count) => parts.push(format!("{count} ready")),
        (false, _) => parts.push(format!("{} ready", not_ready.join(" "))),
    }
    if !progress.latest.is_empty() {
        parts.push(progress.latest.clone());
    }
    if let Some(ends) = progress.load_ends {
        parts.push(format!(
            "{:.0} s left",
            ends.saturating_sub(progress.now).as_secs_f64()
        ));
    }
    if let Some((next, at)) = &progress.next {
        parts.push(format!(
            "{next} in {:.1} s",
            at.saturating_sub(progress.now).as_secs_f64()
        ));
    }
    // Steps and pods have the names that files and clusters give them.
    model::visible_line(&parts.join("  ")).into_owned()
}

/// A line longer than the terminal would not be overwritten by the next.
fn fit(line: &str, width: usize) -> String {
    line.chars().take(width.saturating_sub(1)).collect()
}

fn width() -> usize {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|c| c.parse().ok())
        .unwrap_or(120)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Micros, observation::Phase};

    #[test]
    fn a_line_says_where_the_run_is_and_what_comes_next() {
        let mut progress = Progress::default();
        progress.title = "mybnb/zero-downtime (with-probes)".into();
        progress.phase = Some(Phase::Running);
        progress.now = Micros::from_millis(4_200);
        progress.running = vec!["load".into()];
        progress.requests = 800;
        progress.errors = 3;
        progress.ready = [("review".to_string(), (0, 1))].into();
        progress.load_ends = Some(Micros::from_secs(12));
        progress.next = Some(("redeploy".into(), Micros::from_millis(5_200)));
        assert_eq!(
            line(&progress, Duration::from_millis(4_200)),
            "mybnb/zero-downtime (with-probes)  Running  4.2 s  load  0/s  3 of 800 failed  review 0/1 ready  8 s left  redeploy in 1.0 s"
        );
        assert_eq!(fit("abcdef", 4), "abc");
    }
}
