//! Who a request is from, and in whose name it is made.

use crate::robot::{PODS, ROBOT, server};
use apiserver::Door;
use serde_json::{Value, json};

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
async fn paths_that_are_no_resources_are_given_by_rules_too() {
    let server = server().await;
    let may = async |user: &str, path: &str| {
        let can = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let asked = json!({"spec": {"nonResourceAttributes": {"verb": "get", "path": path}}});
        let (_, answer) = server
            .ask(&[("impersonate-user", user)], "POST", can, asked)
            .await;
        answer["status"]["allowed"] == true
    };
    assert!(may("ann", "/apis/apps/v1").await && may("ann", "/version").await);
    assert!(!may("ann", "/metrics").await && !may(ROBOT, "/metrics/slis").await);
    let paths = json!([{"verbs": ["get"], "nonResourceURLs": ["/metrics/*"]}]);
    server.give("measurer", paths, true).await;
    assert!(may(ROBOT, "/metrics/slis").await && !may(ROBOT, "/logs").await);
    let nobody = [("impersonate-user", "system:anonymous")];
    let refused = server.told(&nobody, "GET", "/apis", Value::Null).await;
    let said = "forbidden: User \"system:anonymous\" cannot get path \"/apis\"";
    assert_eq!(refused, (403, said.into()));
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
