//! graph — who belongs to whom, and what follows when an owner is gone or waits for its dependents.

use std::collections::{BTreeMap, BTreeSet};

/// An object as far as ownership goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub uid: String,
    pub owners: Vec<Owner>,
    pub state: State,
}

/// A reference to an owner. A blocking one holds an owner that is deleted in the foreground.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Owner {
    pub uid: String,
    pub is_blocking: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum State {
    Alive,
    /// Deletion was asked for.
    Going,
    /// Deletion was asked for, and it waits until its blocking dependents are gone.
    GoingLast,
}

/// One write to the API, by uid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// All owners seem to be gone. To be confirmed: an owner may not have been seen yet.
    Orphaned(String),
    /// Some owners seem to be gone while others live: the references to them lead nowhere. To be confirmed as well.
    Disown(String),
    /// All owners that still exist wait for this one to go; if it has blocking dependents of its own, they go first.
    Follow { uid: String, is_foreground: bool },
    /// Nothing holds this owner any more.
    Free(String),
}

/// What follows from the present objects.
pub(crate) fn decide(nodes: &[Node]) -> Vec<Change> {
    let by_uid: BTreeMap<&str, &Node> =
        nodes.iter().map(|node| (node.uid.as_str(), node)).collect();
    let held: BTreeSet<&str> = nodes
        .iter()
        .flat_map(|node| &node.owners)
        .filter(|owner| owner.is_blocking)
        .map(|owner| &*owner.uid)
        .collect();
    let dependent = |node: &Node| fate(node, &by_uid, held.contains(&*node.uid));
    let free = |node: &&Node| node.state == State::GoingLast && !held.contains(&*node.uid);
    nodes
        .iter()
        .filter_map(dependent)
        .chain(
            nodes
                .iter()
                .filter(free)
                .map(|node| Change::Free(node.uid.clone())),
        )
        .collect()
}

fn fate(node: &Node, by_uid: &BTreeMap<&str, &Node>, is_foreground: bool) -> Option<Change> {
    if node.owners.is_empty() || node.state != State::Alive {
        return None;
    }
    let (present, gone): (Vec<&Owner>, Vec<&Owner>) = node
        .owners
        .iter()
        .partition(|owner| by_uid.contains_key(&*owner.uid));
    let waits = |owner: &&Owner| by_uid[&*owner.uid].state == State::GoingLast;
    let uid = node.uid.clone();
    if present.is_empty() {
        Some(Change::Orphaned(uid))
    } else if present.iter().all(waits) {
        Some(Change::Follow { uid, is_foreground })
    } else if gone.is_empty() {
        None
    } else {
        Some(Change::Disown(uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(uid: &str, owners: &[&str], state: State) -> Node {
        let owners = owners
            .iter()
            .map(|uid| Owner {
                uid: (*uid).into(),
                is_blocking: true,
            })
            .collect();
        Node {
            uid: uid.into(),
            owners,
            state,
        }
    }

    #[test]
    fn what_has_a_living_owner_or_none_stays() {
        let nodes = [
            node("set", &[], State::Alive),
            node("pod", &["set"], State::Alive),
            node("set2", &[], State::Going),
            node("pod2", &["set2"], State::Alive),
        ];
        assert_eq!(decide(&nodes), []);
    }

    #[test]
    fn what_lost_all_its_owners_is_orphaned_and_who_goes_already_is_left_alone() {
        let nodes = [
            node("pod", &["set"], State::Alive),
            node("other", &["set"], State::Going),
        ];
        assert_eq!(decide(&nodes), [Change::Orphaned("pod".into())]);
    }

    #[test]
    fn a_reference_to_nowhere_is_dropped_while_another_owner_lives() {
        let nodes = [
            node("a", &[], State::Alive),
            node("x", &["a", "b"], State::Alive),
        ];
        assert_eq!(decide(&nodes), [Change::Disown("x".into())]);
    }

    #[test]
    fn in_the_foreground_the_leaves_go_first() {
        let all = [
            node("d", &[], State::GoingLast),
            node("s", &["d"], State::Alive),
            node("p", &["s"], State::Alive),
        ];
        assert_eq!(
            decide(&all),
            [Change::Follow {
                uid: "s".into(),
                is_foreground: true
            }]
        );
        let set_waits = [
            all[0].clone(),
            node("s", &["d"], State::GoingLast),
            all[2].clone(),
        ];
        assert_eq!(
            decide(&set_waits),
            [Change::Follow {
                uid: "p".into(),
                is_foreground: false
            }]
        );
        let pod_goes = [
            all[0].clone(),
            set_waits[1].clone(),
            node("p", &["s"], State::Going),
        ];
        assert_eq!(decide(&pod_goes), []);
        assert_eq!(decide(&pod_goes[..2]), [Change::Free("s".into())]);
        assert_eq!(decide(&pod_goes[..1]), [Change::Free("d".into())]);
    }

    #[test]
    fn an_owner_does_not_wait_for_those_who_do_not_block_it() {
        let mut child = node("c", &["d"], State::Going);
        child.owners[0].is_blocking = false;
        assert_eq!(
            decide(&[node("d", &[], State::GoingLast), child]),
            [Change::Free("d".into())]
        );
    }
}
