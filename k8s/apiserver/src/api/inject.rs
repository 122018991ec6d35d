//! inject — new pods of a service mesh: what Istio's webhook does to them, as far as it can be seen. The side-car itself is no container
//! here; the node performs it for every pod that says it has one.

use mesh::inject::{STATUS, is_wanted};
use serde::Deserialize;
use serde_json::{Value, json};

/// Marks a new pod that gets a side-car.
pub fn side_car(pod: &mut Value, namespace: &Value) {
    let texts = |value: &Value| Deserialize::deserialize(value).unwrap_or_default();
    let metadata = &pod["metadata"];
    let is_wanted = is_wanted(
        &texts(&namespace["metadata"]["labels"]),
        &texts(&metadata["labels"]),
        &texts(&metadata["annotations"]),
    );
    if is_wanted && metadata["annotations"][STATUS].is_null() {
        pod["metadata"]["annotations"][STATUS] = json!(r#"{"containers":["istio-proxy"]}"#);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_of_a_labelled_namespace_says_that_it_has_a_side_car() {
        let labelled = json!({"metadata": {"labels": {"istio-injection": "enabled"}}});
        let mut pod = json!({"metadata": {"name": "a"}});
        side_car(&mut pod, &json!({"metadata": {"name": "shop"}}));
        assert_eq!(pod["metadata"]["annotations"], Value::Null);
        side_car(&mut pod, &labelled);
        let status = json!({"sidecar.istio.io/status": "{\"containers\":[\"istio-proxy\"]}"});
        assert_eq!(pod["metadata"]["annotations"], status);
    }
}
