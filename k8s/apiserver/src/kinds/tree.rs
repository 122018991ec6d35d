//! tree — small steps through JSON objects that may lack any of their parts.

use serde_json::Value;

pub type Map = serde_json::Map<String, Value>;

/// Sets what is absent or null.
pub fn put_default(map: &mut Map, field: &str, value: impl Into<Value>) {
    if map.get(field).is_none_or(Value::is_null) {
        map.insert(field.into(), value.into());
    }
}

/// The object under `field`, made if it is absent.
pub fn object<'a>(map: &'a mut Map, field: &str) -> Option<&'a mut Map> {
    put_default(map, field, Map::new());
    map.get_mut(field)?.as_object_mut()
}

/// The object under `field`, if there is one.
pub fn existing<'a>(map: &'a mut Map, field: &str) -> Option<&'a mut Map> {
    map.get_mut(field)?.as_object_mut()
}

/// The objects of the list under `field`; none if it is absent.
pub fn items<'a>(map: &'a mut Map, field: &str) -> impl Iterator<Item = &'a mut Map> {
    let list = map.get_mut(field).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// The items of the list under `field`; none if it is absent.
pub fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().into_iter().flatten()
}

/// The strings under `field` in each item of a list.
pub fn texts<'a>(list: &'a Value, field: &'a str) -> impl Iterator<Item = &'a str> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(move |item| item[field].as_str())
}

/// Lists that stay although they are empty, because they are required.
const REQUIRED: [&str; 4] = ["containers", "endpoints", "ports", "subjects"];

/// Removes empty lists, as the real server does when it writes objects down.
pub fn drop_empty_lists(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(drop_empty_lists);
            map.retain(|field, value| {
                REQUIRED.contains(&field.as_str())
                    || value.as_array().is_none_or(|list| !list.is_empty())
            });
        }
        Value::Array(list) => list.iter_mut().for_each(drop_empty_lists),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn empty_lists_go_except_required_ones() {
        let mut value =
            json!({"metadata": {"finalizers": []}, "spec": {"containers": [], "args": ["a"]}});
        drop_empty_lists(&mut value);
        assert_eq!(
            value,
            json!({"metadata": {}, "spec": {"containers": [], "args": ["a"]}})
        );
    }

    #[test]
    fn a_null_counts_as_absent() {
        let mut value = json!({"a": null, "b": 1});
        let map = value.as_object_mut().unwrap();
        put_default(map, "a", 5);
        put_default(map, "b", 5);
        assert_eq!(value, json!({"a": 5, "b": 1}));
    }
}
