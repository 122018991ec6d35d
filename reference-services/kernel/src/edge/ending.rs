//! ending — how a call came to its end: what its caller may rely on, and what kind of end it was.

use super::Answer;
use super::client::deepest;
use bytes::Bytes;
use http::StatusCode;
use hyper_util::client::legacy::Error as ClientError;
use std::time::Duration;

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub answer: Answer,
    pub class: Class,
}

/// The kinds of ends, few enough to count each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Answered with a status of this hundred.
    Status(u16),
    /// No connection: nobody was asked.
    Unreachable,
    /// Asked, and the answer broke off.
    Broken,
    /// Asked, and not answered in time.
    TimedOut,
    /// A circuit breaker was open: nobody was asked.
    ShortCircuited,
    /// Too many calls were on their way: nobody was asked.
    Rejected,
}

impl Class {
    /// As a label: `2xx`, `timeout`.
    pub fn label(self) -> &'static str {
        match self {
            Class::Status(1) => "1xx",
            Class::Status(2) => "2xx",
            Class::Status(3) => "3xx",
            Class::Status(4) => "4xx",
            Class::Status(_) => "5xx",
            Class::Unreachable => "unreachable",
            Class::Broken => "broken",
            Class::TimedOut => "timeout",
            Class::ShortCircuited => "short_circuited",
            Class::Rejected => "rejected",
        }
    }

    /// A status below 500 says that the callee is well, whatever it thinks of the request.
    pub fn is_well(self) -> bool {
        matches!(self, Class::Status(..5))
    }
}

impl Ending {
    pub fn of_status(status: StatusCode, body: Bytes) -> Ending {
        let answer = match status.as_u16() {
            200..400 => Answer::Ok(body),
            400..500 => Answer::Refused(format!("status {status}")),
            _ => Answer::Unknown(format!("status {status}")),
        };
        Ending {
            answer,
            class: Class::of(status),
        }
    }

    pub fn of_failure(why: &ClientError) -> Ending {
        let text = deepest(why);
        if why.is_connect() {
            Ending::refused(Class::Unreachable, text)
        } else {
            Ending::unknown(Class::Broken, text)
        }
    }

    pub fn refused(class: Class, why: impl Into<String>) -> Ending {
        Ending {
            answer: Answer::Refused(why.into()),
            class,
        }
    }

    pub fn unknown(class: Class, why: impl Into<String>) -> Ending {
        Ending {
            answer: Answer::Unknown(why.into()),
            class,
        }
    }

    pub fn timed_out(limit: Duration) -> Ending {
        Ending::unknown(Class::TimedOut, format!("no answer within {limit:?}"))
    }
}

impl Class {
    pub fn of(status: StatusCode) -> Class {
        Class::Status(status.as_u16() / 100)
    }
}
