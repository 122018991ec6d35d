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
            "timeout",
            Form::Duration,
            "After so long it has failed. Default: fault, undo and delete 3m, all others 1m and the time they may take; a load its duration, one request's timeout and 30s.",
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
