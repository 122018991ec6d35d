//! What whoever writes roles and bindings may give to others.

use crate::robot::{PODS, RBAC, ROBOT, server};
use serde_json::{Value, json};

fn role(name: &str, rules: Value) -> Value {
    json!({"metadata": {"name": name}, "rules": rules})
}

fn binding(name: &str, kind: &str, role: &str) -> Value {
    json!({"metadata": {"name": name}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [{"kind": "User", "name": "ann", "apiGroup": "rbac.authorization.k8s.io"}]})
}

fn pods(verbs: &[&str]) -> Value {
    json!([{"verbs": verbs, "apiGroups": [""], "resources": ["pods"]}])
}

/// Rights to write roles and bindings, and to read pods.
fn manager() -> Value {
    json!([{"verbs": ["create", "update", "patch"], "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["roles", "rolebindings", "clusterroles", "clusterrolebindings"]},
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log"]}])
}

const GROUPS: &str = "(groups=[\"system:serviceaccounts\" \"system:serviceaccounts:shop\" \"system:authenticated\"])";

fn beyond(what: &str, lacks: &str) -> (u16, String) {
    let message = format!(
        "{what} is forbidden: user \"{ROBOT}\" {GROUPS} is attempting to grant RBAC permissions not currently held:\n{lacks}"
    );
    (403, message)
}

#[tokio::test]
async fn a_role_gives_no_more_than_its_maker_has() {
    let server = server().await;
    server.give("manager", manager(), false).await;
    let roles = format!("{RBAC}/namespaces/shop/roles");
    let made = server
        .robot("POST", &roles, role("a", pods(&["get"])))
        .await;
    assert_eq!(made.0, 201, "{made:?}");
    let refused = server
        .robot("POST", &roles, role("b", pods(&["get", "delete"])))
        .await;
    let what = "roles.rbac.authorization.k8s.io";
    let lacks = r#"{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}"#;
    assert_eq!(refused, beyond(&format!("{what} \"b\""), lacks));
    let one = format!("{roles}/a");
    let more = json!({"rules": pods(&["*"])});
    let lacks = r#"{APIGroups:[""], Resources:["pods"], Verbs:["*"]}"#;
    let refused = server.robot("PATCH", &one, more.clone()).await;
    assert_eq!(refused, beyond(&format!("{what} \"a\""), lacks));
    let refused = server.robot("PUT", &one, role("a", pods(&["*"]))).await;
    assert_eq!(refused, beyond(&format!("{what} \"a\""), lacks));
    server.ask(&[], "PATCH", &one, more).await;
    let held_back = json!({"metadata": {"finalizers": ["example.com/wait"]}});
    let kept = server.robot("PATCH", &one, held_back).await;
    assert_eq!(kept.0, 200, "{kept:?}");
    let escalate = json!([{"verbs": ["escalate"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"]}]);
    server.give("escalator", escalate, false).await;
    let made = server.robot("POST", &roles, role("b", pods(&["*"]))).await;
    assert_eq!(made.0, 201, "{made:?}");
}

#[tokio::test]
async fn a_binding_gives_no_more_than_its_maker_has() {
    let server = server().await;
    server.give("manager", manager(), false).await;
    let bindings = format!("{RBAC}/namespaces/shop/rolebindings");
    server
        .made(&format!("{RBAC}/clusterroles"), role("all", pods(&["*"])))
        .await;
    server
        .made(
            &format!("{RBAC}/clusterroles"),
            role("some", pods(&["get"])),
        )
        .await;
    let bound = server
        .robot("POST", &bindings, binding("x", "ClusterRole", "some"))
        .await;
    assert_eq!(bound.0, 201, "{bound:?}");
    let lacks = r#"{APIGroups:[""], Resources:["pods"], Verbs:["*"]}"#;
    let refused = server
        .robot("POST", &bindings, binding("y", "ClusterRole", "all"))
        .await;
    assert_eq!(
        refused,
        beyond("rolebindings.rbac.authorization.k8s.io \"y\"", lacks)
    );
    let refused = server
        .robot(
            "POST",
            &bindings,
            binding("y", "ClusterRole", "cluster-admin"),
        )
        .await;
    assert_eq!(refused.0, 403);
    let lacks = "{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}";
    assert_eq!(
        refused,
        beyond("rolebindings.rbac.authorization.k8s.io \"y\"", lacks)
    );
    let none = server
        .robot("POST", &bindings, binding("y", "Role", "none"))
        .await;
    let said = "roles.rbac.authorization.k8s.io \"none\" not found";
    assert_eq!(none, (404, said.into()));
    let bind = json!([{"verbs": ["bind"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "resourceNames": ["all"]}]);
    server.give("binder", bind, false).await;
    let bound = server
        .robot("POST", &bindings, binding("y", "ClusterRole", "all"))
        .await;
    assert_eq!(bound.0, 201, "{bound:?}");
}

#[tokio::test]
async fn rights_in_a_namespace_are_none_in_the_cluster() {
    let server = server().await;
    server.give("here", manager(), false).await;
    let roles = json!([manager()[0]]);
    server.give("everywhere", roles, true).await;
    let made = server
        .robot(
            "POST",
            &format!("{RBAC}/clusterroles"),
            role("a", pods(&["get"])),
        )
        .await;
    let lacks = r#"{APIGroups:[""], Resources:["pods"], Verbs:["get"]}"#;
    assert_eq!(
        made,
        beyond("clusterroles.rbac.authorization.k8s.io \"a\"", lacks)
    );
    server
        .made(
            &format!("{RBAC}/clusterroles"),
            role("some", pods(&["get"])),
        )
        .await;
    let bound = server
        .robot(
            "POST",
            &format!("{RBAC}/clusterrolebindings"),
            binding("x", "ClusterRole", "some"),
        )
        .await;
    assert_eq!(
        bound,
        beyond("clusterrolebindings.rbac.authorization.k8s.io \"x\"", lacks)
    );
}

#[tokio::test]
async fn a_role_that_gathers_others_is_for_administrators_and_gives_what_it_gathers() {
    let server = server().await;
    server.give("manager", manager(), true).await;
    let roles = format!("{RBAC}/clusterroles");
    let gathering = json!({"metadata": {"name": "g"}, "rules": [],
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "g"}}]}});
    let refused = server.robot("POST", &roles, gathering.clone()).await;
    let said = "clusterroles.rbac.authorization.k8s.io \"g\" is forbidden: must have cluster-admin privileges to use an aggregationRule";
    assert_eq!(refused, (403, said.into()));
    server.made(&roles, gathering).await;
    let mut part = role("part", pods(&["delete"]));
    part["metadata"]["labels"] = json!({"to": "g"});
    server.made(&roles, part).await;
    let bindings = format!("{RBAC}/namespaces/shop/rolebindings");
    let refused = server
        .robot("POST", &bindings, binding("x", "ClusterRole", "g"))
        .await;
    let lacks = r#"{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}"#;
    assert_eq!(
        refused,
        beyond("rolebindings.rbac.authorization.k8s.io \"x\"", lacks)
    );
    server
        .made(&bindings, binding("x", "ClusterRole", "g"))
        .await;
    let ann = [("impersonate-user", "ann")];
    let gone = server
        .told(&ann, "DELETE", &format!("{PODS}/none"), Value::Null)
        .await;
    assert_eq!(gone, (404, "pods \"none\" not found".into()));
}
