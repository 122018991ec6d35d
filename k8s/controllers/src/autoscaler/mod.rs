//! autoscaler — HorizontalPodAutoscalers: every 15 s the size of a workload follows what its pods use (`semantics.md` 5).
//!
//! Time alone drives it: an autoscaler is evaluated a period after it is first seen and then every period, never because something
//! changed. Without autoscalers there is no timer.

mod calculate;
mod decide;
mod size;
mod tell;

use std::{collections::BTreeMap, pin::pin, time::Duration};

use apiserver::{Clock, quantity};
use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::{
    autoscaling::v2::{
        CrossVersionObjectReference, HorizontalPodAutoscaler as Object,
        HorizontalPodAutoscalerStatus as Status,
    },
    core::v1::Pod,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::events::Events;
use calculate::PodUse;
use decide::{Scale, Seen, decide};
use size::History;
use tell::Teller;

/// Time between two evaluations of an autoscaler, and before its first.
const PERIOD: Duration = Duration::from_secs(15);

/// Namespace and name.
type Key = (String, String);

/// Runs the controller until it is dropped.
pub async fn run(client: Client, clock: Clock) {
    let objects = Api::<Object>::all(client.clone());
    let mut changes = pin!(watcher(objects, watcher::Config::default()).default_backoff());
    let mut scalers = Scalers {
        client: client.clone(),
        clock,
        teller: Teller::new(Events {
            client,
            clock,
            component: "horizontal-pod-autoscaler",
        }),
        all: BTreeMap::new(),
        listed: vec![],
    };
    loop {
        let due = scalers.all.values().map(|scaler| scaler.due).min();
        tokio::select! {
            change = changes.next() => match change {
                Some(Ok(change)) => scalers.see(change),
                Some(Err(error)) => tracing::debug!(%error, "autoscalers cannot be watched"),
                None => return,
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => scalers.evaluate_due().await,
        }
    }
}

/// What is known of one autoscaler besides its object.
struct Scaler {
    due: Instant,
    history: History,
    /// Of the pods it scales, as of its last evaluation.
    selector: Option<String>,
}

struct Scalers {
    client: Client,
    clock: Clock,
    teller: Teller,
    all: BTreeMap<Key, Scaler>,
    listed: Vec<Key>,
}

fn key(object: &Object) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

impl Scalers {
    fn see(&mut self, change: Event<Object>) {
        match change {
            Event::Apply(object) => self.add(key(&object)),
            Event::Delete(object) => drop(self.all.remove(&key(&object))),
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                self.listed.push(key(&object));
                self.add(key(&object));
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                self.all.retain(|key, _| listed.contains(key));
            }
        }
    }

    fn add(&mut self, key: Key) {
        self.all.entry(key).or_insert_with(|| Scaler {
            due: Instant::now() + PERIOD,
            history: History::default(),
            selector: None,
        });
    }

    async fn evaluate_due(&mut self) {
        let now = Instant::now();
        let due = self.all.iter().filter(|(_, scaler)| scaler.due <= now);
        for key in due.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            if let Err(error) = self.evaluate(&key).await {
                let (namespace, name) = &key;
                tracing::debug!(namespace, name, %error, "an autoscaler was not evaluated");
            }
            if let Some(scaler) = self.all.get_mut(&key) {
                scaler.due = Instant::now() + PERIOD;
            }
        }
    }

    async fn evaluate(&mut self, key: &Key) -> Result<(), kube::Error> {
        let (namespace, name) = key;
        let api: Api<Object> = Api::namespaced(self.client.clone(), namespace);
        let Some(mut object) = api.get_opt(name).await? else {
            return Ok(());
        };
        let reference = object.spec.clone().unwrap_or_default().scale_target_ref;
        let target = self.target(namespace, &reference);
        let scale = self.scale(&target, &reference.name).await;
        let selector = scale.as_ref().ok().map(|scale| scale.selector.clone());
        if let (Some(scaler), Some(selector)) = (self.all.get_mut(key), &selector) {
            scaler.selector = Some(selector.clone());
        }
        let selector = selector.filter(|selector| !selector.is_empty());
        let (pods, used) = match &selector {
            Some(selector) => (
                self.pods(namespace, selector).await?,
                self.used(namespace, selector).await,
            ),
            None => (vec![], Ok(vec![])),
        };
        let rivals = self.rivals(key, &pods).await?;
        let seen = Seen {
            scaler: &object,
            scale: scale.clone(),
            rivals,
            pods,
            used,
            now: self.clock.now(),
        };
        // Deleted while it was looked at.
        let Some(scaler) = self.all.get_mut(key) else {
            return Ok(());
        };
        let mut decision = decide(seen, &mut scaler.history);
        if let (Some(resize), Ok(target), Ok(scale)) = (&decision.resize, &target, &scale) {
            let before = object.status.as_ref().map_or(0, |s| s.desired_replicas);
            let patch = json!({"metadata": {"resourceVersion": scale.version}, "spec": {"replicas": resize.to}});
            let done = target
                .patch_scale(
                    &reference.name,
                    &PatchParams::default(),
                    &Patch::Merge(patch),
                )
                .await;
            let done = done.map(drop).map_err(|error| why(&error));
            decision.resized(done, before, &mut scaler.history);
        }
        if !is_same(object.status.as_ref(), &decision.status) {
            object.status = Some(decision.status);
            let params = PostParams::default();
            if let Err(error) = api.replace_status(name, &params, &object).await {
                let why = why(&error);
                self.teller.warn(&object, "FailedUpdateStatus", why).await;
            }
        }
        for told in decision.events {
            self.teller.tell(&object, told).await;
        }
        Ok(())
    }

    /// Where the target is found, or why not.
    fn target(
        &self,
        namespace: &str,
        of: &CrossVersionObjectReference,
    ) -> Result<Api<DynamicObject>, String> {
        let api_version = of.api_version.as_deref().unwrap_or_default();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let plural = match (group, &*of.kind) {
            ("apps", "Deployment") => "deployments",
            ("apps", "ReplicaSet") => "replicasets",
            ("apps", "StatefulSet") => "statefulsets",
            ("", "ReplicationController") => "replicationcontrollers",
            (group, kind) => {
                return Err(format!("no matches for kind {kind:?} in group {group:?}"));
            }
        };
        let kind = GroupVersionKind::gvk(group, version, &of.kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        Ok(Api::namespaced_with(
            self.client.clone(),
            namespace,
            &resource,
        ))
    }

    async fn scale(
        &self,
        target: &Result<Api<DynamicObject>, String>,
        name: &str,
    ) -> Result<Scale, String> {
        let target = target.as_ref().map_err(String::clone)?;
        let scale = target.get_scale(name).await.map_err(|error| why(&error))?;
        let status = scale.status.unwrap_or_default();
        Ok(Scale {
            wanted: scale.spec.and_then(|spec| spec.replicas).unwrap_or(0),
            selector: status.selector.unwrap_or_default(),
            version: scale.metadata.resource_version,
        })
    }

    async fn pods(&self, namespace: &str, selector: &str) -> Result<Vec<Pod>, kube::Error> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let pods = api.list(&ListParams::default().labels(selector)).await?;
        Ok(pods.items)
    }

    async fn used(&self, namespace: &str, selector: &str) -> Result<Vec<PodUse>, String> {
        let kind = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
        let resource = ApiResource::from_gvk_with_plural(&kind, "pods");
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource);
        let list = api.list(&ListParams::default().labels(selector)).await;
        let list = list.map_err(|error| format!("{} (get pods.metrics.k8s.io)", why(&error)))?;
        Ok(list.items.iter().filter_map(use_of).collect())
    }

    /// All autoscalers that select one of these pods.
    async fn rivals(&self, own: &Key, pods: &[Pod]) -> Result<Vec<String>, kube::Error> {
        let mut rivals = vec![];
        for (key, scaler) in self.all.iter().filter(|((n, _), _)| *n == own.0) {
            let selector = scaler.selector.as_deref().filter(|s| !s.is_empty());
            let Some(selector) = selector else { continue };
            let selects = key == own || {
                let theirs = self.pods(&key.0, selector).await?;
                let is_theirs = |pod: &Pod| theirs.iter().any(|one| one.uid() == pod.uid());
                pods.iter().any(is_theirs)
            };
            if selects && !pods.is_empty() {
                rivals.push(format!("{}/{}", key.0, key.1));
            }
        }
        Ok(rivals)
    }
}

/// A `PodMetrics` as the controller needs it.
fn use_of(object: &DynamicObject) -> Option<PodUse> {
    let amounts = |container: &Value| {
        let usage = container["usage"].as_object().into_iter().flatten();
        let usage = usage.filter_map(|(resource, amount)| {
            let amount = i64::try_from(quantity::thousandths(amount.as_str()?)?).ok()?;
            Some((resource.clone(), amount))
        });
        let name = container["name"].as_str().unwrap_or_default();
        (name.to_owned(), usage.collect())
    };
    let containers = object.data["containers"].as_array().into_iter().flatten();
    Some(PodUse {
        pod: object.name_any(),
        at: object.data["timestamp"]
            .as_str()?
            .parse::<Timestamp>()
            .ok()?,
        window: window(object.data["window"].as_str()?)?,
        containers: containers.map(amounts).collect(),
    })
}

/// `15s`, `1m0.5s`, as Go writes durations.
fn window(text: &str) -> Option<Duration> {
    let (minutes, seconds) = text.split_once('m').unwrap_or(("0", text));
    let seconds: f64 = seconds.strip_suffix('s')?.parse().ok()?;
    let minutes: u64 = minutes.parse().ok()?;
    Some(Duration::from_secs(60 * minutes) + Duration::try_from_secs_f64(seconds).ok()?)
}

/// The server's own words, if it has spoken.
fn why(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

// Compared as written: the API keeps whole seconds.
fn is_same(before: Option<&Status>, after: &Status) -> bool {
    let written = |status| serde_json::to_value(status).ok();
    before.and_then(written) == written(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_as_they_are_written() {
        let read = ["15s", "14.984s", "1m0s", "soon"].map(window);
        let seconds = |s| Some(Duration::from_secs_f64(s));
        assert_eq!(read, [seconds(15.0), seconds(14.984), seconds(60.0), None]);
    }

    #[test]
    fn measurements_are_read_in_thousandths_rounded_up() {
        let object = json!({"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics", "metadata": {"name": "a"},
            "timestamp": "2026-01-01T00:00:00Z", "window": "15s",
            "containers": [{"name": "c", "usage": {"cpu": "1122778n", "memory": "2Ki"}}]});
        let used = use_of(&serde_json::from_value(object).unwrap()).unwrap();
        let amounts = [("cpu".to_owned(), 2), ("memory".to_owned(), 2_048_000)];
        assert_eq!(used.containers, [("c".to_owned(), amounts.into())]);
    }
}
