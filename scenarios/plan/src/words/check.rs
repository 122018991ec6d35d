//! What can be asked: objectives and invariants.
use super::load::ERRORS;
use super::{Form, Type, may, must};
use model::{Metric, WorkloadMetric};

/// The types of objectives that are no metrics.
pub const OBJECTIVES: [&str; 4] = [
    "replacement-inside",
    "endpoints-never-empty",
    "failures-are",
    "edge",
];

const METRIC_ABOUT: &str = "A figure. Of a load or a step with requests: availability, errorRatio, errors, errors.<kind> (dns, connectionRefused, connectionReset, timeout, protocol, other), status.<code> (answers with that code), unavailability.windows, .longest, .total, latency.p50, .p90, .p99, .p999 (a failed request took for ever), latency.good.p50, .p90, .p99, .p999 (of those that were answered well), requests, throughput (good answers a second). Of a workload: replicas.max, .min, .last (ready ones), replicas.desired.max, .min, .last (asked for), scaleOut.reaction (from the first request until more are asked for), restarts, restart.first (from when a container ran to its first restart), crashLoop.restarts (RESTARTS when CrashLoopBackOff is first seen). Of an edge: calls, rate (a second), errors (answers of 400 and more, or none), errorRatio, latency.mean, .p50, .p90, .p99 (of calls that ended well), breaker.opened (how often), breaker.rejected (calls it refused), breaker.timeToOpen (from the first step); of events the first four.";

pub static OBJECTIVE: Type = Type {
    name: "objective",
    about: "A metric with its successCondition, or one of the types; edge is a type with a metric.",
    fields: &[
        may(
            "name",
            Form::Text,
            "Unique among all checks. Default: the metric or the type.",
        ),
        may("metric", Form::Text, METRIC_ABOUT),
        may(
            "from",
            Form::Text,
            "Of edge: the service that calls, or that publishes the event. Default: the load worker.",
        ),
        may(
            "to",
            Form::Text,
            "Of edge: the service that is called, or that handles the event.",
        ),
        may(
            "event",
            Form::Text,
            "Of edge: events of this type, e.g. AuthApproved. Default: calls.",
        ),
        may(
            "successCondition",
            Form::Condition,
            "What must hold of it, e.g. \">= 99.9%\", \"<= 300ms\", \"== 0\", \"<= ${startup} + 2s\".",
        ),
        may(
            "step",
            Form::Text,
            "The step with the load or the requests that the metric is measured on. Default: the only load; of a workload the whole run, but scaleOut.reaction counts from a load.",
        ),
        may(
            "type",
            Form::OneOf(&OBJECTIVES),
            "replacement-inside: a pod of the deployment was replaced during the load; endpoints-never-empty: at every moment of the load the service had a ready endpoint; failures-are: every failed request of the load is one of oneOf; edge: the metric of what went from one service to another meets its successCondition (needs the metrics of from, of an event those of to as well).",
        ),
        may(
            "workload",
            Form::Text,
            "Of a metric of a workload: the name of the Deployment.",
        ),
        may("deployment", Form::Text, "Of replacement-inside."),
        may("service", Form::Text, "Of endpoints-never-empty."),
        may(
            "oneOf",
            Form::List(&FAILURE),
            "Of failures-are: the ways to fail.",
        ),
        may(
            "atLeast",
            Form::Whole,
            "Of failures-are: with fewer failures nothing is shown. Default: 1.",
        ),
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

/// The words for figures of loads and steps; besides them there is status.<code>.
const LOAD_METRICS: [&str; 22] = [
    "availability",
    "errorRatio",
    "errors",
    "errors.dns",
    "errors.connectionRefused",
    "errors.connectionReset",
    "errors.timeout",
    "errors.protocol",
    "errors.other",
    "unavailability.windows",
    "unavailability.longest",
    "unavailability.total",
    "latency.p50",
    "latency.p90",
    "latency.p99",
    "latency.p999",
    "latency.good.p50",
    "latency.good.p90",
    "latency.good.p99",
    "latency.good.p999",
    "requests",
    "throughput",
];

/// The words for figures of workloads.
const WORKLOAD_METRICS: [&str; 10] = [
    "replicas.max",
    "replicas.min",
    "replicas.last",
    "replicas.desired.max",
    "replicas.desired.min",
    "replicas.desired.last",
    "scaleOut.reaction",
    "restarts",
    "restart.first",
    "crashLoop.restarts",
];

/// The words for figures of edges.
pub const EDGE_METRICS: [&str; 11] = [
    "calls",
    "rate",
    "errors",
    "errorRatio",
    "latency.mean",
    "latency.p50",
    "latency.p90",
    "latency.p99",
    "breaker.opened",
    "breaker.rejected",
    "breaker.timeToOpen",
];

/// What a word for a figure stands for.
pub enum Figure {
    OfLoad(Metric),
    OfWorkload(WorkloadMetric),
}

/// The figure of that word. The error is every word there is.
pub fn figure(word: &str) -> Result<Figure, Vec<&'static str>> {
    let of_workload = WorkloadMetric::ALL.into_iter().find(|m| m.word() == word);
    let of_workload = of_workload.map(Figure::OfWorkload);
    let figure = of_workload.or_else(|| Some(Figure::OfLoad(word.parse().ok()?)));
    let known = || {
        LOAD_METRICS
            .into_iter()
            .chain(WORKLOAD_METRICS)
            .chain(["status.503"])
    };
    figure.ok_or_else(|| known().collect())
}

const SEVERITIES: [&str; 3] = ["fail", "warn", "info"];

pub static FAILURE: Type = Type {
    name: "failure",
    about: "A way in which a request fails; what is left out is not asked.",
    fields: &[
        may("status", Form::Whole, "The status code."),
        may("bytes", Form::Whole, "The length of the body."),
        may(
            "error",
            Form::OneOf(&ERRORS),
            "No answer at all, for this reason.",
        ),
    ],
};

/// The types of invariants.
pub const INVARIANTS: [&str; 6] = [
    "no-lost-acked-writes",
    "no-duplicates",
    "conserved",
    "unique",
    "saga-terminates",
    "converges",
];

pub static SUM: Type = Type {
    name: "sum",
    about: "A field of a collection, added up.",
    fields: &[
        must("collect", Form::Text, "The step that collects."),
        may(
            "sum",
            Form::Text,
            "The field. Default: the rows are counted.",
        ),
        may(
            "where",
            Form::Json,
            "Which rows count: fields with a value, or a list of values of which it is one.",
        ),
    ],
};

pub static INVARIANT: Type = Type {
    name: "invariant",
    about: "What must be true of the data.",
    fields: &[
        may(
            "name",
            Form::Text,
            "Unique among all checks. Default: the type.",
        ),
        must(
            "type",
            Form::OneOf(&INVARIANTS),
            "no-lost-acked-writes: every acknowledged write was found; no-duplicates: none was found twice; conserved: the sums left and right are equal; unique: no two rows are the same in fields; saga-terminates: field of every row is one of outcomes; converges: view has every row of source, with the same fields.",
        ),
        may(
            "load",
            Form::Text,
            "Of no-lost-acked-writes and no-duplicates: the step with the load that wrote. Default: the only load.",
        ),
        may(
            "collect",
            Form::Text,
            "Of all but conserved and converges: the step that collects. Default: the only one.",
        ),
        may(
            "atLeast",
            Form::Whole,
            "Of no-lost-acked-writes and saga-terminates: with fewer acknowledged writes or rows nothing is shown. Default: 1.",
        ),
        may(
            "left",
            Form::List(&SUM),
            "Of conserved: what is added up on one side.",
        ),
        may("right", Form::List(&SUM), "Of conserved: and on the other."),
        may(
            "fields",
            Form::Texts,
            "Of unique: in which no two rows are the same; of converges: which are the same in both.",
        ),
        may(
            "where",
            Form::Json,
            "Of unique: which rows count, as in a sum.",
        ),
        may("field", Form::Text, "Of saga-terminates: e.g. status."),
        may(
            "outcomes",
            Form::Texts,
            "Of saga-terminates: the values a row ends with.",
        ),
        may(
            "source",
            Form::Text,
            "Of converges: the step that collects the source.",
        ),
        may(
            "view",
            Form::Text,
            "Of converges: the step that collects the read model; it must come after.",
        ),
        may(
            "key",
            Form::Text,
            "Of converges: the field by which rows belong together, the same name in both.",
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
    use model::EdgeMetric;

    #[test]
    fn the_words_are_those_of_the_model() {
        assert_eq!(LOAD_METRICS, Metric::ALL.map(Metric::word));
        assert_eq!(
            WORKLOAD_METRICS,
            WorkloadMetric::ALL.map(WorkloadMetric::word)
        );
        assert_eq!(EDGE_METRICS, EdgeMetric::ALL.map(EdgeMetric::word));
        let others = WORKLOAD_METRICS.iter().chain(&EDGE_METRICS);
        for word in LOAD_METRICS.iter().chain(others) {
            let (group, member) = word.rsplit_once('.').unwrap_or((word, ""));
            let told = METRIC_ABOUT.contains(group) && METRIC_ABOUT.contains(member);
            assert!(told, "{word}");
        }
    }
}
