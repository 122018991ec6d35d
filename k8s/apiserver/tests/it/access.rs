//! Who a request is from, in whose name it is made, and what it may give to others.

use apiserver::{ApiServer, Config, Door};
use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// A server with a namespace `shop` and, in it, an account `robot`.
struct Server {
    server: ApiServer,
    token: String,
}

async fn server() -> Server {
    let mut server = Server {
        server: ApiServer::new(Config::default()),
        token: String::new(),
    };
    let namespace = json!({"metadata": {"name": "shop"}});
    server.made("/api/v1/namespaces", namespace).await;
    let accounts = "/api/v1/namespaces/shop/serviceaccounts";
    server
        .made(accounts, json!({"metadata": {"name": "robot"}}))
        .await;
    let (_, issued) = server
        .ask(
            &[],
            "POST",
            &format!("{accounts}/robot/token"),
            json!({"spec": {}}),
        )
        .await;
    server.token = issued["status"]["token"].as_str().unwrap().into();
    server
}

impl Server {
    async fn ask(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let mut request = Request::builder()
            .uri(path)
            .method(Method::try_from(method).unwrap());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = request.header("content-type", kind);
        let body = match body {
            Value::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        let answer = self.server.router().oneshot(request.body(body).unwrap());
        let answer = answer.await.unwrap();
        let code = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// As an administrator.
    async fn made(&self, path: &str, body: Value) {
        let (code, answer) = self.ask(&[], "POST", path, body).await;
        assert_eq!(code, 201, "{answer}");
    }

    /// By the account, shown by its token: the answer's code and message.
    async fn robot(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let token = format!("Bearer {}", self.token);
        self.told(&[("authorization", &token)], method, path, body)
            .await
    }

    async fn told(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Value,
    ) -> (u16, String) {
        let (code, answer) = self.ask(headers, method, path, body).await;
        (code, answer["message"].as_str().unwrap_or("").to_owned())
    }

    /// Gives the account rules, in `shop` or everywhere.
    async fn give(&self, name: &str, rules: Value, everywhere: bool) {
        let subjects = json!([{"kind": "ServiceAccount", "name": "robot", "namespace": "shop"}]);
        let group = "rbac.authorization.k8s.io";
        let role = json!({"metadata": {"name": name}, "rules": rules});
        self.made(&format!("{RBAC}/clusterroles"), role).await;
        let binding = json!({"metadata": {"name": name}, "subjects": subjects,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name}});
        let place = match everywhere {
            true => format!("{RBAC}/clusterrolebindings"),
            false => format!("{RBAC}/namespaces/shop/rolebindings"),
        };
        self.made(&place, binding).await;
    }
}

const PODS: &str = "/api/v1/namespaces/shop/pods";
const ROBOT: &str = "system:serviceaccount:shop:robot";

fn cannot_list(user: &str) -> String {
    format!(
        "pods is forbidden: User \"{user}\" cannot list resource \"pods\" in API group \"\" in the namespace \"shop\""
    )
}

#[tokio::test]
async fn a_token_says_who_asks_also_where_none_is_needed() {
    let server = server().await;
    let listed = server.told(&[], "GET", PODS, Value::Null).await;
    assert_eq!(listed.0, 200);
    let refused = server.robot("GET", PODS, Value::Null).await;
    assert_eq!(refused, (403, cannot_list(ROBOT)));
    for shown in ["Bearer nobody", "bearer", "Bearer ", "Basic YTpi"] {
        let path = ["/api", PODS, "/version"];
        for path in path {
            let refused = server
                .told(&[("authorization", shown)], "GET", path, Value::Null)
                .await;
            assert_eq!(refused, (401, "Unauthorized".into()), "{shown} {path}");
        }
    }
    let pods = json!([{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}]);
    server.give("reader", pods, false).await;
    assert_eq!(server.robot("GET", PODS, Value::Null).await.0, 200);
}

#[tokio::test]
async fn an_administrator_acts_as_anyone_and_then_may_what_they_may() {
    let server = server().await;
    let ann = [("impersonate-user", "ann")];
    let refused = server.told(&ann, "GET", PODS, Value::Null).await;
    assert_eq!(refused, (403, cannot_list("ann")));
    let robot = [("impersonate-user", ROBOT)];
    let refused = server.told(&robot, "GET", PODS, Value::Null).await;
    assert_eq!(refused, (403, cannot_list(ROBOT)));
    let master = [
        ("impersonate-user", "ann"),
        ("impersonate-group", "system:masters"),
    ];
    assert_eq!(server.told(&master, "GET", PODS, Value::Null).await.0, 200);
    let who = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let (_, answer) = server.ask(&robot, "POST", who, json!({})).await;
    assert_eq!(
        answer["status"]["userInfo"],
        json!({"username": ROBOT, "groups": ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"]})
    );
    let pods = json!([{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}]);
    server.give("reader", pods, false).await;
    assert_eq!(server.told(&robot, "GET", PODS, Value::Null).await.0, 200);
    let can = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let asked = json!({"spec": {"resourceAttributes": {"verb": "delete", "resource": "pods", "namespace": "shop"}}});
    let (_, answer) = server.ask(&robot, "POST", can, asked).await;
    assert_eq!(answer["status"]["allowed"], false);
}

#[tokio::test]
async fn groups_without_a_user_are_refused() {
    let server = server().await;
    let group = [("impersonate-group", "dev")];
    let (code, message) = server.told(&group, "GET", PODS, Value::Null).await;
    let said = format!(
        "Internal Server Error: \"{PODS}\": requested [{{Group  dev    }}] without impersonating a user"
    );
    assert_eq!((code, message), (500, said));
}

#[tokio::test]
async fn others_need_the_right_to_every_part_of_the_name() {
    let server = server().await;
    let token = format!("Bearer {}", server.token);
    let shown = ("authorization", &*token);
    let cannot = |what: &str, resource: &str, group: &str, place: &str| {
        format!(
            "{what} is forbidden: User \"{ROBOT}\" cannot impersonate resource \"{resource}\" in API group \"{group}\" {place}"
        )
    };
    let everywhere = "at the cluster scope";
    let (extra, uid) = ("impersonate-extra-scopes", "impersonate-uid");
    let identity = "authentication.k8s.io";
    let user = |name| ("impersonate-user", name);
    let refused = server
        .told(&[shown, user("ann")], "GET", PODS, Value::Null)
        .await;
    assert_eq!(
        refused,
        (403, cannot("users \"ann\"", "users", "", everywhere))
    );
    let account = "system:serviceaccount:shop:other";
    let refused = server
        .told(&[shown, user(account)], "GET", PODS, Value::Null)
        .await;
    let said = cannot(
        "serviceaccounts \"other\"",
        "serviceaccounts",
        "",
        "in the namespace \"shop\"",
    );
    assert_eq!(refused, (403, said));
    let ann = json!([{"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["ann"]}]);
    server.give("as-ann", ann, true).await;
    let refused = server
        .told(&[shown, user("ann")], "GET", PODS, Value::Null)
        .await;
    assert_eq!(refused, (403, cannot_list("ann")));
    let refused = server
        .told(&[shown, user("bob")], "GET", PODS, Value::Null)
        .await;
    assert_eq!(
        refused,
        (403, cannot("users \"bob\"", "users", "", everywhere))
    );
    let cases = [
        (
            ("impersonate-group", "system:masters"),
            "groups \"system:masters\"",
            "groups",
            "",
        ),
        (
            (extra, "view"),
            "userextras.authentication.k8s.io \"view\"",
            "userextras/scopes",
            identity,
        ),
        (
            (uid, "7"),
            "uids.authentication.k8s.io \"7\"",
            "uids",
            identity,
        ),
    ];
    for (header, what, resource, group) in cases {
        let refused = server
            .told(&[shown, user("ann"), header], "GET", PODS, Value::Null)
            .await;
        assert_eq!(refused, (403, cannot(what, resource, group, everywhere)));
    }
}

#[tokio::test]
async fn the_address_of_the_kubeconfig_hears_a_token_too() {
    let server = server().await;
    let door: Door = server.server.listen().await.unwrap();
    let get = async |token: Option<&str>| {
        let mut config = kube::Config::new(door.url().parse().unwrap());
        config.auth_info.token = token.map(|token| token.to_owned().into());
        let client = kube::Client::try_from(config).unwrap();
        let pods: kube::Api<k8s_openapi::api::core::v1::Pod> =
            kube::Api::namespaced(client, "shop");
        match pods.list(&Default::default()).await {
            Ok(_) => 200,
            Err(kube::Error::Api(refusal)) => refusal.code,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(get(None).await, 200);
    assert_eq!(get(Some(&server.token)).await, 403);
    assert_eq!(get(Some("nobody")).await, 401);
}

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
