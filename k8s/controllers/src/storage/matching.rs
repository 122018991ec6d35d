//! matching — which volume a claim gets. Pure.

use apiserver::quantity::thousandths;
use k8s_openapi::{
    api::{
        core::v1::{PersistentVolume, PersistentVolumeClaim},
        storage::v1::StorageClass,
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::ResourceExt;
use std::collections::BTreeMap;

use crate::selector;

/// Whether claims of this class wait for a pod that uses them.
pub(crate) fn is_delayed(class: Option<&StorageClass>) -> bool {
    let mode = class.and_then(|class| class.volume_binding_mode.as_deref());
    mode == Some("WaitForFirstConsumer")
}

/// The volume for a claim: one that was made for it; else the smallest that is free and has everything it asks for.
pub(crate) fn best<'a>(
    claim: &PersistentVolumeClaim,
    volumes: &'a [PersistentVolume],
) -> Option<&'a PersistentVolume> {
    let fitting = || volumes.iter().filter(|volume| fits(claim, volume));
    let size = |volume: &&PersistentVolume| storage(capacity(volume)).unwrap_or(0);
    let own = fitting().filter(|volume| is_reserved_for(volume, claim));
    let free = fitting().filter(|volume| is_free(volume));
    own.min_by_key(size).or_else(|| free.min_by_key(size))
}

/// Whether the volume says that it is for this claim and no other.
pub(super) fn is_reserved_for(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let reference = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.claim_ref.as_ref());
    reference.is_some_and(|reference| {
        let uid = reference.uid.as_deref().filter(|uid| !uid.is_empty());
        reference.namespace == claim.metadata.namespace
            && reference.name == claim.metadata.name
            && uid.is_none_or(|uid| Some(uid) == claim.metadata.uid.as_deref())
    })
}

fn is_free(volume: &PersistentVolume) -> bool {
    let phase = volume
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let is_claimed = volume
        .spec
        .as_ref()
        .is_some_and(|spec| spec.claim_ref.is_some());
    !is_claimed && phase == Some("Available")
}

fn capacity(volume: &PersistentVolume) -> Option<&BTreeMap<String, Quantity>> {
    volume.spec.as_ref()?.capacity.as_ref()
}

fn storage(amounts: Option<&BTreeMap<String, Quantity>>) -> Option<i128> {
    thousandths(&amounts?.get("storage")?.0)
}

/// Class, kind, modes, size and labels are as the claim asks. No class is a class of its own.
fn fits(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    let (Some(wanted), Some(offered)) = (&claim.spec, &volume.spec) else {
        return false;
    };
    let requests = wanted.resources.as_ref();
    let needs = storage(requests.and_then(|resources| resources.requests.as_ref()));
    let class = |name: &Option<String>| name.clone().unwrap_or_default();
    let mode = |mode: &Option<String>| mode.clone().unwrap_or_else(|| "Filesystem".into());
    let modes = wanted.access_modes.iter().flatten();
    let has = |mode: &String| offered.access_modes.iter().flatten().any(|m| m == mode);
    let selects = |labels| {
        let selector = wanted.selector.as_ref();
        selector.is_none_or(|selector| selector::matches(selector, labels))
    };
    volume.metadata.deletion_timestamp.is_none()
        && class(&wanted.storage_class_name) == class(&offered.storage_class_name)
        && mode(&wanted.volume_mode) == mode(&offered.volume_mode)
        && storage(capacity(volume)) >= needs
        && modes.into_iter().all(has)
        && selects(volume.labels())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn claim(size: &str, more: Value) -> PersistentVolumeClaim {
        let mut spec =
            json!({"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": size}}});
        merge(&mut spec, more);
        from_value(
            json!({"metadata": {"name": "data", "namespace": "shop", "uid": "u"}, "spec": spec}),
        )
        .unwrap()
    }

    fn volume(name: &str, size: &str, more: Value) -> PersistentVolume {
        let mut spec = json!({"accessModes": ["ReadWriteOnce", "ReadWriteMany"], "capacity": {"storage": size}});
        merge(&mut spec, more);
        from_value(json!({"metadata": {"name": name, "labels": {"disk": name}}, "spec": spec, "status": {"phase": "Available"}})).unwrap()
    }

    fn merge(into: &mut Value, more: Value) {
        let (Value::Object(into), Value::Object(more)) = (into, more) else {
            unreachable!("literals")
        };
        into.extend(more);
    }

    fn chosen(claim: &PersistentVolumeClaim, volumes: &[PersistentVolume]) -> Option<String> {
        best(claim, volumes).map(|volume| volume.name_any())
    }

    #[test]
    fn vol_5_a_claim_gets_the_smallest_volume_that_is_large_enough() {
        let volumes = [
            volume("five", "5Gi", json!({})),
            volume("one", "1Gi", json!({})),
            volume("tiny", "1Mi", json!({})),
        ];
        let chosen = |size: &str| chosen(&claim(size, json!({})), &volumes);
        assert_eq!(chosen("500Mi").as_deref(), Some("one"));
        assert_eq!(chosen("1Gi").as_deref(), Some("one"));
        assert_eq!(chosen("2Gi").as_deref(), Some("five"));
        assert_eq!(chosen("6Gi"), None);
    }

    #[test]
    fn vol_6_a_volume_must_allow_every_way_in_which_it_is_to_be_used() {
        let once = volume("once", "1Gi", json!({"accessModes": ["ReadWriteOnce"]}));
        assert_eq!(chosen(&claim("1Gi", json!({})), &[once]), None);
    }

    #[test]
    fn class_and_labels_must_agree() {
        let slow = volume("slow", "1Gi", json!({"storageClassName": "slow"}));
        let none = volume("none", "1Gi", json!({}));
        let volumes = [slow, none];
        let of = |more: Value| chosen(&claim("1Gi", more), &volumes);
        assert_eq!(
            of(json!({"storageClassName": "slow"})).as_deref(),
            Some("slow")
        );
        assert_eq!(of(json!({"storageClassName": ""})).as_deref(), Some("none"));
        assert_eq!(of(json!({"storageClassName": "fast"})), None);
        let labels = |disk: &str| json!({"selector": {"matchLabels": {"disk": disk}}});
        assert_eq!(of(labels("none")).as_deref(), Some("none"));
        assert_eq!(of(labels("other")), None);
    }

    #[test]
    fn a_volume_made_for_the_claim_comes_first_and_one_of_another_never() {
        let reserved = |name: &str, claim: &str| {
            let reference = json!({"namespace": "shop", "name": claim});
            volume(name, "9Gi", json!({"claimRef": reference}))
        };
        let volumes = [
            volume("small", "1Gi", json!({})),
            reserved("mine", "data"),
            reserved("theirs", "other"),
        ];
        let wanted = claim("1Gi", json!({}));
        assert_eq!(chosen(&wanted, &volumes).as_deref(), Some("mine"));
        assert_eq!(chosen(&wanted, &volumes[2..]), None);
    }

    #[test]
    fn vol_7_a_released_volume_is_not_free() {
        let mut old = volume("old", "1Gi", json!({}));
        old.status.as_mut().unwrap().phase = Some("Released".into());
        assert_eq!(chosen(&claim("1Gi", json!({})), &[old]), None);
    }
}
