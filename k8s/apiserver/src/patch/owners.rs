//! owners — whose a field is: who objects to a change, and whose it is no more after one.

use super::{
    fields::{self, item, item_path},
    keys::identity,
};
use serde_json::{Value, json};

/// A field and the manager who holds it against the apply.
pub type Conflict = (String, String);

/// The fields of `body` that would change and that the manager of `other` has said.
pub fn conflicts_with(other: &Value, live: &Value, body: &Value) -> Vec<Conflict> {
    let mut paths = vec![];
    // A manager who has said nothing about any field has nothing to object to.
    if fields::is_empty(&other["fieldsV1"]) {
        return vec![];
    }
    differing("", "", live, body, &other["fieldsV1"], &mut paths);
    let manager = other["manager"].as_str().unwrap_or("");
    paths
        .into_iter()
        .map(|path| (manager.to_string(), path))
        .collect()
}

/// Paths in `owned` whose value in `new` is not the live one.
fn differing(
    at: &str,
    field: &str,
    live: &Value,
    new: &Value,
    owned: &Value,
    paths: &mut Vec<String>,
) {
    match new {
        _ if fields::is_leaf(owned) => {
            if live != new {
                paths.push(at.into());
            }
        }
        Value::Object(map) => {
            for (field, value) in map {
                if let Some(owned) = owned.get(format!("f:{field}")) {
                    differing(
                        &format!("{at}.{field}"),
                        field,
                        &live[field],
                        value,
                        owned,
                        paths,
                    );
                }
            }
        }
        Value::Array(list) => {
            for new in list {
                let Some(path) = item_path(field, new) else {
                    continue;
                };
                if let Some(owned) = owned.get(&path) {
                    let live = item(live, field, &path).unwrap_or(&Value::Null);
                    differing(
                        &format!("{at}[{}]", shown(field, new)),
                        "",
                        live,
                        new,
                        owned,
                        paths,
                    );
                }
            }
        }
        _ => {
            if live != new {
                paths.push(at.into());
            }
        }
    }
}

/// `name="web"`, as conflicts print an item.
fn shown(list: &str, item: &Value) -> String {
    let identity = identity(list, item).unwrap_or_default();
    let parts: Vec<String> = identity
        .iter()
        .map(|(field, value)| format!("{field}={value}"))
        .collect();
    parts.join(",")
}

/// What it means that a changed object lacks a field.
#[derive(Clone, Copy, PartialEq)]
pub enum Lacking {
    /// Nothing: the object is only what one manager says.
    Unsaid,
    /// The field is gone: the object is whole.
    Gone,
}

/// Takes every field that differs between the two states of an object from the managers who applied it. Whoever changed it by other
/// means has it now: a later apply that does not name it leaves it alone.
pub fn release_changed(before: &Value, after: &mut Value) {
    let Some(Value::Array(mut entries)) = after["metadata"].get("managedFields").cloned() else {
        return;
    };
    for entry in &mut entries {
        disown("", &mut entry["fieldsV1"], before, after, Lacking::Gone);
    }
    entries.retain(|entry| !fields::is_empty(&entry["fieldsV1"]));
    after["metadata"]["managedFields"] = json!(entries);
}

/// Takes from a manager's set the fields that `new` has changed.
pub fn disown(field: &str, set: &mut Value, live: &Value, new: &Value, lacking: Lacking) {
    let Some(paths) = set.as_object_mut() else {
        return;
    };
    let all: Vec<String> = paths.keys().filter(|path| *path != ".").cloned().collect();
    for path in all {
        let (name, live, new) = match path.split_once(':') {
            Some(("f", name)) => (name, live.get(name), new.get(name)),
            Some(("k", _)) => ("", item(live, field, &path), item(new, field, &path)),
            _ => ("", fields::member(live, &path), fields::member(new, &path)),
        };
        if new.is_none() && (lacking == Lacking::Unsaid || live.is_none()) {
            continue;
        }
        let below = &mut paths[&path];
        let is_changed = match (fields::is_leaf(below), live, new) {
            (false, live, Some(new)) => {
                disown(name, below, live.unwrap_or(&Value::Null), new, lacking);
                fields::is_empty(below)
            }
            (_, live, new) => live != new,
        };
        if is_changed {
            paths.shift_remove(&path);
        }
    }
}
