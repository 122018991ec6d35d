//! decide — where a pod goes, or what it waits for in the words of a real scheduler. Pure.

use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod, Toleration},
    storage::v1::StorageClass,
};
use kube::ResourceExt;

use crate::{
    selector,
    storage::{NO_PROVISIONER, SELECTED_NODE, best, claims_of, is_delayed},
};

/// Everything that matters for placing a pod.
#[derive(Debug, Default)]
pub(super) struct World {
    pub nodes: Vec<Node>,
    /// Of the pod's namespace.
    pub claims: Vec<PersistentVolumeClaim>,
    pub volumes: Vec<PersistentVolume>,
    pub classes: Vec<StorageClass>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Place {
        node: String,
    },
    /// First these claims are told the node; when they are bound the pod is looked at again.
    Choose {
        node: String,
        claims: Vec<String>,
    },
    /// Claims were told, and are not bound yet.
    Later,
    Wait {
        why: String,
    },
}

pub(super) fn decide(pod: &Pod, world: &World) -> Verdict {
    let count = world.nodes.len();
    let wait = |why: String| Verdict::Wait {
        why: format!(
            "0/{count} nodes are available: {why}. preemption: 0/{count} nodes are available: {count} Preemption is not helpful \
             for scheduling."
        ),
    };
    if count == 0 {
        let why = "no nodes available to schedule pods".into();
        return Verdict::Wait { why };
    }
    let claims = match claims(pod, world) {
        Ok(claims) => claims,
        Err(why) => return wait(why),
    };
    let mut reasons: Vec<&str> = vec![];
    for node in &world.nodes {
        match obstacle(pod, node).or_else(|| lacks_volumes(&claims, world)) {
            None => return go(node.name_any(), &claims),
            Some(reason) => reasons.push(reason),
        }
    }
    reasons.sort_unstable();
    let told: Vec<String> = reasons
        .chunk_by(|a, b| a == b)
        .map(|same| format!("{} node(s) {}", same.len(), same[0]))
        .collect();
    wait(told.join(", "))
}

/// The claims of the pod that are not bound yet, all of which may wait for a pod.
fn claims<'a>(pod: &Pod, world: &'a World) -> Result<Vec<&'a PersistentVolumeClaim>, String> {
    let mut unbound = vec![];
    for name in claims_of(pod) {
        let claim = world.claims.iter().find(|claim| claim.name_any() == name);
        let claim = claim.ok_or_else(|| format!("persistentvolumeclaim {name:?} not found"))?;
        if claim.metadata.deletion_timestamp.is_some() {
            return Err(format!("persistentvolumeclaim {name:?} is being deleted"));
        }
        match claim
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
        {
            Some("Bound") => {}
            Some("Lost") => {
                let volume = claim
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.volume_name.as_deref());
                let volume = volume.unwrap_or_default();
                return Err(format!(
                    "persistentvolumeclaim {name:?} bound to non-existent persistentvolume {volume:?}"
                ));
            }
            _ if is_delayed(class_of(claim, world)) => unbound.push(claim),
            _ => return Err("pod has unbound immediate PersistentVolumeClaims".into()),
        }
    }
    Ok(unbound)
}

fn class_of<'a>(claim: &PersistentVolumeClaim, world: &'a World) -> Option<&'a StorageClass> {
    let name = claim.spec.as_ref()?.storage_class_name.as_deref()?;
    world.classes.iter().find(|class| class.name_any() == name)
}

fn obstacle(pod: &Pod, node: &Node) -> Option<&'static str> {
    let is_closed = node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true);
    if is_closed && !bears_closed_nodes(pod) {
        return Some("were unschedulable");
    }
    let wanted = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.node_selector.as_ref());
    let fits = wanted.is_none_or(|wanted| selector::contains(node.labels(), wanted));
    (!fits).then_some("didn't match Pod's node affinity/selector")
}

/// What drains a node does not evict what belongs to it.
fn bears_closed_nodes(pod: &Pod) -> bool {
    const TAINT: &str = "node.kubernetes.io/unschedulable";
    let bears = |toleration: &Toleration| {
        let is_any = toleration.operator.as_deref() == Some("Exists");
        match toleration.key.as_deref() {
            None | Some("") => is_any,
            Some(key) => key == TAINT,
        }
    };
    let spec = pod.spec.iter();
    spec.flat_map(|spec| spec.tolerations.iter().flatten())
        .any(bears)
}

/// A claim whose volumes are made by hand needs one that is there.
fn lacks_volumes(claims: &[&PersistentVolumeClaim], world: &World) -> Option<&'static str> {
    let is_hopeless = |claim: &&PersistentVolumeClaim| {
        let class = class_of(claim, world);
        let by_hand = class.is_some_and(|class| class.provisioner == NO_PROVISIONER);
        by_hand && best(claim, &world.volumes).is_none()
    };
    let lacks = claims.iter().any(is_hopeless);
    lacks.then_some("didn't find available persistent volumes to bind")
}

fn go(node: String, unbound: &[&PersistentVolumeClaim]) -> Verdict {
    let is_told = |claim: &&&PersistentVolumeClaim| claim.annotations().contains_key(SELECTED_NODE);
    let untold: Vec<String> = unbound
        .iter()
        .filter(|claim| !is_told(claim))
        .map(|claim| claim.name_any())
        .collect();
    match (unbound.is_empty(), untold.is_empty()) {
        (true, _) => Verdict::Place { node },
        (false, true) => Verdict::Later,
        (false, false) => Verdict::Choose {
            node,
            claims: untold,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn pod(spec: Value) -> Pod {
        from_value(json!({"spec": spec})).unwrap()
    }

    fn user() -> Pod {
        pod(
            json!({"containers": [], "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}),
        )
    }

    fn claim(class: &str, phase: &str, annotations: Value) -> PersistentVolumeClaim {
        from_value(json!({"metadata": {"name": "data", "annotations": annotations}, "spec": {"storageClassName": class}, "status": {"phase": phase}})).unwrap()
    }

    fn world(claims: Vec<PersistentVolumeClaim>, node: Value) -> World {
        let class = |name: &str, provisioner: &str| {
            from_value(json!({"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer"})).unwrap()
        };
        World {
            nodes: vec![
                from_value(
                    json!({"metadata": {"name": "one", "labels": {"disk": "ssd"}}, "spec": node}),
                )
                .unwrap(),
            ],
            claims,
            classes: vec![class("late", "somebody"), class("by-hand", NO_PROVISIONER)],
            ..World::default()
        }
    }

    fn place() -> Verdict {
        Verdict::Place { node: "one".into() }
    }

    fn why(verdict: Verdict) -> String {
        let Verdict::Wait { why } = verdict else {
            panic!("{verdict:?}")
        };
        let (first, rest) = why.split_once(". ").expect("two sentences");
        assert_eq!(
            rest,
            "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        );
        first
            .strip_prefix("0/1 nodes are available: ")
            .expect("a count")
            .to_owned()
    }

    #[test]
    fn vol_4_a_pod_waits_for_its_claims_and_goes_when_they_are_bound() {
        let of = |claims| decide(&user(), &world(claims, json!({})));
        assert_eq!(why(of(vec![])), "persistentvolumeclaim \"data\" not found");
        assert_eq!(
            why(of(vec![claim("", "Pending", json!({}))])),
            "pod has unbound immediate PersistentVolumeClaims"
        );
        assert_eq!(of(vec![claim("", "Bound", json!({}))]), place());
    }

    #[test]
    fn a_claim_that_waits_for_a_pod_is_told_the_node_once() {
        let of = |claims| decide(&user(), &world(claims, json!({})));
        assert_eq!(
            of(vec![claim("late", "Pending", json!({}))]),
            Verdict::Choose {
                node: "one".into(),
                claims: vec!["data".into()]
            }
        );
        let told = json!({SELECTED_NODE: "one"});
        assert_eq!(of(vec![claim("late", "Pending", told)]), Verdict::Later);
        assert_eq!(
            why(of(vec![claim("by-hand", "Pending", json!({}))])),
            "1 node(s) didn't find available persistent volumes to bind"
        );
    }

    #[test]
    fn a_closed_node_takes_only_pods_that_bear_it() {
        let closed = world(vec![], json!({"unschedulable": true}));
        assert_eq!(
            why(decide(&pod(json!({"containers": []})), &closed)),
            "1 node(s) were unschedulable"
        );
        let bearing = pod(json!({"containers": [], "tolerations": [{"operator": "Exists"}]}));
        assert_eq!(decide(&bearing, &closed), place());
    }

    #[test]
    fn a_pod_may_want_a_certain_kind_of_node() {
        let wants = |disk: &str| {
            let pod = pod(json!({"containers": [], "nodeSelector": {"disk": disk}}));
            decide(&pod, &world(vec![], json!({})))
        };
        assert_eq!(wants("ssd"), place());
        assert_eq!(
            why(wants("hdd")),
            "1 node(s) didn't match Pod's node affinity/selector"
        );
    }

    #[test]
    fn without_nodes_there_is_nothing_to_count() {
        let Verdict::Wait { why } = decide(&pod(json!({"containers": []})), &World::default())
        else {
            panic!("it was placed")
        };
        assert_eq!(why, "no nodes available to schedule pods");
    }
}
