//! deployment — replaces the pods of one version by those of the next, no faster than its budget allows (`semantics.md` 3).

mod budget;
mod conditions;
mod decide;
mod progress;
mod revision;
mod rolling;
mod scaling;
mod status;
mod template;

use std::{sync::Arc, time::Duration};

use apiserver::Clock;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::Pod,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    runtime::{Controller, reflector::ObjectRef, watcher},
};
use serde_json::json;

use budget::Budget;
use decide::{Change, State, decide};

use crate::{
    events::Events,
    owner, pods,
    run::{self, Step},
    selector,
};
use status::NewSet;

/// Runs the controller until it is dropped.
pub async fn run(client: Client, clock: Clock) {
    let any = watcher::Config::default;
    let controller = Controller::new(Api::<Deployment>::all(client.clone()), any())
        .owns(Api::<ReplicaSet>::all(client.clone()), any());
    let deployments = controller.store();
    // `Recreate` goes on when the last old pod is gone, which no ReplicaSet tells: terminating pods are not in its counts.
    let waiting = move |pod: Pod| -> Vec<ObjectRef<Deployment>> {
        let waits = |d: &&Arc<Deployment>| {
            budget::is_recreate(d) && d.namespace() == pod.namespace() && is_selected(d, &pod)
        };
        deployments
            .state()
            .iter()
            .filter(waits)
            .map(|d| ObjectRef::from_obj(&**d))
            .collect()
    };
    let controller = controller.watches(Api::<Pod>::all(client.clone()), any(), waiting);
    let events = Events {
        client,
        clock,
        component: "deployment-controller",
    };
    run::run("deployment", controller, move |deployment| {
        step(events.clone(), deployment)
    })
    .await;
}

/// How many pods are wanted.
pub(crate) fn wanted(deployment: &Deployment) -> i32 {
    deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1)
}

fn is_selected(deployment: &Deployment, pod: &Pod) -> bool {
    deployment
        .spec
        .as_ref()
        .is_some_and(|spec| selector::matches(&spec.selector, pod.labels()))
}

async fn step(events: Events, seen: Arc<Deployment>) -> Step {
    let namespace = seen.namespace().unwrap_or_default();
    let api: Api<Deployment> = Api::namespaced(events.client.clone(), &namespace);
    // What the watch delivered may be older than our own last write.
    let Some(deployment) = api.get_opt(&seen.name_any()).await? else {
        return Ok(None);
    };
    let world = World {
        sets: Api::namespaced(events.client.clone(), &namespace),
        api,
        events,
    };
    let state = world.read(deployment).await?;
    let created = world.perform(&state).await?;
    world.report(&state, created.as_deref()).await
}

/// The API as this controller uses it.
struct World {
    api: Api<Deployment>,
    sets: Api<ReplicaSet>,
    events: Events,
}

impl World {
    async fn read(&self, deployment: Deployment) -> Result<State, kube::Error> {
        let selector = deployment.spec.clone().unwrap_or_default().selector;
        let sets = owner::claimed(&self.events.client, &deployment, &selector).await?;
        let mut state = State::new(deployment, sets, false);
        if budget::is_recreate(&state.deployment) {
            state.has_old_pods = self.has_old_pods(&state).await?;
        }
        Ok(state)
    }

    async fn has_old_pods(&self, state: &State) -> Result<bool, kube::Error> {
        let api: Api<Pod> = Api::namespaced(
            self.events.client.clone(),
            &state.deployment.namespace().unwrap_or_default(),
        );
        let old: Vec<String> = state
            .old_sets()
            .iter()
            .filter_map(ResourceExt::uid)
            .collect();
        let is_old = |pod: &Pod| {
            !pods::is_finished(pod)
                && pod
                    .owner_references()
                    .iter()
                    .any(|owner| old.contains(&owner.uid))
        };
        Ok(api.list(&ListParams::default()).await?.iter().any(is_old))
    }

    /// Does what was decided; answers the name of the set it created.
    async fn perform(&self, state: &State) -> Result<Option<String>, kube::Error> {
        let mut created = None;
        for change in decide(state) {
            match change {
                Change::Create(set) => created = self.create(state, &set).await?,
                Change::Resize {
                    set,
                    from,
                    to,
                    annotations,
                } => {
                    let patch =
                        json!({"metadata": {"annotations": annotations}, "spec": {"replicas": to}});
                    self.sets
                        .patch(&set, &PatchParams::default(), &Patch::Merge(patch))
                        .await?;
                    self.tell(state, &set, from, to).await;
                }
                Change::Update {
                    set,
                    annotations,
                    min_ready_seconds,
                } => {
                    let patch = json!({"metadata": {"annotations": annotations}, "spec": {"minReadySeconds": min_ready_seconds}});
                    self.sets
                        .patch(&set, &PatchParams::default(), &Patch::Merge(patch))
                        .await?;
                }
                Change::Remove(set) => self.remove(state, &set).await?,
            }
        }
        Ok(created)
    }

    async fn create(&self, state: &State, set: &ReplicaSet) -> Result<Option<String>, kube::Error> {
        let name = set.name_any();
        match self.sets.create(&PostParams::default(), set).await {
            Ok(_) => {
                self.tell(state, &name, 0, decide_size(set)).await;
                Ok(Some(name))
            }
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
                self.count_collision(state).await
            }
            Err(error) => Err(error),
        }
    }

    // A stranger has the name: the next hash is another one. (A set of our own would have been found by its template.)
    async fn count_collision(&self, state: &State) -> Result<Option<String>, kube::Error> {
        let mut deployment = state.deployment.clone();
        let status = deployment.status.get_or_insert_default();
        status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
        self.api
            .replace_status(&deployment.name_any(), &PostParams::default(), &deployment)
            .await?;
        Ok(None)
    }

    async fn remove(&self, state: &State, name: &str) -> Result<(), kube::Error> {
        let set = state.sets.iter().find(|set| set.name_any() == name);
        let version = set.map(|set| Preconditions {
            uid: set.uid(),
            resource_version: set.resource_version(),
        });
        let params = DeleteParams {
            preconditions: version,
            ..DeleteParams::background()
        };
        run::unless_gone(self.sets.delete(name, &params).await)
    }

    async fn tell(&self, state: &State, set: &str, from: i32, to: i32) {
        let direction = match to.cmp(&from) {
            std::cmp::Ordering::Greater => "up",
            std::cmp::Ordering::Less => "down",
            std::cmp::Ordering::Equal => return,
        };
        let message = format!("Scaled {direction} replica set {set} from {from} to {to}");
        self.events
            .normal(&state.deployment, "ScalingReplicaSet", message)
            .await;
    }

    /// Writes revision and status if they changed; answers when to look at the deadline.
    async fn report(&self, state: &State, created: Option<&str>) -> Step {
        let (deployment, now) = (&state.deployment, self.events.clock.now());
        let new = match (created, state.new_set()) {
            (Some(name), _) => NewSet::Created(name),
            (None, Some(set)) => NewSet::Found(set),
            (None, None) => NewSet::Missing,
        };
        let status = status::status(deployment, new, &state.sets, now);
        let again = progress::deadline_in(deployment, &status, now);
        if !is_same(deployment.status.as_ref(), &status) {
            let mut next = deployment.clone();
            next.status = Some(status);
            match self
                .api
                .replace_status(&next.name_any(), &PostParams::default(), &next)
                .await
            {
                Err(error) if run::is_conflict(&error) => return Ok(Some(Duration::ZERO)),
                written => run::unless_gone(written)?,
            }
        }
        self.number(state).await?;
        Ok(again)
    }

    // The deployment carries the revision of its present set.
    async fn number(&self, state: &State) -> Result<(), kube::Error> {
        let Some(latest) = state
            .new_set()
            .and_then(|set| set.annotations().get(revision::REVISION))
        else {
            return Ok(());
        };
        if state.deployment.annotations().get(revision::REVISION) == Some(latest) {
            return Ok(());
        }
        let patch = json!({"metadata": {"annotations": {revision::REVISION: latest}}});
        run::unless_gone(
            self.api
                .patch(
                    &state.deployment.name_any(),
                    &PatchParams::default(),
                    &Patch::Merge(patch),
                )
                .await,
        )
    }
}

fn decide_size(set: &ReplicaSet) -> i32 {
    set.spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(0)
}

// Compared as written: the API keeps whole seconds.
fn is_same(
    before: Option<&k8s_openapi::api::apps::v1::DeploymentStatus>,
    after: &k8s_openapi::api::apps::v1::DeploymentStatus,
) -> bool {
    before.and_then(|before| serde_json::to_value(before).ok()) == serde_json::to_value(after).ok()
}
