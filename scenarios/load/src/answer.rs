//! What came back for one request, gathered while it arrives.
use crate::{expect, failure, template::Prepared, wire::WireRequest};
use model::{ErrorKind, load::BODY_MAX};
use reqwest::{
    StatusCode, Url,
    header::{HeaderMap, LOCATION},
};
use std::{collections::BTreeMap, error::Error, time::Instant};

/// So much of it as had arrived, and what went wrong then.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: Option<u16>,
    pub(crate) bytes: u64,
    pub(crate) error: Option<ErrorKind>,
    pub(crate) location: Option<String>,
    /// Those of the headers that are asked for.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) keep: usize,
    pub(crate) asked: Vec<String>,
}

impl Answer {
    /// Nothing yet, to a request that has just been sent.
    pub(crate) fn to(request: &Prepared) -> Answer {
        Answer {
            keep: request.keep,
            asked: request.headers_asked.clone(),
            ..Answer::default()
        }
    }

    /// The status line and the headers.
    pub(crate) fn head(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = Some(status.as_u16());
        self.location = headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        for name in &self.asked {
            // Sent several times, it is one list (RFC 9110, 5.3).
            let values = headers.get_all(name).iter();
            let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
            if !values.is_empty() {
                self.headers.insert(name.clone(), values.join(", "));
            }
        }
        if status.is_client_error() || status.is_server_error() {
            // The body of a failure says what failed.
            self.keep = self.keep.max(BODY_MAX);
        }
    }

    /// The next piece of the body.
    pub(crate) fn chunk(&mut self, data: &[u8]) {
        self.bytes += data.len() as u64;
        let room = self.keep.saturating_sub(self.body.len()).min(data.len());
        self.body.extend_from_slice(&data[..room]);
    }

    /// No more will come.
    pub(crate) fn fail(&mut self, error: &(dyn Error + 'static)) {
        self.error = Some(failure::kind(error));
    }

    /// Whether it was answered well: a whole answer with a status below 400.
    pub(crate) fn is_good(&self) -> bool {
        self.error.is_none() && self.status.is_some_and(|status| status < 400)
    }

    /// Where a redirect leads, if this is one.
    pub(crate) fn redirect(&self, from: &Url) -> Option<Url> {
        let redirected = self.error.is_none() && matches!(self.status, Some(301..=303 | 307 | 308));
        from.join(self.location.as_deref().filter(|_| redirected)?)
            .ok()
    }
}

/// The wall clock read once, so that it cannot jump during a job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallClock {
    instant: Instant,
    wall_us: u64,
}

impl WallClock {
    pub(crate) fn now() -> WallClock {
        let wall = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        WallClock {
            instant: Instant::now(),
            wall_us: wall.as_micros() as u64,
        }
    }

    /// Microseconds since the epoch.
    pub(crate) fn at(&self, instant: Instant) -> u64 {
        self.wall_us + instant.saturating_duration_since(self.instant).as_micros() as u64
    }
}

/// When a request was due, sent and done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) due: Instant,
    pub(crate) sent: Instant,
    pub(crate) done: Instant,
}

/// The request with its answer, compared with what is expected of it, as it is printed.
pub(crate) fn record(
    request: &Prepared,
    times: Times,
    answer: Answer,
    clock: &WallClock,
) -> WireRequest {
    let has_body = answer.keep > 0 && !answer.body.is_empty();
    let seen = WireRequest {
        index: request.index,
        seq: request.seq,
        due_us: clock.at(times.due),
        sent_us: clock.at(times.sent),
        done_us: clock.at(times.done),
        status: answer.status,
        bytes: answer.bytes,
        error: answer.error,
        key: request.key.clone(),
        location: answer.location,
        headers: answer.headers,
        body: has_body.then(|| String::from_utf8_lossy(&answer.body).into_owned()),
        unmet: None,
    };
    expect::judged(seen, request.expect.as_ref(), request.print)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, location: &str, keep: usize) -> Answer {
        let mut answer = Answer {
            keep,
            ..Answer::default()
        };
        let headers = [(LOCATION, location.parse().unwrap())]
            .into_iter()
            .collect();
        answer.head(StatusCode::from_u16(status).unwrap(), &headers);
        answer
    }

    #[test]
    fn a_body_is_counted_in_full_and_kept_in_part() {
        let mut kept = answer(200, "/", 5);
        kept.chunk(b"abc");
        kept.chunk(b"defgh");
        assert_eq!((kept.bytes, &*kept.body), (8, &b"abcde"[..]));
        let mut dropped = answer(200, "/", 0);
        dropped.chunk(b"abc");
        assert_eq!((dropped.bytes, &*dropped.body), (3, &b""[..]));
        let mut failed = answer(500, "/", 0);
        failed.chunk(b"because");
        assert_eq!(&*failed.body, b"because");
    }

    #[test]
    fn only_a_redirect_is_followed() {
        let from = Url::parse("http://room:8080/rooms").unwrap();
        assert_eq!(
            answer(302, "/other", 0).redirect(&from).unwrap().as_str(),
            "http://room:8080/other"
        );
        assert_eq!(answer(201, "/rooms/1", 0).redirect(&from), None);
        assert_eq!(answer(304, "/rooms/1", 0).redirect(&from), None);
    }
}
