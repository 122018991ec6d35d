//! A chaos file, resolved: a fault that is injected without a scenario, with the guard rails it keeps to.
use crate::{FaultKind, Micros};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `brownout chaos run` performs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChaosPlan {
    /// `metadata.name`.
    pub name: String,
    /// The namespace that is touched; the one of the kubeconfig or of the pod's service account if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What hurts.
    pub fault: FaultKind,
    /// Feeds every choice by chance.
    pub seed: u64,
    /// So long what was struck may take to recover after the last blow.
    pub recovery: Micros,
    /// What it keeps to.
    pub safety: Safety,
}

/// Guard rails.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Safety {
    /// Namespaces that may be touched; a `*` at the end stands for any ending.
    pub allow_namespaces: Vec<String>,
    /// Annotations that the namespace must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub require_annotation: BTreeMap<String, String>,
    /// So many pods of a workload may be without readiness at once, the struck ones counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<Share>,
    /// So many pods of a workload stay ready.
    #[serde(default)]
    pub min_ready: u32,
    /// What a blow that finds nobody means.
    pub empty_target: EmptyTarget,
}

/// A number of pods, or a share of a workload's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Share {
    /// So many.
    Count(u32),
    /// So many per cent, rounded up as in a PodDisruptionBudget.
    Percent(u32),
}

impl Share {
    /// How many of `all`.
    pub fn of(self, all: u32) -> u32 {
        match self {
            Share::Count(n) => n,
            Share::Percent(p) => {
                u32::try_from((u64::from(all) * u64::from(p)).div_ceil(100)).unwrap_or(u32::MAX)
            }
        }
    }
}

/// What a blow that finds nobody means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmptyTarget {
    /// It could not be proven.
    #[default]
    Fail,
    /// It is left out.
    Skip,
}

impl Safety {
    /// Whether a namespace is on the list.
    pub fn allows(&self, namespace: &str) -> bool {
        self.allow_namespaces
            .iter()
            .any(|allowed| match allowed.strip_suffix('*') {
                Some(beginning) => namespace.starts_with(beginning),
                None => namespace == allowed,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_allowed_by_its_name_or_its_beginning() {
        let safety = Safety {
            allow_namespaces: vec!["shop".into(), "airbnb-*".into()],
            ..Safety::default()
        };
        let allowed = ["shop", "airbnb-1a2b3", "shop-2", "airbnb", "kube-system"]
            .map(|namespace| safety.allows(namespace));
        assert_eq!(allowed, [true, true, false, false, false]);
        assert!(!Safety::default().allows("shop"));
    }

    #[test]
    fn a_share_is_rounded_up() {
        assert_eq!(
            [
                Share::Percent(34).of(3),
                Share::Percent(34).of(2),
                Share::Count(1).of(9)
            ],
            [2, 1, 1]
        );
    }
}
