//! strategic — Kubernetes' own merge: lists with keys are merged item by item, directives delete, replace and order.

use super::keys::{is_set, merge_key};
use serde_json::{Map, Value, json};

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// Changes `target` as `patch` says.
pub fn merge(target: &mut Value, patch: &Value) {
    match patch {
        Value::Object(patch) => merge_object(target, patch),
        _ => *target = patch.clone(),
    }
}

fn directive(value: &Value) -> Option<&str> {
    value.get(DIRECTIVE)?.as_str()
}

fn merge_object(target: &mut Value, patch: &Map<String, Value>) {
    if patch.get(DIRECTIVE).is_some_and(|d| d == "replace") {
        *target = Value::Object(patch.clone());
        target.as_object_mut().map(|t| t.shift_remove(DIRECTIVE));
        return;
    }
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(fields) = target else {
        return;
    };
    if let Some(keep) = patch.get(RETAIN).and_then(Value::as_array) {
        fields.retain(|field, _| keep.iter().any(|k| k == field));
    }
    let before = fields.clone();
    for (field, change) in patch {
        if let Some(list) = field.strip_prefix(DELETE_FROM) {
            delete_from(fields.get_mut(list), change);
        } else if !field.starts_with('$') {
            merge_field(fields, field, change);
        }
    }
    for (field, change) in patch {
        let list = field.strip_prefix(ORDER).unwrap_or(field);
        let is_ordered_elsewhere = list == field && patch.contains_key(&format!("{ORDER}{list}"));
        if let (Some(Value::Array(items)), Value::Array(order), false) =
            (fields.get_mut(list), change, is_ordered_elsewhere)
        {
            let before = before.get(list).and_then(Value::as_array);
            put_in_order(items, list, order, before.map_or(&[], Vec::as_slice));
        }
    }
}

fn merge_field(fields: &mut Map<String, Value>, field: &str, change: &Value) {
    match change {
        Value::Null => {
            fields.shift_remove(field);
        }
        Value::Object(_) if directive(change) == Some("delete") => {
            fields.shift_remove(field);
        }
        Value::Object(change) => merge_object(fields.entry(field).or_insert(Value::Null), change),
        Value::Array(items) => merge_list(fields.entry(field).or_insert(Value::Null), field, items),
        scalar => {
            fields.insert(field.into(), scalar.clone());
        }
    }
}

fn delete_from(list: Option<&mut Value>, gone: &Value) {
    if let (Some(Value::Array(list)), Value::Array(gone)) = (list, gone) {
        list.retain(|item| !gone.contains(item));
    }
}

fn merge_list(target: &mut Value, field: &str, items: &[Value]) {
    let plain = || items.iter().filter(|item| directive(item).is_none());
    let replaces = items.iter().any(|item| directive(item) == Some("replace"));
    let key = merge_key(field, plain().next().or(items.first()));
    let is_keyed = (key.is_some() || is_set(field)) && !replaces;
    let (true, Value::Array(list)) = (is_keyed, &mut *target) else {
        *target = plain().map(without_directives).collect();
        return;
    };
    for item in items {
        match key {
            Some(key) => merge_item(list, key, item),
            None if !list.contains(item) => list.push(item.clone()),
            None => {}
        }
    }
}

fn merge_item(list: &mut Vec<Value>, key: &str, item: &Value) {
    let same = |other: &Value| other.get(key) == item.get(key);
    if directive(item) == Some("delete") {
        list.retain(|other| !same(other));
        return;
    }
    match list.iter_mut().find(|other| same(other)) {
        Some(other) => merge(other, item),
        None => list.push(without_directives(item)),
    }
}

/// A new item: nothing to merge with, so its directives mean nothing.
fn without_directives(item: &Value) -> Value {
    let mut new = Value::Null;
    merge(&mut new, item);
    new
}

/// Items named in `order` stand in that order. Each of the others goes before the first of them that it stood before.
fn put_in_order(list: &mut Vec<Value>, field: &str, order: &[Value], before: &[Value]) {
    let key = merge_key(field, list.first());
    if key.is_none() && !is_set(field) {
        return;
    }
    let place = |places: &[Value], item: &Value| {
        places.iter().position(|other| match key {
            Some(key) => other.get(key) == item.get(key),
            None => other == item,
        })
    };
    let all = std::mem::take(list);
    let (mut named, mut others): (Vec<Value>, Vec<Value>) = all
        .into_iter()
        .partition(|item| place(order, item).is_some());
    named.sort_by_key(|item| place(order, item));
    others.sort_by_key(|item| place(before, item));
    let mut others = others.into_iter().peekable();
    for item in named {
        let stood = place(before, &item);
        let goes_first = |other: &Value| stood.is_some() && place(before, other) < stood;
        while let Some(other) = others.next_if(goes_first) {
            list.push(other);
        }
        list.push(item);
    }
    list.extend(others);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(mut target: Value, patch: Value) -> Value {
        merge(&mut target, &patch);
        target
    }

    #[test]
    fn containers_are_merged_by_name() {
        let live = json!({"containers": [{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]});
        let patch = json!({"containers": [{"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}]}]});
        assert_eq!(
            merged(live, patch),
            json!({"containers": [{"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]}, {"name": "b"}]})
        );
    }

    #[test]
    fn directives_delete_and_replace() {
        let live = json!({"containers": [{"name": "a"}, {"name": "b"}], "strategy": {"type": "X", "rollingUpdate": {}}});
        let delete = json!({"containers": [{"$patch": "delete", "name": "a"}], "strategy": {"$patch": "replace", "type": "Recreate"}});
        assert_eq!(
            merged(live.clone(), delete),
            json!({"containers": [{"name": "b"}], "strategy": {"type": "Recreate"}})
        );
        let replace = json!({"containers": [{"$patch": "replace"}, {"name": "c"}]});
        assert_eq!(merged(live, replace)["containers"], json!([{"name": "c"}]));
    }

    #[test]
    fn retained_keys_stay_alone() {
        let live = json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}});
        let patch = json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}});
        assert_eq!(
            merged(live, patch),
            json!({"strategy": {"type": "Recreate"}})
        );
    }

    #[test]
    fn order_and_primitive_deletion() {
        let live = json!({"env": [{"name": "A"}, {"name": "B"}], "finalizers": ["x", "y"]});
        let patch = json!({"$setElementOrder/env": [{"name": "C"}, {"name": "B"}, {"name": "A"}], "env": [{"name": "C"}],
            "$deleteFromPrimitiveList/finalizers": ["x"]});
        let next = merged(live, patch);
        assert_eq!(
            next["env"],
            json!([{"name": "C"}, {"name": "B"}, {"name": "A"}])
        );
        assert_eq!(next["finalizers"], json!(["y"]));
    }

    #[test]
    fn null_removes_and_lists_without_keys_are_replaced() {
        let live = json!({"a": 1, "args": ["x", "y"]});
        assert_eq!(
            merged(live, json!({"a": null, "args": ["z"]})),
            json!({"args": ["z"]})
        );
    }
}
