//! apply — server-side apply: every field has managers; what a manager no longer says and nobody else says either goes.

use super::{
    Apply,
    fields::{self, item, item_path},
    keys::{identity, is_atomic, merge_key},
    prune::prune,
};
use serde_json::{Value, json};

/// Metadata that an applied body may carry and that is never applied.
const NOT_APPLIED: [&str; 5] = [
    "managedFields",
    "resourceVersion",
    "uid",
    "creationTimestamp",
    "generation",
];

/// A field and the manager who holds it against the apply.
type Conflict = (String, String);

/// `live` after the apply, with the manager's fields noted in `metadata.managedFields`.
pub fn onto(live: Option<&Value>, apply: &Apply, now: &str) -> Result<Value, Vec<Conflict>> {
    let mut body = apply.body.clone();
    if let Some(metadata) = body["metadata"].as_object_mut() {
        NOT_APPLIED
            .iter()
            .for_each(|field| drop(metadata.shift_remove(*field)));
    }
    let before = live.cloned().unwrap_or_else(|| json!({}));
    let entries = before["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let is_mine = |entry: &Value| {
        entry["manager"] == apply.manager.as_str()
            && entry["operation"] == "Apply"
            && entry["subresource"].is_null()
    };
    let (mine, mut others): (Vec<Value>, Vec<Value>) = entries.into_iter().partition(is_mine);

    if !apply.force {
        let conflicts: Vec<Conflict> = others
            .iter()
            .flat_map(|other| conflicts_with(other, &before, &body))
            .collect();
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
    }
    let set = fields::of_body(&body);
    let mut next = before.clone();
    if let Some(old) = mine.first() {
        let mut kept: Vec<&Value> = others.iter().map(|other| &other["fieldsV1"]).collect();
        kept.push(&set);
        prune("", &mut next, &old["fieldsV1"], &kept);
    }
    merge("", &mut next, &body);
    for other in &mut others {
        disown("", &mut other["fieldsV1"], &before, &body, Lacking::Unsaid);
    }
    others.retain(|other| !fields::is_empty(&other["fieldsV1"]));
    // What a manager has always said keeps its date, so that saying it again changes nothing.
    let since = mine
        .first()
        .filter(|old| old["fieldsV1"] == set)
        .map(|old| old["time"].clone());
    others.push(json!({
        "manager": apply.manager, "operation": "Apply", "apiVersion": body["apiVersion"],
        "time": since.unwrap_or_else(|| json!(now)), "fieldsType": "FieldsV1", "fieldsV1": set,
    }));
    next["metadata"]["managedFields"] = json!(others);
    Ok(next)
}

fn conflicts_with(other: &Value, live: &Value, body: &Value) -> Vec<Conflict> {
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

fn merge(field: &str, live: &mut Value, new: &Value) {
    match new {
        Value::Object(map) if !is_atomic(field) => {
            if !live.is_object() {
                *live = json!({});
            }
            if let Some(target) = live.as_object_mut() {
                for (field, value) in map {
                    merge(field, target.entry(field).or_insert(Value::Null), value);
                }
            }
        }
        // An empty keyed list owns nothing, so it takes nothing away from others.
        Value::Array(list) if list.is_empty() && has_keys(field, live) => {}
        Value::Array(list)
            if list
                .first()
                .is_some_and(|item| identity(field, item).is_some()) =>
        {
            if !live.is_array() {
                *live = json!([]);
            }
            if let Some(target) = live.as_array_mut() {
                list.iter().for_each(|item| merge_item(field, target, item));
            }
        }
        Value::Array(list) if super::keys::is_set(field) && live.is_array() => {
            if let Some(target) = live.as_array_mut() {
                let new: Vec<Value> = list
                    .iter()
                    .filter(|member| !target.contains(member))
                    .cloned()
                    .collect();
                target.extend(new);
            }
        }
        _ => *live = new.clone(),
    }
}

fn has_keys(field: &str, live: &Value) -> bool {
    let first = live.as_array().and_then(|list| list.first());
    first.is_some_and(|item| merge_key(field, Some(item)).is_some())
}

fn merge_item(field: &str, target: &mut Vec<Value>, new: &Value) {
    let path = item_path(field, new);
    match target
        .iter_mut()
        .find(|item| item_path(field, item) == path)
    {
        Some(item) => merge("", item, new),
        None => target.push(new.clone()),
    }
}

/// What it means that a changed object lacks a field.
#[derive(Clone, Copy, PartialEq)]
enum Lacking {
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
fn disown(field: &str, set: &mut Value, live: &Value, new: &Value, lacking: Lacking) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(
        live: Option<&Value>,
        manager: &str,
        force: bool,
        spec: Value,
    ) -> Result<Value, Vec<Conflict>> {
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec});
        let manager = manager.to_string();
        onto(
            live,
            &Apply {
                body,
                manager,
                force,
            },
            "2024-05-01T00:00:00Z",
        )
    }

    fn containers(list: Value) -> Value {
        json!({"template": {"spec": {"containers": list}}})
    }

    #[test]
    fn what_is_no_longer_said_goes() {
        let live = apply(None, "a", false, json!({"replicas": 2, "paused": true})).unwrap();
        let next = apply(Some(&live), "a", false, json!({"replicas": 2})).unwrap();
        assert_eq!(next["spec"], json!({"replicas": 2}));
    }

    #[test]
    fn saying_the_same_again_changes_nothing() {
        let live = apply(None, "a", false, json!({"replicas": 2})).unwrap();
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 2}});
        let manager = "a".to_string();
        let again = onto(
            Some(&live),
            &Apply {
                body,
                manager,
                force: false,
            },
            "2030-01-01T00:00:00Z",
        )
        .unwrap();
        assert_eq!(again, live);
    }

    #[test]
    fn a_container_dropped_by_one_stays_for_another() {
        let both =
            containers(json!([{"name": "x", "image": "x:1"}, {"name": "y", "image": "y:1"}]));
        let live = apply(None, "a", false, both).unwrap();
        let live = apply(
            Some(&live),
            "b",
            false,
            containers(json!([{"name": "y", "image": "y:1"}])),
        )
        .unwrap();
        let next = apply(Some(&live), "a", false, json!({"replicas": 1})).unwrap();
        assert_eq!(
            next["spec"]["template"]["spec"]["containers"],
            json!([{"name": "y", "image": "y:1"}])
        );
    }

    #[test]
    fn another_manager_s_field_is_a_conflict_unless_forced() {
        let live = apply(
            None,
            "a",
            false,
            containers(json!([{"name": "c", "image": "c:1"}])),
        )
        .unwrap();
        let other = containers(json!([{"name": "c", "image": "c:2"}]));
        let conflicts = apply(Some(&live), "b", false, other.clone()).unwrap_err();
        assert_eq!(
            conflicts,
            [(
                "a".to_string(),
                ".spec.template.spec.containers[name=\"c\"].image".to_string()
            )]
        );
        let next = apply(Some(&live), "b", true, other).unwrap();
        assert_eq!(
            next["spec"]["template"]["spec"]["containers"][0]["image"],
            "c:2"
        );
        // The field changed hands: the first manager may leave it out without taking it away.
        let after = apply(Some(&next), "a", false, containers(json!([{"name": "c"}]))).unwrap();
        assert_eq!(
            after["spec"]["template"]["spec"]["containers"][0]["image"],
            "c:2"
        );
    }

    #[test]
    fn a_manager_who_owns_nothing_objects_to_nothing() {
        let bare = |manager: &str| Apply {
            body: json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}),
            manager: manager.into(),
            force: false,
        };
        let live = onto(None, &bare("a"), "2024-05-01T00:00:00Z").unwrap();
        assert!(onto(Some(&live), &bare("b"), "2024-05-01T00:00:00Z").is_ok());
    }

    #[test]
    fn agreeing_is_no_conflict() {
        let live = apply(None, "a", false, json!({"replicas": 2})).unwrap();
        let next = apply(Some(&live), "b", false, json!({"replicas": 2})).unwrap();
        assert_eq!(
            next["metadata"]["managedFields"].as_array().unwrap().len(),
            2
        );
        let next = apply(Some(&next), "a", false, json!({})).unwrap();
        assert_eq!(next["spec"]["replicas"], 2);
    }

    #[test]
    fn a_field_changed_by_other_means_is_not_the_manager_s_any_more() {
        let live = apply(None, "a", false, json!({"replicas": 2, "paused": true})).unwrap();
        let mut scaled = live.clone();
        scaled["spec"]["replicas"] = json!(5);
        release_changed(&live, &mut scaled);
        let next = apply(Some(&scaled), "a", false, json!({})).unwrap();
        assert_eq!(next["spec"], json!({"replicas": 5}));
    }

    #[test]
    fn a_probe_goes_with_what_defaults_put_into_it() {
        let probe = json!({"httpGet": {"port": 80}});
        let with = containers(json!([{"name": "c", "livenessProbe": probe}]));
        let mut live = apply(None, "a", false, with).unwrap();
        live["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] =
            json!(10);
        let next = apply(Some(&live), "a", false, containers(json!([{"name": "c"}]))).unwrap();
        assert_eq!(
            next["spec"]["template"]["spec"]["containers"],
            json!([{"name": "c"}])
        );
    }

    #[test]
    fn an_empty_keyed_list_takes_nothing_away() {
        let live = apply(None, "a", false, containers(json!([{"name": "c"}]))).unwrap();
        let next = apply(Some(&live), "b", false, containers(json!([]))).unwrap();
        assert_eq!(
            next["spec"]["template"]["spec"]["containers"],
            json!([{"name": "c"}])
        );
    }
}
