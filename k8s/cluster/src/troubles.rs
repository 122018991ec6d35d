//! What keeps a namespace from being as it should, in sentences for a message that says why.
use crate::View;
use model::PodState;

impl View {
    /// What keeps pods and Services from working, each in one sentence: what a container waits for or how it ended, whom a Service
    /// does not find, what a Deployment's controller complains of.
    pub fn troubles(&self) -> Vec<String> {
        let containers = self.containers.iter().filter_map(|((uid, _), c)| {
            let is_well = self.pods.get(uid).is_some_and(|p| p.ready);
            let trouble = c.trouble().filter(|_| !is_well && !c.terminating);
            trouble.map(|what| format!("{} {what}", c.pod))
        });
        let is_well = |p: &PodState| p.reason.is_empty() || p.phase == "Succeeded";
        let own = |p: &&PodState| !is_well(p) && !self.has_told(&p.uid);
        let pods = self.pods.values().filter(own);
        let pods = pods.map(|p| format!("{} {}", p.name, p.reason));
        let lonely = self.selectors.values().filter(|s| !s.selector.is_empty());
        let lonely = lonely.filter(|s| !self.specs.values().any(|pod| s.selects(&pod.labels)));
        let lonely = lonely.map(|s| {
            let selector = model::look::selector(&s.selector);
            format!("Service {} selects no pod ({selector})", s.service)
        });
        let rollouts = self.rollouts.values().flat_map(|r| {
            let said = r.troubles.iter();
            said.map(|t| format!("Deployment {}: {}: {}", r.deployment, t.word, t.message))
        });
        containers
            .chain(pods)
            .chain(lonely)
            .chain(rollouts)
            .collect()
    }

    /// What the cluster warned of last, without what [`View::troubles`] says already.
    pub fn news(&self) -> Vec<String> {
        let told: Vec<String> = self
            .containers
            .iter()
            .filter(|(_, c)| c.trouble().is_some())
            .map(|(_, c)| format!("Pod/{}: ", c.pod))
            .collect();
        let is_old = |warning: &&String| {
            let of = told.iter().find_map(|pod| warning.strip_prefix(pod));
            of.is_some_and(|what| what.starts_with("Error: ") || what.starts_with("Back-off "))
        };
        let news = self.warnings.iter().filter(|w| !is_old(w));
        news.cloned().collect()
    }

    fn has_told(&self, uid: &str) -> bool {
        let mut told = self.containers.iter().filter(|((of, _), _)| of == uid);
        told.any(|(_, c)| c.trouble().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Replicas;
    use model::{ContainerState, DeploymentSpec, Fact, PodSpec, ServiceSpec};

    fn pod(ready: bool, gone: bool) -> PodState {
        PodState {
            name: "room-1".into(),
            uid: "u1".into(),
            owner: "room".into(),
            template: "abc".into(),
            phase: "Running".into(),
            ready,
            terminating: false,
            gone,
            restarts: 0,
            reason: String::new(),
        }
    }

    #[test]
    fn a_summary_names_what_keeps_a_pod_from_being_ready_and_whom_a_service_does_not_find() {
        let mut view = View::default();
        view.see_pod(pod(false, false));
        let container = ContainerState {
            pod: "room-1".into(),
            container: "room".into(),
            ended: Some(model::Ended {
                code: 137,
                reason: "OOMKilled".into(),
                ..model::Ended::default()
            }),
            ..ContainerState::default()
        };
        let labels = |app: &str| [("app".to_string(), app.to_string())].into();
        let spec = PodSpec {
            labels: labels("room"),
            ..PodSpec::default()
        };
        let service = |name: &str, app: &str| ServiceSpec {
            service: name.into(),
            selector: labels(app),
            ..ServiceSpec::default()
        };
        view.see_spec("u1", spec, false);
        view.see_service(service("room", "room"));
        view.see_service(service("shop", "shopp"));
        view.see_rollout(DeploymentSpec {
            deployment: "shop".into(),
            troubles: vec![model::Reason {
                word: "FailedCreate".into(),
                message: "exceeded quota".into(),
            }],
            ..DeploymentSpec::default()
        });
        assert_eq!(
            view.see_containers("u1", vec![container.clone()], false),
            [Fact::Container(container.clone())]
        );
        assert_eq!(view.see_containers("u1", vec![container], false), []);
        let counts = |ready| Replicas {
            desired: 1,
            ready,
            ..Replicas::default()
        };
        view.see_deployment("room", Some(counts(0)));
        view.see_deployment("well", Some(counts(1)));
        assert_eq!(
            view.summary(),
            "room 0/1 ready; room-1 container room was OOMKilled (exit code 137); Service shop selects no pod (app=shopp); \
             Deployment shop: FailedCreate: exceeded quota"
        );
        let done = PodState {
            uid: "u2".into(),
            phase: "Succeeded".into(),
            reason: "Completed".into(),
            ..pod(false, false)
        };
        view.see_pod(done);
        assert!(!view.summary().contains("Completed"));
        // A warning that says the same once more is left out.
        view.warn("Pod/room-1: Back-off restarting failed container room".into());
        view.warn("Pod/room-1: Liveness probe failed: 404".into());
        assert_eq!(view.news(), ["Pod/room-1: Liveness probe failed: 404"]);
        // One that runs again and is ready is in no trouble any more.
        view.see_pod(pod(true, false));
        assert!(!view.summary().contains("OOMKilled"));
    }
}
