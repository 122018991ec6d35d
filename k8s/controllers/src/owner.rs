//! owner — whose an object is: what a controller owns, adopts when nobody does, and lets go when it no longer fits.

use std::fmt::Debug;

use k8s_openapi::{
    NamespaceResourceScope,
    apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{run, selector};

/// The reference by which a controller's object belongs to `owner`. As in Kubernetes it holds an owner that is deleted in the foreground.
pub(crate) fn reference<O: Resource<DynamicType = ()>>(owner: &O) -> Option<OwnerReference> {
    owner
        .controller_owner_ref(&())
        .map(|reference| OwnerReference {
            block_owner_deletion: Some(true),
            ..reference
        })
}

/// What to do with an object that a controller might own.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Claim {
    Keep,
    Adopt,
    Release,
    Ignore,
}

/// The owner as far as claims go.
struct Owner<'a> {
    uid: &'a str,
    is_going: bool,
    selector: &'a LabelSelector,
}

fn claim(owner: &Owner, object: &impl ResourceExt) -> Claim {
    let fits = selector::matches(owner.selector, object.labels());
    let controller = object
        .owner_references()
        .iter()
        .find(|reference| reference.controller == Some(true));
    match controller {
        Some(reference) if reference.uid == owner.uid && (fits || owner.is_going) => Claim::Keep,
        Some(reference) if reference.uid == owner.uid => Claim::Release,
        None if fits && !owner.is_going && object.meta().deletion_timestamp.is_none() => {
            Claim::Adopt
        }
        _ => Claim::Ignore,
    }
}

/// All objects of the owner's namespace that are its own: those it owns and the matching ones that nobody owned, now adopted.
/// Objects whose labels no longer match are let go.
pub(crate) async fn claimed<O, K>(
    client: &Client,
    owner: &O,
    selector: &LabelSelector,
) -> Result<Vec<K>, kube::Error>
where
    O: Resource<DynamicType = ()>,
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), &owner.namespace().unwrap_or_default());
    let uid = owner.uid().unwrap_or_default();
    let rules = Owner {
        uid: &uid,
        is_going: owner.meta().deletion_timestamp.is_some(),
        selector,
    };
    let mut mine = Vec::new();
    for object in api.list(&ListParams::default()).await? {
        match claim(&rules, &object) {
            Claim::Keep => mine.push(object),
            Claim::Adopt => mine.push(adopt(&api, owner, &object).await?),
            Claim::Release => release(&api, &uid, &object).await?,
            Claim::Ignore => {}
        }
    }
    Ok(mine)
}

async fn adopt<O, K>(api: &Api<K>, owner: &O, orphan: &K) -> Result<K, kube::Error>
where
    O: Resource<DynamicType = ()>,
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let mut owners = orphan.owner_references().to_vec();
    owners.extend(reference(owner));
    api.patch(
        &orphan.name_any(),
        &PatchParams::default(),
        &owners_patch(orphan, &owners),
    )
    .await
}

async fn release<K>(api: &Api<K>, uid: &str, object: &K) -> Result<(), kube::Error>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let mut owners = object.owner_references().to_vec();
    owners.retain(|reference| reference.uid != uid);
    run::unless_gone(
        api.patch(
            &object.name_any(),
            &PatchParams::default(),
            &owners_patch(object, &owners),
        )
        .await,
    )
}

// The version makes it a condition: whoever claims second fails and looks again.
fn owners_patch(
    object: &impl ResourceExt,
    owners: &[impl serde::Serialize],
) -> Patch<serde_json::Value> {
    Patch::Merge(
        json!({"metadata": {"resourceVersion": object.resource_version(), "uid": object.uid(), "ownerReferences": owners}}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::Value;

    fn claim_of(metadata: Value, is_going: bool) -> Claim {
        let selector = serde_json::from_value(json!({"matchLabels": {"app": "web"}})).unwrap();
        let pod: Pod = serde_json::from_value(json!({"metadata": metadata})).unwrap();
        claim(
            &Owner {
                uid: "me",
                is_going,
                selector: &selector,
            },
            &pod,
        )
    }

    fn owned_by(uid: &str) -> Value {
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": uid, "controller": true}])
    }

    #[test]
    fn an_orphan_that_matches_is_adopted_unless_it_or_its_owner_is_going() {
        assert_eq!(
            claim_of(json!({"labels": {"app": "web"}}), false),
            Claim::Adopt
        );
        assert_eq!(
            claim_of(json!({"labels": {"app": "web"}}), true),
            Claim::Ignore
        );
        assert_eq!(
            claim_of(
                json!({"labels": {"app": "web"}, "deletionTimestamp": "2026-01-01T00:00:00Z"}),
                false
            ),
            Claim::Ignore
        );
        assert_eq!(
            claim_of(json!({"labels": {"app": "db"}}), false),
            Claim::Ignore
        );
    }

    #[test]
    fn an_owned_object_is_kept_while_it_matches_and_let_go_when_it_does_not() {
        assert_eq!(
            claim_of(
                json!({"labels": {"app": "web"}, "ownerReferences": owned_by("me")}),
                false
            ),
            Claim::Keep
        );
        assert_eq!(
            claim_of(
                json!({"labels": {"app": "web-broken"}, "ownerReferences": owned_by("me")}),
                false
            ),
            Claim::Release
        );
    }

    #[test]
    fn what_belongs_to_somebody_else_is_left_alone() {
        assert_eq!(
            claim_of(
                json!({"labels": {"app": "web"}, "ownerReferences": owned_by("other")}),
                false
            ),
            Claim::Ignore
        );
    }
}
