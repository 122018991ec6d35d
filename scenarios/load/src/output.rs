//! Lines on their way out: written by a thread of its own, so that a slow reader does not slow the load.
use crate::wire::{self, Line};
use std::{io::Write, thread, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// So many lines wait to be written at most; beyond that the load waits, as evidence must not be lost.
const WAITING_MAX: usize = 1 << 16;

/// Lines are written together that come within so short a time: few writes, and progress still looks live.
const BATCH: Duration = Duration::from_millis(20);

/// Where everybody puts their lines.
#[derive(Clone)]
pub(crate) struct Lines(mpsc::Sender<Line>);

impl Lines {
    /// Puts a line. When nobody reads any more the job is being stopped, and the line is lost.
    pub(crate) async fn put(&self, line: Line) {
        let _ = self.0.send(line).await;
    }

    /// The same from a thread that is not the runtime's.
    pub(crate) fn put_blocking(&self, line: Line) {
        let _ = self.0.blocking_send(line);
    }
}

/// Begins to write to `out`. The writer ends after the line [`Line::Ended`], or with an error, and then `stop`s the job.
pub(crate) fn open(
    out: impl Write + Send + 'static,
    stop: CancellationToken,
) -> (Lines, JoinHandle<std::io::Result<()>>) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let writer = tokio::task::spawn_blocking(move || {
        let written = write(receiver, out);
        if written.is_err() {
            stop.cancel();
        }
        written
    });
    (Lines(sender), writer)
}

/// Keeps back what a worker tells of itself until its load has begun, so that the first line is always the one that says so.
#[derive(Default)]
struct Begun {
    has: bool,
    early: Vec<Line>,
}

impl Begun {
    /// What can be written now that this line has come.
    fn order(&mut self, line: Line) -> Vec<Line> {
        if !self.has && line.is_of_itself() {
            self.early.push(line);
            return vec![];
        }
        self.has = true;
        let early = self.early.drain(..);
        match line {
            Line::Ended { .. } => early.chain([line]).collect(),
            line => [line].into_iter().chain(early).collect(),
        }
    }
}

fn write(mut lines: mpsc::Receiver<Line>, mut out: impl Write) -> std::io::Result<()> {
    let mut waiting = Vec::new();
    let mut begun = Begun::default();
    while lines.blocking_recv_many(&mut waiting, WAITING_MAX) > 0 {
        let ended = matches!(waiting.last(), Some(Line::Ended { .. }));
        let mut text = String::new();
        for line in waiting.drain(..).flat_map(|line| begun.order(line)) {
            text.push_str(&wire::encode(&line));
            text.push('\n');
        }
        out.write_all(text.as_bytes())?;
        out.flush()?;
        if ended {
            break;
        }
        thread::sleep(BATCH);
    }
    Ok(())
}
