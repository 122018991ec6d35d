//! What can happen: the steps of a method.
use super::look::{APPLY, AWAIT, DELETE, EXEC, LOGS};
use super::{Form, LOAD, PATCH, REQUEST, Type, may, must};

pub static STEP: Type = Type {
    name: "step",
    about: "One thing that happens: exactly one of load, fault, undo, requests, exec, logs, await, apply, delete and collect.",
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
            "every",
            Form::Duration,
            "Of a fault that strikes pods: from one round of blows to the next; in each every workload is struck once. Default: one round.",
        ),
        may("times", Form::Whole, "With every: so many rounds."),
        may(
            "for",
            Form::Duration,
            "With every, in place of times: as many rounds as begin in this time.",
        ),
        may(
            "jitter",
            Form::Duration,
            "Of a fault that strikes pods: a blow falls up to so much later than its round begins, by chance and each for itself. Default: 0s.",
        ),
        may(
            "timeout",
            Form::Duration,
            "After so long it has failed. Default: fault, undo and delete 3m, a fault also the time its blows take; all others 1m and the time they may take; a load its duration, one request's timeout and 30s.",
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
            "exec",
            Form::Object(&EXEC),
            "Runs a command in a container; what it comes to is checked.",
        ),
        may(
            "logs",
            Form::Object(&LOGS),
            "Waits for a text in a log; whether it came is checked.",
        ),
        may(
            "await",
            Form::Object(&AWAIT),
            "Waits until objects are as wanted; whether they were is checked.",
        ),
        may(
            "apply",
            Form::Object(&APPLY),
            "Applies objects; done when they are accepted.",
        ),
        may(
            "delete",
            Form::Object(&DELETE),
            "Deletes an object; done when it is gone.",
        ),
        may(
            "collect",
            Form::Object(&COLLECT),
            "Reads a collection until everything the load wrote is there and its invariants hold, or the timeout has passed.",
        ),
    ],
};

/// The modes of faults that strike pods.
pub const MODES: [&str; 5] = ["one", "all", "fixed", "fixed-percent", "random-max-percent"];

/// The types of faults that strike pods.
pub const FAULT_TYPES_OF_PODS: [&str; 3] = ["pod-kill", "container-kill", "process-hang"];

pub static FAULT: Type = Type {
    name: "fault",
    about: "What hurts.",
    fields: &[
        must(
            "type",
            Form::OneOf(&[
                "service-down",
                "pod-kill",
                "container-kill",
                "process-hang",
                "chaos-job",
                "rollout",
            ]),
            "service-down: a Deployment loses its pods; pod-kill: pods are deleted; container-kill: a container's first process is killed; process-hang: it stands still; chaos-job: a Job in the cluster deals the blows that chaos.yaml in its ConfigMap says; rollout: another state of a Deployment is applied.",
        ),
        may(
            "service",
            Form::Text,
            "Of service-down: the name of the Deployment and of the Service.",
        ),
        may(
            "by",
            Form::OneOf(&["delete", "scale"]),
            "Of service-down: the Deployment and its Service are deleted, or the Deployment is scaled to 0 and back. Default: delete.",
        ),
        may(
            "workloads",
            Form::Texts,
            "Of pod-kill, container-kill and process-hang: names of Deployments; each is struck for itself.",
        ),
        may(
            "selector",
            Form::Json,
            "In place of workloads, a LabelSelector: the pods with these labels are struck together.",
        ),
        may(
            "mode",
            Form::OneOf(&MODES),
            "How many pods a blow takes. Default: one.",
        ),
        may(
            "value",
            Form::Whole,
            "Of mode fixed: how many; of fixed-percent and random-max-percent: how many per cent.",
        ),
        may(
            "gracePeriodSeconds",
            Form::Whole,
            "Of service-down and pod-kill, as in kubectl delete. Default: what the pods say.",
        ),
        may(
            "container",
            Form::Text,
            "Of container-kill and process-hang: the container's name. Default: the pod's first.",
        ),
        may(
            "for",
            Form::Duration,
            "Of process-hang: it is let go after so long. Default: when it is undone.",
        ),
        may(
            "deployment",
            Form::Text,
            "Of rollout: the name of the Deployment.",
        ),
        may(
            "manifest",
            Form::Text,
            "Of rollout and chaos-job: the file that is applied, relative to this file.",
        ),
        may(
            "patches",
            Form::List(&PATCH),
            "Of rollout and chaos-job: changes to the objects of that file, after those of the spec.",
        ),
    ],
};

pub static COLLECT: Type = Type {
    name: "collect",
    about: "A paged HAL collection that is read: for the writes of a load, for what its rows hold, or both. What an invariant says of it is waited for until the timeout of the step.",
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
        may(
            "field",
            Form::Text,
            "The field that holds the key of a write.",
        ),
        may(
            "ledger",
            Form::Text,
            "With field: the step with the load whose keys are looked for. Default: the only load.",
        ),
        may(
            "fields",
            Form::TextMap,
            "What invariants use of each entry, by name: a member, self (the id in its own link) or a JSONPath, e.g. { id: self, status: status, price: $.room.price }.",
        ),
    ],
};
