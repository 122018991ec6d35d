//! inject — which pods get a side-car, decided once, when they are created.

use std::collections::BTreeMap;

/// Of a Namespace or a pod, as label or annotation of the pod.
const NAMESPACE_LABEL: &str = "istio-injection";
const POD_SWITCH: &str = "sidecar.istio.io/inject";
/// On a pod that has one.
pub const STATUS: &str = "sidecar.istio.io/status";

type Texts = BTreeMap<String, String>;

/// Whether a pod gets a side-car: in a namespace labelled `istio-injection=enabled` every pod whose own word is not `false`; where
/// the namespace says nothing, those with the label `sidecar.istio.io/inject=true`. The pod's label comes before its annotation.
pub fn is_wanted(namespace_labels: &Texts, pod_labels: &Texts, pod_annotations: &Texts) -> bool {
    let label = pod_labels.get(POD_SWITCH).map(String::as_str);
    let own = label.or(pod_annotations.get(POD_SWITCH).map(String::as_str));
    match namespace_labels.get(NAMESPACE_LABEL).map(String::as_str) {
        Some("enabled") => own != Some("false"),
        Some("disabled") => false,
        _ => label == Some("true"),
    }
}

/// Whether this pod has one.
pub fn is_done(pod_annotations: Option<&Texts>) -> bool {
    pod_annotations.is_some_and(|all| all.contains_key(STATUS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn the_namespace_says_yes_and_a_pod_may_say_no() {
        let enabled = texts(&[("istio-injection", "enabled")]);
        let (none, no) = (texts(&[]), texts(&[(POD_SWITCH, "false")]));
        let yes = texts(&[(POD_SWITCH, "true")]);
        assert!(is_wanted(&enabled, &none, &none));
        assert!(!is_wanted(&enabled, &none, &no));
        assert!(!is_wanted(&enabled, &no, &yes));
        assert!(!is_wanted(&none, &none, &none));
        assert!(!is_wanted(&none, &none, &yes));
        assert!(is_wanted(&none, &yes, &none));
        assert!(!is_wanted(
            &texts(&[("istio-injection", "disabled")]),
            &yes,
            &yes
        ));
    }
}
