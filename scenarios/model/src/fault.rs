//! Faults. Each says what it changes, and with that what undoes it and what proves that it took effect.
use crate::plan::Manifest;
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
/// | `rollout` | none needed: the new state is a valid one | a pod of the new template is ready, the old ones are gone |
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
            FaultKind::ServiceDown { .. } => "service-down",
            FaultKind::Rollout { .. } => "rollout",
            FaultKind::None { .. } => "none",
        }
    }

    /// What it aims at: the name of a Deployment.
    pub fn target(&self) -> &str {
        match self {
            FaultKind::ServiceDown { service, .. } => service,
            FaultKind::Rollout { deployment, .. } => deployment,
            FaultKind::None { instead_of } => instead_of.target(),
        }
    }

    /// Whether something is left to undo after it was injected.
    pub fn needs_undo(&self) -> bool {
        matches!(self, FaultKind::ServiceDown { .. })
    }
}
