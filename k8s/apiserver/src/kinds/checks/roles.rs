//! roles — what can be wrong with rules and with those they are given to. Texts are the real server's.

use super::{Problems, list};
use crate::refusal::{Fault, Problem};
use serde_json::Value;

pub fn role(object: &Value, problems: &mut Problems) {
    rules(object, true, problems);
}

pub fn cluster_role(object: &Value, problems: &mut Problems) {
    rules(object, false, problems);
}

fn rules(object: &Value, namespaced: bool, problems: &mut Problems) {
    let is_empty = |rule: &Value, field: &str| list(rule, field).next().is_none();
    for (i, rule) in list(object, "rules").enumerate() {
        let mut required = |field: &str, text: &str| {
            let at = format!("rules[{i}].{field}");
            problems.push(Problem::new(at, Fault::Required(text.into())));
        };
        if is_empty(rule, "verbs") {
            required("verbs", "verbs must contain at least one value");
        }
        if !is_empty(rule, "nonResourceURLs") {
            if namespaced {
                let text = "namespaced rules cannot apply to non-resource URLs";
                let at = format!("rules[{i}].nonResourceURLs");
                problems.push(Problem::invalid(at, &rule["nonResourceURLs"], text));
            }
            continue;
        }
        if is_empty(rule, "apiGroups") {
            let text = "resource rules must supply at least one api group";
            required("apiGroups", text);
        }
        if is_empty(rule, "resources") {
            let text = "resource rules must supply at least one resource";
            required("resources", text);
        }
    }
}

pub fn role_binding(object: &Value, problems: &mut Problems) {
    let role = &object["roleRef"];
    let kinds: &[&str] = match object["kind"].as_str() {
        Some("ClusterRoleBinding") => &["ClusterRole"],
        _ => &["ClusterRole", "Role"],
    };
    if !role["kind"]
        .as_str()
        .is_some_and(|kind| kinds.contains(&kind))
    {
        let known: &'static [&'static str] = match kinds.len() {
            1 => &["ClusterRole"],
            _ => &["Role", "ClusterRole"],
        };
        let fault = Fault::Unsupported(role["kind"].to_string(), known);
        problems.push(Problem::new("roleRef.kind", fault));
    }
    if role["name"].as_str().is_none_or(str::is_empty) {
        problems.push(Problem::required("roleRef.name"));
    }
    for (i, subject) in list(object, "subjects").enumerate() {
        let is_account = subject["kind"] == "ServiceAccount";
        let lacks = |field: &str| subject[field].as_str().is_none_or(str::is_empty);
        if lacks("name") {
            problems.push(Problem::required(format!("subjects[{i}].name")));
        }
        if is_account && lacks("namespace") {
            problems.push(Problem::required(format!("subjects[{i}].namespace")));
        }
    }
}

/// A binding gives one role for ever.
pub fn role_ref_change(before: &Value, after: &Value, problems: &mut Problems) {
    if before["roleRef"] != after["roleRef"] {
        let role = &after["roleRef"];
        let text = |field: &str| role[field].as_str().unwrap_or("");
        let shown = format!(
            "rbac.RoleRef{{APIGroup:\"{}\", Kind:\"{}\", Name:\"{}\"}}",
            text("apiGroup"),
            text("kind"),
            text("name")
        );
        let fault = Fault::Invalid(shown, "cannot change roleRef".into());
        problems.push(Problem::new("roleRef", fault));
    }
}
