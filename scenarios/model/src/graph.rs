//! Who asked whom in a run, and how that went.
use crate::metric::Unit;
use crate::telemetry::Within;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// What sends the requests of a run, as a node of the graph. No service can be called so.
pub const LOAD_WORKER: &str = "load worker";

/// The services of a run with what went between them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// Rates are over so many seconds: from the first step to when the run began to tidy up.
    pub seconds: f64,
    /// From each to each; the load worker's first, then calls, then events.
    pub edges: Vec<Edge>,
}

/// What went from one to another: calls, or events of one type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// Who called or published.
    pub from: String,
    /// Who was called or handled.
    pub to: String,
    /// The type of the events; of calls nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Calls that were made; events of this type that `to` handled, whoever published them.
    pub calls: u64,
    /// So many a second.
    pub rate: f64,
    /// Calls that were not answered with a status below 400; events that could not be handled.
    pub errors: u64,
    /// How calls ended that did not end well.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endings: BTreeMap<String, u64>,
    /// The mean time of calls that ended well, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Their median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<Within>,
    /// Their 90th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90: Option<Within>,
    /// Their 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<Within>,
    /// Events of this type that `from` published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<u64>,
    /// What became of a breaker on the way, if it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerSeen>,
    /// False when a pod ended before it could be asked once more: then it may have been a little more.
    pub complete: bool,
}

/// What was seen of the breakers between two services.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerSeen {
    /// So often one opened.
    pub opened: u64,
    /// From the first step until the first was open, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_open: Option<f64>,
    /// Calls that were refused without asking anybody.
    pub rejected: u64,
    /// So often a host was left out.
    pub ejections: u64,
}

impl Graph {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// The edge between two, of calls or of one type of events.
    pub fn edge(&self, from: &str, to: &str, event: Option<&str>) -> Option<&Edge> {
        let is = |e: &&Edge| e.from == from && e.to == to && e.event.as_deref() == event;
        self.edges.iter().find(is)
    }
}

impl Edge {
    /// The share of errors, 0 to 1.
    pub fn error_ratio(&self) -> f64 {
        match self.calls {
            0 => 0.0,
            n => self.errors as f64 / n as f64,
        }
    }

    /// `room → auth`, `auth → room (AuthApproved)`.
    pub fn written(&self) -> String {
        written(&self.from, &self.to, self.event.as_deref())
    }
}

/// `room → auth`, `auth → room (AuthApproved)`.
pub fn written(from: &str, to: &str, event: Option<&str>) -> String {
    let event = event.map(|e| format!(" ({e})")).unwrap_or_default();
    format!("{from} → {to}{event}")
}

/// A figure of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum EdgeMetric {
    /// Number of calls, or of events that were handled.
    Calls,
    /// So many a second.
    Rate,
    /// Number of calls that did not end well.
    Errors,
    /// Their share, 0 to 1.
    ErrorRatio,
    /// The mean time of calls that ended well, in seconds.
    LatencyMean,
    /// Their median.
    LatencyP50,
    /// Their 90th percentile.
    LatencyP90,
    /// Their 99th percentile.
    LatencyP99,
    /// How often a breaker opened.
    BreakerOpened,
    /// Calls that a breaker refused.
    BreakerRejected,
    /// From the first step until a breaker opened, in seconds.
    BreakerTimeToOpen,
}

/// A word that is no figure of an edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoEdgeMetric(pub String);

impl fmt::Display for NoEdgeMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no such metric of an edge: {}", self.0)
    }
}

impl std::error::Error for NoEdgeMetric {}

impl EdgeMetric {
    /// All of them, for messages and the schema.
    pub const ALL: [EdgeMetric; 11] = [
        EdgeMetric::Calls,
        EdgeMetric::Rate,
        EdgeMetric::Errors,
        EdgeMetric::ErrorRatio,
        EdgeMetric::LatencyMean,
        EdgeMetric::LatencyP50,
        EdgeMetric::LatencyP90,
        EdgeMetric::LatencyP99,
        EdgeMetric::BreakerOpened,
        EdgeMetric::BreakerRejected,
        EdgeMetric::BreakerTimeToOpen,
    ];

    /// The word of the scenario format.
    pub fn word(self) -> &'static str {
        match self {
            EdgeMetric::Calls => "calls",
            EdgeMetric::Rate => "rate",
            EdgeMetric::Errors => "errors",
            EdgeMetric::ErrorRatio => "errorRatio",
            EdgeMetric::LatencyMean => "latency.mean",
            EdgeMetric::LatencyP50 => "latency.p50",
            EdgeMetric::LatencyP90 => "latency.p90",
            EdgeMetric::LatencyP99 => "latency.p99",
            EdgeMetric::BreakerOpened => "breaker.opened",
            EdgeMetric::BreakerRejected => "breaker.rejected",
            EdgeMetric::BreakerTimeToOpen => "breaker.timeToOpen",
        }
    }

    /// What its values are measured in.
    pub fn unit(self) -> Unit {
        match self {
            EdgeMetric::Calls
            | EdgeMetric::Errors
            | EdgeMetric::BreakerOpened
            | EdgeMetric::BreakerRejected => Unit::Count,
            EdgeMetric::Rate => Unit::PerSecond,
            EdgeMetric::ErrorRatio => Unit::Ratio,
            _ => Unit::Seconds,
        }
    }

    /// Whether events have it, too.
    pub fn is_of_events(self) -> bool {
        matches!(
            self,
            EdgeMetric::Calls | EdgeMetric::Rate | EdgeMetric::Errors | EdgeMetric::ErrorRatio
        )
    }
}

impl FromStr for EdgeMetric {
    type Err = NoEdgeMetric;
    fn from_str(word: &str) -> Result<EdgeMetric, NoEdgeMetric> {
        let found = EdgeMetric::ALL.into_iter().find(|m| m.word() == word);
        found.ok_or_else(|| NoEdgeMetric(word.into()))
    }
}

impl From<EdgeMetric> for String {
    fn from(metric: EdgeMetric) -> String {
        metric.word().into()
    }
}

impl TryFrom<String> for EdgeMetric {
    type Error = NoEdgeMetric;
    fn try_from(word: String) -> Result<EdgeMetric, NoEdgeMetric> {
        word.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_of_an_edge_has_one_word_in_files_and_in_code() {
        for metric in EdgeMetric::ALL {
            let stored = serde_json::to_value(metric).unwrap();
            assert_eq!(stored, metric.word());
            assert_eq!(
                serde_json::from_value::<EdgeMetric>(stored).unwrap(),
                metric
            );
        }
        assert!("latency.p999".parse::<EdgeMetric>().is_err());
    }
}
