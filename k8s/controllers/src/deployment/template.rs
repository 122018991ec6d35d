//! template — which ReplicaSet stands for a deployment's pod template, and how a new one is made.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::ResourceExt;

use crate::owner;

/// The label that keeps the pods of one deployment's sets apart.
pub const HASH: &str = "pod-template-hash";

// No vowels and nothing that looks like another letter, so that a hash never spells a word.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Whether a set was made from this template.
pub(crate) fn is_of(set: &ReplicaSet, template: &PodTemplateSpec) -> bool {
    let theirs = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
    theirs.is_some_and(|theirs| without_hash(theirs) == without_hash(template))
}

fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    let mut metadata = template.metadata.take().unwrap_or_default();
    let mut labels = metadata.labels.take().unwrap_or_default();
    labels.remove(HASH);
    metadata.labels = Some(labels).filter(|labels| !labels.is_empty());
    template.metadata = Some(metadata);
    template
}

/// A short name for a template. `collisions` makes it another one when the first was taken by a stranger.
pub(crate) fn hash(template: &PodTemplateSpec, collisions: i32) -> String {
    let text = serde_json::to_string(template)
        .expect("a template that came as JSON can be written as JSON");
    let collisions = if collisions == 0 {
        vec![]
    } else {
        collisions.to_le_bytes().to_vec()
    };
    let number = fnv_1a(text.bytes().chain(collisions));
    number
        .to_string()
        .bytes()
        .map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]))
        .collect()
}

fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// A ReplicaSet for the deployment's present template.
pub(crate) fn new_set(
    deployment: &Deployment,
    replicas: i32,
    annotations: BTreeMap<String, String>,
) -> ReplicaSet {
    let spec = deployment.spec.clone().unwrap_or_default();
    let collisions = deployment
        .status
        .as_ref()
        .and_then(|status| status.collision_count)
        .unwrap_or(0);
    let hash = hash(&spec.template, collisions);
    let mut template = spec.template;
    let mut selector = spec.selector;
    template
        .metadata
        .get_or_insert_default()
        .labels
        .get_or_insert_default()
        .insert(HASH.into(), hash.clone());
    selector
        .match_labels
        .get_or_insert_default()
        .insert(HASH.into(), hash.clone());
    ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{}-{hash}", deployment.name_any())),
            namespace: deployment.namespace(),
            labels: template
                .metadata
                .as_ref()
                .and_then(|metadata| metadata.labels.clone()),
            annotations: Some(annotations),
            owner_references: owner::reference(deployment).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(replicas),
            min_ready_seconds: spec.min_ready_seconds,
            selector,
            template: Some(template),
        }),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn web(image: &str) -> Deployment {
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}});
        let spec = json!({"selector": {"matchLabels": {"app": "web"}}, "template": template});
        serde_json::from_value(
            json!({"metadata": {"name": "web", "namespace": "ns", "uid": "u"}, "spec": spec}),
        )
        .unwrap()
    }

    fn template(deployment: &Deployment) -> PodTemplateSpec {
        deployment.spec.clone().unwrap().template
    }

    #[test]
    fn a_set_carries_its_hash_in_name_labels_selector_and_pods() {
        let set = serde_json::to_value(new_set(&web("web:1"), 2, BTreeMap::new())).unwrap();
        let hash = hash(&template(&web("web:1")), 0);
        assert_eq!(set["metadata"]["name"], format!("web-{hash}"));
        let labels = json!({"app": "web", "pod-template-hash": hash});
        assert_eq!(set["metadata"]["labels"], labels);
        assert_eq!(set["spec"]["selector"]["matchLabels"], labels);
        assert_eq!(set["spec"]["template"]["metadata"]["labels"], labels);
        assert_eq!(set["metadata"]["ownerReferences"][0]["uid"], "u");
    }

    #[test]
    fn a_set_is_recognised_by_its_template_and_not_by_another() {
        let set = new_set(&web("web:1"), 2, BTreeMap::new());
        assert!(is_of(&set, &template(&web("web:1"))));
        assert!(!is_of(&set, &template(&web("web:2"))));
    }

    #[test]
    fn the_hash_is_stable_and_differs_after_a_collision() {
        let template = template(&web("web:1"));
        assert_eq!(hash(&template, 0), hash(&template, 0));
        assert_ne!(hash(&template, 0), hash(&template, 1));
        assert!(
            hash(&template, 0)
                .bytes()
                .all(|letter| ALPHABET.contains(&letter))
        );
    }
}
