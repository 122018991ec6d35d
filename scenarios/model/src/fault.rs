//! Faults. Each says what it changes, and with that what undoes it and what proves that it took effect.
use crate::{Aim, ChaosPlan, Micros, plan::Manifest};
use serde::{Deserialize, Serialize};

/// A fault of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
}

/// What hurts.
///
/// | kind | undo | proof |
/// |---|---|---|
/// | `service-down` | the same objects applied again, and ready | no pod of it is left, its Service is gone |
/// | `scaled-down` | scaled to as many replicas as it had, and ready | no pod of it is left, its Service has no endpoint |
/// | `pod-kill` | the cluster replaces them: as many are ready as before | each pod that we deleted, by its uid, is gone |
/// | `container-kill` | the cluster restarts them: as many are ready as before | the container that ran until then, by its id, ended of the signal |
/// | `process-hang` | let go, and ready | the pod's own `/proc` says that every thread is stopped by us |
/// | `chaos-job` | as its fault's; the Job and its rights are deleted | what the Job wrote into the cluster's events |
/// | `rollout` | none needed: the new state is a valid one | a pod of a template that none had before is ready, the old ones are told to go |
/// | `none` | nothing | nothing can prove it: the run is inconclusive |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum FaultKind {
    /// `kubectl delete -f`: the Deployment and the Service of that name are deleted.
    ServiceDown {
        /// Name of the Deployment and of the Service.
        service: String,
        /// Grace of its pods in seconds, as in `kubectl delete`; the pods' own if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace_period_seconds: Option<u32>,
    },
    /// `kubectl scale --replicas=0`: the Deployment of that name loses its pods, its Service stays.
    ScaledDown {
        /// Name of the Deployment and of the Service.
        service: String,
    },
    /// `kubectl delete pod`.
    PodKill {
        /// Which, and how often.
        aim: Aim,
        /// Grace in seconds, as in `kubectl delete`; the pods' own if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace_period_seconds: Option<u32>,
    },
    /// `kill -9` of a container's first process.
    ContainerKill {
        /// Which pods, and how often.
        aim: Aim,
        /// Name of the container; the first if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<String>,
    },
    /// A container's first process stands still, with everything it holds open.
    ProcessHang {
        /// Which pods, and how often.
        aim: Aim,
        /// Name of the container; the first if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<String>,
        /// It is let go after so long; when the fault is undone if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<Micros>,
    },
    /// Blows that a Job in the cluster deals by itself.
    ChaosJob {
        /// The file with the Job, its rights and its chaos file.
        manifest: Manifest,
        /// What that chaos file says.
        chaos: Box<ChaosPlan>,
    },
    /// `kubectl apply -f` of another state of a Deployment, and a rolling update with it.
    Rollout {
        /// Name of the Deployment.
        deployment: String,
        /// What is applied.
        manifest: Manifest,
    },
    /// Nothing at all: the mutant that every scenario must not pass with.
    None {
        /// The fault that was replaced.
        instead_of: Box<FaultKind>,
    },
}

impl FaultKind {
    /// The word of the scenario format.
    pub fn word(&self) -> &'static str {
        match self {
            FaultKind::ServiceDown { .. } | FaultKind::ScaledDown { .. } => "service-down",
            FaultKind::PodKill { .. } => "pod-kill",
            FaultKind::ContainerKill { .. } => "container-kill",
            FaultKind::ProcessHang { .. } => "process-hang",
            FaultKind::ChaosJob { .. } => "chaos-job",
            FaultKind::Rollout { .. } => "rollout",
            FaultKind::None { .. } => "none",
        }
    }

    /// What it aims at, for people: the name of a Deployment, several, or labels.
    pub fn target(&self) -> String {
        match self {
            FaultKind::ServiceDown { service, .. } | FaultKind::ScaledDown { service } => {
                service.clone()
            }
            FaultKind::Rollout { deployment, .. } => deployment.clone(),
            FaultKind::ChaosJob { chaos, .. } => chaos.fault.target(),
            FaultKind::None { instead_of } => instead_of.target(),
            _ => self.aim().map(Aim::write).unwrap_or_default(),
        }
    }

    /// The names of the workloads it aims at; none where it aims by labels.
    pub fn workloads(&self) -> Vec<&str> {
        match self {
            FaultKind::ServiceDown { service, .. } | FaultKind::ScaledDown { service } => {
                vec![service]
            }
            FaultKind::Rollout { deployment, .. } => vec![deployment],
            FaultKind::ChaosJob { chaos, .. } => chaos.fault.workloads(),
            FaultKind::None { instead_of } => instead_of.workloads(),
            _ => {
                let names = self.aim().into_iter().flat_map(|aim| &aim.workloads);
                names.map(String::as_str).collect()
            }
        }
    }

    /// Of a fault that strikes pods: which, and how often.
    pub fn aim(&self) -> Option<&Aim> {
        match self {
            FaultKind::PodKill { aim, .. }
            | FaultKind::ContainerKill { aim, .. }
            | FaultKind::ProcessHang { aim, .. } => Some(aim),
            FaultKind::ChaosJob { chaos, .. } => chaos.fault.aim(),
            _ => None,
        }
    }

    /// Whether something is left to undo, or to wait for, after it was injected.
    pub fn needs_undo(&self) -> bool {
        !matches!(self, FaultKind::Rollout { .. } | FaultKind::None { .. })
    }
}
