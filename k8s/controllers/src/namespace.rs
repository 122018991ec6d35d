//! namespace — empties a namespace that is to go, kind by kind, and lets it go when nothing is left.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, PostParams},
    runtime::{Controller, reflector::ObjectRef, watcher},
};

use crate::{
    kinds::{KINDS, Kind},
    run::{self, Step},
};

const FINALIZER: &str = "kubernetes";
/// Only pods and claims are watched on their way out; for whatever else a finalizer holds we look again after this time, as Kubernetes does.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Runs the controller until it is dropped.
pub async fn run(client: Client) {
    let any = watcher::Config::default;
    let controller = Controller::new(Api::<Namespace>::all(client.clone()), any());
    let namespaces = controller.store();
    let waiting = move |of: Option<String>| {
        let namespace = ObjectRef::new(&of.unwrap_or_default());
        let found = namespaces.get(&namespace);
        found.filter(|found| is_going(found)).map(|_| namespace)
    };
    let also_waiting = waiting.clone();
    let pods = Api::<Pod>::all(client.clone());
    let claims = Api::<PersistentVolumeClaim>::all(client.clone());
    let controller = controller
        .watches(pods, any(), move |pod| waiting(pod.namespace()))
        .watches(claims, any(), move |claim| also_waiting(claim.namespace()));
    run::run("namespace", controller, move |namespace| {
        step(client.clone(), namespace)
    })
    .await;
}

fn is_going(namespace: &Namespace) -> bool {
    let finalizers = namespace
        .spec
        .as_ref()
        .and_then(|spec| spec.finalizers.as_ref());
    namespace.metadata.deletion_timestamp.is_some()
        && finalizers.is_some_and(|all| all.iter().any(|f| f == FINALIZER))
}

/// What a namespace still holds after everything in it was told to go.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Left {
    pods: usize,
    others: usize,
}

async fn step(client: Client, seen: Arc<Namespace>) -> Step {
    let api: Api<Namespace> = Api::all(client.clone());
    let Some(namespace) = api.get_opt(&seen.name_any()).await?.filter(is_going) else {
        return Ok(None);
    };
    let mut left = Left::default();
    for kind in KINDS.iter().filter(|kind| kind.is_namespaced) {
        let count = empty(&client, &namespace.name_any(), kind).await?;
        if kind.kind == "Pod" {
            left.pods += count
        } else {
            left.others += count
        }
    }
    match left {
        Left { pods: 0, others: 0 } => finalize(&api, namespace).await.map(|()| None),
        Left { others: 0, .. } => Ok(None),
        Left { .. } => Ok(Some(LOOK_AGAIN)),
    }
}

/// Deletes what is there and answers how many objects remain, because they take their time or something holds them.
async fn empty(client: &Client, namespace: &str, kind: &Kind) -> Result<usize, kube::Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind.resource());
    let present = api.list(&ListParams::default()).await?.items;
    if present.is_empty() {
        return Ok(0);
    }
    for object in present
        .iter()
        .filter(|object| object.metadata.deletion_timestamp.is_none())
    {
        run::unless_gone(
            api.delete(&object.name_any(), &DeleteParams::background())
                .await,
        )?;
    }
    Ok(api.list(&ListParams::default()).await?.items.len())
}

async fn finalize(api: &Api<Namespace>, mut namespace: Namespace) -> Result<(), kube::Error> {
    let name = namespace.name_any();
    if let Some(finalizers) = namespace
        .spec
        .as_mut()
        .and_then(|spec| spec.finalizers.as_mut())
    {
        finalizers.retain(|finalizer| finalizer != FINALIZER);
    }
    run::unless_gone(
        api.replace_subresource("finalize", &name, &PostParams::default(), &namespace)
            .await,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_namespace_goes_when_it_was_told_to_and_is_not_yet_empty() {
        let namespace = |deleted: Option<&str>, finalizers: &[&str]| -> Namespace {
            serde_json::from_value(json!({"metadata": {"name": "a", "deletionTimestamp": deleted}, "spec": {"finalizers": finalizers}})).unwrap()
        };
        assert!(is_going(&namespace(
            Some("2026-01-01T00:00:00Z"),
            &["kubernetes"]
        )));
        assert!(!is_going(&namespace(None, &["kubernetes"])));
        assert!(!is_going(&namespace(Some("2026-01-01T00:00:00Z"), &[])));
    }
}
