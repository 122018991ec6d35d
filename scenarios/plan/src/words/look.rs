//! What can be looked at in containers, logs and objects, and what can be changed there.
use super::{Form, PATCH, Type, may, must};

pub static EXEC: Type = Type {
    name: "exec",
    about: "A command in a container, as with kubectl exec.",
    fields: &[
        may(
            "workload",
            Form::Text,
            "In a pod of this Deployment. Exactly one of workload, selector and pod.",
        ),
        may(
            "selector",
            Form::TextMap,
            "In a pod with these labels, e.g. { app: room }.",
        ),
        may("pod", Form::Text, "In the pod of this name."),
        may(
            "replica",
            Form::Whole,
            "In the so-manieth of them by name, from 1. Default: 1.",
        ),
        may(
            "container",
            Form::Text,
            "In the container of this name. Default: the first.",
        ),
        must(
            "command",
            Form::Texts,
            "Program and arguments; a single text is given to sh -c.",
        ),
        may(
            "expect",
            Form::Object(&OUTPUT),
            "What it must come to. Default: nothing, it is only run.",
        ),
        may(
            "until",
            Form::Duration,
            "Run again for so long, until it is as expected. Default: run once.",
        ),
    ],
};

pub static OUTPUT: Type = Type {
    name: "output",
    about: "What a command must come to; what is left out is not asked.",
    fields: &[
        may("exitCode", Form::Whole, "Its exit code."),
        may(
            "stdout",
            Form::Text,
            "All it prints, byte for byte; the line feed at its end may be left out.",
        ),
        may(
            "contains",
            Form::Texts,
            "Text in what it prints, or several.",
        ),
    ],
};

pub static LOGS: Type = Type {
    name: "logs",
    about: "Text in the log of a container, as with kubectl logs.",
    fields: &[
        may(
            "workload",
            Form::Text,
            "Of a pod of this Deployment. Exactly one of workload, selector and pod.",
        ),
        may(
            "selector",
            Form::TextMap,
            "Of a pod with these labels, e.g. { app: room }.",
        ),
        may("pod", Form::Text, "Of the pod of this name."),
        may(
            "replica",
            Form::Whole,
            "Of the so-manieth of them by name, from 1. Default: of any.",
        ),
        may(
            "container",
            Form::Text,
            "Of the container of this name. Default: the first.",
        ),
        must(
            "contains",
            Form::Texts,
            "The text, or several that must all be in the log of one pod.",
        ),
        may(
            "timeout",
            Form::Duration,
            "So long it is waited for. Default: 1m.",
        ),
    ],
};

pub static AWAIT: Type = Type {
    name: "await",
    about: "What is waited for, as with kubectl wait; of several objects all must be so, and there must be one.",
    fields: &[
        must(
            "kind",
            Form::Text,
            "Their kind, e.g. HorizontalPodAutoscaler.",
        ),
        may(
            "apiVersion",
            Form::Text,
            "Its API version, for kinds that brownout does not know.",
        ),
        may(
            "name",
            Form::Text,
            "The object of this name. Exactly one of name, selector and workload.",
        ),
        may(
            "selector",
            Form::TextMap,
            "Objects with these labels, e.g. { app: room }.",
        ),
        may(
            "workload",
            Form::Text,
            "With kind Pod: the pods of this Deployment.",
        ),
        may(
            "condition",
            Form::Text,
            "The type of a condition in its status; is says which status, True if nothing does.",
        ),
        may(
            "path",
            Form::Text,
            "A JSONPath, e.g. {.status.phase} or $.status.containerStatuses[0].state.waiting.reason.",
        ),
        may(
            "is",
            Form::Texts,
            "What stands there, as text, or several of which it is one.",
        ),
        may(
            "isNot",
            Form::Texts,
            "What must not stand there, while something does.",
        ),
        may(
            "successCondition",
            Form::Condition,
            "What must hold of the number that stands there, e.g. \">= 3\".",
        ),
        may(
            "exists",
            Form::Bool,
            "Whether there is such a value (such an object, without path) at all. kubectl prints one that is not there as <unknown> or <none>.",
        ),
        may(
            "timeout",
            Form::Duration,
            "So long it is waited for. Default: 1m.",
        ),
    ],
};

pub static APPLY: Type = Type {
    name: "apply",
    about: "A change that is no fault, as with kubectl apply. It goes with the namespace.",
    fields: &[
        may(
            "manifest",
            Form::Text,
            "The file that is applied, relative to this file.",
        ),
        may(
            "patches",
            Form::List(&PATCH),
            "Changes to the objects of that file; without a file, to objects of the system, which are applied again.",
        ),
    ],
};

pub static DELETE: Type = Type {
    name: "delete",
    about: "An object that is taken away, as with kubectl delete.",
    fields: &[
        must("kind", Form::Text, "Its kind, e.g. DestinationRule."),
        must("name", Form::Text, "Its name."),
        may(
            "apiVersion",
            Form::Text,
            "Its API version, where the object is in no manifest and brownout does not know the kind.",
        ),
    ],
};
