//! apply — server-side apply: every field has managers; what a manager no longer says and nobody else says either goes.

use super::{
    Apply,
    fields::{self, item_path},
    keys::{identity, is_atomic, merge_key},
    owners::{Conflict, Lacking, conflicts_with, disown},
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
        crate::patch::release_changed(&live, &mut scaled);
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
