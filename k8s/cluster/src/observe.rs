//! Watching a namespace: every change becomes a fact and part of the view.
use crate::{
    Cluster, Error, Replicas, View,
    access::{REPORTER, STRIKE_ANNOTATION},
    autoscaler, exporter,
};
use futures::{Stream, StreamExt};
use k8s_openapi::api::{
    apps::v1::Deployment,
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{Event, Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Resource, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use model::{Fact, PodState, Strike};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// Keeps a [`View`] of a namespace current. Ends its watches when dropped.
#[derive(Clone)]
pub struct Observer {
    view: watch::Receiver<View>,
    _watches: Arc<JoinSet<()>>,
}

struct Eye {
    view: watch::Sender<View>,
    facts: mpsc::UnboundedSender<Fact>,
}

impl Eye {
    /// Changes the view and tells what changed; the view is shown only after its facts are on their way.
    fn see(&self, change: impl FnOnce(&mut View) -> Vec<Fact>) {
        self.view.send_modify(|view| {
            for fact in change(view) {
                // Nobody listens any more once the run is over.
                let _ = self.facts.send(fact);
            }
        });
    }
}

impl Observer {
    /// Watches pods, Deployments, autoscalers, Services, endpoints and events of a namespace and sends what changes to `facts`.
    pub fn start(
        cluster: &Cluster,
        namespace: &str,
        facts: mpsc::UnboundedSender<Fact>,
    ) -> Observer {
        let (sender, view) = watch::channel(View::default());
        let eye = Arc::new(Eye {
            view: sender,
            facts,
        });
        let mut watches = JoinSet::new();
        watches.spawn(each(
            cluster,
            namespace,
            eye.clone(),
            |eye, event: Told<Pod>| {
                let exporter = match event.gone {
                    true => vec![],
                    false => exporter::addresses(&event.object),
                };
                eye.see(|view| {
                    let state = pod_state(&event);
                    if let Some(state) = &state {
                        view.see_exporter(&state.uid, exporter);
                    }
                    state.and_then(|p| view.see_pod(p)).into_iter().collect()
                });
            },
        ));
        watches.spawn(each(
            cluster,
            namespace,
            eye.clone(),
            |eye, event: Told<Deployment>| {
                let (name, now) = (
                    event.object.name_any(),
                    (!event.gone).then(|| replicas(&event.object)),
                );
                eye.see(|view| view.see_deployment(&name, now).into_iter().collect());
            },
        ));
        watches.spawn(each(
            cluster,
            namespace,
            eye.clone(),
            |eye, event: Told<Service>| {
                let name = event.object.name_any();
                eye.see(|view| {
                    if event.gone {
                        view.services.remove(&name);
                    } else {
                        view.services.insert(name);
                    }
                    vec![]
                });
            },
        ));
        watches.spawn(each(
            cluster,
            namespace,
            eye.clone(),
            |eye, event: Told<HorizontalPodAutoscaler>| {
                if !event.gone {
                    let fact = autoscaler::fact(&event.object);
                    eye.see(|view| view.see_autoscaler(fact).into_iter().collect());
                }
            },
        ));
        let mut slices = BTreeMap::new();
        watches.spawn(each(
            cluster,
            namespace,
            eye.clone(),
            move |eye, event: Told<EndpointSlice>| {
                let Some(service) = event
                    .object
                    .labels()
                    .get("kubernetes.io/service-name")
                    .cloned()
                else {
                    return;
                };
                let slice = (service.clone(), event.object.name_any());
                if event.gone {
                    slices.remove(&slice);
                } else {
                    slices.insert(slice, ready_endpoints(&event.object));
                }
                let ready = slices
                    .iter()
                    .filter(|((s, _), _)| *s == service)
                    .map(|(_, n)| n)
                    .sum();
                eye.see(|view| view.see_endpoints(&service, ready).into_iter().collect());
            },
        ));
        watches.spawn(each(cluster, namespace, eye, |eye, event: Told<Event>| {
            if !event.gone {
                eye.see(|view| {
                    let fact = event_fact(&event.object);
                    if let Fact::Event {
                        object,
                        severity,
                        message,
                        ..
                    } = &fact
                        && severity == "Warning"
                    {
                        view.warn(format!("{object}: {message}"));
                    }
                    vec![fact]
                });
            }
        }));
        Observer {
            view,
            _watches: Arc::new(watches),
        }
    }

    /// The namespace as it is now.
    pub fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// Waits until `condition` gives something.
    ///
    /// # Errors
    /// [`Error::TimedOut`] after `limit`, with `what` (a negation: `room was not ready`) and what there is instead.
    pub async fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        condition: impl Fn(&View) -> Option<T>,
    ) -> Result<T, Error> {
        let mut view = self.view.clone();
        let wait = async {
            loop {
                if let Some(found) = condition(&view.borrow_and_update()) {
                    return Ok(found);
                }
                view.changed().await.map_err(|_| Error::Unobserved)?;
            }
        };
        tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| {
            let so_far = self.view.borrow().summary();
            Err(Error::TimedOut {
                what: what.into(),
                limit,
                so_far,
            })
        })
    }
}

/// An object as a watch tells it.
struct Told<K> {
    object: K,
    gone: bool,
}

fn each<K, F>(
    cluster: &Cluster,
    namespace: &str,
    eye: Arc<Eye>,
    mut see: F,
) -> impl Future<Output = ()> + Send + use<K, F>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
    F: FnMut(&Eye, Told<K>) + Send,
{
    let mut events = Box::pin(told(Api::<K>::namespaced(
        cluster.client.clone(),
        namespace,
    )));
    async move {
        while let Some(event) = events.next().await {
            see(&eye, event);
        }
    }
}

/// Changes of a kind for ever; after a broken watch the list is read again, and what went meanwhile is told as gone.
fn told<K>(api: Api<K>) -> impl Stream<Item = Told<K>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut known: BTreeMap<String, K> = BTreeMap::new();
    let mut listing: Option<BTreeMap<String, K>> = None;
    watcher(api, watcher::Config::default())
        .default_backoff()
        .flat_map(move |event| {
            let mut out = vec![];
            let uid = |o: &K| o.uid().unwrap_or_default();
            match event {
                Ok(watcher::Event::Init) => listing = Some(BTreeMap::new()),
                Ok(watcher::Event::InitApply(object)) => {
                    if let Some(listing) = &mut listing {
                        listing.insert(uid(&object), object.clone());
                    }
                    out.push(Told {
                        object,
                        gone: false,
                    });
                }
                Ok(watcher::Event::InitDone) => {
                    let now = listing.take().unwrap_or_default();
                    let before = std::mem::replace(&mut known, now);
                    let gone = before
                        .into_iter()
                        .filter(|(uid, _)| !known.contains_key(uid));
                    out.extend(gone.map(|(_, object)| Told { object, gone: true }));
                }
                Ok(watcher::Event::Apply(object)) => {
                    known.insert(uid(&object), object.clone());
                    out.push(Told {
                        object,
                        gone: false,
                    });
                }
                Ok(watcher::Event::Delete(object)) => {
                    known.remove(&uid(&object));
                    out.push(Told { object, gone: true });
                }
                Err(error) => tracing::debug!(%error, "a watch broke and is begun again"),
            }
            futures::stream::iter(out)
        })
}

fn pod_state(told: &Told<Pod>) -> Option<PodState> {
    state_of(&told.object, told.gone)
}

/// A pod as a fact.
pub(crate) fn state_of(pod: &Pod, gone: bool) -> Option<PodState> {
    let status = pod.status.as_ref();
    let conditions = status
        .and_then(|s| s.conditions.as_deref())
        .unwrap_or_default();
    let containers = status
        .and_then(|s| s.container_statuses.as_deref())
        .unwrap_or_default();
    let reasons = containers.iter().filter_map(|c| {
        let state = c.state.as_ref()?;
        let waiting = state.waiting.as_ref().and_then(|w| w.reason.clone());
        waiting.or_else(|| state.terminated.as_ref().and_then(|t| t.reason.clone()))
    });
    Some(PodState {
        name: pod.name_any(),
        uid: pod.uid()?,
        owner: owner_of(pod),
        template: pod
            .labels()
            .get("pod-template-hash")
            .cloned()
            .unwrap_or_default(),
        phase: status
            .and_then(|s| s.phase.clone())
            .unwrap_or_else(|| "Pending".into()),
        ready: conditions
            .iter()
            .any(|c| c.type_ == "Ready" && c.status == "True"),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        gone,
        restarts: containers
            .iter()
            .map(|c| u32::try_from(c.restart_count).unwrap_or(0))
            .sum(),
        reason: reasons
            .filter(|r| r != "ContainerCreating")
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// The Deployment (the ReplicaSet's name without the template's hash) or Job that made a pod.
fn owner_of(pod: &Pod) -> String {
    let Some(owner) = pod
        .owner_references()
        .iter()
        .find(|o| o.controller == Some(true))
    else {
        return String::new();
    };
    match pod.labels().get("pod-template-hash") {
        Some(hash) => owner
            .name
            .trim_end_matches(hash.as_str())
            .trim_end_matches('-')
            .into(),
        None => owner.name.clone(),
    }
}

fn replicas(deployment: &Deployment) -> Replicas {
    let count = |n: Option<i32>| u32::try_from(n.unwrap_or(0)).unwrap_or(0);
    let status = deployment.status.clone().unwrap_or_default();
    Replicas {
        desired: count(deployment.spec.as_ref().map(|s| s.replicas.unwrap_or(1))),
        updated: count(status.updated_replicas),
        ready: count(status.ready_replicas),
        available: count(status.available_replicas),
        total: count(status.replicas),
        observed: status.observed_generation >= deployment.metadata.generation,
    }
}

fn ready_endpoints(slice: &EndpointSlice) -> u32 {
    let is_ready = |e: &&k8s_openapi::api::discovery::v1::Endpoint| {
        e.conditions
            .as_ref()
            .is_none_or(|c| c.ready.unwrap_or(true))
    };
    slice.endpoints.iter().filter(is_ready).count() as u32
}

fn event_fact(event: &Event) -> Fact {
    if let Some(strike) = strike_of(event) {
        return Fact::Strike(strike);
    }
    let involved = &event.involved_object;
    Fact::Event {
        object: format!(
            "{}/{}",
            involved.kind.as_deref().unwrap_or("?"),
            involved.name.as_deref().unwrap_or("?")
        ),
        severity: event.type_.clone().unwrap_or_else(|| "Normal".into()),
        reason: event.reason.clone().unwrap_or_default(),
        message: event.message.clone().unwrap_or_default(),
    }
}

/// The blow that an event of a chaos job tells of.
fn strike_of(event: &Event) -> Option<Strike> {
    if event.reporting_component.as_deref() != Some(REPORTER) {
        return None;
    }
    serde_json::from_str(event.annotations().get(STRIKE_ANNOTATION)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_is_known_by_the_deployment_that_made_it() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "name": "review-69957988c6-4sdfd", "uid": "u",
                "labels": {"pod-template-hash": "69957988c6"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "review-69957988c6", "uid": "r", "controller": true}],
            },
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "False"}],
                "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 2,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
            },
        }))
        .unwrap();
        let state = pod_state(&Told {
            object: pod,
            gone: false,
        })
        .unwrap();
        assert_eq!(
            (state.owner.as_str(), state.template.as_str()),
            ("review", "69957988c6")
        );
        assert_eq!(
            (state.ready, state.restarts, state.reason.as_str()),
            (false, 2, "CrashLoopBackOff")
        );
    }

    #[test]
    fn an_endpoint_without_a_condition_is_ready() {
        let slice: EndpointSlice = serde_json::from_value(json!({
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["10.0.0.1"]},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": true}},
                {"addresses": ["10.0.0.3"], "conditions": {"ready": false, "serving": true, "terminating": true}},
            ],
        }))
        .unwrap();
        assert_eq!(ready_endpoints(&slice), 2);
    }
}
