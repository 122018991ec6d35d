//! escalation — nobody gives by a role or a binding what they have not themselves, unless they may `escalate` or `bind`. Pure.

use super::{Deed, User, rbac};
use crate::{api::Call, refusal::Refusal, store::Objects};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const GROUP: &str = "rbac.authorization.k8s.io";
const AGGREGATION: &str = "must have cluster-admin privileges to use an aggregationRule";

/// Looks whether the asker may write this role or binding as it is to be; objects of other kinds are none of its business.
///
/// # Errors
/// The real server's text, which lists what the asker has not.
pub fn check(
    call: &Call,
    before: Option<&Value>,
    object: &Value,
    objects: &Objects,
) -> Result<(), Refusal> {
    let user = &call.by;
    let is_of_rbac = call.kind.group == GROUP;
    if !is_of_rbac || user.is_master() || before.is_some_and(|b| is_for_collector(b, object)) {
        return Ok(());
    }
    let given = match call.kind.kind {
        "Role" | "ClusterRole" if may(call, "escalate", call.kind.plural, &call.name, objects) => {
            return Ok(());
        }
        "Role" | "ClusterRole" => {
            aggregates(call, before, object, objects)?;
            rules(object)
        }
        _ => match bound(call, object, objects)? {
            Some(rules) => rules,
            None => return Ok(()),
        },
    };
    let missing = missing(&rbac::held(user, &call.namespace, objects), &given);
    match missing.is_empty() {
        true => Ok(()),
        false => Err(forbidden(call, object, &complaint(user, &missing))),
    }
}

/// Whether only that changes by which the garbage collector learns when the object is to go.
fn is_for_collector(before: &Value, object: &Value) -> bool {
    let rest = |object: &Value| {
        let mut rest = object.clone();
        for field in [
            "finalizers",
            "ownerReferences",
            "managedFields",
            "resourceVersion",
        ] {
            rest["metadata"][field] = Value::Null;
        }
        rest
    };
    rest(before) == rest(object)
}

fn rules(role: &Value) -> Vec<Value> {
    role["rules"].as_array().cloned().unwrap_or_default()
}

fn may(call: &Call, verb: &str, resource: &str, name: &str, objects: &Objects) -> bool {
    let deed = Deed {
        verb: verb.into(),
        group: GROUP.into(),
        resource: resource.into(),
        namespace: call.namespace.clone(),
        name: name.into(),
    };
    rbac::is_allowed(&call.by, &deed, objects)
}

/// A role that gathers the rules of others may gather anything.
fn aggregates(
    call: &Call,
    before: Option<&Value>,
    object: &Value,
    objects: &Objects,
) -> Result<(), Refusal> {
    let gathers = |role: &Value| role["aggregationRule"].is_object();
    if !gathers(object) && !before.is_some_and(gathers) {
        return Ok(());
    }
    let everything = [
        json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}),
        json!({"verbs": ["*"], "nonResourceURLs": ["*"]}),
    ];
    let held = rbac::held(&call.by, &call.namespace, objects);
    match missing(&held, &everything).is_empty() {
        true => Ok(()),
        false => Err(forbidden(call, object, AGGREGATION)),
    }
}

/// The rules that a binding gives; none if the asker may bind that role, or if what it names can be no role, which is told elsewhere.
fn bound(call: &Call, binding: &Value, objects: &Objects) -> Result<Option<Vec<Value>>, Refusal> {
    let role = &binding["roleRef"];
    let name = role["name"].as_str().unwrap_or("");
    let plural = match role["kind"].as_str() {
        Some("Role") if call.kind.namespaced => "roles",
        Some("ClusterRole") => "clusterroles",
        _ => return Ok(None),
    };
    if name.is_empty() || may(call, "bind", plural, name, objects) {
        return Ok(None);
    }
    let rules = rbac::rules_of(role, &call.namespace, objects);
    let missing = || Refusal::not_found(crate::kinds::known(plural), name);
    rules.ok_or_else(missing).map(Some)
}

fn forbidden(call: &Call, object: &Value, why: &str) -> Refusal {
    let name = object["metadata"]["name"].as_str().unwrap_or("");
    Refusal::forbidden(call.kind, name, why)
}

/// The least that a rule gives: one verb on one resource, or on one object of it, or on one path.
#[derive(Clone, Debug, PartialEq)]
enum Right {
    Resource {
        group: String,
        resource: String,
        name: Option<String>,
        verb: String,
    },
    Path {
        path: String,
        verb: String,
    },
}

fn texts<'a>(rule: &'a Value, field: &str) -> impl Iterator<Item = &'a str> + Clone {
    let list = rule[field].as_array().map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(Value::as_str)
}

/// A rule, taken apart.
fn rights(rule: &Value) -> Vec<Right> {
    let names: Vec<Option<&str>> = texts(rule, "resourceNames").map(Some).collect();
    let names = if names.is_empty() { vec![None] } else { names };
    let mut all = vec![];
    for verb in texts(rule, "verbs") {
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                all.extend(names.iter().map(|name| Right::Resource {
                    group: group.into(),
                    resource: resource.into(),
                    name: name.map(Into::into),
                    verb: verb.into(),
                }));
            }
        }
        all.extend(texts(rule, "nonResourceURLs").map(|path| Right::Path {
            path: path.into(),
            verb: verb.into(),
        }));
    }
    all
}

/// What `given` gives and `held` has not.
fn missing(held: &[Value], given: &[Value]) -> Vec<Right> {
    let all = given.iter().flat_map(rights);
    all.filter(|right| !held.iter().any(|rule| covers(rule, right)))
        .collect()
}

/// Whether a rule includes this right. `*` is included in nothing but `*`.
fn covers(rule: &Value, right: &Right) -> bool {
    let has = |field: &str, one: &str| texts(rule, field).any(|held| held == "*" || held == one);
    match right {
        Right::Resource {
            group,
            resource,
            name,
            verb,
        } => {
            has("verbs", verb)
                && has("apiGroups", group)
                && texts(rule, "resources").any(|held| covers_resource(held, resource))
                && covers_name(rule, name.as_deref())
        }
        Right::Path { path, verb } => {
            has("verbs", verb)
                && texts(rule, "nonResourceURLs").any(|held| rbac::covers_path(held, path))
        }
    }
}

fn covers_resource(held: &str, resource: &str) -> bool {
    let part = resource.split_once('/').map(|(_, part)| part);
    held == "*" || held == resource || held.strip_prefix("*/").is_some_and(|h| Some(h) == part)
}

/// A rule for some objects covers one of them, never all.
fn covers_name(rule: &Value, name: Option<&str>) -> bool {
    let mut names = texts(rule, "resourceNames").peekable();
    names.peek().is_none() || name.is_some_and(|name| names.any(|held| held == name))
}

/// The real server's words for rights that the user has not.
fn complaint(user: &User, missing: &[Right]) -> String {
    format!(
        "user {:?} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        quoted(user.groups.iter().map(String::as_str)),
        described(missing)
            .into_iter()
            .collect::<Vec<_>>()
            .join("\n")
    )
}

/// One line for each resource with all that is missing of it, and one for every other right.
fn described(missing: &[Right]) -> BTreeSet<String> {
    let lines = missing.iter().map(|right| match right {
        Right::Path { path, verb } => format!(
            "{{NonResourceURLs:{}, Verbs:{}}}",
            quoted([&**path]),
            quoted([&**verb])
        ),
        Right::Resource {
            group,
            resource,
            name: None,
            ..
        } => format!(
            "{{APIGroups:{}, Resources:{}, Verbs:{}}}",
            quoted([&**group]),
            quoted([&**resource]),
            quoted(verbs(missing, group, resource))
        ),
        Right::Resource {
            group,
            resource,
            name: Some(name),
            verb,
        } => format!(
            "{{APIGroups:{}, Resources:{}, ResourceNames:{}, Verbs:{}}}",
            quoted([&**group]),
            quoted([&**resource]),
            quoted([&**name]),
            quoted([&**verb])
        ),
    });
    lines.collect()
}

/// What is missing of all objects of a resource.
fn verbs<'a>(missing: &'a [Right], group: &str, resource: &str) -> Vec<&'a str> {
    let of_it = missing.iter().filter_map(|right| match right {
        Right::Resource {
            group: g,
            resource: r,
            name: None,
            verb,
        } if g == group && r == resource => Some(&**verb),
        _ => None,
    });
    of_it.collect()
}

/// A list of texts as Go prints it.
fn quoted<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts = texts.into_iter().map(|text| format!("{text:?}"));
    format!("[{}]", texts.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks(held: Value, given: Value) -> Vec<String> {
        described(&missing(&[held], &[given])).into_iter().collect()
    }

    #[test]
    fn what_is_held_may_be_given_and_nothing_besides() {
        let rule = |verbs: &[&str], resources: &[&str]| json!({"verbs": verbs, "apiGroups": [""], "resources": resources});
        let pods = rule(&["get", "list"], &["pods"]);
        assert!(lacks(pods.clone(), rule(&["get"], &["pods"])).is_empty());
        assert_eq!(
            lacks(
                pods.clone(),
                rule(&["get", "delete", "patch"], &["pods", "secrets"])
            ),
            [
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["delete" "patch"]}"#,
                r#"{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete" "patch"]}"#,
            ]
        );
        let cases = [
            (rule(&["*"], &["pods"]), rule(&["get"], &["pods"]), true),
            (pods.clone(), rule(&["*"], &["pods"]), false),
            (rule(&["get"], &["*"]), rule(&["get"], &["pods/log"]), true),
            (pods.clone(), rule(&["get"], &["pods/log"]), false),
            (pods, rule(&["get"], &["*"]), false),
            (
                rule(&["get"], &["*/log"]),
                rule(&["get"], &["pods/log"]),
                true,
            ),
            (rule(&["get"], &["*/log"]), rule(&["get"], &["pods"]), false),
        ];
        for (held, given, covered) in cases {
            assert_eq!(
                lacks(held.clone(), given.clone()).is_empty(),
                covered,
                "{held} {given}"
            );
        }
    }

    #[test]
    fn a_rule_for_some_objects_does_not_cover_all_of_them_nor_another_group() {
        let rule = |group: &str, names: &[&str]| json!({"verbs": ["get"], "apiGroups": [group], "resources": ["secrets"], "resourceNames": names});
        assert!(lacks(rule("", &["a", "b"]), rule("", &["b"])).is_empty());
        assert!(lacks(rule("", &[]), rule("", &["b"])).is_empty());
        assert_eq!(
            lacks(rule("", &["a"]), rule("", &["b"])),
            [r#"{APIGroups:[""], Resources:["secrets"], ResourceNames:["b"], Verbs:["get"]}"#]
        );
        assert_eq!(lacks(rule("", &["a"]), rule("", &[])).len(), 1);
        assert_eq!(lacks(rule("apps", &[]), rule("", &[])).len(), 1);
        assert!(lacks(rule("*", &[]), rule("apps", &[])).is_empty());
    }

    #[test]
    fn paths_are_covered_by_what_they_begin_with() {
        let rule = |path: &str| json!({"verbs": ["get"], "nonResourceURLs": [path]});
        assert!(lacks(rule("/metrics*"), rule("/metrics/cadvisor")).is_empty());
        assert!(lacks(rule("*"), rule("/logs")).is_empty());
        assert_eq!(
            lacks(rule("/metrics"), rule("/metrics/cadvisor")),
            [r#"{NonResourceURLs:["/metrics/cadvisor"], Verbs:["get"]}"#]
        );
        let everything = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
        assert_eq!(lacks(everything, rule("/logs")).len(), 1);
    }
}
