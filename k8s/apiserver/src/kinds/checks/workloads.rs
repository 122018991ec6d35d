//! workloads — what can be wrong with a Deployment, a ReplicaSet and a Job.

use super::{IMMUTABLE, Problems, list, not_negative, one_of, pods};
use crate::{
    refusal::{Fault, Problem},
    selector::Selector,
};
use serde_json::Value;

const STRATEGIES: &[&str] = &["Recreate", "RollingUpdate"];
const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

/// Selector and template of a Deployment or ReplicaSet.
fn selected_template(what: &str, object: &Value, problems: &mut Problems) {
    let spec = &object["spec"];
    not_negative(problems, "spec.replicas", &spec["replicas"]);
    let selector = Selector::of_object(&spec["selector"]);
    let labels = &spec["template"]["metadata"]["labels"];
    let is_absent = spec["selector"].is_null();
    if is_absent {
        problems.push(Problem::required("spec.selector"));
    } else if selector.is_empty() {
        let text = format!("empty selector is invalid for {what}");
        let fault = Fault::Invalid(selector_shown(&spec["selector"]), text);
        problems.push(Problem::new("spec.selector", fault));
    }
    if is_absent || !selector.matches_labels(labels) {
        let text = "`selector` does not match template `labels`";
        let at = "spec.template.metadata.labels";
        problems.push(match labels {
            Value::Null => Problem::new(
                at,
                Fault::Invalid("map[string]string(nil)".into(), text.into()),
            ),
            labels => Problem::invalid(at, labels, text),
        });
    }
    super::labels("spec.template.labels", labels, problems);
    let pod = &spec["template"]["spec"];
    pods::specification("spec.template.spec", pod, problems);
    one_of(
        problems,
        "spec.template.spec.restartPolicy",
        &pod["restartPolicy"],
        &["Always"],
    );
}

pub fn deployment(object: &Value, problems: &mut Problems) {
    selected_template("deployment", object, problems);
    let spec = &object["spec"];
    for field in ["minReadySeconds", "revisionHistoryLimit"] {
        not_negative(problems, &format!("spec.{field}"), &spec[field]);
    }
    let strategy = &spec["strategy"]["type"];
    if strategy
        .as_str()
        .is_some_and(|given| !STRATEGIES.contains(&given))
    {
        let shown = format!(
            "apps.DeploymentStrategy{{Type:{strategy}, RollingUpdate:(*apps.RollingUpdateDeployment)(nil)}}"
        );
        problems.push(Problem::new(
            "spec.strategy",
            Fault::Unsupported(shown, STRATEGIES),
        ));
    }
    let rolling = &spec["strategy"]["rollingUpdate"];
    match spec["strategy"]["type"].as_str() {
        Some("Recreate") if !rolling.is_null() => {
            let text = "may not be specified when strategy `type` is 'Recreate'";
            problems.push(Problem::new(
                "spec.strategy.rollingUpdate",
                Fault::Forbidden(text.into()),
            ));
        }
        Some("RollingUpdate") => rolling_update(rolling, problems),
        _ => {}
    }
    let deadline = &spec["progressDeadlineSeconds"];
    if deadline.as_i64() <= Some(spec["minReadySeconds"].as_i64().unwrap_or(0))
        && !deadline.is_null()
    {
        problems.push(Problem::invalid(
            "spec.progressDeadlineSeconds",
            deadline,
            "must be greater than minReadySeconds",
        ));
    }
}

/// A number or a percentage, as Go prints it.
fn amount_shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("intstr.IntOrString{{Type:1, IntVal:0, StrVal:\"{text}\"}}"),
        number => format!("intstr.IntOrString{{Type:0, IntVal:{number}, StrVal:\"\"}}"),
    }
}

fn rolling_update(rolling: &Value, problems: &mut Problems) {
    let mut refuse = |field: &str, text: &str| {
        let at = format!("spec.strategy.rollingUpdate.{field}");
        problems.push(Problem::new(
            at,
            Fault::Invalid(amount_shown(&rolling[field]), text.into()),
        ));
    };
    let percent = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.strip_suffix('%')?.parse::<u32>().ok())
    };
    for field in ["maxUnavailable", "maxSurge"] {
        let value = &rolling[field];
        if value.is_string() && percent(value).is_none() {
            refuse(field, PERCENT);
        } else if value.as_i64().is_some_and(|number| number < 0) {
            refuse(field, "must be greater than or equal to 0");
        }
    }
    let nothing = |value: &Value| *value == 0 || percent(value) == Some(0);
    if nothing(&rolling["maxUnavailable"]) && nothing(&rolling["maxSurge"]) {
        refuse("maxUnavailable", "may not be 0 when `maxSurge` is 0");
    }
    if percent(&rolling["maxUnavailable"]).is_some_and(|percent| percent > 100) {
        refuse("maxUnavailable", "must not be greater than 100%");
    }
}

pub fn replica_set(object: &Value, problems: &mut Problems) {
    selected_template("replicaset", object, problems);
}

/// A LabelSelector as Go prints it, which is how the real server shows it.
fn selector_shown(selector: &Value) -> String {
    let labels = match &selector["matchLabels"] {
        Value::Object(labels) => {
            let mut pairs: Vec<_> = labels.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
            pairs.sort();
            format!("map[string]string{{{}}}", pairs.join(", "))
        }
        _ => "map[string]string(nil)".into(),
    };
    let expressions: Vec<String> = list(selector, "matchExpressions")
        .map(|e| {
            let values: Vec<String> = list(e, "values").map(Value::to_string).collect();
            format!(
                "v1.LabelSelectorRequirement{{Key:{}, Operator:{}, Values:[]string{{{}}}}}",
                e["key"],
                e["operator"],
                values.join(", ")
            )
        })
        .collect();
    let expressions = match expressions.len() {
        0 => "(nil)".into(),
        _ => format!("{{{}}}", expressions.join(", ")),
    };
    format!(
        "v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:[]v1.LabelSelectorRequirement{expressions}}}"
    )
}

pub fn selector_change(before: &Value, after: &Value, problems: &mut Problems) {
    if before["spec"]["selector"] != after["spec"]["selector"] {
        let shown = selector_shown(&after["spec"]["selector"]);
        problems.push(Problem::new(
            "spec.selector",
            Fault::Invalid(shown, IMMUTABLE.into()),
        ));
    }
}

pub fn job(object: &Value, problems: &mut Problems) {
    let spec = &object["spec"];
    for field in [
        "parallelism",
        "completions",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    ] {
        not_negative(problems, &format!("spec.{field}"), &spec[field]);
    }
    one_of(
        problems,
        "spec.completionMode",
        &spec["completionMode"],
        &["NonIndexed", "Indexed"],
    );
    if spec["completionMode"] == "Indexed" && spec["completions"].is_null() {
        let text = "when completion mode is Indexed";
        problems.push(Problem::new(
            "spec.completions",
            Fault::Required(text.into()),
        ));
    }
    let pod = &spec["template"]["spec"];
    pods::specification("spec.template.spec", pod, problems);
    let at = "spec.template.spec.restartPolicy";
    if pod["restartPolicy"] == "Always" {
        let text = "valid values: \"OnFailure\", \"Never\"";
        problems.push(Problem::new(at, Fault::Required(text.into())));
    }
}

pub fn job_change(before: &Value, after: &Value, problems: &mut Problems) {
    for field in ["selector", "template", "completions", "completionMode"] {
        let (before, after) = (&before["spec"][field], &after["spec"][field]);
        if before != after {
            problems.push(Problem::new(
                format!("spec.{field}"),
                Fault::Invalid(after.to_string(), IMMUTABLE.into()),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(check: fn(&Value, &mut Problems), object: Value) -> Vec<String> {
        let mut problems = vec![];
        check(&object, &mut problems);
        problems.iter().map(Problem::to_string).collect()
    }

    fn template() -> Value {
        json!({"metadata": {"labels": {"app": "b"}}, "spec": {"restartPolicy": "Always", "containers": [{"name": "c", "image": "i"}]}})
    }

    #[test]
    fn a_selector_must_match_its_template() {
        let object =
            json!({"spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template()}});
        assert_eq!(
            texts(deployment, object),
            [
                "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"b\"}: `selector` does not match template `labels`"
            ]
        );
    }

    #[test]
    fn a_roll_out_must_be_able_to_move() {
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}});
        let object = json!({"spec": {"strategy": strategy, "selector": {"matchLabels": {"app": "b"}}, "template": template()}});
        assert_eq!(
            texts(deployment, object),
            [
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:\"0%\"}: may not be 0 when `maxSurge` is 0"
            ]
        );
    }

    #[test]
    fn a_job_must_end() {
        let object = json!({"spec": {"template": template()}});
        assert_eq!(
            texts(job, object),
            [
                "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""
            ]
        );
    }

    #[test]
    fn a_selector_never_changes() {
        let with = |app: &str| json!({"spec": {"selector": {"matchLabels": {"app": app}}}});
        let mut problems = vec![];
        selector_change(&with("a"), &with("b"), &mut problems);
        assert_eq!(
            problems[0].to_string(),
            "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"b\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable"
        );
    }
}
