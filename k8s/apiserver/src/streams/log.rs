//! log — a container's log, from where the client wants it, for as long as it grows.

use super::container_of;
use crate::{
    api::{Api, Call},
    refusal::Refusal,
};
use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use std::{
    collections::VecDeque,
    convert::Infallible,
    io::{self, BufRead, Seek, SeekFrom},
    path::PathBuf,
    time::Duration,
};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt, AsyncSeekExt, BufReader},
    sync::watch,
};

/// How long a reader that has seen everything waits before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Bytes sent at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Lines a client may ask to see the end of; the reader remembers where each of them begins.
const TAIL_MAX: usize = 1_000_000;

/// What of each line a client wants.
#[derive(Clone, Debug, Default, PartialEq)]
struct Filter {
    since: Option<Timestamp>,
    timestamps: bool,
}

impl Filter {
    /// Appends what the client sees of a line as the runtime wrote it.
    fn pass(&self, line: &str, out: &mut Vec<u8>) {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let mut words = line.splitn(4, ' ');
        let (Some(time), Some(_stream), Some(tag)) = (words.next(), words.next(), words.next())
        else {
            return;
        };
        let text = words.next().unwrap_or("");
        let is_early = |since| time.parse::<Timestamp>().is_ok_and(|time| time < since);
        if self.since.is_some_and(is_early) {
            return;
        }
        if self.timestamps {
            out.extend([time, " "].concat().bytes());
        }
        out.extend(text.bytes());
        // A part of a line is continued by the next one.
        if tag != "P" {
            out.push(b'\n');
        }
    }
}

/// Answers `GET …/log`.
pub async fn log(api: &Api, call: &Call) -> Result<Response, Refusal> {
    let pod = api.store.get(&call.key()).ok_or_else(|| call.not_found())?;
    let container = container_of(&pod, call)?;
    let previous = call.flag("previous");
    let file = api
        .streams()?
        .log_file(&call.namespace, &call.name, container.as_deref(), previous)
        .map_err(Refusal::bad_request)?;
    let tail = call.number("tailLines")?;
    let since = call.number("sinceSeconds")?.map(|seconds| {
        let back = SignedDuration::from_secs(seconds.max(0));
        api.clock
            .now()
            .saturating_sub(back)
            .unwrap_or(Timestamp::MIN)
    });
    let reader = Reader {
        lines: open(file.path, tail.map(|n| n.max(0) as usize)).await?,
        line: vec![],
        ended: file.ended,
        follow: call.flag("follow"),
        filter: Filter {
            since: since.or(since_time(call)?),
            timestamps: call.flag("timestamps"),
        },
        left: call
            .number("limitBytes")?
            .map_or(usize::MAX, |n| n.max(0) as usize),
        over: false,
    };
    let chunks = stream::unfold(reader, |mut reader| async move {
        let chunk = reader.next().await?;
        Some((Ok::<_, Infallible>(chunk), reader))
    });
    Ok((
        [(header::CONTENT_TYPE, "text/plain")],
        Body::from_stream(chunks),
    )
        .into_response())
}

fn since_time(call: &Call) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = call.option("sinceTime").filter(|t| !t.is_empty()) else {
        return Ok(None);
    };
    let time = text
        .parse()
        .map_err(|_| Refusal::bad_request(format!("invalid value for sinceTime: \"{text}\"")))?;
    Ok(Some(time))
}

async fn open(path: PathBuf, tail: Option<usize>) -> Result<BufReader<File>, Refusal> {
    let failed = |error: io::Error| Refusal::internal(&format!("cannot read the log: {error}"));
    let start = match tail {
        Some(lines) => {
            let path = path.clone();
            let look = tokio::task::spawn_blocking(move || {
                start_of_tail(&mut io::BufReader::new(std::fs::File::open(path)?), lines)
            });
            look.await
                .map_err(|error| failed(error.into()))?
                .map_err(failed)?
        }
        None => 0,
    };
    let mut file = File::open(path).await.map_err(failed)?;
    file.seek(SeekFrom::Start(start)).await.map_err(failed)?;
    Ok(BufReader::new(file))
}

/// Where the last `lines` lines begin.
fn start_of_tail<R: BufRead + Seek>(file: &mut R, lines: usize) -> io::Result<u64> {
    let mut starts: VecDeque<u64> = VecDeque::new();
    let mut at = 0;
    loop {
        let length = file.skip_until(b'\n')? as u64;
        if length == 0 {
            return Ok(starts.front().copied().unwrap_or(at));
        }
        starts.push_back(at);
        at += length;
        if starts.len() > lines.min(TAIL_MAX) {
            starts.pop_front();
        }
    }
}

struct Reader {
    lines: BufReader<File>,
    /// The line being read; without its end while the container has not written it.
    line: Vec<u8>,
    ended: watch::Receiver<bool>,
    follow: bool,
    filter: Filter,
    /// Bytes that the client still wants.
    left: usize,
    over: bool,
}

impl Reader {
    /// What has been written since, waiting for it if the client follows; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        let mut chunk = vec![];
        while !self.over && chunk.is_empty() {
            // Looked at before reading: whatever was written before the end is then in the file.
            let ended = *self.ended.borrow() || self.ended.has_changed().is_err();
            let reached_end = self.read_into(&mut chunk).await;
            if reached_end && (ended || !self.follow) {
                self.filter
                    .pass(&String::from_utf8_lossy(&self.line), &mut chunk);
                self.over = true;
            } else if chunk.is_empty() {
                self.wait().await;
            }
        }
        chunk.truncate(self.left);
        self.left -= chunk.len();
        self.over |= self.left == 0;
        (!chunk.is_empty()).then(|| chunk.into())
    }

    /// Reads whole lines until the chunk is full or the file is at its end, and says whether it is.
    async fn read_into(&mut self, chunk: &mut Vec<u8>) -> bool {
        while chunk.len() < CHUNK_BYTES {
            // A file that cannot be read any more is at its end.
            let _ = self.lines.read_until(b'\n', &mut self.line).await;
            if self.line.last() != Some(&b'\n') {
                return true;
            }
            self.filter
                .pass(&String::from_utf8_lossy(&self.line), chunk);
            self.line.clear();
        }
        false
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.ended.changed() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn passed(filter: Filter, lines: &[&str]) -> String {
        let mut out = vec![];
        lines.iter().for_each(|line| filter.pass(line, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_lose_what_the_runtime_added() {
        let lines = [
            "2024-05-01T00:00:00.5Z stdout F one  two\n",
            "2024-05-01T00:00:01Z stderr P thr\n",
            "2024-05-01T00:00:01Z stderr F ee\n",
        ];
        assert_eq!(passed(Filter::default(), &lines), "one  two\nthree\n");
    }

    #[test]
    fn lines_before_the_wanted_time_are_left_out() {
        let filter = Filter {
            since: Some("2024-05-01T00:00:01Z".parse().unwrap()),
            timestamps: true,
        };
        let lines = [
            "2024-05-01T00:00:00.9Z stdout F one\n",
            "2024-05-01T00:00:01.5Z stdout F two\n",
        ];
        assert_eq!(passed(filter, &lines), "2024-05-01T00:00:01.5Z two\n");
    }

    #[test]
    fn the_tail_begins_where_its_first_line_does() {
        let start = |lines| start_of_tail(&mut Cursor::new("a\nbb\nccc\n"), lines).unwrap();
        assert_eq!([start(0), start(1), start(2), start(9)], [9, 5, 2, 0]);
    }
}
