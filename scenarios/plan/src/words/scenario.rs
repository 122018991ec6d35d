//! The file: its name, its spec, and what an arm changes in it.
use super::{API_VERSION, DOCUMENTED, Form, INVARIANT, LOAD, OBJECTIVE, STEP, Type, may, must};

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
        may(
            "requires",
            Form::Object(&REQUIRES),
            "What the cluster must have; on one that lacks it the verdict is inconclusive and says the way out.",
        ),
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

pub static REQUIRES: Type = Type {
    name: "requires",
    about: "What a scenario needs of the cluster it runs on.",
    fields: &[
        may(
            "apis",
            Form::Texts,
            "API groups, with or without a version, e.g. metrics.k8s.io or networking.istio.io/v1.",
        ),
        may(
            "limits",
            Form::Bool,
            "Limits on CPU and memory are kept exactly. Default: false.",
        ),
        may(
            "isolation",
            Form::Bool,
            "Each pod has its own /tmp, names and process numbers. Default: false.",
        ),
        may(
            "images",
            Form::Texts,
            "Images, without a tag, that pods can run with. A real cluster pulls them; the embedded one has programs of this machine.",
        ),
    ],
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
