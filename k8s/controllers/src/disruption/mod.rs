//! disruption — counts for every PodDisruptionBudget how many of its pods may be evicted right now.

mod count;

use std::{sync::Arc, time::Duration};

use apiserver::Clock;
use futures::StreamExt;
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::Pod,
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, PostParams},
    runtime::{Controller, WatchStreamExt, watcher},
};

use crate::{
    events::Events,
    run::{self, Step},
    selector,
};
use count::{Scale, status};

/// A pod that was evicted and is still there after this time was not deleted after all.
const DISRUPTED_MAX: Duration = Duration::from_secs(120);

/// Runs the controller until it is dropped.
pub async fn run(client: Client, clock: Clock) {
    let any = watcher::Config::default;
    let pods = watcher(Api::<Pod>::all(client.clone()), any()).default_backoff();
    let controller = Controller::new(Api::<PodDisruptionBudget>::all(client.clone()), any())
        .reconcile_all_on(pods.map(|_| ()));
    let events = Events {
        client,
        clock,
        component: "controllermanager",
    };
    run::run("disruption", controller, move |budget| {
        step(events.clone(), budget)
    })
    .await;
}

async fn step(events: Events, seen: Arc<PodDisruptionBudget>) -> Step {
    let namespace = seen.namespace().unwrap_or_default();
    let api: Api<PodDisruptionBudget> = Api::namespaced(events.client.clone(), &namespace);
    let Some(mut budget) = api.get_opt(&seen.name_any()).await? else {
        return Ok(None);
    };
    let pods: Api<Pod> = Api::namespaced(events.client.clone(), &namespace);
    let selects = budget.spec.as_ref().and_then(|spec| spec.selector.clone());
    let pods: Vec<Pod> = pods
        .list(&ListParams::default())
        .await?
        .into_iter()
        .filter(|pod| {
            selects
                .as_ref()
                .is_some_and(|s| selector::matches(s, pod.labels()))
        })
        .collect();
    let scale = scale(&events.client, &namespace, &pods).await?;
    let next = status(&budget, &pods, &scale, events.clock.now());
    let waits = next
        .disrupted_pods
        .as_ref()
        .is_some_and(|pods| !pods.is_empty());
    if budget.status.as_ref() != Some(&next) {
        if pods.is_empty()
            && budget
                .status
                .as_ref()
                .and_then(|s| s.observed_generation)
                .is_none()
        {
            let text = "No matching pods found";
            events.normal(&budget, "NoPods", text.into()).await;
        }
        budget.status = Some(next);
        let name = budget.name_any();
        let written = api
            .replace_status(&name, &PostParams::default(), &budget)
            .await;
        match written {
            // An eviction came in between: whoever changed it caused another step.
            Err(error) if run::is_conflict(&error) => {}
            other => run::unless_gone(other)?,
        }
    }
    Ok(waits.then_some(DISRUPTED_MAX))
}

/// How many pods those who make them want to have.
async fn scale(client: &Client, namespace: &str, pods: &[Pod]) -> Result<Scale, kube::Error> {
    let mut owners: Vec<(String, i32)> = vec![];
    for pod in pods {
        let Some(owner) = controller_of(pod.owner_references()) else {
            let text = format!("found no controllers for pod {:?}", pod.name_any());
            return Ok(Scale::Unknown(text));
        };
        if owners.iter().any(|(uid, _)| *uid == owner.uid) {
            continue;
        }
        if owner.kind != "ReplicaSet" {
            let text = format!(
                "{} does not implement the scale subresource",
                plural(&owner.kind)
            );
            return Ok(Scale::Unknown(text));
        }
        if let Some((uid, count)) = of_replica_set(client, namespace, owner).await?
            && !owners.iter().any(|(known, _)| *known == uid)
        {
            owners.push((uid, count));
        }
    }
    Ok(Scale::Known(owners.iter().map(|(_, count)| count).sum()))
}

async fn of_replica_set(
    client: &Client,
    namespace: &str,
    owner: &OwnerReference,
) -> Result<Option<(String, i32)>, kube::Error> {
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
    let Some(set) = sets.get_opt(&owner.name).await? else {
        return Ok(None);
    };
    let Some(above) = controller_of(set.owner_references()) else {
        let replicas = set.spec.and_then(|spec| spec.replicas);
        return Ok(Some((owner.uid.clone(), replicas.unwrap_or(1))));
    };
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let deployment = deployments.get_opt(&above.name).await?;
    let replicas = deployment.and_then(|deployment| deployment.spec?.replicas);
    Ok(Some((above.uid.clone(), replicas.unwrap_or(0))))
}

fn controller_of(owners: &[OwnerReference]) -> Option<&OwnerReference> {
    owners.iter().find(|owner| owner.controller == Some(true))
}

fn plural(kind: &str) -> String {
    match kind {
        "Job" => "jobs.batch".into(),
        other => format!("{}s", other.to_lowercase()),
    }
}
