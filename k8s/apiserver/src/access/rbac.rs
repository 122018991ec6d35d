//! rbac — whether one of the rules that are bound to a user covers what it wants to do. Pure.

use super::{Deed, User};
use serde_json::Value;

/// Whether any of `bindings` gives `user` a role with a rule for `deed`; `rules` looks up those of a binding's role.
pub fn is_allowed<'a>(
    user: &User,
    deed: &Deed,
    bindings: impl Iterator<Item = &'a Value>,
    rules: impl Fn(&Value) -> Vec<Value>,
) -> bool {
    let mut bound = bindings.filter(|binding| {
        let subjects = binding["subjects"].as_array().into_iter().flatten();
        subjects.into_iter().any(|subject| is_meant(user, subject))
    });
    bound.any(|binding| rules(binding).iter().any(|rule| covers(rule, deed)))
}

fn is_meant(user: &User, subject: &Value) -> bool {
    let text = |field: &str| subject[field].as_str().unwrap_or("");
    match text("kind") {
        "User" => text("name") == user.name,
        "Group" => user.groups.iter().any(|group| group == text("name")),
        "ServiceAccount" => {
            user.name
                == format!(
                    "system:serviceaccount:{}:{}",
                    text("namespace"),
                    text("name")
                )
        }
        _ => false,
    }
}

fn covers(rule: &Value, deed: &Deed) -> bool {
    let has = |field: &str, wanted: &dyn Fn(&str) -> bool| {
        let mut entries = rule[field].as_array().into_iter().flatten();
        entries.any(|entry| entry.as_str().is_some_and(wanted))
    };
    let part = deed.resource.split_once('/').map(|(_, part)| part);
    let names_it = |entry: &str| {
        entry == "*"
            || entry == deed.resource
            || entry.strip_prefix("*/").is_some_and(|p| Some(p) == part)
    };
    let is_for_all_names = rule["resourceNames"].as_array().is_none_or(Vec::is_empty);
    has("verbs", &|verb| verb == "*" || verb == deed.verb)
        && has("apiGroups", &|group| group == "*" || group == deed.group)
        && has("resources", &names_it)
        && (is_for_all_names || has("resourceNames", &|name| name == deed.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deed(verb: &str, resource: &str, name: &str) -> Deed {
        Deed {
            verb: verb.into(),
            resource: resource.into(),
            namespace: "shop".into(),
            name: name.into(),
            ..Deed::default()
        }
    }

    fn covered(rule: Value, deed: &Deed) -> bool {
        let mut rule = rule;
        rule["apiGroups"] = json!([""]);
        covers(&rule, deed)
    }

    #[test]
    fn a_rule_names_verbs_resources_and_perhaps_objects() {
        let pods = json!({"verbs": ["get", "list"], "resources": ["pods", "pods/log"]});
        assert!(covered(pods.clone(), &deed("get", "pods", "a")));
        assert!(covered(pods.clone(), &deed("get", "pods/log", "a")));
        assert!(!covered(pods.clone(), &deed("delete", "pods", "a")));
        assert!(!covered(pods, &deed("get", "pods/exec", "a")));
        let one = json!({"verbs": ["*"], "resources": ["secrets"], "resourceNames": ["key"]});
        assert!(covered(one.clone(), &deed("get", "secrets", "key")));
        assert!(!covered(one.clone(), &deed("get", "secrets", "other")));
        assert!(!covered(one, &deed("list", "secrets", "")));
        let logs = json!({"verbs": ["get"], "resources": ["*/log"]});
        assert!(covered(logs.clone(), &deed("get", "pods/log", "a")));
        assert!(!covered(logs, &deed("get", "pods", "a")));
    }

    #[test]
    fn a_binding_means_an_account_its_user_or_one_of_its_groups() {
        let user = User::of_account("shop", "chaos");
        let rules =
            |_: &Value| vec![json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})];
        let allowed = |subject: Value| {
            let binding = json!({"subjects": [subject]});
            is_allowed(
                &user,
                &deed("get", "pods", "a"),
                [&binding].into_iter(),
                rules,
            )
        };
        assert!(allowed(
            json!({"kind": "ServiceAccount", "name": "chaos", "namespace": "shop"})
        ));
        assert!(!allowed(
            json!({"kind": "ServiceAccount", "name": "chaos", "namespace": "other"})
        ));
        assert!(allowed(
            json!({"kind": "User", "name": "system:serviceaccount:shop:chaos"})
        ));
        assert!(allowed(
            json!({"kind": "Group", "name": "system:serviceaccounts:shop"})
        ));
        assert!(!allowed(json!({"kind": "Group", "name": "system:masters"})));
    }
}
