//! keys — by what the items of a list are told apart. Over all kinds served there are only these.

use serde_json::{Map, Value, json};

/// The field that tells the items of a list apart in a strategic merge. `ports` is the only name whose key depends on the place: the
/// items themselves show it.
pub fn merge_key(list: &str, item: Option<&Value>) -> Option<&'static str> {
    let has = |field: &str| item.is_some_and(|item| item.get(field).is_some());
    match list {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets"
        | "resourceClaims"
        | "schedulingGates" => Some("name"),
        "ports" if has("containerPort") => Some("containerPort"),
        "ports" if has("port") => Some("port"),
        "volumeMounts" => Some("mountPath"),
        "volumeDevices" => Some("devicePath"),
        "conditions" => Some("type"),
        // The addresses of a Node; those of endpoints are atomic.
        "addresses" if has("type") => Some("type"),
        "podIPs" | "hostIPs" | "hostAliases" => Some("ip"),
        "ownerReferences" => Some("uid"),
        "topologySpreadConstraints" => Some("topologyKey"),
        _ => None,
    }
}

/// Lists that are sets of texts.
pub fn is_set(list: &str) -> bool {
    list == "finalizers"
}

/// Objects that have one owner as a whole.
pub fn is_atomic(field: &str) -> bool {
    matches!(
        field,
        "selector"
            | "nodeSelector"
            | "secretKeyRef"
            | "configMapKeyRef"
            | "fieldRef"
            | "resourceFieldRef"
    )
}

/// What identifies an item in server-side apply: more fields than a strategic merge looks at.
pub fn identity(list: &str, item: &Value) -> Option<Map<String, Value>> {
    let fields: &[&str] = match merge_key(list, Some(item))? {
        "containerPort" => &["containerPort", "protocol"],
        "port" => &["port", "protocol"],
        "topologyKey" => &["topologyKey", "whenUnsatisfiable"],
        "name" => &["name"],
        "mountPath" => &["mountPath"],
        "devicePath" => &["devicePath"],
        "type" => &["type"],
        "ip" => &["ip"],
        _ => &["uid"],
    };
    let value = |field: &str| match item.get(field) {
        Some(value) => value.clone(),
        None if field == "protocol" => json!("TCP"),
        None => Value::Null,
    };
    Some(
        fields
            .iter()
            .map(|field| (field.to_string(), value(field)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_apart_by_what_they_are() {
        assert_eq!(
            merge_key("ports", Some(&json!({"containerPort": 80}))),
            Some("containerPort")
        );
        assert_eq!(
            merge_key("ports", Some(&json!({"port": 80, "targetPort": 8080}))),
            Some("port")
        );
        let identity = identity("ports", &json!({"containerPort": 80})).unwrap();
        assert_eq!(
            Value::Object(identity),
            json!({"containerPort": 80, "protocol": "TCP"})
        );
    }

    #[test]
    fn lists_without_keys_are_replaced_whole() {
        assert_eq!(merge_key("args", Some(&json!("a"))), None);
        assert_eq!(merge_key("tolerations", Some(&json!({"key": "a"}))), None);
    }
}
