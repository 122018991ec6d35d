//! The vocabulary of scenario files: every field there is, once. The reader, its suggestions and the JSON Schema all use it.
use model::{ErrorKind, Metric};

/// A kind of map in a scenario file.
pub struct Type {
    pub name: &'static str,
    pub about: &'static str,
    pub fields: &'static [Field],
}

/// A field of it.
pub struct Field {
    pub name: &'static str,
    pub form: Form,
    pub required: bool,
    /// What it means and, where it may be left out, what then holds.
    pub about: &'static str,
}

/// What may stand in a field.
#[derive(Clone, Copy)]
pub enum Form {
    Text,
    /// One text or a list of them.
    Texts,
    Duration,
    Rate,
    /// A whole number from 0.
    Whole,
    Number,
    OneOf(&'static [&'static str]),
    /// One of these words or a list of them.
    SomeOf(&'static [&'static str]),
    Condition,
    /// Anything; it is passed on as JSON.
    Json,
    /// Names with texts.
    TextMap,
    /// Names with values of params.
    Params,
    Object(&'static Type),
    List(&'static Type),
    /// Names with maps of a type.
    Map(&'static Type),
}

const fn must(name: &'static str, form: Form, about: &'static str) -> Field {
    Field {
        name,
        form,
        required: true,
        about,
    }
}

const fn may(name: &'static str, form: Form, about: &'static str) -> Field {
    Field {
        name,
        form,
        required: false,
        about,
    }
}

/// The apiVersion of scenario files.
pub const API_VERSION: &str = "brownout/v1alpha1";

pub static SCENARIO: Type = Type {
    name: "scenario",
    about: "One experiment: what shall hold, what is done to see it, and what is asked of what was seen.",
    fields: &[
        must(
            "apiVersion",
            Form::OneOf(&[API_VERSION]),
            "The version of this format.",
        ),
        must("kind", Form::OneOf(&["Scenario"]), "What this file is."),
        must("metadata", Form::Object(&METADATA), "Its name."),
        must("spec", Form::Object(&SPEC), "The experiment."),
    ],
};

pub static METADATA: Type = Type {
    name: "metadata",
    about: "The name of a scenario.",
    fields: &[
        must(
            "name",
            Form::Text,
            "A system and an experiment, e.g. mybnb/zero-downtime.",
        ),
        may("labels", Form::TextMap, "Names and values to find it by."),
    ],
};

pub static SPEC: Type = Type {
    name: "spec",
    about: "An experiment. Every text may use a param as ${name}.",
    fields: &[
        must(
            "hypothesis",
            Form::Text,
            "What shall hold, in a sentence a reader understands without this file.",
        ),
        may(
            "params",
            Form::Params,
            "Values by name, used as ${name}: one for all profiles, or one for each.",
        ),
        must("target", Form::Object(&TARGET), "What may be touched."),
        must(
            "manifests",
            Form::Texts,
            "Files of Kubernetes objects, relative to this file; applied in this order before anything else.",
        ),
        may(
            "patches",
            Form::List(&PATCH),
            "Changes to objects of the manifests, those of rollouts included.",
        ),
        may(
            "readyTimeout",
            Form::Duration,
            "So long the system may take to become ready. Default: 3m.",
        ),
        may(
            "seed",
            Form::Whole,
            "Feeds every choice by chance. Default: 1.",
        ),
        may(
            "deadline",
            Form::Duration,
            "After so long the run is stopped and undone. Default: readyTimeout, the timeouts of all steps, and a minute.",
        ),
        may(
            "load",
            Form::Object(&LOAD),
            "A load in the background: a step named load that begins at once.",
        ),
        may(
            "method",
            Form::List(&STEP),
            "What happens, one step after the other unless a step says otherwise.",
        ),
        may(
            "objectives",
            Form::List(&OBJECTIVE),
            "What is asked of the figures of a load, and of pods and endpoints during it.",
        ),
        may(
            "invariants",
            Form::List(&INVARIANT),
            "What must be true of the data.",
        ),
        may(
            "arms",
            Form::Map(&ARM),
            "Variants of the experiment by name, in the order in which they run; each is an overlay. Default: one arm named main.",
        ),
        may(
            "mechanismOff",
            Form::Object(&MECHANISM_OFF),
            "How the mechanism under test is switched off; with it the scenario must fail.",
        ),
        may(
            "documented",
            Form::List(&DOCUMENTED),
            "What was recorded, shown beside ours.",
        ),
    ],
};

pub static TARGET: Type = Type {
    name: "target",
    about: "What may be touched.",
    fields: &[must(
        "namespace",
        Form::Text,
        "The namespace of the system.",
    )],
};

pub static PARAM: Type = Type {
    name: "param",
    about: "The value of a param in each profile.",
    fields: &[
        must("quick", Form::Json, "In the quick profile."),
        must("documented", Form::Json, "In the documented profile."),
    ],
};

pub static PATCH: Type = Type {
    name: "patch",
    about: "A change to an object of the manifests.",
    fields: &[
        must("kind", Form::Text, "Its kind, e.g. Deployment."),
        must("name", Form::Text, "Its name."),
        may(
            "env",
            Form::TextMap,
            "Environment variables of every container of its pods, as with kubectl set env.",
        ),
        may(
            "merge",
            Form::Json,
            "A JSON merge patch (RFC 7396): maps are merged, null deletes, everything else replaces; only lists of named things are merged by name, as with kubectl patch.",
        ),
    ],
};

pub static LOAD: Type = Type {
    name: "load",
    about: "Requests sent by a load worker in the cluster.",
    fields: &[
        may(
            "profile",
            Form::OneOf(&["siege"]),
            "siege: closed, one connection a request, and its summary is computed as well.",
        ),
        may(
            "model",
            Form::OneOf(&["open", "closed"]),
            "open: requests are due at a rate, whatever became of those before; closed: users send, wait and send again. Default: closed with profile siege or with users, else open.",
        ),
        may("users", Form::Whole, "Of a closed load. Default: 1."),
        may(
            "rate",
            Form::Rate,
            "Of an open load, e.g. 200/s, for the duration.",
        ),
        may(
            "stages",
            Form::List(&STAGE),
            "Of an open load: rates one after the other, in place of rate and duration.",
        ),
        may(
            "duration",
            Form::Duration,
            "How long. A closed load may say repetitions instead; with both, time wins, as in siege.",
        ),
        may(
            "repetitions",
            Form::Whole,
            "Rounds through the requests for each user of a closed load.",
        ),
        may(
            "maxRate",
            Form::Rate,
            "A ceiling for a closed load over all its users. Default: none.",
        ),
        may(
            "inFlightMax",
            Form::Whole,
            "So many requests of an open load may be unanswered at once; what is due beyond is recorded as dropped. Default: 1000.",
        ),
        may(
            "connection",
            Form::OneOf(&["new", "reused"]),
            "new: one a request; reused: kept alive. Default: new with profile siege, else reused.",
        ),
        may(
            "timeout",
            Form::Duration,
            "The limit of one request. Default: 30s, siege's.",
        ),
        must(
            "requests",
            Form::List(&REQUEST),
            "Sent in this order, over and over.",
        ),
    ],
};

pub static STAGE: Type = Type {
    name: "stage",
    about: "A stretch of constant rate.",
    fields: &[
        must("rate", Form::Rate, "E.g. 200/s."),
        must("duration", Form::Duration, "How long."),
    ],
};

pub static REQUEST: Type = Type {
    name: "request",
    about: "An HTTP request. {{seq}} in url, body and key becomes a number that no other request of the step has.",
    fields: &[
        may(
            "name",
            Form::Text,
            "How reports call it. Default: method and path.",
        ),
        may("method", Form::Text, "Default: POST with a body, else GET."),
        must(
            "url",
            Form::Text,
            "With the name of a Service, e.g. http://room:8080/rooms.",
        ),
        may(
            "headers",
            Form::TextMap,
            "Default: none; content-type: application/json with a body that is no text.",
        ),
        may(
            "body",
            Form::Json,
            "A text is sent as it is, anything else as JSON.",
        ),
        may(
            "key",
            Form::Text,
            "In a load: under which an acknowledged write can be found again. Needs {{seq}}.",
        ),
        may(
            "expect",
            Form::Object(&EXPECT),
            "In a step with requests: what the answer must be.",
        ),
    ],
};

pub static EXPECT: Type = Type {
    name: "expect",
    about: "What an answer must be; what is left out is not asked.",
    fields: &[
        may("status", Form::Whole, "The status code."),
        may(
            "error",
            Form::SomeOf(&ERRORS),
            "No answer at all, for one of these reasons.",
        ),
        may("bytes", Form::Whole, "The length of the body."),
        may(
            "json",
            Form::Json,
            "What the body contains: maps by their members, lists item by item, the rest exactly.",
        ),
        may(
            "location",
            Form::Text,
            "What the Location header begins with; a number follows.",
        ),
        may("within", Form::Duration, "The answer took less than this."),
    ],
};

/// The words for requests that were not answered.
const ERRORS: [&str; 6] = [
    "dns",
    "connectionRefused",
    "connectionReset",
    "timeout",
    "protocol",
    "other",
];

/// What the words for errors stand for, in the same order.
pub const ERROR_KINDS: [ErrorKind; 6] = [
    ErrorKind::Dns,
    ErrorKind::ConnectionRefused,
    ErrorKind::ConnectionReset,
    ErrorKind::Timeout,
    ErrorKind::Protocol,
    ErrorKind::Other,
];

pub static STEP: Type = Type {
    name: "step",
    about: "One thing that happens: exactly one of load, fault, undo, requests and collect.",
    fields: &[
        must(
            "name",
            Form::Text,
            "Unique in the method; small letters, digits and hyphens.",
        ),
        may(
            "after",
            Form::Texts,
            "Begins when these steps are done. Default: the step before.",
        ),
        may(
            "delay",
            Form::Duration,
            "Waits so long after that; a sum such as ${startup} + 2s will do, as for every duration. Default: 0s.",
        ),
        may(
            "at",
            Form::Duration,
            "Begins so long after the first request of a load, in place of after.",
        ),
        may(
            "during",
            Form::Text,
            "The step with the load that at counts from. Default: the only load.",
        ),
        may(
            "timeout",
            Form::Duration,
            "After so long it has failed. Default: fault and undo 3m, requests and collect 1m, a load its duration, one request's timeout and 30s.",
        ),
        may(
            "load",
            Form::Object(&LOAD),
            "Sends a load; done when its last answer is in.",
        ),
        may(
            "fault",
            Form::Object(&FAULT),
            "Injects a fault; done when it is proven.",
        ),
        may(
            "undo",
            Form::Text,
            "Undoes the fault of that step; done when that is verified.",
        ),
        may(
            "requests",
            Form::List(&REQUEST),
            "Sends each request once, one after the other.",
        ),
        may(
            "collect",
            Form::Object(&COLLECT),
            "Reads a collection until everything the load wrote is there, or the timeout has passed.",
        ),
    ],
};

pub static FAULT: Type = Type {
    name: "fault",
    about: "What hurts.",
    fields: &[
        must(
            "type",
            Form::OneOf(&["service-down", "rollout"]),
            "service-down: a Deployment and its Service are deleted; rollout: another state of a Deployment is applied.",
        ),
        may(
            "service",
            Form::Text,
            "Of service-down: the name of the Deployment and of the Service.",
        ),
        may(
            "gracePeriodSeconds",
            Form::Whole,
            "Of service-down, as in kubectl delete. Default: what the pods say.",
        ),
        may(
            "deployment",
            Form::Text,
            "Of rollout: the name of the Deployment.",
        ),
        may(
            "manifest",
            Form::Text,
            "Of rollout: the file that is applied, relative to this file.",
        ),
        may(
            "patches",
            Form::List(&PATCH),
            "Of rollout: changes to the objects of that file, after those of the spec.",
        ),
    ],
};

pub static COLLECT: Type = Type {
    name: "collect",
    about: "A paged HAL collection in which the writes of a load are looked for.",
    fields: &[
        must(
            "url",
            Form::Text,
            "The list, e.g. http://alarm:8080/alarms; page and size are added.",
        ),
        must(
            "collection",
            Form::Text,
            "The name of the list in _embedded.",
        ),
        must("field", Form::Text, "The field that holds the key."),
        may(
            "ledger",
            Form::Text,
            "The step with the load whose keys are looked for. Default: the only load.",
        ),
    ],
};

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

pub static ARM: Type = Type {
    name: "arm",
    about: "An overlay on the spec: manifests and patches are added, what has the same name is replaced, the rest is merged.",
    fields: &[
        may("hypothesis", Form::Text, "What shall hold in this arm."),
        may("params", Form::Params, "Params of this arm."),
        may("manifests", Form::Texts, "More manifests."),
        may("patches", Form::List(&PATCH), "More patches."),
        may("load", Form::Object(&LOAD), "Other fields of the load."),
        may(
            "method",
            Form::List(&STEP),
            "Steps; one of the same name is replaced where it stands, another is added at the end.",
        ),
        may(
            "objectives",
            Form::List(&OBJECTIVE),
            "Objectives, replaced or added.",
        ),
        may(
            "invariants",
            Form::List(&INVARIANT),
            "Invariants, replaced or added.",
        ),
        may(
            "mechanismOff",
            Form::Object(&MECHANISM_OFF),
            "How this arm's mechanism is switched off, in place of the spec's.",
        ),
        may(
            "documented",
            Form::List(&DOCUMENTED),
            "What was recorded of this arm; replaced or added by id.",
        ),
    ],
};

pub static MECHANISM_OFF: Type = Type {
    name: "mechanismOff",
    about: "An overlay that switches the mechanism under test off. It cannot change what is asked: that is the point of it.",
    fields: &[
        may("params", Form::Params, "Other params."),
        may("manifests", Form::Texts, "More manifests."),
        may("patches", Form::List(&PATCH), "More patches."),
        may("load", Form::Object(&LOAD), "Other fields of the load."),
        may(
            "method",
            Form::List(&STEP),
            "Steps; one of the same name is replaced where it stands, another is added at the end.",
        ),
    ],
};

pub static DOCUMENTED: Type = Type {
    name: "documented",
    about: "A recorded experiment that an arm replays.",
    fields: &[
        must(
            "id",
            Form::Text,
            "Its id in the catalogue of documented experiments.",
        ),
        must(
            "claim",
            Form::Text,
            "What was claimed or printed, in a sentence.",
        ),
        may(
            "step",
            Form::Text,
            "The step whose figures stand beside. Default: with siege figures the only load, else none.",
        ),
        may(
            "siege",
            Form::Object(&SIEGE),
            "The summary that was printed.",
        ),
        may("differs", Form::Text, "Why ours differ."),
    ],
};

pub static SIEGE: Type = Type {
    name: "siege",
    about: "The twelve lines of a siege summary; times in seconds, data in MB of 1048576 bytes.",
    fields: &[
        must("transactions", Form::Whole, "Transactions."),
        must("availability", Form::Number, "Availability, in per cent."),
        must("elapsed", Form::Number, "Elapsed time."),
        must("dataTransferred", Form::Number, "Data transferred."),
        must("responseTime", Form::Number, "Response time."),
        must("transactionRate", Form::Number, "Transaction rate."),
        must("throughput", Form::Number, "Throughput."),
        must("concurrency", Form::Number, "Concurrency."),
        must("successful", Form::Whole, "Successful transactions."),
        must("failed", Form::Whole, "Failed transactions."),
        must("longest", Form::Number, "Longest transaction."),
        must("shortest", Form::Number, "Shortest transaction."),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_model() {
        assert_eq!(METRICS, Metric::ALL.map(Metric::word));
        assert_eq!(ERRORS, ERROR_KINDS.map(ErrorKind::word));
    }
}
