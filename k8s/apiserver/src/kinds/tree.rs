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

/// Maps of texts, which say nothing when they are empty. (An empty object may say a lot: `emptyDir: {}`.)
const MAPS: [&str; 8] = [
    "annotations",
    "binaryData",
    "data",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "requests",
];

/// Numbers and switches that say nothing when they are zero or off: the real server cannot tell that from saying nothing.
const ZEROS: [&str; 15] = [
    "generation",
    "healthCheckNodePort",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostPort",
    "initialDelaySeconds",
    "minReadySeconds",
    "nodePort",
    "paused",
    "publishNotReadyAddresses",
    "readOnly",
    "stdin",
    "stdinOnce",
    "tty",
];

/// Removes empty lists and maps of texts, as the real server does when it writes objects down.
pub fn drop_empty(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(drop_empty);
            map.retain(|field, value| match value {
                Value::Array(list) => !list.is_empty() || REQUIRED.contains(&field.as_str()),
                Value::Object(inner) => !inner.is_empty() || !MAPS.contains(&field.as_str()),
                Value::Bool(false) => !ZEROS.contains(&field.as_str()),
                Value::Number(number) => {
                    number.as_i64() != Some(0) || !ZEROS.contains(&field.as_str())
                }
                _ => true,
            });
        }
        Value::Array(list) => list.iter_mut().for_each(drop_empty),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_says_nothing_goes() {
        let mut value = json!({"metadata": {"finalizers": [], "labels": {}}, "spec": {"containers": [], "emptyDir": {}, "tty": false, "replicas": 0}});
        drop_empty(&mut value);
        assert_eq!(
            value,
            json!({"metadata": {}, "spec": {"containers": [], "emptyDir": {}, "replicas": 0}})
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
