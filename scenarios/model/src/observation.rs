//! What was seen, each on the run's clock.
use crate::{
    BreakerState, ContainerState, DeploymentSpec, Execution, Micros, PodCounts, PodSpec,
    ServiceSpec, Strike,
    rows::Row,
    soundness::{CanaryAsk, Pressure, Stall, Unsent},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The kind of a cluster that is in brownout's own process, on its machine.
pub const EMBEDDED: &str = "embedded";

/// One line of `timeline.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// When; for a request, when it was due.
    pub at: Micros,
    /// What.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What can be seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "fact",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Fact {
    /// The first line: where and on what this ran.
    Began {
        /// Wall-clock start, RFC 3339.
        wall: String,
        /// `embedded` or `kube`.
        cluster: String,
        /// What the API server says of itself.
        version: String,
        /// Isolation of the pods and the like, as the nodes say it.
        node: String,
        /// The namespace that was used.
        namespace: String,
    },
    /// The run entered a phase.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// Every Deployment of the system was ready and its baseline steady.
    Steady {
        /// How long that took from the start of the run.
        took: Micros,
    },
    /// The cluster lacks what the scenario needs; nothing was done.
    Lacking {
        /// What.
        what: String,
        /// Where there is one that has it, or how it gets it.
        way_out: String,
    },
    /// The system was not ready in time; nothing was injected.
    NotSteady {
        /// What was missing.
        because: String,
    },
    /// A step began.
    StepBegan {
        /// Its name.
        step: String,
    },
    /// A step ended.
    StepEnded {
        /// Its name.
        step: String,
        /// Whether it did what it should.
        ok: bool,
        /// What happened, for people.
        detail: String,
    },
    /// A load worker sent its first request.
    LoadBegan {
        /// Name of the step.
        step: String,
        /// The worker's clock minus the run's clock is at most this: workers stamp with the wall clock of their node.
        clock_error: Micros,
    },
    /// A load worker has sent everything, and this is its own count.
    LoadEnded {
        /// Name of the step.
        step: String,
        /// Requests it finished.
        finished: u64,
        /// Requests that were due and not sent: the generator could not.
        dropped: u64,
        /// The worst delay between due and sent.
        lag_max: Micros,
        /// Cut short, and why.
        cut_short: Option<String>,
    },
    /// One request with what became of it.
    Request(RequestFact),
    /// Requests were due and never sent.
    Unsent(Unsent),
    /// The worker of a load asked the canary.
    Canary(CanaryAsk),
    /// A process on the path of requests stood still.
    Stalled(Stall),
    /// The machine had not enough processor time for everybody.
    Pressed(Pressure),
    /// Something of an answer was kept for later requests.
    Saved {
        /// Name of the step that sent the request.
        step: String,
        /// What stands for it as `{{name}}`.
        name: String,
        /// What it was.
        value: Value,
    },
    /// A command was run in a container.
    Executed {
        /// Name of the step.
        step: String,
        /// What it came to.
        #[serde(flatten)]
        seen: Execution,
    },
    /// A log was looked through; told when that finds more than before, and at the end.
    Logged {
        /// Name of the step.
        step: String,
        /// Lines with the texts that are looked for, one for each that was found.
        found: Vec<String>,
        /// Texts that were not found.
        missing: Vec<String>,
    },
    /// Objects that are waited for were so; told when that changes.
    Awaited {
        /// Name of the step.
        step: String,
        /// What was found in them.
        seen: String,
        /// Whether that is what is waited for.
        met: bool,
    },
    /// A fault was injected.
    Injected {
        /// Name of the step.
        step: String,
        /// The word of the fault.
        fault: String,
        /// What it hit.
        targets: Vec<String>,
    },
    /// It was proven to have taken effect.
    Proven {
        /// Name of the step.
        step: String,
        /// What proves it.
        evidence: String,
    },
    /// It could not be proven.
    Unproven {
        /// Name of the step.
        step: String,
        /// What was missing.
        because: String,
    },
    /// One blow of a fault that strikes pods.
    Strike(Strike),
    /// It was undone, and that was verified.
    Undone {
        /// Name of the step that injected it.
        step: String,
        /// What shows it.
        evidence: String,
    },
    /// It may still be in place.
    UndoFailed {
        /// Name of the step that injected it.
        step: String,
        /// What went wrong.
        because: String,
    },
    /// A pod came, changed or went.
    Pod(PodState),
    /// A container came, changed, or ended.
    Container(ContainerState),
    /// A pod is there; what it was made as.
    PodSpec(PodSpec),
    /// A Service is there, or has changed.
    Service(ServiceSpec),
    /// A Deployment is there, or has changed in more than its counts.
    Deployment(DeploymentSpec),
    /// The end of the log of a container that ended badly.
    LastWords {
        /// Name of the pod.
        pod: String,
        /// Name of the container.
        container: String,
        /// Its last lines.
        lines: Vec<String>,
    },
    /// A program that goes on warns of something in its log.
    Warned {
        /// Name of the pod.
        pod: String,
        /// The line, from the word that says how bad it is on.
        line: String,
    },
    /// A Deployment's counts changed.
    Replicas {
        /// Its name.
        deployment: String,
        /// Asked for.
        desired: u32,
        /// Of the newest template.
        updated: u32,
        /// Ready.
        ready: u32,
        /// Available.
        available: u32,
    },
    /// The ready endpoints of a Service changed.
    Endpoints {
        /// Its name.
        service: String,
        /// How many are ready.
        ready: u32,
    },
    /// A HorizontalPodAutoscaler changed.
    Autoscaler {
        /// Its name.
        name: String,
        /// Replicas there are.
        current: u32,
        /// Replicas it wants.
        desired: u32,
        /// Its metrics and their targets as `kubectl get hpa` prints them: `12%/15%`, `<unknown>/1%`.
        targets: String,
        /// Its conditions with status and reason: `ScalingActive False FailedGetResourceMetric`.
        conditions: Vec<String>,
    },
    /// A pod's own counts of its calls and events changed.
    Counted(PodCounts),
    /// A breaker changed.
    Breaker(BreakerState),
    /// All pods that count were asked once more, after the last step.
    Asked {
        /// Those that answered.
        pods: Vec<String>,
    },
    /// A Kubernetes event.
    Event {
        /// `Pod/review-69957988c6-4sdfd`.
        object: String,
        /// `Normal` or `Warning`.
        severity: String,
        /// `Killing`, `Unhealthy`, …
        reason: String,
        /// Its text.
        message: String,
    },
    /// A collection was read to its end.
    Collected {
        /// Name of the step.
        step: String,
        /// The keys that were found, repeated ones too.
        keys: Vec<String>,
        /// What was kept of each entry.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rows: Vec<Row>,
        /// How often it was read until then.
        reads: u32,
        /// False when the last reading was not complete.
        complete: bool,
    },
    /// The run was stopped before its end.
    Stopped {
        /// By what: `SIGINT`, `SIGTERM`, `deadline`, …
        by: String,
    },
    /// Everything the run had made in the cluster is gone.
    CleanedUp {
        /// False when something was left; `brownout recover` takes it away.
        ok: bool,
        /// What was done, or what was left.
        detail: String,
    },
    /// Something went wrong with the observation itself: evidence is incomplete.
    Gap {
        /// What is missing.
        what: String,
    },
}

/// The phases of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Manifests are applied.
    Pending,
    /// The system must become steady.
    Gating,
    /// Steps are performed.
    Running,
    /// What is still injected is undone.
    Recovering,
    /// What the run made is removed.
    Draining,
}

impl Phase {
    /// The word of the scenario format.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::Gating => "Gating",
            Phase::Running => "Running",
            Phase::Recovering => "Recovering",
            Phase::Draining => "Draining",
        }
    }
}

/// One request. Its observation's `at` is when it was due; in a closed load that is when its user had nothing left to wait for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestFact {
    /// Name of the step that sent it.
    pub step: String,
    /// Index of the request in the step.
    pub index: u32,
    /// Its number, unique in the step; `{{seq}}` became this.
    pub seq: u64,
    /// When it was sent.
    pub sent: Micros,
    /// When its answer was complete, or it had failed.
    pub done: Micros,
    /// The status code, if it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    #[serde(default)]
    pub bytes: u64,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
    /// The key of the write, if the request has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The `Location` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The headers of the answer that were asked for, by their names in small letters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, where it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The first thing that was not as its load expects; nothing is compared of a request that was not answered well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmet: Option<String>,
}

/// Why a request was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorKind {
    /// The name is unknown.
    Dns,
    /// Nobody listened.
    ConnectionRefused,
    /// The connection ended before the answer.
    ConnectionReset,
    /// No answer in time.
    Timeout,
    /// What came was not HTTP.
    Protocol,
    /// The machine had no descriptor, port or memory left to send it with: nothing was sent.
    Exhausted,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// The word of the scenario format.
    pub fn word(self) -> &'static str {
        match self {
            ErrorKind::Dns => "dns",
            ErrorKind::ConnectionRefused => "connectionRefused",
            ErrorKind::ConnectionReset => "connectionReset",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Protocol => "protocol",
            ErrorKind::Exhausted => "exhausted",
            ErrorKind::Other => "other",
        }
    }
}

/// What a request may have done to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Acknowledged.
    Ok,
    /// Certainly no effect.
    Refused,
    /// It may have happened: a timeout, a reset, a 5xx.
    Unknown,
}

impl RequestFact {
    /// What it may have done.
    pub fn outcome(&self) -> Outcome {
        match (self.status, self.error) {
            (Some(100..=399), None) => Outcome::Ok,
            (Some(400..=499), None) if self.status != Some(408) => Outcome::Refused,
            (None, Some(ErrorKind::Dns | ErrorKind::ConnectionRefused | ErrorKind::Exhausted)) => {
                Outcome::Refused
            }
            _ => Outcome::Unknown,
        }
    }

    /// Whether it was answered well: a status below 400, and all that its load expects.
    pub fn is_good(&self) -> bool {
        self.outcome() == Outcome::Ok && self.unmet.is_none()
    }

    /// `HTTP 500`, `connectionRefused`, `HTTP 200, not as expected`.
    pub fn result(&self) -> String {
        match (self.status, self.error) {
            (_, Some(error)) => error.word().into(),
            (Some(status), None) if self.unmet.is_some() => {
                format!("HTTP {status}, not as expected")
            }
            (Some(status), None) => format!("HTTP {status}"),
            (None, None) => "no answer".into(),
        }
    }
}

/// A pod as it is from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodState {
    /// Its name.
    pub name: String,
    /// Tells it from another pod of the same name.
    pub uid: String,
    /// The Deployment or Job it belongs to; empty for a lone pod.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// The label `pod-template-hash`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub template: String,
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.
    pub phase: String,
    /// Its condition Ready.
    pub ready: bool,
    /// Its deletion was asked for.
    pub terminating: bool,
    /// It is no longer there.
    pub gone: bool,
    /// Restarts of its containers together.
    pub restarts: u32,
    /// `CrashLoopBackOff`, `OOMKilled`, … where a container says why it is not running.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(status: Option<u16>, error: Option<ErrorKind>) -> RequestFact {
        RequestFact {
            step: "load".into(),
            index: 0,
            seq: 1,
            sent: Micros(10),
            done: Micros(20),
            status,
            bytes: 0,
            error,
            key: None,
            location: None,
            headers: BTreeMap::new(),
            body: None,
            unmet: None,
        }
    }

    #[test]
    fn an_answer_that_is_not_as_expected_is_acknowledged_and_yet_not_good() {
        let wrong = RequestFact {
            unmet: Some("$.price is 0, expected 10".into()),
            ..request(Some(200), None)
        };
        assert_eq!(wrong.outcome(), Outcome::Ok);
        assert!(!wrong.is_good() && request(Some(200), None).is_good());
        assert_eq!(wrong.result(), "HTTP 200, not as expected");
    }

    #[test]
    fn a_request_that_may_have_happened_is_not_called_refused() {
        use ErrorKind::*;
        let outcomes = [
            (Some(201), None, Outcome::Ok),
            (Some(302), None, Outcome::Ok),
            (Some(404), None, Outcome::Refused),
            (Some(408), None, Outcome::Unknown),
            (Some(500), None, Outcome::Unknown),
            (None, Some(ConnectionRefused), Outcome::Refused),
            (None, Some(Dns), Outcome::Refused),
            (None, Some(ConnectionReset), Outcome::Unknown),
            (None, Some(Timeout), Outcome::Unknown),
            (Some(200), Some(ConnectionReset), Outcome::Unknown),
        ];
        for (status, error, outcome) in outcomes {
            assert_eq!(
                request(status, error).outcome(),
                outcome,
                "{status:?} {error:?}"
            );
        }
    }

    #[test]
    fn an_observation_is_one_flat_line() {
        let line = serde_json::to_string(&Observation {
            at: Micros(10),
            fact: Fact::Request(request(Some(200), None)),
        })
        .unwrap();
        assert_eq!(
            line,
            r#"{"at":10,"fact":"request","step":"load","index":0,"seq":1,"sent":10,"done":20,"status":200,"bytes":0}"#
        );
        let back: Observation = serde_json::from_str(&line).unwrap();
        assert_eq!(back.fact, Fact::Request(request(Some(200), None)));
    }
}
