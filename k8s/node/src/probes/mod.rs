//! probes — startup, liveness and readiness: what is asked, how answers are counted, and when.

pub(crate) mod attempt;
mod counter;
mod spec;
mod worker;

use std::fmt;
use std::net::IpAddr;

pub(crate) use spec::{ProbeSpec, http};
pub(crate) use worker::{Live, Published, Worker};

/// Which of a container's probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeKind {
    /// Until it succeeds, the others are not asked.
    Startup,
    /// Its failure restarts the container.
    Liveness,
    /// Its failure takes the pod out of its Services.
    Readiness,
}

impl fmt::Display for ProbeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProbeKind::Startup => "Startup",
            ProbeKind::Liveness => "Liveness",
            ProbeKind::Readiness => "Readiness",
        })
    }
}

/// What one attempt asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Exit code 0 of a command inside the container.
    Exec(Vec<String>),
    /// Status 200 to 399.
    Http(HttpCheck),
    /// A connection.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// Cannot be asked, and why: not counted.
    Unknown(String),
}

/// An HTTP GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCheck {
    /// `http` or `https`.
    pub scheme: String,
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// Further headers, in order.
    pub headers: Vec<(String, String)>,
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// As wanted.
    Success,
    /// As wanted, with a remark for the pod's events.
    Warning(String),
    /// Not as wanted, and why.
    Failure(String),
    /// Could not be asked: changes no counter and no state.
    Discarded(String),
}

fn host_of(given: Option<&String>, pod: IpAddr) -> String {
    given
        .filter(|host| !host.is_empty())
        .cloned()
        .unwrap_or_else(|| pod.to_string())
}
