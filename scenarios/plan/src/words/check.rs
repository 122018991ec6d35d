//! What can be asked: objectives and invariants.
use super::{Form, Type, may, must};
use model::Metric;

/// The types of objectives that are no metrics.
pub const OBJECTIVES: [&str; 2] = ["replacement-inside", "endpoints-never-empty"];

pub static OBJECTIVE: Type = Type {
    name: "objective",
    about: "A metric with its successCondition, or one of the types.",
    fields: &[
        may(
            "name",
            Form::Text,
            "Unique among all checks. Default: the metric or the type.",
        ),
        may("metric", Form::OneOf(&METRICS), "A figure of a load."),
        may(
            "successCondition",
            Form::Condition,
            "What must hold of it, e.g. \">= 99.9%\", \"<= 300ms\", \"== 0\", \"<= ${startup} + 2s\".",
        ),
        may(
            "step",
            Form::Text,
            "The step with the load or the requests that the metric is measured on. Default: the only load.",
        ),
        may(
            "type",
            Form::OneOf(&OBJECTIVES),
            "replacement-inside: a pod of the deployment was replaced during the load; endpoints-never-empty: at every moment of the load the service had a ready endpoint.",
        ),
        may("deployment", Form::Text, "Of replacement-inside."),
        may("service", Form::Text, "Of endpoints-never-empty."),
        may(
            "load",
            Form::Text,
            "Of a type: the step with the load. Default: the only load.",
        ),
        may(
            "severity",
            Form::OneOf(&SEVERITIES),
            "fail: it decides; warn, info: it is shown. Default: fail.",
        ),
    ],
};

const METRICS: [&str; 10] = [
    "availability",
    "errorRatio",
    "errors",
    "unavailability.windows",
    "unavailability.longest",
    "unavailability.total",
    "latency.p50",
    "latency.p90",
    "latency.p99",
    "requests",
];

/// The metric of that word.
pub fn metric(word: &str) -> Option<Metric> {
    Metric::ALL.into_iter().find(|m| m.word() == word)
}

const SEVERITIES: [&str; 3] = ["fail", "warn", "info"];

/// The types of invariants.
pub const INVARIANTS: [&str; 2] = ["no-lost-acked-writes", "no-duplicates"];

pub static INVARIANT: Type = Type {
    name: "invariant",
    about: "What must be true of the data that a load wrote.",
    fields: &[
        may(
            "name",
            Form::Text,
            "Unique among all checks. Default: the type.",
        ),
        must(
            "type",
            Form::OneOf(&INVARIANTS),
            "no-lost-acked-writes: every acknowledged write was found; no-duplicates: none was found twice.",
        ),
        may(
            "load",
            Form::Text,
            "The step with the load that wrote. Default: the only load with keys.",
        ),
        may(
            "collect",
            Form::Text,
            "The step that collects. Default: the only one.",
        ),
        may(
            "atLeast",
            Form::Whole,
            "Of no-lost-acked-writes: with fewer acknowledged writes nothing is shown. Default: 1.",
        ),
        may(
            "severity",
            Form::OneOf(&SEVERITIES),
            "fail: it decides; warn, info: it is shown. Default: fail.",
        ),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_model() {
        assert_eq!(METRICS, Metric::ALL.map(Metric::word));
    }
}
