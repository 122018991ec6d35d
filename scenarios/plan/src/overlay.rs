//! Overlays: what an arm, or switching a mechanism off, changes in the spec.
use crate::tree::{Entry, Kind, Node};

/// Lists of which an overlay has more, in place of others.
const JOINED: [&str; 2] = ["manifests", "patches"];

/// The spec with an overlay on it: maps are merged, lists of named things by name, manifests and patches are added,
/// everything else is replaced. Each value keeps the place it was written at.
pub fn lay(base: &mut Node, over: &Node) {
    for entry in over.entries() {
        put(base, entry);
    }
}

/// A copy without these fields.
pub fn without(node: &Node, fields: &[&str]) -> Node {
    let mut node = node.clone();
    if let Kind::Map(entries) = &mut node.kind {
        entries.retain(|e| !fields.contains(&e.key.as_str()));
    }
    node
}

fn put(base: &mut Node, over: &Entry) {
    let Kind::Map(entries) = &mut base.kind else {
        return;
    };
    let Some(old) = entries.iter_mut().find(|e| e.key == over.key) else {
        entries.push(over.clone());
        return;
    };
    let joined = JOINED.contains(&over.key.as_str());
    match (&mut old.node.kind, &over.node.kind) {
        (Kind::Map(_), Kind::Map(_)) => lay(&mut old.node, &over.node),
        (Kind::List(old), Kind::List(new)) if joined => old.extend(new.iter().cloned()),
        (Kind::List(old), Kind::List(new)) if new.iter().all(|n| name(n).is_some()) => {
            by_name(old, new)
        }
        _ => *old = over.clone(),
    }
}

fn by_name(old: &mut Vec<Node>, new: &[Node]) {
    for item in new {
        match old.iter_mut().find(|o| name(o) == name(item)) {
            Some(same) => *same = item.clone(),
            None => old.push(item.clone()),
        }
    }
}

/// What an item of a list is called: by its name, else by what its default name comes from.
fn name(item: &Node) -> Option<&str> {
    let words = ["name", "id", "type", "metric"];
    words.iter().find_map(|w| item.get(w)).and_then(Node::text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn named_things_are_replaced_where_they_stand_manifests_are_added_and_the_rest_is_merged() {
        let text = "
base:
  manifests: [a.yaml]
  params: { x: { quick: 1, documented: 2 }, y: 3 }
  method: [{ name: one, at: 1s }, { name: two }]
  objectives: [{ metric: errors, successCondition: == 0 }]
over:
  manifests: [b.yaml]
  params: { x: 9, z: 4 }
  method: [{ name: three }, { name: one, after: two }]
  objectives: [{ metric: errors, successCondition: '> 0' }]
";
        let root = Node::parse("a.yaml", text).0.unwrap();
        let mut base = root.get("base").unwrap().clone();
        lay(&mut base, root.get("over").unwrap());
        assert_eq!(
            base.json(),
            json!({
                "manifests": ["a.yaml", "b.yaml"],
                "params": {"x": 9, "y": 3, "z": 4},
                "method": [{"name": "one", "after": "two"}, {"name": "two"}, {"name": "three"}],
                "objectives": [{"metric": "errors", "successCondition": "> 0"}],
            })
        );
        assert_eq!(
            base.get("method").unwrap().items()[0].path,
            "over.method[1]"
        );
    }
}
