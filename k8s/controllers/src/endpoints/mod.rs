//! endpoints — who stands behind a Service right now. Services without a selector are somebody else's business.

mod classic;
mod ports;
mod slices;

use std::{fmt::Debug, future::ready, hash::Hash, sync::Arc};

use futures::{Stream, StreamExt, stream::select_all};
use k8s_openapi::api::{
    core::v1::{Endpoints, Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
    runtime::{
        Controller, WatchStreamExt,
        reflector::{self, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;

use crate::{
    run::{self, Step},
    selector,
};
use slices::{Change, MANAGED_BY, MANAGER, SERVICE_NAME};

/// Runs the controller until it is dropped.
///
/// Pods change far more often than endpoints do: the comparison is made in memory, and only a difference costs a request.
pub async fn run(client: Client) {
    let (pods, pod_changes) = cached::<Pod>(&client);
    let (slices, slice_changes) = cached::<EndpointSlice>(&client);
    let (endpoints, endpoints_changes) = cached::<Endpoints>(&client);
    let changes = select_all([
        pod_changes.boxed(),
        slice_changes.boxed(),
        endpoints_changes.boxed(),
    ]);
    let controller = Controller::new(
        Api::<Service>::all(client.clone()),
        watcher::Config::default(),
    )
    .reconcile_all_on(changes);
    let world = World {
        client,
        pods,
        slices,
        endpoints,
    };
    run::run("endpoints", controller, move |service| {
        world.clone().step(service)
    })
    .await;
}

// A copy of all objects of a kind, and a stream that says when it changed. The copy is kept up to date by whoever polls the stream.
fn cached<K>(client: &Client) -> (Store<K>, impl Stream<Item = ()> + Send + 'static)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let (reader, writer) = reflector::store();
    let events = watcher(Api::<K>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .reflect(writer);
    (
        reader,
        events.filter_map(|event| ready(event.ok().map(|_| ()))),
    )
}

#[derive(Clone)]
struct World {
    client: Client,
    pods: Store<Pod>,
    slices: Store<EndpointSlice>,
    endpoints: Store<Endpoints>,
}

impl World {
    async fn step(self, service: Arc<Service>) -> Step {
        let selects = service
            .spec
            .as_ref()
            .and_then(|spec| spec.selector.as_ref())
            .filter(|selector| !selector.is_empty());
        let (Some(selects), None) = (selects, &service.metadata.deletion_timestamp) else {
            return Ok(None);
        };
        // A store whose writer is gone belongs to a controller that is ending.
        if self.pods.wait_until_ready().await.is_err()
            || self.slices.wait_until_ready().await.is_err()
            || self.endpoints.wait_until_ready().await.is_err()
        {
            return Ok(None);
        }
        let is_behind = |pod: &Arc<Pod>| {
            pod.namespace() == service.namespace() && selector::contains(pod.labels(), selects)
        };
        let pods: Vec<Pod> = self
            .pods
            .state()
            .iter()
            .filter(|pod| is_behind(pod))
            .map(|pod| (**pod).clone())
            .collect();
        self.slice(&service, &pods).await?;
        self.classic(&service, &pods).await?;
        Ok(None)
    }

    async fn slice(&self, service: &Service, pods: &[Pod]) -> Result<(), kube::Error> {
        let wanted = slices::contents(service, pods);
        let is_ours = |slice: &&Arc<EndpointSlice>| {
            slice.namespace() == service.namespace() && is_of(slice, service)
        };
        let cached: Vec<EndpointSlice> = self
            .slices
            .state()
            .iter()
            .filter(is_ours)
            .map(|slice| (**slice).clone())
            .collect();
        if slices::plan(service, &cached, wanted.clone()).is_empty() {
            return Ok(());
        }
        // The copy may not have seen our own last write: what is written follows from what is really there.
        let api: Api<EndpointSlice> = Api::namespaced(
            self.client.clone(),
            &service.namespace().unwrap_or_default(),
        );
        let labels = format!(
            "{SERVICE_NAME}={},{MANAGED_BY}={MANAGER}",
            service.name_any()
        );
        let present = api
            .list(&ListParams::default().labels(&labels))
            .await?
            .items;
        for change in slices::plan(service, &present, wanted) {
            match change {
                Change::Create(slice) => drop(api.create(&PostParams::default(), &slice).await?),
                Change::Replace(slice) => drop(
                    api.replace(&slice.name_any(), &PostParams::default(), &slice)
                        .await?,
                ),
                Change::Delete(name) => {
                    run::unless_gone(api.delete(&name, &DeleteParams::default()).await)?
                }
            }
        }
        Ok(())
    }

    async fn classic(&self, service: &Service, pods: &[Pod]) -> Result<(), kube::Error> {
        let wanted = classic::endpoints(service, pods);
        let cached = self.endpoints.get(&reflector::ObjectRef::from_obj(&wanted));
        if cached.is_some_and(|cached| cached.subsets == wanted.subsets) {
            return Ok(());
        }
        let api: Api<Endpoints> = Api::namespaced(
            self.client.clone(),
            &service.namespace().unwrap_or_default(),
        );
        match api.get_opt(&service.name_any()).await? {
            None => drop(api.create(&PostParams::default(), &wanted).await?),
            Some(present) if present.subsets == wanted.subsets => {}
            Some(present) => {
                let next = Endpoints {
                    subsets: wanted.subsets,
                    ..present
                };
                api.replace(&service.name_any(), &PostParams::default(), &next)
                    .await?;
            }
        }
        Ok(())
    }
}

fn is_of(slice: &EndpointSlice, service: &Service) -> bool {
    slice.labels().get(SERVICE_NAME) == service.metadata.name.as_ref()
        && slice
            .labels()
            .get(MANAGED_BY)
            .is_some_and(|by| by == MANAGER)
}
