//! decode — strict reading: an object in its canonical form, and the names of fields it should not have.

use serde::{Serialize, de::DeserializeOwned};
use serde_ignored::Path;
use serde_json::Value;

/// An object as its kind defines it, and the paths of fields that the kind does not have.
#[derive(Debug)]
pub struct Decoded {
    pub object: Value,
    pub unknown: Vec<String>,
}

/// Reads `value` as a `T`. The error says where and why it cannot.
pub fn strict<T: DeserializeOwned + Serialize>(value: &Value) -> Result<Decoded, String> {
    let mut unknown = vec![];
    let mut note = |path: Path| {
        let path = dotted(&path);
        // The server writes managedFields itself; what k8s-openapi does not know of them is no mistake of the user.
        if !path.starts_with("metadata.managedFields") {
            unknown.push(path);
        }
    };
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(value, &mut track);
    let typed: T = match serde_ignored::deserialize(deserializer, &mut note) {
        Ok(typed) => typed,
        Err(error) => return Err(format!("{}: {error}", track.path())),
    };
    let object = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    Ok(Decoded { object, unknown })
}

/// A path as Kubernetes prints it: `spec.containers[0].image`.
fn dotted(path: &Path) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", dotted(parent)),
        Path::Map { parent, key } => match dotted(parent).as_str() {
            "" => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => dotted(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::json;

    #[test]
    fn unknown_fields_are_named_as_the_real_server_names_them() {
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
            "replica": 2, "selector": {}, "template": {"spec": {"containers": [{"name": "c", "livenessProbe": {"succesThreshold": 1}}]}}}});
        let decoded = strict::<Deployment>(&body).unwrap();
        assert_eq!(
            decoded.unknown,
            [
                "spec.replica",
                "spec.template.spec.containers[0].livenessProbe.succesThreshold"
            ]
        );
        assert!(decoded.object["spec"].get("replica").is_none());
    }

    #[test]
    fn a_wrong_type_says_where() {
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {"replicas": "two"}});
        let why = strict::<Deployment>(&body).unwrap_err();
        assert!(
            why.starts_with("spec.replicas: invalid type: string \"two\""),
            "{why}"
        );
    }
}
