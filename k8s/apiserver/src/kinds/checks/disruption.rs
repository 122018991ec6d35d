//! disruption — what can be wrong with a disruption budget. Texts are the real server's.

use super::{Problems, not_negative, one_of};
use crate::refusal::{Fault, Problem};
use serde_json::Value;

const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

pub fn pod_disruption_budget(object: &Value, problems: &mut Problems) {
    let spec = &object["spec"];
    if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
        let text = "minAvailable and maxUnavailable cannot be both set";
        let fault = Fault::Invalid("policy.PodDisruptionBudgetSpec{}".into(), text.into());
        problems.push(Problem::new("spec", fault));
    }
    for field in ["minAvailable", "maxUnavailable"] {
        amount(&format!("spec.{field}"), &spec[field], problems);
    }
    let policies = &["AlwaysAllow", "IfHealthyBudget"];
    let policy = &spec["unhealthyPodEvictionPolicy"];
    one_of(
        problems,
        "spec.unhealthyPodEvictionPolicy",
        policy,
        policies,
    );
}

fn amount(at: &str, value: &Value, problems: &mut Problems) {
    not_negative(problems, at, value);
    let Some(text) = value.as_str() else { return };
    let digits = text.strip_suffix('%').unwrap_or("");
    let is_percent = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_percent {
        let shown = format!("intstr.IntOrString{{Type:1, IntVal:0, StrVal:\"{text}\"}}");
        problems.push(Problem::new(at, Fault::Invalid(shown, PERCENT.into())));
    } else if digits.parse::<u32>().is_ok_and(|percent| percent > 100) {
        let shown = format!("intstr.IntOrString{{Type:1, IntVal:0, StrVal:\"{text}\"}}");
        let must = "must not be greater than 100%".into();
        problems.push(Problem::new(at, Fault::Invalid(shown, must)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(spec: Value) -> Vec<String> {
        let mut problems = vec![];
        pod_disruption_budget(&json!({"spec": spec}), &mut problems);
        problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn an_amount_is_a_number_or_a_percentage() {
        assert!(texts(json!({"minAvailable": 1})).is_empty());
        assert!(texts(json!({"maxUnavailable": "50%"})).is_empty());
        assert_eq!(
            texts(json!({"minAvailable": -1})),
            ["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"]
        );
        assert!(texts(json!({"minAvailable": "half"}))[0].contains("a valid percent string"));
        assert_eq!(
            texts(json!({"minAvailable": 1, "maxUnavailable": 1})).len(),
            1
        );
    }
}
