//! Deletion: preconditions, grace, finalizers, owners and namespaces.

use crate::target::{config_map, embedded_only, pod, target};
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn api_12_a_wrong_uid_protects_and_a_pod_gets_its_grace() {
    let Some(target) = embedded_only("API-12 (no node here takes the pod away)").await else {
        return;
    };
    let made = target.create("pods", pod("a", json!({}))).await;
    assert_eq!(made["spec"]["nodeName"], "node-1");
    let wrong = json!({"preconditions": {"uid": "other"}});
    assert_eq!(
        target.ask("DELETE", "pods/a", wrong).await.reason(),
        (409, "Conflict")
    );
    let dying = target.ask("DELETE", "pods/a", Value::Null).await;
    assert_eq!(
        (
            dying.code,
            &dying.body["metadata"]["deletionGracePeriodSeconds"]
        ),
        (200, &json!(30))
    );
    assert_eq!(dying.body["metadata"]["generation"], 2);
    assert_eq!(target.get("pods/a").await.code, 200);
    let gone = target
        .ask("DELETE", "pods/a", json!({"gracePeriodSeconds": 0}))
        .await;
    assert_eq!((gone.code, target.get("pods/a").await.code), (200, 404));
}

#[tokio::test(start_paused = true)]
async fn api_13_the_last_finalizer_ends_an_object() {
    let target = target().await;
    let mut body = config_map("a", "x");
    body["metadata"]["finalizers"] = json!(["brownout.test/hold"]);
    target.create("configmaps", body).await;
    let held = target.ask("DELETE", "configmaps/a", Value::Null).await;
    assert!(held.body["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(target.get("configmaps/a").await.code, 200);
    let released = target
        .merge("configmaps/a", json!({"metadata": {"finalizers": null}}))
        .await;
    assert_eq!(
        (released.code, target.get("configmaps/a").await.code),
        (200, 404)
    );
}

#[tokio::test(start_paused = true)]
async fn api_14_orphans_forget_their_owner() {
    let Some(target) = embedded_only("API-14 (the part without controllers)").await else {
        return;
    };
    let owner = target.create("configmaps", config_map("owner", "x")).await;
    let mut child = config_map("child", "x");
    child["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}]);
    target.create("configmaps", child).await;
    target
        .ask(
            "DELETE",
            "configmaps/owner",
            json!({"propagationPolicy": "Orphan"}),
        )
        .await;
    let child = target.get("configmaps/child").await;
    assert_eq!(
        (child.code, child.body["metadata"].get("ownerReferences")),
        (200, None)
    );
}

#[tokio::test(start_paused = true)]
async fn api_14_a_namespace_terminates_until_its_finalizer_goes() {
    let Some(target) = embedded_only("API-14 (the part without controllers)").await else {
        return;
    };
    let name = target.namespace.clone();
    let path = format!("/api/v1/namespaces/{name}");
    let dying = target.ask("DELETE", &path, Value::Null).await;
    assert_eq!(
        (
            &dying.body["status"]["phase"],
            &dying.body["spec"]["finalizers"]
        ),
        (&json!("Terminating"), &json!(["kubernetes"]))
    );
    let refused = target.ask("POST", "configmaps", config_map("a", "x")).await;
    assert_eq!(refused.reason(), (403, "Forbidden"));
    let mut body = dying.body;
    body["spec"]["finalizers"] = json!([]);
    assert_eq!(
        target
            .ask("PUT", &format!("{path}/finalize"), body)
            .await
            .code,
        200
    );
    assert_eq!(target.get(&path).await.code, 404);
}
