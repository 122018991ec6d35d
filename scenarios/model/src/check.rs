//! What is asked of a timeline.
use crate::{
    EdgeMetric, Expected, ExpectedOutput, Failure, Metric, WorkloadMetric,
    metric::Unit,
    rows::{Filter, Sum},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One objective or invariant of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Unique in the plan.
    pub name: String,
    /// Whether it counts towards the verdict.
    pub severity: Severity,
    /// What is asked.
    pub kind: CheckKind,
}

/// Whether a finding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// It decides.
    Fail,
    /// It is shown as a warning.
    Warn,
    /// It is shown.
    Info,
}

/// The kinds of checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum CheckKind {
    /// A figure of a load against a threshold.
    Metric {
        /// Which figure.
        metric: Metric,
        /// What must hold of it.
        condition: Threshold,
        /// Name of the step with the load (or the requests).
        step: String,
    },
    /// Every answer of a step with requests is as expected, in order.
    Responses {
        /// Name of the step.
        step: String,
        /// One for each request.
        expected: Vec<Expected>,
    },
    /// The command of a step came to what is expected.
    Output {
        /// Name of the step.
        step: String,
        /// What is expected.
        expected: ExpectedOutput,
    },
    /// The texts that a step looks for were in the log in time.
    Logged {
        /// Name of the step.
        step: String,
    },
    /// What a step waits for was so in time.
    Awaited {
        /// Name of the step.
        step: String,
    },
    /// A figure of a workload against a threshold.
    Workload {
        /// Which figure.
        metric: WorkloadMetric,
        /// What must hold of it.
        condition: Threshold,
        /// Name of the Deployment or Job.
        workload: String,
        /// During the load of that step alone; from the first step to the last, if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
    },
    /// A figure of what went from one service to another against a threshold.
    Edge {
        /// Which figure.
        metric: EdgeMetric,
        /// What must hold of it.
        condition: Threshold,
        /// Who called or published; the load worker, if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// Who was called or handled.
        to: String,
        /// Of events of this type; of calls, if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
    },
    /// Every failed request of the load failed in one of these ways.
    FailuresAre {
        /// Name of the step with the load.
        load: String,
        /// The ways.
        one_of: Vec<Failure>,
        /// With fewer failures nothing is shown.
        at_least: u64,
    },
    /// A pod of the Deployment was replaced between the first and the last request of the load.
    ReplacementInside {
        /// Name of the Deployment.
        deployment: String,
        /// Name of the step with the load.
        load: String,
    },
    /// At every moment of the load at least one ready endpoint stood behind the Service.
    EndpointsNeverEmpty {
        /// Name of the Service.
        service: String,
        /// Name of the step with the load.
        load: String,
    },
    /// Every acknowledged write of the load was found by the step that collects.
    NoLostAckedWrites {
        /// Name of the step with the load.
        load: String,
        /// Name of the step that collects.
        collect: String,
        /// With fewer acknowledged writes nothing is shown.
        at_least: u64,
    },
    /// The sums of both sides are equal.
    Conserved {
        /// Added up.
        left: Vec<Sum>,
        /// Added up.
        right: Vec<Sum>,
    },
    /// No two rows that count are the same in these fields.
    Unique {
        /// Name of the step that collects.
        collect: String,
        /// The fields.
        fields: Vec<String>,
        /// Which rows count.
        filter: Filter,
    },
    /// Every row has come to one of its ends.
    SagaTerminates {
        /// Name of the step that collects; it reads until this is so, or its time is up.
        collect: String,
        /// The field that says where a row is.
        field: String,
        /// Its ends.
        outcomes: Vec<String>,
        /// With fewer rows nothing is shown.
        at_least: u64,
    },
    /// A read model has what its source has.
    Converges {
        /// Name of the step that collects the source.
        source: String,
        /// Name of the step that collects the read model; it reads until this is so, or its time is up.
        view: String,
        /// The field by which rows belong together.
        key: String,
        /// The fields that must be the same.
        fields: Vec<String>,
    },
    /// Nothing that the load wrote was found twice.
    NoDuplicates {
        /// Name of the step with the load.
        load: String,
        /// Name of the step that collects.
        collect: String,
    },
}

impl CheckKind {
    /// The steps that it rests on; none where that is the whole run.
    pub fn steps(&self) -> Vec<&str> {
        match self {
            // What becomes of a workload from the first step to the last is seen with every fault.
            CheckKind::Workload { step: None, .. } | CheckKind::Edge { .. } => vec![],
            CheckKind::Workload {
                step: Some(step), ..
            }
            | CheckKind::FailuresAre { load: step, .. }
            | CheckKind::Metric { step, .. }
            | CheckKind::Responses { step, .. }
            | CheckKind::Output { step, .. }
            | CheckKind::Logged { step }
            | CheckKind::Awaited { step }
            | CheckKind::ReplacementInside { load: step, .. }
            | CheckKind::EndpointsNeverEmpty { load: step, .. }
            | CheckKind::Unique { collect: step, .. }
            | CheckKind::SagaTerminates { collect: step, .. } => vec![step],
            CheckKind::NoLostAckedWrites { load, collect, .. }
            | CheckKind::NoDuplicates { load, collect } => vec![load, collect],
            CheckKind::Converges { source, view, .. } => vec![source, view],
            CheckKind::Conserved { left, right } => left
                .iter()
                .chain(right)
                .map(|sum| sum.collect.as_str())
                .collect(),
        }
    }
}

/// What must hold of a figure: a comparison with a number in the metric's base unit (ratio, count or seconds).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub value: f64,
}

impl Threshold {
    /// Whether it holds of `measured`.
    pub fn holds(self, measured: f64) -> bool {
        match self.comparison {
            Comparison::Less => measured < self.value,
            Comparison::LessOrEqual => measured <= self.value,
            Comparison::Equal => measured == self.value,
            Comparison::NotEqual => measured != self.value,
            Comparison::GreaterOrEqual => measured >= self.value,
            Comparison::Greater => measured > self.value,
        }
    }

    /// As reports write it: `>= 99.9 %`.
    pub fn write(self, unit: Unit) -> String {
        format!("{} {}", self.comparison, unit.write(self.value))
    }
}

/// `<`, `<=`, `==`, `!=`, `>=`, `>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// `<`
    #[serde(rename = "<")]
    Less,
    /// `<=`
    #[serde(rename = "<=")]
    LessOrEqual,
    /// `==`
    #[serde(rename = "==")]
    Equal,
    /// `!=`
    #[serde(rename = "!=")]
    NotEqual,
    /// `>=`
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// `>`
    #[serde(rename = ">")]
    Greater,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Greater => ">",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_written_with_the_unit_of_its_metric() {
        let at_least = |value| Threshold {
            comparison: Comparison::GreaterOrEqual,
            value,
        };
        assert_eq!(at_least(0.9995).write(Unit::Ratio), ">= 99.95 %");
        assert_eq!(at_least(1000.0).write(Unit::Count), ">= 1000");
        assert_eq!(at_least(2.5).write(Unit::Seconds), ">= 2.50 s");
    }
}
