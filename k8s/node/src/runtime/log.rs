//! log — a container's output as a file of lines, each with its time and stream, in the format of the CRI:
//! `<rfc3339 with nanoseconds> stdout F <text>`.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use apiserver::Clock;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A line without an end is broken here, so that a program cannot fill our memory.
const LINE_MAX: usize = 1 << 20;
const READ_SIZE: usize = 64 * 1024;

/// Which output a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl fmt::Display for LogStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        })
    }
}

/// The log of one start of one container.
#[derive(Debug)]
pub struct Log {
    file: Mutex<File>,
    clock: Clock,
}

impl Log {
    /// A log in a new, empty file.
    pub fn new(file: File, clock: Clock) -> Log {
        Log {
            file: Mutex::new(file),
            clock,
        }
    }

    /// Adds whole lines; `text` holds one or more, the last with or without its line end.
    pub fn write(&self, stream: LogStream, text: &[u8]) {
        let time = self
            .clock
            .now()
            .strftime("%Y-%m-%dT%H:%M:%S.%9fZ")
            .to_string();
        let mut lines = Vec::with_capacity(text.len() + 64);
        for line in text
            .strip_suffix(b"\n")
            .unwrap_or(text)
            .split(|byte| *byte == b'\n')
        {
            lines.extend_from_slice(format!("{time} {stream} F ").as_bytes());
            lines.extend_from_slice(line);
            lines.push(b'\n');
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(&lines) {
            tracing::warn!(%error, "output of a container was lost");
        }
    }
}

/// Writes what comes until it ends. A last line without its end is a line.
pub(super) async fn pump(log: Arc<Log>, stream: LogStream, mut from: impl AsyncRead + Unpin) {
    let mut pending = Vec::new();
    let mut chunk = vec![0; READ_SIZE];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        pending.extend_from_slice(&chunk[..length]);
        let whole = match pending.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if pending.len() > LINE_MAX => pending.len(),
            None => continue,
        };
        log.write(stream, &pending[..whole]);
        pending.drain(..whole);
    }
    if !pending.is_empty() {
        log.write(stream, &pending);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_line_carries_time_and_stream_and_the_last_needs_no_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = Arc::new(Log::new(file.reopen().unwrap(), Clock::new()));
        pump(log.clone(), LogStream::Stdout, &b"one\n\ntwo"[..]).await;
        pump(log, LogStream::Stderr, &b"three\n"[..]).await;
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.split_once(' ').unwrap().1)
            .collect();
        assert_eq!(
            lines,
            [
                "stdout F one",
                "stdout F ",
                "stdout F two",
                "stderr F three"
            ]
        );
        assert_eq!(
            text.find(' '),
            Some("2026-11-20T16:12:17.000000000Z".len()),
            "{text}"
        );
    }
}
