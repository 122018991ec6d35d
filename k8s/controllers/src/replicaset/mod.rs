//! replicaset — keeps a number of equal pods alive. A pod that was told to end no longer counts: its replacement does not wait for it.

mod status;
mod victims;

use std::sync::Arc;

use apiserver::Clock;
use futures::future::try_join_all;
use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSet, ReplicaSetStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, PostParams, Preconditions},
    runtime::{Controller, watcher},
};

use crate::{
    events::Events,
    owner, pods,
    run::{self, Step},
};

/// No step creates or deletes more pods than this; the next step goes on.
const BURST_MAX: usize = 500;

/// Runs the controller until it is dropped.
pub async fn run(client: Client, clock: Clock) {
    let any = watcher::Config::default;
    let controller = Controller::new(Api::<ReplicaSet>::all(client.clone()), any())
        .owns(Api::<Pod>::all(client.clone()), any());
    let events = Events {
        client,
        clock,
        component: "replicaset-controller",
    };
    run::run("replicaset", controller, move |set| {
        step(events.clone(), set)
    })
    .await;
}

/// What a set's number of pods asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Create(usize),
    Delete(usize),
    Nothing,
}

fn decide(set: &ReplicaSet, active: usize) -> Change {
    let wanted = set
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    let wanted = usize::try_from(wanted).unwrap_or(0);
    match active {
        _ if set.metadata.deletion_timestamp.is_some() => Change::Nothing,
        n if n < wanted => Change::Create((wanted - n).min(BURST_MAX)),
        n if n > wanted => Change::Delete((n - wanted).min(BURST_MAX)),
        _ => Change::Nothing,
    }
}

/// Batches of 1, 2, 4, … that make `count` in all: the first failure of a hopeless template costs one request, not hundreds.
fn batches(count: usize) -> Vec<usize> {
    let mut left = count;
    let mut batches = Vec::new();
    while left > 0 {
        let batch = (1 << batches.len()).min(left);
        batches.push(batch);
        left -= batch;
    }
    batches
}

async fn step(events: Events, seen: Arc<ReplicaSet>) -> Step {
    let namespace = seen.namespace().unwrap_or_default();
    let sets: Api<ReplicaSet> = Api::namespaced(events.client.clone(), &namespace);
    // What the watch delivered may be older than our own last write.
    let Some(set) = sets.get_opt(&seen.name_any()).await? else {
        return Ok(None);
    };
    let selector = set.spec.clone().unwrap_or_default().selector;
    let mut active: Vec<Pod> = owner::claimed(&events.client, &set, &selector).await?;
    active.retain(pods::is_active);
    let pods = Pods {
        api: Api::namespaced(events.client.clone(), &namespace),
        events: &events,
        set: &set,
    };
    let changed = pods.change(&mut active).await;
    let failure = changed.as_ref().err().map(ToString::to_string);
    let now = events.clock.now();
    write(
        &sets,
        &set,
        status::status(&set, &active, failure.as_deref(), now),
    )
    .await?;
    changed?;
    Ok(status::next_available_in(&set, &active, now))
}

/// The pods of one set.
struct Pods<'a> {
    api: Api<Pod>,
    events: &'a Events,
    set: &'a ReplicaSet,
}

impl Pods<'_> {
    /// Brings the pods to the wanted number; `active` is afterwards what there is.
    async fn change(&self, active: &mut Vec<Pod>) -> Result<(), kube::Error> {
        match decide(self.set, active.len()) {
            Change::Nothing => Ok(()),
            Change::Create(count) => {
                for batch in batches(count) {
                    active.extend(try_join_all((0..batch).map(|_| self.create())).await?);
                }
                Ok(())
            }
            Change::Delete(count) => {
                let now = self.events.clock.now();
                let victims: Vec<String> = victims::choose(active, count, now)
                    .into_iter()
                    .filter_map(ResourceExt::uid)
                    .collect();
                let is_victim = |pod: &Pod| pod.uid().is_some_and(|uid| victims.contains(&uid));
                try_join_all(
                    active
                        .iter()
                        .filter(|pod| is_victim(pod))
                        .map(|pod| self.delete(pod)),
                )
                .await?;
                active.retain(|pod| !is_victim(pod));
                Ok(())
            }
        }
    }

    async fn create(&self) -> Result<Pod, kube::Error> {
        match self
            .api
            .create(&PostParams::default(), &pod_of(self.set))
            .await
        {
            Ok(pod) => {
                self.events
                    .normal(
                        self.set,
                        "SuccessfulCreate",
                        format!("Created pod: {}", pod.name_any()),
                    )
                    .await;
                Ok(pod)
            }
            Err(error) => {
                self.events
                    .warning(self.set, "FailedCreate", format!("Error creating: {error}"))
                    .await;
                Err(error)
            }
        }
    }

    async fn delete(&self, pod: &Pod) -> Result<(), kube::Error> {
        let name = pod.name_any();
        let this_one = Preconditions {
            uid: pod.uid(),
            resource_version: None,
        };
        run::unless_gone(
            self.api
                .delete(
                    &name,
                    &DeleteParams {
                        preconditions: Some(this_one),
                        ..DeleteParams::default()
                    },
                )
                .await,
        )?;
        self.events
            .normal(self.set, "SuccessfulDelete", format!("Deleted pod: {name}"))
            .await;
        Ok(())
    }
}

fn pod_of(set: &ReplicaSet) -> Pod {
    let template = set
        .spec
        .clone()
        .and_then(|spec| spec.template)
        .unwrap_or_default();
    let described = template.metadata.unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", set.name_any())),
            namespace: set.namespace(),
            labels: described.labels,
            annotations: described.annotations,
            finalizers: described.finalizers,
            owner_references: owner::reference(set).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec,
        status: None,
    }
}

async fn write(
    sets: &Api<ReplicaSet>,
    set: &ReplicaSet,
    status: ReplicaSetStatus,
) -> Result<(), kube::Error> {
    // Compared as written: the API keeps whole seconds.
    let before = set
        .status
        .as_ref()
        .and_then(|before| serde_json::to_value(before).ok());
    if before == serde_json::to_value(&status).ok() {
        return Ok(());
    }
    let mut next = set.clone();
    next.status = Some(status);
    run::unless_gone(
        sets.replace_status(&set.name_any(), &PostParams::default(), &next)
            .await,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(replicas: i32) -> ReplicaSet {
        let template = json!({"metadata": {"labels": {"app": "web"}, "annotations": {"a": "1"}}, "spec": {"containers": []}});
        let spec = json!({"replicas": replicas, "selector": {}, "template": template});
        serde_json::from_value(
            json!({"metadata": {"name": "web-x", "namespace": "ns", "uid": "u"}, "spec": spec}),
        )
        .unwrap()
    }

    #[test]
    fn missing_pods_are_made_and_superfluous_ones_go() {
        assert_eq!(decide(&set(3), 1), Change::Create(2));
        assert_eq!(decide(&set(3), 5), Change::Delete(2));
        assert_eq!(decide(&set(3), 3), Change::Nothing);
        assert_eq!(decide(&set(9000), 0), Change::Create(500));
    }

    #[test]
    fn a_set_that_is_going_makes_no_pods() {
        let mut going = set(3);
        going.metadata.deletion_timestamp = Some(
            k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH),
        );
        assert_eq!(decide(&going, 0), Change::Nothing);
    }

    #[test]
    fn pods_are_made_in_doubling_batches() {
        assert_eq!(
            (batches(0), batches(1), batches(10)),
            (vec![], vec![1], vec![1, 2, 4, 3])
        );
    }

    #[test]
    fn a_pod_is_its_template_with_a_name_and_an_owner() {
        let pod = serde_json::to_value(pod_of(&set(1))).unwrap();
        assert_eq!(pod["metadata"]["generateName"], "web-x-");
        assert_eq!(pod["metadata"]["labels"], json!({"app": "web"}));
        assert_eq!(pod["metadata"]["annotations"], json!({"a": "1"}));
        assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], "u");
        assert_eq!(pod["metadata"]["ownerReferences"][0]["controller"], true);
    }
}
