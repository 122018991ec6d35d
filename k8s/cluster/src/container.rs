//! One container of a pod: whether it runs, and how it ended last.
use crate::{Cluster, Error, objects::doing};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube::{Api, ResourceExt, api::ListParams};
use model::PodState;

/// A container as the API tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The id of the process group that runs, as its runtime calls it; empty where none does.
    pub running: String,
    /// How the one before, or the last one, ended.
    pub ended: Option<Ended>,
}

/// The end of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Which, as its runtime calls it.
    pub id: String,
    /// Its exit code; 128 and the signal's number after a signal.
    pub exit_code: i32,
    /// `Error`, `OOMKilled`, …
    pub reason: String,
}

impl Cluster {
    /// A container of this very pod: the one that is named, or the first. None when the pod is gone, or tells of no such container.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn container(
        &self,
        namespace: &str,
        pod: &PodState,
        name: Option<&str>,
    ) -> Result<Option<Container>, Error> {
        // Whoever may kill may list pods; to get one is a right of its own.
        let this = ListParams::default().fields(&format!("metadata.name={}", pod.name));
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace)
            .list(&this)
            .await
            .map_err(doing(format!("looking at pod {}", pod.name)))?;
        let same = pods
            .into_iter()
            .find(|p| p.uid().as_ref() == Some(&pod.uid));
        Ok(same.and_then(|pod| container_of(&pod, name)))
    }
}

fn container_of(pod: &Pod, name: Option<&str>) -> Option<Container> {
    let spec = pod.spec.as_ref()?;
    let name = name.or_else(|| Some(&spec.containers.first()?.name))?;
    let all = pod.status.as_ref()?.container_statuses.as_ref()?;
    all.iter().find(|c| c.name == name).map(told)
}

fn told(status: &ContainerStatus) -> Container {
    let runs = status.state.as_ref().is_some_and(|s| s.running.is_some());
    let id = status.container_id.clone().unwrap_or_default();
    Container {
        name: status.name.clone(),
        running: if runs { id } else { String::new() },
        ended: ended(status.state.as_ref()).or_else(|| ended(status.last_state.as_ref())),
    }
}

fn ended(state: Option<&ContainerState>) -> Option<Ended> {
    let ended = state?.terminated.as_ref()?;
    Some(Ended {
        id: ended.container_id.clone().unwrap_or_default(),
        exit_code: ended.exit_code,
        reason: ended.reason.clone().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(state: serde_json::Value, last: serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "room-1", "uid": "u"},
            "spec": {"containers": [{"name": "room"}, {"name": "proxy"}]},
            "status": {"containerStatuses": [
                {"name": "proxy", "image": "", "imageID": "", "ready": true, "restartCount": 0},
                {"name": "room", "image": "", "imageID": "", "ready": true, "restartCount": 1, "containerID": "crio://b",
                    "state": state, "lastState": last},
            ]},
        }))
        .unwrap()
    }

    fn killed(id: &str) -> serde_json::Value {
        json!({"terminated": {"containerID": id, "exitCode": 137, "reason": "Error"}})
    }

    #[test]
    fn the_first_container_of_the_spec_is_told_with_the_end_of_the_one_before() {
        let now = container_of(&pod(json!({"running": {}}), killed("crio://a")), None).unwrap();
        assert_eq!(
            now,
            Container {
                name: "room".into(),
                running: "crio://b".into(),
                ended: Some(Ended {
                    id: "crio://a".into(),
                    exit_code: 137,
                    reason: "Error".into()
                }),
            }
        );
    }

    #[test]
    fn one_that_is_not_started_again_has_ended_and_does_not_run() {
        let now = container_of(&pod(killed("crio://b"), json!({})), Some("room")).unwrap();
        assert_eq!(
            (now.running.as_str(), now.ended.unwrap().id.as_str()),
            ("", "crio://b")
        );
        assert_eq!(container_of(&pod(json!({}), json!({})), Some("none")), None);
    }
}
