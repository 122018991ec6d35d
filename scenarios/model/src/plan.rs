//! A plan: one arm of one scenario in one profile, with nothing left to decide.
use crate::{
    Check, CheckKind, Expected, ExpectedOutput, Fault, FaultKind, Load, Micros, PodChoice, Request,
    Wanted,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the runner performs and the checks read. A function of the scenario file, the arm, the profile and the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Name of the scenario, e.g. `mybnb/zero-downtime`.
    pub scenario: String,
    /// Name of the arm; `main` where the scenario has only one.
    pub arm: String,
    /// What this arm claims, in one sentence.
    pub hypothesis: String,
    /// What the arms claim together.
    #[serde(default)]
    pub claim: String,
    /// How long things take.
    pub profile: Profile,
    /// Set when this is not the experiment but a test of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutant: Option<Mutant>,
    /// Feeds every choice by chance.
    pub seed: u64,
    /// The parameters of the scenario in this profile, as written; the report names them.
    pub params: BTreeMap<String, String>,
    /// What the cluster must have; where it lacks something, nothing is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// Namespace of the system; the runner may add a suffix so that runs do not meet.
    pub namespace: String,
    /// Applied in this order before anything else; every Deployment in them must become ready.
    pub manifests: Vec<Manifest>,
    /// How long the system may take to become ready.
    pub ready_timeout: Micros,
    /// What happens.
    pub steps: Vec<Step>,
    /// What is asked of the timeline.
    pub checks: Vec<Check>,
    /// What the report recorded, shown beside ours.
    pub documented: Vec<Documented>,
    /// The whole run may take so long; then it is stopped and undone.
    pub deadline: Micros,
}

impl Plan {
    /// The step of that name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|s| s.name == name)
    }

    /// What is expected of the answers of a step with requests, in their order; empty where nothing is.
    pub fn expected(&self, step: &str) -> &[Expected] {
        let of_step = self.checks.iter().find_map(|check| match &check.kind {
            CheckKind::Responses { step: of, expected } if of == step => Some(expected),
            _ => None,
        });
        of_step.map_or(&[], Vec::as_slice)
    }

    /// What is expected of the command of a step.
    pub fn expected_output(&self, step: &str) -> Option<&ExpectedOutput> {
        self.checks.iter().find_map(|check| match &check.kind {
            CheckKind::Output { step: of, expected } if of == step => Some(expected),
            _ => None,
        })
    }

    /// The steps that have ended before this one begins, whatever happens.
    pub fn ended_before<'a>(&'a self, step: &'a str) -> BTreeSet<&'a str> {
        let mut ended = BTreeSet::new();
        let mut looked_at = BTreeSet::new();
        let mut next = vec![step];
        while let Some(step) = next.pop().and_then(|name| self.step(name)) {
            if !looked_at.insert(&step.name) {
                continue;
            }
            match &step.start {
                Start::After { steps, .. } => {
                    ended.extend(steps.iter().map(String::as_str));
                    next.extend(steps.iter().map(String::as_str));
                }
                // The load has begun, and what came before it has ended.
                Start::During { load, .. } => next.push(load),
            }
        }
        ended
    }

    /// All loads with the names of their steps.
    pub fn loads(&self) -> impl Iterator<Item = (&str, &Load)> {
        self.steps.iter().filter_map(|s| match &s.action {
            Action::Load { load } => Some((s.name.as_str(), load)),
            _ => None,
        })
    }

    /// All faults with the names of their steps.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &Fault)> {
        self.steps.iter().filter_map(|s| match &s.action {
            Action::Fault { fault } => Some((s.name.as_str(), fault)),
            _ => None,
        })
    }
}

/// Something that a scenario needs of the cluster it runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Requirement {
    /// An API group, with or without a version: `metrics.k8s.io`, `networking.istio.io/v1`.
    Api(String),
    /// Limits on CPU and memory are kept exactly, and not by stopping processes now and then.
    Limits,
    /// Pods are kept apart: each has its own `/tmp`, names and process numbers.
    Isolation,
    /// Pods with this image, named without a tag, can run: the embedded cluster has a program in its place.
    Image(String),
}

impl Requirement {
    /// As messages call it.
    pub fn written(&self) -> String {
        match self {
            Requirement::Api(group) => format!("the API {group}"),
            Requirement::Limits => "exact limits on CPU and memory".into(),
            Requirement::Isolation => "pods that are kept apart".into(),
            Requirement::Image(name) => format!("the image {name}"),
        }
    }
}

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Profile {
    /// Seconds: the same shapes with the reports' waits shortened.
    Quick,
    /// The reports' own durations and loads.
    Documented,
}

impl Profile {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Profile::Quick => "quick",
            Profile::Documented => "documented",
        }
    }
}

/// A plan changed on purpose, to show that the scenario can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mutant {
    /// Every fault replaced by nothing: must be inconclusive.
    NoFault,
    /// The mechanism under test switched off: must fail.
    MechanismOff,
}

impl Mutant {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Mutant::NoFault => "no-fault",
            Mutant::MechanismOff => "mechanism-off",
        }
    }
}

/// A file of Kubernetes objects, patches already applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Its path, seen from where the path of the scenario file begins: `k8s/manifests/mybnb/room.yaml`.
    pub file: String,
    /// The objects in order.
    pub objects: Vec<Value>,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Unique in the plan.
    pub name: String,
    /// When it begins.
    pub start: Start,
    /// What is done.
    pub action: Action,
    /// After so long it has failed.
    pub timeout: Micros,
}

/// When a step begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Start {
    /// When each named step is done (none named: at once), and so long after that. A load is done when its last answer is in.
    After {
        /// Names of steps.
        steps: Vec<String>,
        /// A pause after that.
        delay: Micros,
    },
    /// So long after the named load sent its first request.
    During {
        /// Name of the step with the load.
        load: String,
        /// Counted from its first request.
        at: Micros,
    },
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Action {
    /// Sends a load from a pod; done when it ended.
    Load {
        /// What is sent.
        load: Load,
    },
    /// Injects a fault; done when it is proven.
    Fault {
        /// Which.
        fault: Fault,
    },
    /// Undoes an earlier fault; done when that is verified.
    Undo {
        /// Name of the step that injected it.
        fault: String,
    },
    /// Sends each request once, in order, from a pod; done when all are answered.
    Requests {
        /// The requests; bodies are always kept.
        requests: Vec<Request>,
    },
    /// Runs a command in a container; done when it has ended as expected, or its time is up.
    Exec {
        /// Where.
        pod: PodChoice,
        /// The program and its arguments.
        command: Vec<String>,
        /// Run again for so long, until it ends as expected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Micros>,
    },
    /// Reads the log of a container until texts are in it, or the time is up.
    Logs {
        /// Whose; of any of these pods, if it is not said which.
        pod: PodChoice,
        /// The texts.
        contains: Vec<String>,
        /// How long.
        within: Micros,
    },
    /// Waits until objects are as wanted, or the time is up.
    Await {
        /// What for.
        wanted: Wanted,
        /// How long.
        within: Micros,
    },
    /// Applies objects; done when they are accepted. No fault: nothing is undone but with the namespace.
    Apply {
        /// The objects.
        manifest: Manifest,
    },
    /// Deletes an object; done when it is gone.
    Delete {
        /// `v1`
        api_version: String,
        /// `ConfigMap`
        kind: String,
        /// Its name.
        name: String,
    },
    /// Reads a paged collection over and over until it has what the ledger acknowledged, or the timeout has passed.
    Collect {
        /// The list, e.g. `http://alarm:8080/alarms`; `page` and `size` are added.
        url: String,
        /// Name of the list in `_embedded`.
        collection: String,
        /// The field that holds the key of a write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        /// Name of the step with the load whose keys are looked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ledger: Option<String>,
        /// What is kept of each entry: names with a member, `self` (the id in its own link) or a JSONPath.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        fields: BTreeMap<String, String>,
    },
}

impl Action {
    /// What it applies.
    pub fn manifest(&self) -> Option<&Manifest> {
        match self {
            Action::Apply { manifest } => Some(manifest),
            Action::Fault { fault } => match &fault.kind {
                FaultKind::Rollout { manifest, .. } | FaultKind::ChaosJob { manifest, .. } => {
                    Some(manifest)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn manifest_mut(&mut self) -> Option<&mut Manifest> {
        match self {
            Action::Apply { manifest } => Some(manifest),
            Action::Fault { fault } => match &mut fault.kind {
                FaultKind::Rollout { manifest, .. } | FaultKind::ChaosJob { manifest, .. } => {
                    Some(manifest)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// Figures of the report that this arm replays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Documented {
    /// Id in the catalogue of documented experiments.
    pub id: String,
    /// What the report claims or printed, in a sentence.
    pub claim: String,
    /// Name of the step whose figures stand beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The summary it printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub siege: Option<crate::SiegeSummary>,
    /// Why ours differ.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub differs: String,
}
