//! Chaos files: a fault without a scenario, and the guard rails it keeps to.
use super::scenario::METADATA;
use super::step::{FAULT_TYPES_OF_PODS, MODES};
use super::{API_VERSION, Form, Type, may, must};

pub static CHAOS: Type = Type {
    name: "chaos",
    about: "A fault that is injected without a scenario, by hand or by a Job in the cluster.",
    fields: &[
        must(
            "apiVersion",
            Form::OneOf(&[API_VERSION]),
            "The version of this format.",
        ),
        must("kind", Form::OneOf(&["Chaos"]), "What this file is."),
        must("metadata", Form::Object(&METADATA), "Its name."),
        must("spec", Form::Object(&CHAOS_SPEC), "What it does."),
    ],
};

pub static CHAOS_SPEC: Type = Type {
    name: "chaos spec",
    about: "What is struck, how, how often, and what is kept to.",
    fields: &[
        must("target", Form::Object(&CHAOS_TARGET), "What is struck."),
        must("fault", Form::Object(&CHAOS_FAULT), "What hurts."),
        may(
            "every",
            Form::Duration,
            "From one round of blows to the next; in each every workload is struck once. Default: one round.",
        ),
        may("times", Form::Whole, "So many rounds."),
        may(
            "for",
            Form::Duration,
            "In place of times: as many rounds as begin in this time.",
        ),
        may(
            "jitter",
            Form::Duration,
            "A blow falls up to so much later than its round begins, by chance and each for itself. Default: 0s.",
        ),
        may(
            "recovery",
            Form::Duration,
            "So long what was struck may take to recover after the last blow. Default: 3m.",
        ),
        may(
            "seed",
            Form::Whole,
            "Feeds every choice by chance. Default: 1.",
        ),
        must("safety", Form::Object(&SAFETY), "What it keeps to."),
    ],
};

pub static CHAOS_TARGET: Type = Type {
    name: "chaos target",
    about: "What is struck: workloads, or pods by their labels.",
    fields: &[
        may(
            "namespace",
            Form::Text,
            "The namespace that is touched. Default: that of the pod it runs in, or of the kubeconfig's context.",
        ),
        may(
            "workloads",
            Form::Texts,
            "Names of Deployments or other workloads; each is struck for itself.",
        ),
        may(
            "selector",
            Form::Json,
            "In place of workloads, a LabelSelector: the pods with these labels are struck together.",
        ),
    ],
};

pub static CHAOS_FAULT: Type = Type {
    name: "chaos fault",
    about: "What hurts.",
    fields: &[
        must(
            "type",
            Form::OneOf(&FAULT_TYPES_OF_PODS),
            "pod-kill: pods are deleted; container-kill: a container's first process is killed; process-hang: it stands still.",
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
            "Of pod-kill, as in kubectl delete. Default: what the pods say.",
        ),
        may(
            "container",
            Form::Text,
            "Of container-kill and process-hang: the container's name. Default: the pod's first.",
        ),
        may(
            "for",
            Form::Duration,
            "Of process-hang: so long it stands still.",
        ),
    ],
};

pub static SAFETY: Type = Type {
    name: "safety",
    about: "Guard rails.",
    fields: &[
        must(
            "allowNamespaces",
            Form::Texts,
            "The namespaces that may be touched; shop-* stands for all that begin so.",
        ),
        may(
            "requireAnnotation",
            Form::TextMap,
            "Annotations that the namespace must have, e.g. brownout/allow-chaos: \"true\".",
        ),
        may(
            "maxUnavailable",
            Form::Json,
            "So many pods of a workload, e.g. 1 or 50%, may be without readiness; a blow beyond is withheld. Default: no limit.",
        ),
        may(
            "minReady",
            Form::Whole,
            "So many pods of a workload stay ready; a blow beyond is withheld. Default: 0.",
        ),
        may(
            "emptyTargetResolution",
            Form::OneOf(&["fail", "skip"]),
            "What a blow means that finds nobody, or fewer than asked for. Default: fail.",
        ),
    ],
};
