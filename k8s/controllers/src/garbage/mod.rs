//! garbage — takes away what its owners left behind, and lets an owner that waits for its dependents go after the last of them.

mod graph;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{pending, ready},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, StreamExt, stream::select_all};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
    runtime::{
        WatchStreamExt,
        reflector::store::{Store, Writer},
        watcher,
    },
};
use serde_json::json;

use crate::{
    kinds::{KINDS, Kind},
    run,
};
use graph::{Change, Node, Owner, State};

/// Events that arrived together are looked at together, up to this many.
const EVENTS_MAX: usize = 1000;
/// The wait after a failed sweep.
const RETRY: Duration = Duration::from_secs(1);
const FOREGROUND: &str = "foregroundDeletion";
/// Kinds that own nothing and are owned by nobody, but change all the time.
const NOT_FOLLOWED: [&str; 2] = ["Event", "Lease"];

/// Runs the collector until it is dropped.
pub async fn run(client: Client) {
    let followed = KINDS
        .iter()
        .filter(|kind| !NOT_FOLLOWED.contains(&kind.kind));
    let (stores, changes): (Vec<_>, Vec<_>) = followed.map(|kind| follow(&client, kind)).unzip();
    let mut changes = select_all(changes).ready_chunks(EVENTS_MAX);
    let mut collector = Collector {
        client,
        stores,
        asked: BTreeSet::new(),
    };
    let mut retry = None;
    loop {
        tokio::select! {
            seen = changes.next() => if seen.is_none() { return },
            () = wait(retry) => {}
        }
        let swept = collector.sweep().await;
        retry = swept
            .inspect_err(|error| tracing::debug!(%error, "garbage: will try again"))
            .err()
            .map(|_| RETRY);
    }
}

async fn wait(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => pending().await,
    }
}

type Followed = (&'static Kind, Store<DynamicObject>);

// A copy of all objects of a kind, kept up to date by whoever polls the stream, which says when it changed.
fn follow(
    client: &Client,
    kind: &'static Kind,
) -> (Followed, impl Stream<Item = ()> + Send + Unpin + 'static) {
    let resource = kind.resource();
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let writer = Writer::new(resource);
    let store = writer.as_reader();
    let events = watcher(api, watcher::Config::default())
        .default_backoff()
        .reflect(writer);
    (
        (kind, store),
        events
            .filter_map(|event| ready(event.ok().map(|_| ())))
            .boxed(),
    )
}

struct Collector {
    client: Client,
    stores: Vec<Followed>,
    /// Who was told to go and is still in the copy.
    asked: BTreeSet<String>,
}

type Objects = BTreeMap<String, (&'static Kind, Arc<DynamicObject>)>;

impl Collector {
    async fn sweep(&mut self) -> Result<(), kube::Error> {
        let objects: Objects = self
            .stores
            .iter()
            .flat_map(|(kind, store)| store.state().into_iter().map(move |o| (kind, o)))
            .filter_map(keyed)
            .collect();
        self.asked.retain(|uid| objects.contains_key(uid));
        let nodes: Vec<Node> = objects
            .iter()
            .map(|(uid, (_, object))| node(uid, object))
            .collect();
        let mut confirmed = Confirmed {
            client: self.client.clone(),
            answers: BTreeMap::new(),
        };
        for change in graph::decide(&nodes) {
            self.perform(change, &objects, &mut confirmed).await?;
        }
        Ok(())
    }

    async fn perform(
        &mut self,
        change: Change,
        objects: &Objects,
        confirmed: &mut Confirmed,
    ) -> Result<(), kube::Error> {
        match change {
            Change::Orphaned(uid) if !self.asked.contains(&uid) => {
                let (kind, object) = &objects[&uid];
                let gone = confirmed.gone(object).await?;
                if gone.len() == object.owner_references().len() {
                    self.delete(kind, object, DeleteParams::background())
                        .await?;
                }
            }
            Change::Follow { uid, is_foreground } if !self.asked.contains(&uid) => {
                let (kind, object) = &objects[&uid];
                let params = if is_foreground {
                    DeleteParams::foreground()
                } else {
                    DeleteParams::background()
                };
                self.delete(kind, object, params).await?;
            }
            Change::Orphaned(_) | Change::Follow { .. } => {}
            Change::Disown(uid) => {
                let (kind, object) = &objects[&uid];
                let gone = confirmed.gone(object).await?;
                let mut owners = object.owner_references().to_vec();
                owners.retain(|owner| !gone.contains(&owner.uid));
                if !gone.is_empty() {
                    self.patch(kind, object, json!({"ownerReferences": owners}))
                        .await?;
                }
            }
            Change::Free(uid) => {
                let (kind, object) = &objects[&uid];
                let mut finalizers = object.finalizers().to_vec();
                finalizers.retain(|finalizer| finalizer != FOREGROUND);
                self.patch(kind, object, json!({"finalizers": finalizers}))
                    .await?;
            }
        }
        Ok(())
    }

    async fn delete(
        &mut self,
        kind: &Kind,
        object: &DynamicObject,
        params: DeleteParams,
    ) -> Result<(), kube::Error> {
        let this_one = Preconditions {
            uid: object.uid(),
            resource_version: None,
        };
        let params = DeleteParams {
            preconditions: Some(this_one),
            ..params
        };
        let api = api(&self.client, kind, object.namespace().as_deref());
        run::unless_gone(api.delete(&object.name_any(), &params).await)?;
        self.asked.extend(object.uid());
        Ok(())
    }

    // The version makes it a condition: what changed since is looked at again.
    async fn patch(
        &self,
        kind: &Kind,
        object: &DynamicObject,
        mut metadata: serde_json::Value,
    ) -> Result<(), kube::Error> {
        metadata["resourceVersion"] = json!(object.resource_version());
        let api = api(&self.client, kind, object.namespace().as_deref());
        let patched = api
            .patch(
                &object.name_any(),
                &PatchParams::default(),
                &Patch::Merge(json!({"metadata": metadata})),
            )
            .await;
        match patched {
            Err(error) if run::is_conflict(&error) => Ok(()),
            patched => run::unless_gone(patched),
        }
    }
}

fn keyed(
    (kind, object): (&&'static Kind, Arc<DynamicObject>),
) -> Option<(String, (&'static Kind, Arc<DynamicObject>))> {
    Some((object.uid()?, (*kind, object)))
}

fn node(uid: &str, object: &DynamicObject) -> Node {
    let is_last = object
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == FOREGROUND);
    let state = match object.metadata.deletion_timestamp {
        None => State::Alive,
        Some(_) if is_last => State::GoingLast,
        Some(_) => State::Going,
    };
    let owner = |owner: &OwnerReference| Owner {
        uid: owner.uid.clone(),
        is_blocking: owner.block_owner_deletion == Some(true),
    };
    Node {
        uid: uid.into(),
        owners: object.owner_references().iter().map(owner).collect(),
        state,
    }
}

fn api(client: &Client, kind: &Kind, namespace: Option<&str>) -> Api<DynamicObject> {
    match namespace.filter(|_| kind.is_namespaced) {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind.resource()),
        None => Api::all_with(client.clone(), &kind.resource()),
    }
}

/// What the server itself says of owners that the copies do not know. Every owner is asked for once a sweep.
struct Confirmed {
    client: Client,
    answers: BTreeMap<String, bool>,
}

impl Confirmed {
    /// The owners of an object that do not exist.
    async fn gone(&mut self, object: &DynamicObject) -> Result<BTreeSet<String>, kube::Error> {
        let mut gone = BTreeSet::new();
        for owner in object.owner_references() {
            if self.is_gone(owner, object.namespace()).await? {
                gone.insert(owner.uid.clone());
            }
        }
        Ok(gone)
    }

    async fn is_gone(
        &mut self,
        owner: &OwnerReference,
        namespace: Option<String>,
    ) -> Result<bool, kube::Error> {
        if let Some(answer) = self.answers.get(&owner.uid) {
            return Ok(*answer);
        }
        let kind = KINDS
            .iter()
            .find(|kind| kind.kind == owner.kind && kind.api_version() == owner.api_version);
        // Of an unknown kind nothing can be said: what it owns stays.
        let Some(kind) = kind else { return Ok(false) };
        let found = api(&self.client, kind, namespace.as_deref())
            .get_opt(&owner.name)
            .await?;
        let is_gone = found.and_then(|found| found.uid()).as_ref() != Some(&owner.uid);
        self.answers.insert(owner.uid.clone(), is_gone);
        Ok(is_gone)
    }
}
