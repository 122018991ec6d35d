//! volumes — what state a PersistentVolume is in, and what becomes of it when its claim is gone.

use std::sync::Arc;

use apiserver::Clock;
use k8s_openapi::{
    api::core::v1::{PersistentVolume, PersistentVolumeClaim},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::{
    Api, Client, ResourceExt,
    api::PostParams,
    runtime::{Controller, reflector::ObjectRef, watcher},
};

use crate::{
    events::Events,
    run::{self, Step},
};

const FINALIZER: &str = "kubernetes.io/pv-protection";
/// On volumes that a provisioner made and will remove.
const PROVISIONED: &str = "pv.kubernetes.io/provisioned-by";

pub(super) async fn run(client: Client, clock: Clock) {
    let any = watcher::Config::default;
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    let controller = Controller::new(Api::<PersistentVolume>::all(client.clone()), any()).watches(
        claims,
        any(),
        |claim| {
            let name = claim.spec.and_then(|spec| spec.volume_name);
            name.map(|name| ObjectRef::new(&name))
        },
    );
    let events = Events {
        client,
        clock,
        component: "persistentvolume-controller",
    };
    run::run("volumes", controller, move |volume| {
        step(events.clone(), volume)
    })
    .await;
}

/// What a volume is to be.
#[derive(Debug, PartialEq)]
struct State {
    phase: &'static str,
    message: Option<String>,
}

impl State {
    fn plain(phase: &'static str) -> State {
        State {
            phase,
            message: None,
        }
    }
}

async fn step(events: Events, seen: Arc<PersistentVolume>) -> Step {
    let api: Api<PersistentVolume> = Api::all(events.client.clone());
    let Some(volume) = api.get_opt(&seen.name_any()).await? else {
        return Ok(None);
    };
    let claim = claim_of(&events.client, &volume).await?;
    let state = decide(&volume, claim.as_ref());
    let done = if volume.metadata.deletion_timestamp.is_some() && state.phase != "Bound" {
        let_go(&api, volume).await
    } else {
        write(&api, &events, volume, state).await
    };
    match done {
        // Whoever changed it caused another step.
        Err(error) if run::is_conflict(&error) => Ok(None),
        other => other.map(|()| None),
    }
}

async fn claim_of(
    client: &Client,
    volume: &PersistentVolume,
) -> Result<Option<PersistentVolumeClaim>, kube::Error> {
    let reference = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.claim_ref.as_ref());
    let Some(reference) = reference else {
        return Ok(None);
    };
    let namespace = reference.namespace.as_deref().unwrap_or_default();
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    api.get_opt(reference.name.as_deref().unwrap_or_default())
        .await
}

fn decide(volume: &PersistentVolume, claim: Option<&PersistentVolumeClaim>) -> State {
    let spec = volume.spec.as_ref();
    let reference = spec.and_then(|spec| spec.claim_ref.as_ref());
    let uid = reference
        .and_then(|r| r.uid.as_deref())
        .filter(|uid| !uid.is_empty());
    let Some(uid) = uid else {
        // Free, or kept for a claim that is yet to come.
        return State::plain("Available");
    };
    let phase = volume
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let uid_of = |claim: &PersistentVolumeClaim| claim.metadata.uid.clone();
    if claim.and_then(uid_of).as_deref() == Some(uid) {
        let volume_of = |claim: &PersistentVolumeClaim| claim.spec.as_ref()?.volume_name.clone();
        let is_named = claim.and_then(volume_of) == volume.metadata.name;
        return State::plain(match is_named || phase == Some("Bound") {
            true => "Bound",
            false => "Available",
        });
    }
    let policy = spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    let is_made = volume.annotations().contains_key(PROVISIONED);
    let way = match policy {
        Some("Delete") if !is_made => "deletable",
        Some("Recycle") => "recyclable",
        _ if phase == Some("Failed") => return State::plain("Failed"),
        _ => return State::plain("Released"),
    };
    State {
        phase: "Failed",
        message: Some(format!(
            "error getting {} volume plugin for volume {:?}: no {way} volume plugin matched",
            if way == "deletable" {
                "deleter"
            } else {
                "recycler"
            },
            volume.name_any()
        )),
    }
}

async fn let_go(
    api: &Api<PersistentVolume>,
    mut volume: PersistentVolume,
) -> Result<(), kube::Error> {
    if !volume.finalizers().iter().any(|f| f == FINALIZER) {
        return Ok(());
    }
    volume.finalizers_mut().retain(|f| f != FINALIZER);
    let name = volume.name_any();
    run::unless_gone(api.replace(&name, &PostParams::default(), &volume).await)
}

async fn write(
    api: &Api<PersistentVolume>,
    events: &Events,
    mut volume: PersistentVolume,
    state: State,
) -> Result<(), kube::Error> {
    let status = volume.status.get_or_insert_default();
    if status.phase.as_deref() == Some(state.phase) {
        return Ok(());
    }
    status.phase = Some(state.phase.into());
    status.message = state.message.clone();
    status.last_phase_transition_time = Some(Time(events.clock.now()));
    let name = volume.name_any();
    api.replace_status(&name, &PostParams::default(), &volume)
        .await?;
    if let Some(message) = state.message {
        events.warning(&volume, "VolumeFailedDelete", message).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn volume(spec: Value, phase: &str, annotations: Value) -> PersistentVolume {
        from_value(json!({"metadata": {"name": "v", "annotations": annotations}, "spec": spec, "status": {"phase": phase}})).unwrap()
    }

    fn claim(uid: &str, volume: &str) -> PersistentVolumeClaim {
        from_value(json!({"metadata": {"name": "c", "uid": uid}, "spec": {"volumeName": volume}}))
            .unwrap()
    }

    fn claimed(policy: &str) -> Value {
        json!({"claimRef": {"namespace": "shop", "name": "c", "uid": "u"}, "persistentVolumeReclaimPolicy": policy})
    }

    #[test]
    fn a_volume_is_available_until_a_claim_has_it() {
        let free = volume(json!({}), "Pending", json!({}));
        assert_eq!(decide(&free, None), State::plain("Available"));
        let kept = json!({"claimRef": {"namespace": "shop", "name": "c"}});
        assert_eq!(
            decide(&volume(kept, "Pending", json!({})), None),
            State::plain("Available")
        );
        let taken = volume(claimed("Retain"), "Available", json!({}));
        assert_eq!(
            decide(&taken, Some(&claim("u", "v"))),
            State::plain("Bound")
        );
    }

    #[test]
    fn vol_7_a_volume_whose_claim_is_gone_is_released_and_one_nobody_can_delete_fails() {
        let gone = |policy: &str, annotations: Value| {
            let volume = volume(claimed(policy), "Bound", annotations);
            let other = claim("another", "v");
            assert_eq!(decide(&volume, None), decide(&volume, Some(&other)));
            decide(&volume, None)
        };
        assert_eq!(gone("Retain", json!({})), State::plain("Released"));
        let made = json!({PROVISIONED: "somebody"});
        assert_eq!(gone("Delete", made), State::plain("Released"));
        assert_eq!(gone("Delete", json!({})).phase, "Failed");
    }
}
