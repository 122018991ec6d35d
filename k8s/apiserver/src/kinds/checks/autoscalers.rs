//! autoscalers — what can be wrong with a HorizontalPodAutoscaler.

use super::{super::tree::list, Problems};
use crate::refusal::{Fault, Problem};
use serde_json::{Value, json};

/// An hour: rules look back no further.
const WINDOW_MAX: i64 = 3600;
/// Half an hour: longer periods are refused.
const PERIOD_MAX: i64 = 1800;
const SOURCES: &[&str] = &[
    "ContainerResource",
    "External",
    "Object",
    "Pods",
    "Resource",
];
const POLICIES: &[&str] = &["Percent", "Pods"];
const CHOICES: &[&str] = &["Disabled", "Max", "Min"];

pub fn horizontal_pod_autoscaler(object: &Value, problems: &mut Problems) {
    let spec = &object["spec"];
    let number = |field: &str| spec[field].as_i64().unwrap_or(0);
    let invalid = |field: &str, text: &str| {
        Problem::invalid(format!("spec.{field}"), &spec[field], text.to_owned())
    };
    if number("minReplicas") < 1 {
        problems.push(invalid("minReplicas", "must be greater than or equal to 1"));
    }
    if number("maxReplicas") < 1 {
        problems.push(invalid("maxReplicas", "must be greater than 0"));
    }
    if number("maxReplicas") < number("minReplicas") {
        let text = "must be greater than or equal to `minReplicas`";
        problems.push(invalid("maxReplicas", text));
    }
    reference("spec.scaleTargetRef", &spec["scaleTargetRef"], problems);
    for (i, given) in list(spec, "metrics").enumerate() {
        metric(&format!("spec.metrics[{i}]"), given, problems);
    }
    let scales_by_others =
        list(spec, "metrics").any(|m| m["type"] == "Object" || m["type"] == "External");
    if number("minReplicas") == 0 && !scales_by_others {
        let text = "must specify at least one Object or External metric to support scaling to zero replicas";
        problems.push(Problem::new("spec.metrics", Fault::Forbidden(text.into())));
    }
    for direction in ["scaleUp", "scaleDown"] {
        let given = &spec["behavior"][direction];
        if !given.is_null() {
            rules(&format!("spec.behavior.{direction}"), given, problems);
        }
    }
}

fn required(at: String, text: &str) -> Problem {
    Problem::new(at, Fault::Required(text.into()))
}

/// A text that is there and says something.
fn says(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn reference(at: &str, given: &Value, problems: &mut Problems) {
    for field in ["kind", "name"] {
        if !says(&given[field]) {
            problems.push(Problem::required(format!("{at}.{field}")));
        }
    }
}

/// A metric has one source, the one of its type, which says what it measures and at what it aims.
fn metric(at: &str, given: &Value, problems: &mut Problems) {
    let kind = given["type"].as_str().unwrap_or("");
    if kind.is_empty() {
        let text = "must specify a metric source type";
        problems.push(required(format!("{at}.type"), text));
    }
    if !SOURCES.contains(&kind) {
        let fault = || Fault::Unsupported(json!(kind).to_string(), SOURCES);
        problems.extend([(); 2].map(|()| Problem::new(format!("{at}.type"), fault())));
        return;
    }
    let mut expected = kind.to_owned();
    expected[..1].make_ascii_lowercase();
    let present = [
        "object",
        "external",
        "pods",
        "resource",
        "containerResource",
    ];
    let present: Vec<_> = present
        .into_iter()
        .filter(|s| given[s].is_object())
        .collect();
    if let Some(first) = present.first() {
        source(first, &format!("{at}.{first}"), &given[first], problems);
    }
    if !present.contains(&&*expected) {
        let text = "must populate information for the given metric source";
        problems.push(required(format!("{at}.{expected}"), text));
    }
    for other in present.iter().filter(|source| **source != expected) {
        let text = "must populate the given metric source only";
        let fault = Fault::Forbidden(text.into());
        problems.push(Problem::new(format!("{at}.{other}"), fault));
    }
}

fn source(name: &str, at: &str, given: &Value, problems: &mut Problems) {
    match name {
        "resource" | "containerResource" => {
            if !says(&given["name"]) {
                let text = "must specify a resource name";
                problems.push(required(format!("{at}.name"), text));
            }
            if name == "containerResource" && !says(&given["container"]) {
                let text = "must specify a container";
                problems.push(required(format!("{at}.container"), text));
            }
        }
        _ => {
            if name == "object" {
                let at = format!("{at}.describedObject");
                reference(&at, &given["describedObject"], problems);
            }
            if !says(&given["metric"]["name"]) {
                let text = "must specify a metric name";
                problems.push(required(format!("{at}.metric.name"), text));
            }
        }
    }
    let wanted = &given["target"];
    let at = format!("{at}.target");
    target(&at, wanted, problems);
    let has = |field: &str| !wanted[field].is_null();
    let (first, second, text) = match name {
        "resource" | "containerResource" => (
            "averageUtilization",
            "averageValue",
            "must set either a target raw value or a target utilization",
        ),
        "pods" => (
            "averageValue",
            "averageValue",
            "must specify a positive target averageValue",
        ),
        "external" => (
            "averageValue",
            "value",
            "must set either a target value for metric or a per-pod target",
        ),
        _ => (
            "averageValue",
            "value",
            "must set either a target value or averageValue",
        ),
    };
    if !has(first) && !has(second) {
        problems.push(required(format!("{at}.{first}"), text));
    }
    if has(first) && has(second) && matches!(name, "resource" | "containerResource" | "external") {
        let text = text
            .replace("must set either", "may not set both")
            .replace(" or ", " and ");
        let fault = Fault::Forbidden(text);
        problems.push(Problem::new(format!("{at}.{second}"), fault));
    }
}

fn target(at: &str, given: &Value, problems: &mut Problems) {
    if !says(&given["type"]) {
        let text = "must specify a metric target type";
        problems.push(required(format!("{at}.type"), text));
    }
    let kind = given["type"].as_str().unwrap_or("");
    if !["Utilization", "Value", "AverageValue"].contains(&kind) {
        let text = "must be either Utilization, Value, or AverageValue";
        problems.push(Problem::invalid(format!("{at}.type"), &json!(kind), text));
    }
    for field in ["value", "averageValue"] {
        let amount = given[field]
            .as_str()
            .and_then(super::super::quantity::thousandths);
        if amount.is_some_and(|amount| amount <= 0) {
            let text = "must be positive";
            problems.push(Problem::invalid(
                format!("{at}.{field}"),
                &given[field],
                text,
            ));
        }
    }
    let percent = &given["averageUtilization"];
    if percent.as_i64().is_some_and(|percent| percent < 1) {
        let at = format!("{at}.averageUtilization");
        problems.push(Problem::invalid(at, percent, "must be greater than 0"));
    }
}

/// The rules for one direction.
fn rules(at: &str, given: &Value, problems: &mut Problems) {
    let window = &given["stabilizationWindowSeconds"];
    let text = match window.as_i64() {
        Some(seconds) if seconds < 0 => "must be greater than or equal to zero".into(),
        Some(seconds) if seconds > WINDOW_MAX => {
            format!("must be less than or equal to {WINDOW_MAX}")
        }
        _ => String::new(),
    };
    if !text.is_empty() {
        let at = format!("{at}.stabilizationWindowSeconds");
        problems.push(Problem::invalid(at, window, text));
    }
    super::one_of(
        problems,
        &format!("{at}.selectPolicy"),
        &given["selectPolicy"],
        CHOICES,
    );
    if list(given, "policies").next().is_none() {
        let text = "must specify at least one Policy";
        problems.push(required(format!("{at}.policies"), text));
    }
    for (i, given) in list(given, "policies").enumerate() {
        policy(&format!("{at}.policies[{i}]"), given, problems);
    }
}

fn policy(at: &str, given: &Value, problems: &mut Problems) {
    let kind = json!(given["type"].as_str().unwrap_or(""));
    super::one_of(problems, &format!("{at}.type"), &kind, POLICIES);
    for (field, max) in [("value", i64::MAX), ("periodSeconds", PERIOD_MAX)] {
        let number = given[field].as_i64().unwrap_or(0);
        let text = match number {
            ..=0 => "must be greater than zero".into(),
            _ if number > max => format!("must be less than or equal to {max}"),
            _ => continue,
        };
        problems.push(Problem::invalid(
            format!("{at}.{field}"),
            &json!(number),
            text,
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(more: Value) -> Vec<String> {
        let mut spec = json!({"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 2});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let mut problems = vec![];
        horizontal_pod_autoscaler(&json!({"spec": spec}), &mut problems);
        problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn an_autoscaler_has_room() {
        assert_eq!(
            texts(json!({"minReplicas": 3})),
            ["spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"]
        );
        assert_eq!(texts(json!({})), [""; 0]);
    }

    #[test]
    fn a_metric_aims_at_one_thing_above_zero() {
        let with = |target: Value| {
            texts(
                json!({"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]}),
            )
        };
        assert_eq!(
            with(json!({"type": "Utilization", "averageUtilization": 0})),
            [
                "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0"
            ]
        );
        assert_eq!(
            with(json!({"type": "Utilization"})),
            [
                "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization"
            ]
        );
        assert_eq!(
            with(json!({"type": "Utilization", "averageUtilization": 5, "averageValue": "1"})),
            [
                "spec.metrics[0].resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization"
            ]
        );
        assert_eq!(
            with(json!({"type": "AverageValue", "averageValue": "0"})),
            [
                "spec.metrics[0].resource.target.averageValue: Invalid value: \"0\": must be positive"
            ]
        );
    }

    #[test]
    fn a_metric_has_the_source_of_its_type() {
        let rps = json!({"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "1"}});
        assert_eq!(
            texts(json!({"metrics": [{"type": "Resource", "pods": rps}]})),
            [
                "spec.metrics[0].resource: Required value: must populate information for the given metric source",
                "spec.metrics[0].pods: Forbidden: must populate the given metric source only"
            ]
        );
    }

    #[test]
    fn a_rule_changes_something_within_half_an_hour() {
        let policy = json!({"type": "Pods", "value": 0, "periodSeconds": 1801});
        let rules = json!({"stabilizationWindowSeconds": 3601, "selectPolicy": "Best", "policies": [policy]});
        assert_eq!(
            texts(json!({"behavior": {"scaleDown": rules}})),
            [
                "spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600",
                "spec.behavior.scaleDown.selectPolicy: Unsupported value: \"Best\": supported values: \"Disabled\", \"Max\", \"Min\"",
                "spec.behavior.scaleDown.policies[0].value: Invalid value: 0: must be greater than zero",
                "spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800"
            ]
        );
    }
}
