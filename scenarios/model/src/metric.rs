//! Figures that a condition may name, and what they are measured in.
use crate::{ErrorKind, Micros, RequestFact};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A figure of a load or of a step with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Metric {
    /// Answered well / due, 0 to 1.
    Availability,
    /// 1 − availability.
    ErrorRatio,
    /// Number of requests that were not answered well.
    Errors,
    /// Number of requests that were not answered for this reason.
    ErrorsOf(ErrorKind),
    /// Number of answers with this status code.
    Status(u16),
    /// Number of unavailability windows.
    UnavailabilityWindows,
    /// The longest window, in seconds.
    UnavailabilityLongest,
    /// All windows together, in seconds.
    UnavailabilityTotal,
    /// Median response time, from when the request was due, in seconds; a failed request took for ever.
    LatencyP50,
    /// 90th percentile of it.
    LatencyP90,
    /// 99th percentile of it.
    LatencyP99,
    /// 99.9th percentile of it.
    LatencyP999,
    /// Median response time of the good requests alone.
    LatencyGoodP50,
    /// 90th percentile of it.
    LatencyGoodP90,
    /// 99th percentile of it.
    LatencyGoodP99,
    /// 99.9th percentile of it.
    LatencyGoodP999,
    /// Number of requests that were sent.
    Requests,
    /// Requests answered well, a second.
    Throughput,
}

/// A word that is no metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoMetric(pub String);

impl fmt::Display for NoMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no such metric: {}", self.0)
    }
}

impl std::error::Error for NoMetric {}

/// The statuses that HTTP has.
const STATUSES: std::ops::RangeInclusive<u16> = 100..=599;

impl Metric {
    /// All of them but the counts of statuses, for messages and the schema.
    pub const ALL: [Metric; 22] = [
        Metric::Availability,
        Metric::ErrorRatio,
        Metric::Errors,
        Metric::ErrorsOf(ErrorKind::Dns),
        Metric::ErrorsOf(ErrorKind::ConnectionRefused),
        Metric::ErrorsOf(ErrorKind::ConnectionReset),
        Metric::ErrorsOf(ErrorKind::Timeout),
        Metric::ErrorsOf(ErrorKind::Protocol),
        Metric::ErrorsOf(ErrorKind::Other),
        Metric::UnavailabilityWindows,
        Metric::UnavailabilityLongest,
        Metric::UnavailabilityTotal,
        Metric::LatencyP50,
        Metric::LatencyP90,
        Metric::LatencyP99,
        Metric::LatencyP999,
        Metric::LatencyGoodP50,
        Metric::LatencyGoodP90,
        Metric::LatencyGoodP99,
        Metric::LatencyGoodP999,
        Metric::Requests,
        Metric::Throughput,
    ];

    /// The word of the scenario format.
    pub fn word(self) -> String {
        let word = match self {
            Metric::Availability => "availability",
            Metric::ErrorRatio => "errorRatio",
            Metric::Errors => "errors",
            Metric::ErrorsOf(kind) => return format!("errors.{}", kind.word()),
            Metric::Status(code) => return format!("status.{code}"),
            Metric::UnavailabilityWindows => "unavailability.windows",
            Metric::UnavailabilityLongest => "unavailability.longest",
            Metric::UnavailabilityTotal => "unavailability.total",
            Metric::LatencyP50 => "latency.p50",
            Metric::LatencyP90 => "latency.p90",
            Metric::LatencyP99 => "latency.p99",
            Metric::LatencyP999 => "latency.p999",
            Metric::LatencyGoodP50 => "latency.good.p50",
            Metric::LatencyGoodP90 => "latency.good.p90",
            Metric::LatencyGoodP99 => "latency.good.p99",
            Metric::LatencyGoodP999 => "latency.good.p999",
            Metric::Requests => "requests",
            Metric::Throughput => "throughput",
        };
        word.into()
    }

    /// What its values are measured in.
    pub fn unit(self) -> Unit {
        match self {
            Metric::Availability | Metric::ErrorRatio => Unit::Ratio,
            Metric::Errors
            | Metric::ErrorsOf(_)
            | Metric::Status(_)
            | Metric::UnavailabilityWindows
            | Metric::Requests => Unit::Count,
            Metric::Throughput => Unit::PerSecond,
            _ => Unit::Seconds,
        }
    }
}

impl FromStr for Metric {
    type Err = NoMetric;
    fn from_str(word: &str) -> Result<Metric, NoMetric> {
        let code = word
            .strip_prefix("status.")
            .and_then(|code| code.parse().ok());
        let status = code
            .filter(|code| STATUSES.contains(code))
            .map(Metric::Status);
        let fixed = Metric::ALL.into_iter().find(|m| m.word() == word);
        fixed.or(status).ok_or_else(|| NoMetric(word.into()))
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> String {
        metric.word()
    }
}

impl TryFrom<String> for Metric {
    type Error = NoMetric;
    fn try_from(word: String) -> Result<Metric, NoMetric> {
        word.parse()
    }
}

/// A figure of a workload: its replicas and its restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WorkloadMetric {
    /// The most ready replicas there were.
    #[serde(rename = "replicas.max")]
    ReplicasMax,
    /// The fewest.
    #[serde(rename = "replicas.min")]
    ReplicasMin,
    /// Ready replicas at the end.
    #[serde(rename = "replicas.last")]
    ReplicasLast,
    /// The most replicas that were asked for.
    #[serde(rename = "replicas.desired.max")]
    DesiredMax,
    /// The fewest.
    #[serde(rename = "replicas.desired.min")]
    DesiredMin,
    /// Replicas asked for at the end.
    #[serde(rename = "replicas.desired.last")]
    DesiredLast,
    /// From the first request of a load until more replicas were asked for, in seconds.
    #[serde(rename = "scaleOut.reaction")]
    ScaleOutReaction,
    /// Restarts of containers.
    #[serde(rename = "restarts")]
    Restarts,
    /// From when a container first ran to its first restart, in seconds.
    #[serde(rename = "restart.first")]
    RestartFirst,
    /// Restarts of the pod when CrashLoopBackOff is first seen (semantics.md 12.1).
    #[serde(rename = "crashLoop.restarts")]
    CrashLoopRestarts,
}

impl WorkloadMetric {
    /// All of them, for messages and the schema.
    pub const ALL: [WorkloadMetric; 10] = [
        WorkloadMetric::ReplicasMax,
        WorkloadMetric::ReplicasMin,
        WorkloadMetric::ReplicasLast,
        WorkloadMetric::DesiredMax,
        WorkloadMetric::DesiredMin,
        WorkloadMetric::DesiredLast,
        WorkloadMetric::ScaleOutReaction,
        WorkloadMetric::Restarts,
        WorkloadMetric::RestartFirst,
        WorkloadMetric::CrashLoopRestarts,
    ];

    /// The word of the scenario format.
    pub fn word(self) -> &'static str {
        match self {
            WorkloadMetric::ReplicasMax => "replicas.max",
            WorkloadMetric::ReplicasMin => "replicas.min",
            WorkloadMetric::ReplicasLast => "replicas.last",
            WorkloadMetric::DesiredMax => "replicas.desired.max",
            WorkloadMetric::DesiredMin => "replicas.desired.min",
            WorkloadMetric::DesiredLast => "replicas.desired.last",
            WorkloadMetric::ScaleOutReaction => "scaleOut.reaction",
            WorkloadMetric::Restarts => "restarts",
            WorkloadMetric::RestartFirst => "restart.first",
            WorkloadMetric::CrashLoopRestarts => "crashLoop.restarts",
        }
    }

    /// What its values are measured in.
    pub fn unit(self) -> Unit {
        match self {
            WorkloadMetric::ScaleOutReaction | WorkloadMetric::RestartFirst => Unit::Seconds,
            _ => Unit::Count,
        }
    }
}

/// A way in which a request may fail. What is absent is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The status code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Length of the body in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
}

impl Failure {
    /// Whether a request failed like this.
    pub fn is(&self, request: &RequestFact) -> bool {
        self.status
            .is_none_or(|s| request.status == Some(s) && request.error.is_none())
            && self.bytes.is_none_or(|b| request.bytes == b)
            && self.error.is_none_or(|e| request.error == Some(e))
    }

    /// `HTTP 503 with 81 bytes`, `connectionRefused`.
    pub fn written(&self) -> String {
        let what = match (self.status, self.error) {
            (_, Some(error)) => error.word().to_string(),
            (Some(status), None) => format!("HTTP {status}"),
            (None, None) => "an answer".into(),
        };
        match self.bytes {
            Some(bytes) => format!("{what} with {bytes} bytes"),
            None => what,
        }
    }
}

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 0 to 1, written as per cent.
    Ratio,
    /// A number of things.
    Count,
    /// Seconds.
    Seconds,
    /// So many a second.
    PerSecond,
}

impl Unit {
    /// The value with its unit, as reports write it.
    pub fn write(self, value: f64) -> String {
        match self {
            Unit::Ratio => format!("{} %", trimmed(value * 100.0, 4)),
            Unit::Count => trimmed(value, 3),
            Unit::Seconds if value.is_infinite() => "never".into(),
            Unit::Seconds => Micros((value * 1e6).round() as u64).to_string(),
            Unit::PerSecond => format!("{}/s", trimmed(value, 1)),
        }
    }
}

fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_one_word_in_files_and_in_code() {
        for metric in Metric::ALL.into_iter().chain([Metric::Status(503)]) {
            let stored = serde_json::to_value(metric).unwrap();
            assert_eq!(stored, metric.word());
            assert_eq!(serde_json::from_value::<Metric>(stored).unwrap(), metric);
        }
        for metric in WorkloadMetric::ALL {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.word());
        }
        assert!("status.99".parse::<Metric>().is_err() && "status.x".parse::<Metric>().is_err());
    }

    #[test]
    fn a_number_of_things_that_ends_in_zeros_keeps_them() {
        assert_eq!(Unit::Count.write(100.0), "100");
        assert_eq!(Unit::PerSecond.write(239.55), "239.6/s");
        assert_eq!(Unit::PerSecond.write(200.0), "200/s");
        assert_eq!(Unit::Seconds.write(f64::INFINITY), "never");
    }
}
