//! What objects of the cluster say of themselves, as far as it tells why something did not work.
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A container of a pod as it is from now on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerState {
    /// Name of its pod.
    pub pod: String,
    /// The Deployment or Job that the pod belongs to; empty for a lone pod.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Its own name.
    pub container: String,
    /// As the pod names it.
    pub image: String,
    /// How often it was started again.
    pub restarts: u32,
    /// Its deletion was asked for, so that an end is what is to be.
    #[serde(default, skip_serializing_if = "is_false")]
    pub terminating: bool,
    /// What keeps it from running, if it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Reason>,
    /// How it ended last, if it ever did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

fn is_false(b: &bool) -> bool {
    !*b
}

/// A word for machines and a sentence for people.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// `CrashLoopBackOff`, `ErrImagePull`, …
    pub word: String,
    /// What the cluster says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// How a container ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// Its exit code; 128 + n after signal n.
    pub code: i32,
    /// `OOMKilled`, `Error`, `Completed`, …
    pub reason: String,
    /// What the cluster says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it had been started, as the node's clock says: RFC 3339.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub since: String,
    /// When it ended, as the node's clock says: RFC 3339.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub until: String,
}

impl ContainerState {
    /// What is wrong with it, in one sentence: what keeps it from running, or else how it ended.
    pub fn trouble(&self) -> Option<String> {
        let name = &self.container;
        let ended = self.ended.as_ref().filter(|e| e.code != 0);
        let how = ended.map(|e| match e.reason.as_str() {
            "OOMKilled" => format!("was OOMKilled (exit code {})", e.code),
            _ if !e.message.is_empty() => {
                format!("ended with exit code {}: {}", e.code, e.message)
            }
            _ => format!("ended with exit code {}", e.code),
        });
        match (&self.waiting, how) {
            (Some(w), Some(how)) if w.word == "CrashLoopBackOff" => {
                Some(format!("container {name} {how}, CrashLoopBackOff"))
            }
            (Some(w), _) if w.is_trouble() && w.message.is_empty() => {
                Some(format!("container {name}: {}", w.word))
            }
            (Some(w), _) if w.is_trouble() => {
                Some(format!("container {name}: {}: {}", w.word, w.message))
            }
            (_, Some(how)) => Some(format!("container {name} {how}")),
            _ => None,
        }
    }
}

impl Reason {
    /// Whether it is more than a beginning.
    pub fn is_trouble(&self) -> bool {
        !matches!(
            self.word.as_str(),
            "" | "ContainerCreating" | "PodInitializing"
        )
    }
}

/// What a pod was made as; told once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec {
    /// Its name.
    pub pod: String,
    /// The Deployment or Job it belongs to; empty for a lone pod.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How long its containers may take to end, in seconds.
    pub grace: u64,
    /// Its containers.
    pub containers: Vec<ContainerSpec>,
}

/// What a container was made as.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// The ports it says it listens at, with their names, which may be empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<(String, u16)>,
    /// What it may use, as the manifest writes it: `memory` → `4Mi`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
    /// It has a readiness probe.
    #[serde(default, skip_serializing_if = "is_false")]
    pub readiness: bool,
    /// It has a hook that runs before it is asked to end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pre_stop: bool,
}

/// Whom a Service sends requests to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
    /// Its name.
    pub service: String,
    /// The labels that its pods must have; without any it selects no pod by itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: BTreeMap<String, String>,
    /// Its ports, each with where it leads: a number or the name of a container's port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<(u16, String)>,
}

impl ServiceSpec {
    /// Whether it selects a pod with these labels.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        !self.selector.is_empty() && self.selector.iter().all(|(k, v)| labels.get(k) == Some(v))
    }
}

/// How a Deployment replaces its pods, and what its controller complains of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentSpec {
    /// Its name.
    pub deployment: String,
    /// Pods it asks for.
    pub replicas: u32,
    /// `Recreate`, or `maxUnavailable 25%, maxSurge 25%`.
    pub strategy: String,
    /// So many of its pods may be missing while they are replaced.
    pub may_miss: u32,
    /// Its conditions that tell of trouble, as reason and message: `ProgressDeadlineExceeded`, `FailedCreate`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Reason>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(waiting: Option<(&str, &str)>, ended: Option<(i32, &str)>) -> ContainerState {
        ContainerState {
            container: "shop".into(),
            waiting: waiting.map(|(word, message)| Reason {
                word: word.into(),
                message: message.into(),
            }),
            ended: ended.map(|(code, reason)| Ended {
                code,
                reason: reason.into(),
                ..Ended::default()
            }),
            ..ContainerState::default()
        }
    }

    #[test]
    fn what_is_wrong_with_a_container_is_one_sentence() {
        let said = |waiting, ended| container(waiting, ended).trouble();
        let sentence = |text: &str| Some(text.to_string());
        assert_eq!(said(None, None), None);
        assert_eq!(said(Some(("ContainerCreating", "")), None), None);
        assert_eq!(said(None, Some((0, "Completed"))), None);
        assert_eq!(
            said(Some(("CrashLoopBackOff", "")), Some((137, "OOMKilled"))),
            sentence("container shop was OOMKilled (exit code 137), CrashLoopBackOff")
        );
        assert_eq!(
            said(Some(("ErrImagePull", "no such image")), None),
            sentence("container shop: ErrImagePull: no such image")
        );
        assert_eq!(
            said(None, Some((1, "Error"))),
            sentence("container shop ended with exit code 1")
        );
    }

    #[test]
    fn a_service_without_a_selector_selects_nobody() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string()));
            pairs.collect()
        };
        let service = |selector| ServiceSpec {
            selector: labels(selector),
            ..ServiceSpec::default()
        };
        let pod = labels(&[("app", "shop"), ("tier", "web")]);
        assert!(service(&[("app", "shop")]).selects(&pod));
        assert!(!service(&[("app", "shopp")]).selects(&pod));
        assert!(!service(&[]).selects(&pod));
    }
}
