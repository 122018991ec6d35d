//! Watching a namespace: every change becomes a fact and part of the view.
use crate::{
    Cluster, Error, View, autoscaler,
    breaker::{self, DestinationRule},
    described::{containers_of, deployment_of, service_of, spec_of},
    exporter,
    facts::{event_fact, ready_endpoints, replicas, state_of},
    watch::{Told, told},
};
use futures::StreamExt;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        autoscaling::v2::HorizontalPodAutoscaler,
        core::v1::{Event, Pod, Service},
        discovery::v1::EndpointSlice,
    },
};
use kube::{Api, Resource, ResourceExt};
use model::{Fact, Requirement};
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
    /// Watches pods, Deployments, autoscalers, Services, endpoints, breakers of a mesh and events of a namespace and sends what changes to `facts`.
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
                    let state = state_of(&event.object, event.gone);
                    if let Some(state) = &state {
                        view.see_exporter(&state.uid, exporter);
                    }
                    let Some(state) = state else { return vec![] };
                    let uid = state.uid.clone();
                    let containers = containers_of(&event.object);
                    // What it was made as is told before it changes, and how its containers ended before it is gone.
                    let spec = view.see_spec(&uid, spec_of(&event.object), event.gone);
                    let containers = view.see_containers(&uid, containers, event.gone);
                    let pod = view.see_pod(state);
                    spec.into_iter().chain(containers).chain(pod).collect()
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
                let spec = (!event.gone).then(|| deployment_of(&event.object));
                eye.see(|view| {
                    let spec = spec.and_then(|spec| view.see_rollout(spec));
                    let counts = view.see_deployment(&name, now);
                    spec.into_iter().chain(counts).collect()
                });
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
                        view.selectors.remove(&name);
                        return vec![];
                    }
                    view.services.insert(name);
                    view.see_service(service_of(&event.object))
                        .into_iter()
                        .collect()
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
        watches.spawn(breakers(cluster, namespace, eye.clone()));
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

/// Shows every change of a kind to `see`, for ever.
fn each<K, F>(
    cluster: &Cluster,
    namespace: &str,
    eye: Arc<Eye>,
    mut see: F,
) -> impl Future<Output = ()> + Send + use<K, F>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
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

/// Watches what a mesh tells of its breakers, where there is a mesh.
fn breakers(
    cluster: &Cluster,
    namespace: &str,
    eye: Arc<Eye>,
) -> impl Future<Output = ()> + Send + use<> {
    let (asked, needed) = (cluster.clone(), [Requirement::Api(breaker::GROUP.into())]);
    let rules = each(
        cluster,
        namespace,
        eye,
        |eye, event: Told<DestinationRule>| {
            let states = match event.gone {
                true => vec![],
                false => event.object.breakers(),
            };
            eye.see(|view| {
                states
                    .into_iter()
                    .filter_map(|s| view.see_breaker(s))
                    .collect()
            });
        },
    );
    async move {
        match asked.lacks(&needed).await {
            Ok(None) => rules.await,
            Ok(Some(_)) => {}
            Err(error) => tracing::debug!(%error, "breakers of a mesh are not watched"),
        }
    }
}
