//! fields — sets of fields in the form of `FieldsV1`: `f:` a field, `k:` an item by its identity, `v:` a member of a set.

use super::keys::{identity, is_atomic, is_set};
use serde_json::{Map, Value, json};

/// The field set that names an item of a keyed list: `k:{"name":"web"}`.
pub fn item_path(list: &str, item: &Value) -> Option<String> {
    identity(list, item).map(|identity| format!("k:{}", Value::Object(identity)))
}

/// The fields that an applied body sets, without those that name the object itself.
pub fn of_body(body: &Value) -> Value {
    let mut set = of("", body);
    let Some(top) = set.as_object_mut() else {
        return set;
    };
    top.shift_remove("f:apiVersion");
    top.shift_remove("f:kind");
    if let Some(Value::Object(metadata)) = top.get_mut("f:metadata") {
        metadata.shift_remove("f:name");
        metadata.shift_remove("f:namespace");
        if metadata.is_empty() {
            top.shift_remove("f:metadata");
        }
    }
    set
}

fn of(field: &str, value: &Value) -> Value {
    match value {
        Value::Object(map) if !map.is_empty() && !is_atomic(field) => {
            let fields = map
                .iter()
                .map(|(field, value)| (format!("f:{field}"), of(field, value)));
            Value::Object(fields.collect())
        }
        Value::Array(list) if !list.is_empty() && is_set(field) => Value::Object(
            list.iter()
                .map(|item| (format!("v:{item}"), json!({})))
                .collect(),
        ),
        Value::Array(list)
            if list
                .first()
                .is_some_and(|item| identity(field, item).is_some()) =>
        {
            let items = list.iter().filter_map(|item| {
                let mut fields = Map::from_iter([(".".to_string(), json!({}))]);
                if let Value::Object(own) = of("", item) {
                    fields.extend(own);
                }
                Some((item_path(field, item)?, Value::Object(fields)))
            });
            Value::Object(items.collect())
        }
        _ => json!({}),
    }
}

/// Whether a set ends here: the field is owned as a whole.
pub fn is_leaf(set: &Value) -> bool {
    set.as_object().is_none_or(Map::is_empty)
}

/// Whether a set names nothing any more.
pub fn is_empty(set: &Value) -> bool {
    is_leaf(set)
}

/// The item of a list that has this path.
pub fn item<'a>(list: &'a Value, field: &str, path: &str) -> Option<&'a Value> {
    let items = list.as_array()?;
    items
        .iter()
        .find(|item| item_path(field, item).as_deref() == Some(path))
}

/// The member of a set that has this path.
pub fn member<'a>(list: &'a Value, path: &str) -> Option<&'a Value> {
    let wanted: Value = serde_json::from_str(path.strip_prefix("v:")?).ok()?;
    list.as_array()?.iter().find(|member| **member == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_owns_what_it_says() {
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "finalizers": ["a/b"]},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {"containers": [
                {"name": "c", "ports": [{"containerPort": 80}], "args": ["x"]}]}}}});
        assert_eq!(
            of_body(&body),
            json!({"f:metadata": {"f:finalizers": {"v:\"a/b\"": {}}}, "f:spec": {"f:selector": {}, "f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:args": {}, "f:ports": {
                    "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}}}})
        );
    }
}
