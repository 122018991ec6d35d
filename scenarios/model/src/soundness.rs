//! What the harness says of itself: when one of its processes stood still, when the machine had no time for anybody, how the
//! canary fared, and what was never sent.
use crate::Micros;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A process on the path of requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Process {
    /// brownout itself; on the embedded cluster with the proxies of its Services.
    Brownout,
    /// The load worker of the step with this name.
    Worker(String),
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Process::Brownout => f.write_str("brownout"),
            Process::Worker(step) => write!(f, "the load worker of “{step}”"),
        }
    }
}

/// A process did not do what it does every few milliseconds: it was stopped, or got no processor. Its observation's `at` is when
/// its heartbeat was due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stall {
    /// Which.
    pub process: Process,
    /// When its heart beat again.
    pub until: Micros,
}

/// Tasks had to wait for a processor of the machine a process is on. Its observation's `at` is when that began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pressure {
    /// Who saw it.
    pub process: Process,
    /// When it was over, or was last seen.
    pub until: Micros,
    /// The share of the time in which at least one task waited, 0 to 1.
    pub waiting: f64,
    /// The share of the time in which the process's control group had used up its processor time, 0 to 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub throttled: f64,
}

fn is_zero(share: &f64) -> bool {
    *share == 0.0
}

/// The worker of a load asked the canary. Its observation's `at` is when that was due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryAsk {
    /// Name of the step with the load.
    pub step: String,
    /// When it was sent.
    pub sent: Micros,
    /// When it was answered, or had failed.
    pub done: Micros,
    /// Why there was no good answer: `HTTP 503`, `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Requests of a load were due and never sent, because too many were unanswered. Its observation's `at` is when the first was due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsent {
    /// Name of the step with the load.
    pub step: String,
    /// When the last was due.
    pub until: Micros,
    /// How many.
    pub count: u64,
}

/// A stretch of a load's time about which the run cannot speak for the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Doubt {
    /// Name of the step with the load.
    pub step: String,
    /// When it began.
    pub from: Micros,
    /// When it was over.
    pub to: Micros,
    /// Of which kind it is.
    pub whose: Whose,
    /// Who or what is to blame.
    pub because: String,
}

/// Why a stretch of time does not count for or against the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Whose {
    /// Nothing is known of it: a request was due and none was sent, or a process on the path stood still.
    Unknown,
    /// The canary was slow or silent, too.
    Machine,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fact, Observation};

    #[test]
    fn a_stall_is_one_flat_line_that_names_the_process() {
        let stall = Stall {
            process: Process::Worker("siege".into()),
            until: Micros(30),
        };
        assert_eq!(stall.process.to_string(), "the load worker of “siege”");
        let line = serde_json::to_string(&Observation {
            at: Micros(10),
            fact: Fact::Stalled(stall.clone()),
        })
        .unwrap();
        assert_eq!(
            line,
            r#"{"at":10,"fact":"stalled","process":{"worker":"siege"},"until":30}"#
        );
        let back: Observation = serde_json::from_str(&line).unwrap();
        assert_eq!(back.fact, Fact::Stalled(stall));
    }
}
