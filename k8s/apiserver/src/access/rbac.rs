//! rbac — whether one of the rules that are bound to a user covers what it wants to do. Pure.

use super::{Deed, User};
use crate::{
    selector::Selector,
    store::{Key, Objects},
};
use serde_json::Value;

/// Whether any binding gives `user` a role with a rule for `deed`.
pub fn is_allowed(user: &User, deed: &Deed, objects: &Objects) -> bool {
    let rules = held(user, &deed.namespace, objects);
    rules.iter().any(|rule| covers(rule, deed))
}

/// Whether any binding gives `user` a role with a rule for a path that is no resource's.
pub fn may_visit(user: &User, verb: &str, path: &str, objects: &Objects) -> bool {
    let rules = held(user, "", objects);
    rules.iter().any(|rule| {
        has(rule, "verbs", &|held| held == "*" || held == verb)
            && has(rule, "nonResourceURLs", &|held| covers_path(held, path))
    })
}

/// Whether a path of a rule, which may end in `*`, includes this one.
pub fn covers_path(held: &str, path: &str) -> bool {
    let begins = |held: &str| path.starts_with(held.trim_end_matches('*'));
    held == path || (held.ends_with('*') && begins(held))
}

/// Every rule bound to `user`, for everything and for this namespace; an empty one means none in particular.
pub fn held(user: &User, namespace: &str, objects: &Objects) -> Vec<Value> {
    let everywhere = objects.list("clusterrolebindings", None);
    let scope = Some(namespace).filter(|namespace| !namespace.is_empty());
    let here = scope.map(|scope| objects.list("rolebindings", Some(scope)));
    let bindings = everywhere.chain(here.into_iter().flatten());
    let bound = bindings.filter(|binding| {
        let subjects = binding["subjects"].as_array().into_iter().flatten();
        subjects.into_iter().any(|subject| is_meant(user, subject))
    });
    let rules = bound.filter_map(|binding| {
        let namespace = binding["metadata"]["namespace"].as_str().unwrap_or("");
        rules_of(&binding["roleRef"], namespace, objects)
    });
    rules.flatten().collect()
}

/// The rules of the role that a binding of this namespace names, if that exists.
pub fn rules_of(role: &Value, namespace: &str, objects: &Objects) -> Option<Vec<Value>> {
    let name = role["name"].as_str().unwrap_or("");
    let key = match role["kind"].as_str() {
        Some("Role") => Key::new("roles", namespace, name),
        _ => Key::new("clusterroles", "", name),
    };
    let role = objects.get(&key)?;
    Some([own_rules(role), gathered(role, objects)].concat())
}

fn own_rules(role: &Value) -> Vec<Value> {
    role["rules"].as_array().cloned().unwrap_or_default()
}

/// The rules that an aggregated role takes from others.
fn gathered(role: &Value, objects: &Objects) -> Vec<Value> {
    let selectors = role["aggregationRule"]["clusterRoleSelectors"].as_array();
    let selectors: Vec<Selector> = selectors
        .into_iter()
        .flatten()
        .map(Selector::of_object)
        .collect();
    let is_chosen = |other: &Value| {
        let labels = &other["metadata"]["labels"];
        selectors
            .iter()
            .any(|selector| selector.matches_labels(labels))
    };
    let others = objects.list("clusterroles", None);
    let chosen = others.filter(|other| is_chosen(other));
    chosen.flat_map(|other| own_rules(other)).collect()
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

fn has(rule: &Value, field: &str, wanted: &dyn Fn(&str) -> bool) -> bool {
    let mut entries = rule[field].as_array().into_iter().flatten();
    entries.any(|entry| entry.as_str().is_some_and(wanted))
}

fn covers(rule: &Value, deed: &Deed) -> bool {
    let has = |field: &str, wanted: &dyn Fn(&str) -> bool| has(rule, field, wanted);
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
        let meant = |subject: Value| is_meant(&user, &subject);
        assert!(meant(
            json!({"kind": "ServiceAccount", "name": "chaos", "namespace": "shop"})
        ));
        assert!(!meant(
            json!({"kind": "ServiceAccount", "name": "chaos", "namespace": "other"})
        ));
        assert!(meant(
            json!({"kind": "User", "name": "system:serviceaccount:shop:chaos"})
        ));
        assert!(meant(
            json!({"kind": "Group", "name": "system:serviceaccounts:shop"})
        ));
        assert!(!meant(json!({"kind": "Group", "name": "system:masters"})));
    }
}
