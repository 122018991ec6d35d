//! What a worker prints, one JSON value a line, as small as it can be: at a thousand requests a second it goes through a
//! kubelet's log file. A pod's log holds other lines too; they do not parse, and readers skip them.
use crate::{
    answer::{Times, WallClock},
    exposition::Counts,
};
use model::{
    CanaryAsk, ErrorKind, Fact, Micros, Observation, Pressure, Process, RequestFact, Stall, Unsent,
    rows,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// So many keys of a collection at most are on one line.
pub const KEYS_MAX: usize = 200;

/// So many rows of a collection at most are on one line.
pub const ROWS_MAX: usize = 50;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Line {
    /// The first request is about to be sent. Always the first line.
    #[serde(rename = "b")]
    Began {
        /// The worker's wall clock, microseconds since the epoch.
        #[serde(rename = "w")]
        wall_us: u64,
    },
    /// What became of a request.
    #[serde(rename = "r")]
    Request(WireRequest),
    /// Requests that were due and not sent.
    #[serde(rename = "x")]
    Unsent {
        /// When the first of them was due, microseconds since the epoch.
        #[serde(rename = "f")]
        from_us: u64,
        /// When the last was.
        #[serde(rename = "t")]
        until_us: u64,
        /// How many.
        #[serde(rename = "n")]
        count: u64,
    },
    /// A question to the canary: due in microseconds since the epoch, sent − due, done − sent, and why there was no good answer.
    #[serde(rename = "y")]
    Canary(
        u64,
        u64,
        u64,
        #[serde(default, skip_serializing_if = "Option::is_none")] Option<String>,
    ),
    /// The worker stood still: from when until when, in microseconds since the epoch.
    #[serde(rename = "h")]
    Stalled(u64, u64),
    /// The worker's machine was busy: from when until when, the shares of that time in which a task waited and the worker was throttled.
    #[serde(rename = "p")]
    Pressed(u64, u64, f64, f64),
    /// Something of the answer before was kept.
    #[serde(rename = "s")]
    Saved(String, Value),
    /// Keys of the collection, in its order; more may follow.
    #[serde(rename = "k")]
    Keys(Vec<String>),
    /// Rows of the collection, in its order; more may follow.
    #[serde(rename = "v")]
    Rows(Vec<rows::Row>),
    /// All keys and rows of the collection were on the lines before.
    #[serde(rename = "c")]
    Collected {
        /// How often it was read.
        #[serde(rename = "n")]
        reads: u32,
        /// False when the last reading was not complete; the keys are those of the last one that was.
        #[serde(rename = "ok")]
        complete: bool,
    },
    /// What a pod has counted, when that changed.
    #[serde(rename = "m")]
    Counted(String, Counts),
    /// Everything has been printed. Always the last line.
    #[serde(rename = "e")]
    Ended {
        /// Requests that were printed.
        #[serde(rename = "n")]
        finished: u64,
        /// Requests that were due and not sent.
        #[serde(rename = "d")]
        dropped: u64,
        /// The worst delay between due and sent, in microseconds.
        #[serde(rename = "l")]
        lag_max_us: u64,
        /// Ended before its time, and why.
        #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
        cut_short: Option<String>,
    },
}

/// One request; instants are microseconds since the epoch on the worker's wall clock, which does not jump during a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct WireRequest {
    /// Index in the load or the list of requests.
    pub index: u32,
    /// Its number, from 1; hops of one redirected request share it.
    pub seq: u64,
    /// When it was due.
    pub due_us: u64,
    /// When it was sent.
    pub sent_us: u64,
    /// When its answer had been read to the end, or it had failed.
    pub done_us: u64,
    /// The status code, if there was one; with an error as well, the body was cut off.
    pub status: Option<u16>,
    /// Bytes of the body.
    pub bytes: u64,
    /// Why there was no whole answer.
    pub error: Option<ErrorKind>,
    /// The key of the write.
    pub key: Option<String>,
    /// The `Location` header.
    pub location: Option<String>,
    /// Headers that were asked for.
    pub headers: BTreeMap<String, String>,
    /// The body, where it is kept.
    pub body: Option<String>,
    /// What was not as the load expects.
    pub unmet: Option<String>,
}

/// A request as an array: index, seq, due, sent − due, done − sent, status, bytes, and what few requests have.
#[derive(Serialize, Deserialize)]
struct Row(
    u32,
    u64,
    u64,
    u64,
    u64,
    Option<u16>,
    u64,
    #[serde(default, skip_serializing_if = "Rest::is_empty")] Rest,
);

#[derive(Default, Serialize, Deserialize)]
struct Rest {
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorKind>,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(rename = "h", default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    unmet: Option<String>,
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.error.is_none()
            && self.key.is_none()
            && self.location.is_none()
            && self.headers.is_empty()
            && self.body.is_none()
            && self.unmet.is_none()
    }
}

impl From<Row> for WireRequest {
    fn from(Row(index, seq, due_us, waited, took, status, bytes, rest): Row) -> WireRequest {
        let sent_us = due_us.saturating_add(waited);
        WireRequest {
            index,
            seq,
            due_us,
            sent_us,
            done_us: sent_us.saturating_add(took),
            status,
            bytes,
            error: rest.error,
            key: rest.key,
            location: rest.location,
            headers: rest.headers,
            body: rest.body,
            unmet: rest.unmet,
        }
    }
}

impl From<WireRequest> for Row {
    fn from(r: WireRequest) -> Row {
        Row(
            r.index,
            r.seq,
            r.due_us,
            r.sent_us.saturating_sub(r.due_us),
            r.done_us.saturating_sub(r.sent_us),
            r.status,
            r.bytes,
            Rest {
                error: r.error,
                key: r.key,
                location: r.location,
                headers: r.headers,
                body: r.body,
                unmet: r.unmet,
            },
        )
    }
}

impl WireRequest {
    /// As a fact of the run that began at `run_start_wall_us`; what was before that becomes its start.
    pub fn observe(self, step: &str, run_start_wall_us: u64) -> Observation {
        let on_run_clock = |wall: u64| Micros(wall.saturating_sub(run_start_wall_us));
        Observation {
            at: on_run_clock(self.due_us),
            fact: Fact::Request(RequestFact {
                step: step.into(),
                index: self.index,
                seq: self.seq,
                sent: on_run_clock(self.sent_us),
                done: on_run_clock(self.done_us),
                status: self.status,
                bytes: self.bytes,
                error: self.error,
                key: self.key,
                location: self.location,
                headers: self.headers,
                body: self.body,
                unmet: self.unmet,
            }),
        }
    }
}

impl Line {
    /// A question to the canary.
    pub(crate) fn canary(times: &Times, clock: &WallClock, failed: Option<String>) -> Line {
        let due = clock.at(times.due);
        let sent = clock.at(times.sent);
        let took = clock.at(times.done).saturating_sub(sent);
        Line::Canary(due, sent.saturating_sub(due), took, failed)
    }
}

impl Line {
    /// Whether the worker tells of itself and not of a request.
    pub fn is_of_itself(&self) -> bool {
        matches!(
            self,
            Line::Unsent { .. } | Line::Canary(..) | Line::Stalled(..) | Line::Pressed(..)
        )
    }

    /// What the worker of a step tells of itself, as an observation of the run that began at `run_start_wall_us`; None of other lines.
    pub fn of_itself(self, step: &str, run_start_wall_us: u64) -> Option<Observation> {
        let on_run_clock = |wall: u64| Micros(wall.saturating_sub(run_start_wall_us));
        let process = || Process::Worker(step.into());
        let (at, fact) = match self {
            Line::Unsent {
                from_us,
                until_us,
                count,
            } => {
                let unsent = Unsent {
                    step: step.into(),
                    until: on_run_clock(until_us),
                    count,
                };
                (from_us, Fact::Unsent(unsent))
            }
            Line::Canary(due, waited, took, failed) => {
                let sent = due.saturating_add(waited);
                let ask = CanaryAsk {
                    step: step.into(),
                    sent: on_run_clock(sent),
                    done: on_run_clock(sent.saturating_add(took)),
                    failed,
                };
                (due, Fact::Canary(ask))
            }
            Line::Stalled(from, until) => {
                let stall = Stall {
                    process: process(),
                    until: on_run_clock(until),
                };
                (from, Fact::Stalled(stall))
            }
            Line::Pressed(from, until, waiting, throttled) => {
                let pressure = Pressure {
                    process: process(),
                    until: on_run_clock(until),
                    waiting,
                    throttled,
                };
                (from, Fact::Pressed(pressure))
            }
            _ => return None,
        };
        let at = on_run_clock(at);
        Some(Observation { at, fact })
    }
}

/// Reads a line of a worker's log.
///
/// # Errors
/// The line is not one of ours: somebody else's output in the same log, or torn.
pub fn parse(line: &str) -> Result<Line, serde_json::Error> {
    serde_json::from_str(line)
}

/// The line as it is printed, without a line feed; it contains none.
pub fn encode(line: &Line) -> String {
    serde_json::to_string(line).expect("text, numbers and options are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> WireRequest {
        WireRequest {
            index: 0,
            seq: 123_456,
            due_us: 1_795_191_234_567_890,
            sent_us: 1_795_191_234_567_895,
            done_us: 1_795_191_234_569_129,
            status: Some(200),
            bytes: 349,
            error: None,
            key: None,
            location: None,
            headers: BTreeMap::new(),
            body: None,
            unmet: None,
        }
    }

    #[test]
    fn a_request_without_a_body_is_a_short_line() {
        let line = encode(&Line::Request(request()));
        assert_eq!(line, r#"{"r":[0,123456,1795191234567890,5,1234,200,349]}"#);
        let with_key = encode(&Line::Request(WireRequest {
            key: Some("room-123456".into()),
            ..request()
        }));
        assert!(with_key.len() <= 90, "{with_key}");
    }

    #[test]
    fn every_line_is_read_back() {
        let lines = [
            Line::Began { wall_us: 7 },
            Line::Request(WireRequest {
                status: None,
                error: Some(ErrorKind::ConnectionRefused),
                ..request()
            }),
            Line::Request(WireRequest {
                key: Some("a".into()),
                location: Some("http://room/rooms/1".into()),
                headers: [("vary".to_string(), "origin".to_string())].into(),
                body: Some("{\n\"name\": \"호텔\"}".into()),
                unmet: Some("$.name is absent".into()),
                ..request()
            }),
            Line::Saved("room".into(), 7.into()),
            Line::Unsent {
                from_us: 5,
                until_us: 7,
                count: 3,
            },
            Line::Canary(5, 1, 300, None),
            Line::Canary(5, 1, 300, Some("HTTP 503".into())),
            Line::Stalled(5, 2_500_005),
            Line::Pressed(5, 100_005, 0.75, 0.0),
            Line::Keys(vec!["a".into(), "b".into()]),
            Line::Rows(vec![[("id".to_string(), 7.into())].into()]),
            Line::Collected {
                reads: 3,
                complete: true,
            },
            Line::Ended {
                finished: 10,
                dropped: 0,
                lag_max_us: 80,
                cut_short: None,
            },
            Line::Ended {
                finished: 1,
                dropped: 2,
                lag_max_us: 3,
                cut_short: Some("why".into()),
            },
        ];
        for line in lines {
            let text = encode(&line);
            assert!(!text.contains('\n'), "{text}");
            assert_eq!(parse(&text).unwrap(), line, "{text}");
        }
    }

    #[test]
    fn what_others_print_is_not_a_line_of_ours() {
        for text in [
            "",
            "All 10 users launched.",
            r#"{"timestamp":"2026-11-20","level":"WARN"}"#,
            r#"{"r":[0,1,17"#,
            "17",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_request_is_observed_when_it_was_due() {
        let observed = request().observe("load", 1_795_191_234_000_000);
        assert_eq!(observed.at, Micros(567_890));
        let Fact::Request(fact) = observed.fact else {
            panic!("not a request")
        };
        assert_eq!((&*fact.step, fact.seq), ("load", 123_456));
        assert_eq!((fact.sent, fact.done), (Micros(567_895), Micros(569_129)));
        assert_eq!(request().observe("load", u64::MAX).at, Micros::ZERO);
    }
}
