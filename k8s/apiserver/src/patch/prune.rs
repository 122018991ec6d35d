//! prune — takes out of an object what a manager has stopped to say and nobody else says.

use super::fields::{self, item_path};
use serde_json::{Map, Value};

/// Structs that go as a whole when nobody speaks of them any more: what defaults have put into them makes no sense alone.
const WHOLE: [&str; 11] = [
    "exec",
    "grpc",
    "httpGet",
    "lifecycle",
    "livenessProbe",
    "postStart",
    "preStop",
    "readinessProbe",
    "sleep",
    "startupProbe",
    "tcpSocket",
];

/// Removes from `live` what `old` names and none of `kept` does.
pub fn prune(field: &str, live: &mut Value, old: &Value, kept: &[&Value]) {
    for (path, below) in old.as_object().into_iter().flatten() {
        let kept: Vec<&Value> = kept.iter().filter_map(|set| set.get(path)).collect();
        match (path.split_once(':'), live.as_object_mut().is_some()) {
            (Some(("f", name)), true) => {
                if let Some(map) = live.as_object_mut() {
                    prune_field(map, name, below, &kept);
                }
            }
            (Some(("v", text)), _) if kept.is_empty() => {
                let gone: Option<Value> = serde_json::from_str(text).ok();
                let members = live.as_array_mut().into_iter();
                members.for_each(|list| list.retain(|member| Some(member) != gone.as_ref()));
            }
            (Some(("k", _)), _) => prune_item(field, live, path, below, &kept),
            _ => {}
        }
    }
}

fn prune_field(map: &mut Map<String, Value>, name: &str, below: &Value, kept: &[&Value]) {
    let Some(value) = map.get_mut(name) else {
        return;
    };
    let is_leaf = fields::is_leaf(below);
    if !is_leaf {
        prune(name, value, below, kept);
    }
    let is_empty = match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    if kept.is_empty() && (is_leaf || is_empty || WHOLE.contains(&name)) {
        map.shift_remove(name);
    }
}

fn prune_item(field: &str, live: &mut Value, path: &str, below: &Value, kept: &[&Value]) {
    let Some(list) = live.as_array_mut() else {
        return;
    };
    let is_it = |item: &Value| item_path(field, item).as_deref() == Some(path);
    if kept.is_empty() {
        list.retain(|item| !is_it(item));
    } else if let Some(item) = list.iter_mut().find(|item| is_it(item)) {
        prune("", item, below, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_others_keep_stays() {
        let mut live =
            json!({"labels": {"a": "1", "b": "2"}, "finalizers": ["x/y", "z/w"], "paused": true});
        let old = json!({"f:labels": {"f:a": {}, "f:b": {}}, "f:finalizers": {"v:\"x/y\"": {}}, "f:paused": {}});
        let kept = json!({"f:labels": {"f:b": {}}});
        prune("", &mut live, &old, &[&kept]);
        assert_eq!(live, json!({"labels": {"b": "2"}, "finalizers": ["z/w"]}));
    }

    #[test]
    fn a_map_goes_when_it_is_empty() {
        let mut live = json!({"labels": {"a": "1"}});
        prune("", &mut live, &json!({"f:labels": {"f:a": {}}}), &[]);
        assert_eq!(live, json!({}));
    }
}
