//! What is in a namespace, as far as the watches have told.
use model::{BreakerState, ContainerState, DeploymentSpec, Fact, PodSpec, PodState, ServiceSpec};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A namespace at one moment. Everything in it has been written to the timeline as well.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Pods by uid; those that are gone are not in it.
    pub pods: BTreeMap<String, PodState>,
    /// Containers of these pods that are or were in trouble, by the uid of their pod and their name.
    pub containers: BTreeMap<(String, String), ContainerState>,
    /// What these pods were made as, by uid.
    pub specs: BTreeMap<String, PodSpec>,
    /// Where pods may have their metrics, by uid; those without such a place are not in it.
    pub exporters: BTreeMap<String, Vec<String>>,
    /// Deployments by name.
    pub deployments: BTreeMap<String, Replicas>,
    /// Names of Services.
    pub services: BTreeSet<String>,
    /// Whom Services select, by name.
    pub selectors: BTreeMap<String, ServiceSpec>,
    /// How Deployments replace their pods, by name.
    pub rollouts: BTreeMap<String, DeploymentSpec>,
    /// Ready endpoints by the name of their Service.
    pub endpoints: BTreeMap<String, u32>,
    /// Autoscalers by name, as they were told last.
    pub autoscalers: BTreeMap<String, Fact>,
    /// Breakers of a mesh, by the pod whose side-car it is, the side, and the destination.
    pub breakers: BTreeMap<[String; 3], BreakerState>,
    /// The latest warnings of the cluster, newest last; at most [`WARNINGS_MAX`].
    pub warnings: VecDeque<String>,
}

/// So many warnings are kept: what is wrong now is among the last of them.
const WARNINGS_MAX: usize = 5;

/// A Deployment's counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replicas {
    /// Asked for.
    pub desired: u32,
    /// Of the newest template.
    pub updated: u32,
    /// Ready.
    pub ready: u32,
    /// Available.
    pub available: u32,
    /// All pods that are not terminating.
    pub total: u32,
    /// The controller has seen the newest spec.
    pub observed: bool,
}

impl Replicas {
    /// What `kubectl rollout status` waits for (semantics.md 3.5).
    pub fn is_rolled_out(&self) -> bool {
        self.observed
            && self.updated == self.desired
            && self.total == self.updated
            && self.available == self.updated
    }
}

impl View {
    /// The pods of a Deployment or Job.
    pub fn pods_of<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = &'a PodState> {
        self.pods.values().filter(move |p| p.owner == owner)
    }

    /// Takes up a pod; says what to write down, nothing when nothing changed.
    pub(crate) fn see_pod(&mut self, pod: PodState) -> Option<Fact> {
        let before = if pod.gone {
            let before = self.pods.remove(&pod.uid);
            // Its deletion can be told twice.
            before.as_ref()?;
            before
        } else {
            self.pods.insert(pod.uid.clone(), pod.clone())
        };
        (before.as_ref() != Some(&pod)).then_some(Fact::Pod(pod))
    }

    /// Takes up what a pod was made as; says what to write down, once for each pod.
    pub(crate) fn see_spec(&mut self, uid: &str, spec: PodSpec, gone: bool) -> Option<Fact> {
        if gone {
            self.specs.remove(uid);
            return None;
        }
        let before = self.specs.insert(uid.into(), spec.clone());
        before.is_none().then_some(Fact::PodSpec(spec))
    }

    /// Takes up the containers of a pod; says what to write down. That one begins or runs is no news, how it ended is.
    pub(crate) fn see_containers(
        &mut self,
        uid: &str,
        now: Vec<ContainerState>,
        gone: bool,
    ) -> Vec<Fact> {
        let mut news = vec![];
        for container in now {
            let key = (uid.to_string(), container.container.clone());
            let before = self.containers.get(&key);
            let is_news = match before {
                Some(before) => *before != container,
                None => container.waiting.is_some() || container.ended.is_some(),
            };
            if is_news {
                self.containers.insert(key, container.clone());
                news.push(Fact::Container(container));
            }
        }
        if gone {
            self.containers.retain(|(of, _), _| of != uid);
        }
        news
    }

    /// Takes up a Service; says what to write down, nothing when nothing changed.
    pub(crate) fn see_service(&mut self, spec: ServiceSpec) -> Option<Fact> {
        let before = self.selectors.insert(spec.service.clone(), spec.clone());
        (before.as_ref() != Some(&spec)).then_some(Fact::Service(spec))
    }

    /// Takes up how a Deployment replaces its pods; says what to write down, nothing when nothing changed.
    pub(crate) fn see_rollout(&mut self, spec: DeploymentSpec) -> Option<Fact> {
        let before = self.rollouts.insert(spec.deployment.clone(), spec.clone());
        (before.as_ref() != Some(&spec)).then_some(Fact::Deployment(spec))
    }

    /// Takes up where a pod may have its metrics.
    pub(crate) fn see_exporter(&mut self, uid: &str, addresses: Vec<String>) {
        match addresses.is_empty() {
            true => self.exporters.remove(uid),
            false => self.exporters.insert(uid.into(), addresses),
        };
    }

    /// Takes up a Deployment's counts, or that it is gone.
    pub(crate) fn see_deployment(&mut self, name: &str, now: Option<Replicas>) -> Option<Fact> {
        let before = match &now {
            Some(counts) => self.deployments.insert(name.into(), counts.clone()),
            None => Some(self.deployments.remove(name)?),
        };
        let fact = |r: &Replicas| Fact::Replicas {
            deployment: name.into(),
            desired: r.desired,
            updated: r.updated,
            ready: r.ready,
            available: r.available,
        };
        let after = fact(&now.unwrap_or_default());
        (before.as_ref().map(fact).as_ref() != Some(&after)).then_some(after)
    }

    /// Takes up the number of ready endpoints of a Service.
    pub(crate) fn see_endpoints(&mut self, service: &str, ready: u32) -> Option<Fact> {
        let before = self.endpoints.insert(service.into(), ready);
        (before != Some(ready)).then(|| Fact::Endpoints {
            service: service.into(),
            ready,
        })
    }

    /// Takes up an autoscaler; says what to write down, nothing when nothing changed.
    pub(crate) fn see_autoscaler(&mut self, fact: Fact) -> Option<Fact> {
        let Fact::Autoscaler { name, .. } = &fact else {
            return None;
        };
        let before = self.autoscalers.insert(name.clone(), fact.clone());
        (before.as_ref() != Some(&fact)).then_some(fact)
    }

    /// Takes up a breaker. That more calls went through it is no news.
    pub(crate) fn see_breaker(&mut self, state: BreakerState) -> Option<Fact> {
        let which = [&state.client, &state.side, &state.service].map(Clone::clone);
        let news = |s: &BreakerState| (s.state, s.rejected, s.ejections);
        let before = self.breakers.insert(which, state.clone());
        (before.as_ref().map(news) != Some(news(&state))).then_some(Fact::Breaker(state))
    }

    /// Takes up what the cluster warns of. The same warning again only becomes the newest.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.retain(|w| *w != warning);
        self.warnings.push_back(warning);
        if self.warnings.len() > WARNINGS_MAX {
            self.warnings.pop_front();
        }
    }

    /// The counts of all, what keeps them from being ready, and what the cluster warned of last, for a message that says why
    /// something is not as it should be.
    pub fn summary(&self) -> String {
        let lacks = self.deployments.values().any(|r| r.ready < r.desired);
        // Where some are not ready, those that are need no word.
        let counts = self.deployments.iter();
        let counts = counts.filter(|(_, r)| !lacks || r.ready < r.desired);
        let counts = counts.map(|(name, r)| format!("{name} {}/{} ready", r.ready, r.desired));
        let all: Vec<String> = counts.chain(self.troubles()).chain(self.news()).collect();
        if all.is_empty() {
            "there is no Deployment".into()
        } else {
            all.join("; ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Breaker;

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
    fn only_what_changed_is_written_down() {
        let mut view = View::default();
        assert_eq!(
            view.see_pod(pod(false, false)),
            Some(Fact::Pod(pod(false, false)))
        );
        assert_eq!(view.see_pod(pod(false, false)), None);
        assert_eq!(
            view.see_pod(pod(true, false)),
            Some(Fact::Pod(pod(true, false)))
        );
        assert_eq!(
            view.see_pod(pod(true, true)),
            Some(Fact::Pod(pod(true, true)))
        );
        assert_eq!(view.see_pod(pod(true, true)), None);
        assert_eq!(view.pods_of("room").count(), 0);
    }

    #[test]
    fn a_breaker_is_written_down_when_it_is_first_told_of_and_when_it_turns_or_refuses() {
        let mut view = View::default();
        let state = |state, requests, rejected| BreakerState {
            client: "room-1".into(),
            side: "outbound".into(),
            service: "auth:8080".into(),
            state,
            requests,
            rejected,
            ejections: 0,
        };
        let mut is_news = |state| view.see_breaker(state).is_some();
        assert!(is_news(state(Breaker::Closed, 3, 0)));
        assert!(!is_news(state(Breaker::Closed, 90, 0)));
        assert!(is_news(state(Breaker::Open, 99, 2)));
        assert!(is_news(state(Breaker::Open, 120, 9)));
        assert!(is_news(state(Breaker::Closed, 120, 9)));
    }

    #[test]
    fn a_deployment_that_goes_is_written_down_as_none_of_everything() {
        let mut view = View::default();
        let one = Replicas {
            desired: 1,
            updated: 1,
            ready: 1,
            available: 1,
            total: 1,
            observed: true,
        };
        assert!(view.see_deployment("room", Some(one.clone())).is_some());
        assert_eq!(view.see_deployment("room", Some(one)), None);
        let gone = view.see_deployment("room", None);
        assert!(matches!(
            gone,
            Some(Fact::Replicas {
                desired: 0,
                ready: 0,
                ..
            })
        ));
        assert_eq!(view.see_deployment("room", None), None);
    }

    #[test]
    fn a_summary_ends_with_what_the_cluster_warned_of_last() {
        let mut view = View::default();
        for n in [1, 2, 3, 4, 5, 6, 3] {
            view.warn(format!("warning {n}"));
        }
        assert_eq!(
            view.summary(),
            "warning 2; warning 4; warning 5; warning 6; warning 3"
        );
    }

    #[test]
    fn that_a_container_runs_is_no_news_and_what_a_pod_was_made_as_is_told_once() {
        let mut view = View::default();
        let runs = ContainerState::default();
        assert_eq!(view.see_containers("u1", vec![runs], false), []);
        let spec = PodSpec::default();
        assert!(view.see_spec("u1", spec.clone(), false).is_some());
        assert_eq!(view.see_spec("u1", spec.clone(), false), None);
        assert_eq!(view.see_spec("u1", spec, true), None);
        assert!(view.specs.is_empty());
    }

    #[test]
    fn a_rollout_is_over_when_no_old_pod_is_left() {
        let done = Replicas {
            desired: 1,
            updated: 1,
            ready: 1,
            available: 1,
            total: 1,
            observed: true,
        };
        assert!(done.is_rolled_out());
        assert!(
            !Replicas {
                total: 2,
                ..done.clone()
            }
            .is_rolled_out()
        );
        assert!(
            !Replicas {
                observed: false,
                ..done
            }
            .is_rolled_out()
        );
    }
}
