//! selector — which objects a label selector means.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

type Labels = BTreeMap<String, String>;

/// Whether the labels satisfy every part of the selector. An empty selector matches everything.
pub(crate) fn matches(selector: &LabelSelector, labels: &Labels) -> bool {
    let expressions = selector.match_expressions.iter().flatten();
    selector
        .match_labels
        .as_ref()
        .is_none_or(|wanted| contains(labels, wanted))
        && expressions.into_iter().all(|e| holds(e, labels))
}

/// Whether all wanted labels are there with the wanted values.
pub(crate) fn contains(labels: &Labels, wanted: &Labels) -> bool {
    wanted
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
}

fn holds(requirement: &LabelSelectorRequirement, labels: &Labels) -> bool {
    let value = labels.get(&requirement.key);
    let listed = value.is_some_and(|value| requirement.values.iter().flatten().any(|v| v == value));
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn is_selected(selector: Value) -> bool {
        let labels = serde_json::from_value(json!({"app": "web", "tier": "front"})).unwrap();
        matches(&serde_json::from_value(selector).unwrap(), &labels)
    }

    #[test]
    fn every_part_of_a_selector_must_hold() {
        assert!(is_selected(json!({})));
        assert!(is_selected(json!({"matchLabels": {"app": "web"}})));
        assert!(!is_selected(
            json!({"matchLabels": {"app": "web", "tier": "back"}})
        ));
        assert!(is_selected(
            json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["front", "back"]}]})
        ));
        assert!(!is_selected(
            json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["front"]}]})
        ));
        assert!(is_selected(
            json!({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]})
        ));
        assert!(is_selected(
            json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]})
        ));
        assert!(!is_selected(
            json!({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]})
        ));
    }
}
