//! Objects: created, read, replaced, scaled, selected.

use crate::target::{config_map, deployment, embedded_only, pod, target};
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn api_1_what_is_left_open_is_filled_in() {
    let target = target().await;
    let made = target.create("apps/deployments", deployment("web")).await;
    let container = &made["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        container["resources"],
        json!({"limits": {"cpu": "500m", "memory": "1Gi"}})
    );
    assert_eq!(container["imagePullPolicy"], "IfNotPresent");
    assert_eq!(container["ports"][0]["protocol"], "TCP");
    assert_eq!(made["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
    assert_eq!(made["metadata"]["generation"], 1);
    let read = target.get("apps/deployments/web").await.body;
    assert_eq!(read["spec"], made["spec"]);
    let list = target.get("apps/deployments").await.body;
    assert_eq!(
        (&list["kind"], &list["items"][0]["metadata"]["name"]),
        (&json!("DeploymentList"), &json!("web"))
    );
}

#[tokio::test(start_paused = true)]
async fn api_1_a_service_has_an_address_and_its_ports_lead_somewhere() {
    let target = target().await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "room"}, "spec": {"ports": [{"port": 8080}]}});
    let made = target.create("services", service.clone()).await;
    assert_eq!(
        made["spec"]["clusterIPs"],
        json!([made["spec"]["clusterIP"]])
    );
    assert_eq!(
        made["spec"]["ports"],
        json!([{"port": 8080, "protocol": "TCP", "targetPort": 8080}])
    );
    assert_eq!(made["metadata"].get("generation"), None);
    let replaced = target.ask("PUT", "services/room", service).await;
    assert_eq!(
        replaced.body["spec"]["clusterIP"],
        made["spec"]["clusterIP"]
    );
}

#[tokio::test(start_paused = true)]
async fn services_take_free_addresses_and_give_them_back() {
    let Some(target) = embedded_only("service addresses").await else {
        return;
    };
    let service =
        |name: &str| json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}});
    let mut addresses = vec![];
    for name in ["a", "b"] {
        addresses.push(target.create("services", service(name)).await["spec"]["clusterIP"].clone());
    }
    assert_eq!(addresses, ["127.2.0.1", "127.2.0.2"]);
    target.ask("DELETE", "services/a", Value::Null).await;
    assert_eq!(
        target.create("services", service("c")).await["spec"]["clusterIP"],
        "127.2.0.1"
    );
}

#[tokio::test(start_paused = true)]
async fn api_2_unknown_fields_are_refused_together_or_warned_of() {
    let target = target().await;
    let mut body = deployment("web");
    body["spec"]["replica"] = json!(1);
    body["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] =
        json!({"tcpSocket": {"port": 80}, "succesThreshold": 1});
    let refused = target
        .ask(
            "POST",
            "apps/deployments?fieldValidation=Strict",
            body.clone(),
        )
        .await;
    assert_eq!(refused.reason(), (400, "BadRequest"));
    assert_eq!(
        refused.message(),
        "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \"spec.template.spec.containers[0].livenessProbe.succesThreshold\", unknown field \"spec.replica\""
    );
    let warned = target.ask("POST", "apps/deployments", body).await;
    assert_eq!((warned.code, warned.warnings.len()), (201, 2));
    assert_eq!(
        warned.warnings[1],
        "299 - \"unknown field \\\"spec.replica\\\"\""
    );
}

#[tokio::test(start_paused = true)]
async fn api_2_wrong_types_and_unknown_kinds_are_refused() {
    let target = target().await;
    let mut body = deployment("web");
    body["spec"]["replicas"] = json!("two");
    assert_eq!(
        target.ask("POST", "apps/deployments", body).await.reason(),
        (400, "BadRequest")
    );
    let number = json!({"metadata": {"name": "a"}, "data": {"n": 1}});
    assert_eq!(
        target.ask("POST", "configmaps", number).await.reason(),
        (400, "BadRequest")
    );
    assert_eq!(target.get("gadgets").await.reason(), (404, "NotFound"));
}

#[tokio::test(start_paused = true)]
async fn api_2_everything_wrong_is_told_at_once_with_causes() {
    let target = target().await;
    let mut body = deployment("web");
    let container = &mut body["spec"]["template"]["spec"]["containers"][0];
    container["livenessProbe"] = json!({"tcpSocket": {"port": 80}, "successThreshold": 2});
    container["volumeMounts"] = json!([{"name": "nope", "mountPath": "/x"}]);
    let refused = target.ask("POST", "apps/deployments", body).await;
    assert_eq!(refused.reason(), (422, "Invalid"));
    let details = &refused.body["details"];
    assert_eq!(
        (&details["kind"], &details["group"]),
        (&json!("Deployment"), &json!("apps"))
    );
    let fields: Vec<_> = details["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["field"].as_str().unwrap())
        .collect();
    let at = "spec.template.spec.containers[0]";
    assert!(
        fields.contains(&format!("{at}.livenessProbe.successThreshold").as_str()),
        "{fields:?}"
    );
    assert!(
        fields.contains(&format!("{at}.volumeMounts[0].name").as_str()),
        "{fields:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn api_3_what_is_there_or_is_not_is_said() {
    let target = target().await;
    target.create("configmaps", config_map("a", "x")).await;
    let again = target.ask("POST", "configmaps", config_map("a", "x")).await;
    assert_eq!(again.reason(), (409, "AlreadyExists"));
    assert_eq!(again.message(), "configmaps \"a\" already exists");
    let missing = target.get("apps/deployments/web").await;
    assert_eq!(missing.reason(), (404, "NotFound"));
    assert_eq!(missing.message(), "deployments.apps \"web\" not found");
    assert_eq!(
        missing.body["details"],
        json!({"name": "web", "group": "apps", "kind": "deployments"})
    );
    let nowhere = target
        .ask(
            "POST",
            "/api/v1/namespaces/nowhere/configmaps",
            config_map("a", "x"),
        )
        .await;
    assert_eq!(
        (nowhere.code, nowhere.message()),
        (404, "namespaces \"nowhere\" not found")
    );
}

#[tokio::test(start_paused = true)]
async fn api_4_an_old_version_loses() {
    let target = target().await;
    let mut body = target.create("configmaps", config_map("a", "x")).await;
    body["data"]["text"] = json!("y");
    assert_eq!(
        target.ask("PUT", "configmaps/a", body.clone()).await.code,
        200
    );
    body["data"]["text"] = json!("z");
    let stale = target.ask("PUT", "configmaps/a", body).await;
    assert_eq!(stale.reason(), (409, "Conflict"));
    assert_eq!(
        stale.message(),
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
    assert_eq!(
        target
            .ask("PUT", "configmaps/a", config_map("a", "z"))
            .await
            .code,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn api_5_a_write_that_changes_nothing_changes_no_version() {
    let target = target().await;
    // A kind that no controller of a real cluster writes at the same time.
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}});
    target.create("services", service).await;
    let before = target.get("services/web").await;
    let put = target.ask("PUT", "services/web", before.body.clone()).await;
    let patch = json!({"spec": {"ports": [{"port": 80}], "sessionAffinity": "None"}});
    let patched = target.merge("services/web", patch).await;
    assert_eq!(
        (put.version(), patched.version()),
        (before.version(), before.version())
    );
}

#[tokio::test(start_paused = true)]
async fn api_6_generation_counts_specifications_and_status_keeps_apart() {
    let target = target().await;
    target.create("apps/deployments", deployment("web")).await;
    let labelled = target
        .merge(
            "apps/deployments/web",
            json!({"metadata": {"labels": {"a": "b"}}}),
        )
        .await;
    assert_eq!(labelled.body["metadata"]["generation"], 1);
    let scaled = target
        .merge(
            "apps/deployments/web",
            json!({"spec": {"replicas": 3}, "status": {"replicas": 9}}),
        )
        .await;
    assert_eq!(scaled.body["metadata"]["generation"], 2);
    assert_eq!(scaled.body["status"]["replicas"], Value::Null);
    let status = json!({"spec": {"replicas": 7}, "status": {"replicas": 3}});
    let status = target.merge("apps/deployments/web/status", status).await;
    assert_eq!(
        (
            &status.body["spec"]["replicas"],
            &status.body["status"]["replicas"]
        ),
        (&json!(3), &json!(3))
    );
    assert_eq!(status.body["metadata"]["generation"], 2);
}

#[tokio::test(start_paused = true)]
async fn api_15_scale_is_a_view_of_replicas() {
    let target = target().await;
    target.create("apps/deployments", deployment("web")).await;
    let scale = target.get("apps/deployments/web/scale").await.body;
    assert_eq!(
        (&scale["spec"]["replicas"], &scale["status"]["selector"]),
        (&json!(2), &json!("app=web"))
    );
    let scaled = target
        .merge(
            "apps/deployments/web/scale",
            json!({"spec": {"replicas": 5}}),
        )
        .await;
    assert_eq!(
        (scaled.code, &scaled.body["spec"]["replicas"]),
        (200, &json!(5))
    );
    let read = target.get("apps/deployments/web").await.body;
    assert_eq!(
        (&read["spec"]["replicas"], &read["metadata"]["generation"]),
        (&json!(5), &json!(2))
    );
    let negative = target
        .merge(
            "apps/deployments/web/scale",
            json!({"spec": {"replicas": -1}}),
        )
        .await;
    assert_eq!(negative.reason(), (422, "Invalid"));
}

#[tokio::test(start_paused = true)]
async fn api_15_eviction_deletes_and_a_dry_run_does_not() {
    let target = target().await;
    let eviction = |name: &str| json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
    assert_eq!(
        target
            .ask("POST", "pods/none/eviction", eviction("none"))
            .await
            .reason(),
        (404, "NotFound")
    );
    let dry = target
        .ask("POST", "configmaps?dryRun=All", config_map("dry", "x"))
        .await;
    assert_eq!(
        (dry.code, target.get("configmaps/dry").await.code),
        (201, 404)
    );
    target.create("configmaps", config_map("a", "x")).await;
    let dry = target
        .merge("configmaps/a?dryRun=All", json!({"data": {"text": "y"}}))
        .await;
    assert_eq!(dry.body["data"]["text"], "y");
    target
        .ask("DELETE", "configmaps/a?dryRun=All", Value::Null)
        .await;
    assert_eq!(target.get("configmaps/a").await.body["data"]["text"], "x");
    let Some(target) = embedded_only("API-15, eviction of a pod").await else {
        return;
    };
    target.create("pods", pod("a", json!({}))).await;
    assert_eq!(
        target
            .ask("POST", "pods/a/eviction", eviction("a"))
            .await
            .code,
        201
    );
    assert!(target.get("pods/a").await.body["metadata"]["deletionTimestamp"].is_string());
}

#[tokio::test(start_paused = true)]
async fn api_16_selectors_choose_by_field_and_by_set() {
    let target = target().await;
    for (name, tier) in [("a", "front"), ("b", "back"), ("c", "cache")] {
        let mut body = config_map(name, "x");
        body["metadata"]["labels"] = json!({"tier": tier});
        target.create("configmaps", body).await;
    }
    let names = async |query: &str| {
        let list = target.get(&format!("configmaps?{query}")).await.body;
        let items = list["items"].as_array().unwrap().iter();
        let names = items.map(|i| i["metadata"]["name"].as_str().unwrap().to_string());
        names
            .filter(|n| n != "kube-root-ca.crt")
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(names("fieldSelector=metadata.name%3Db").await, "b");
    assert_eq!(names("labelSelector=tier+in+(front,cache)").await, "a c");
    assert_eq!(names("labelSelector=tier+notin+(front),tier").await, "b c");
    assert_eq!(names("labelSelector=!tier").await, "");
    assert_eq!(
        target
            .get("pods?fieldSelector=spec.color%3Dred")
            .await
            .reason(),
        (400, "BadRequest")
    );
}

#[tokio::test(start_paused = true)]
async fn names_are_made_and_checked() {
    let target = target().await;
    let body =
        |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
    let made = target
        .create("configmaps", body(json!({"generateName": "run-"})))
        .await;
    assert_eq!(made["metadata"]["name"].as_str().map(str::len), Some(9));
    let bad = target
        .ask("POST", "configmaps", body(json!({"name": "No_Good"})))
        .await;
    assert_eq!(bad.reason(), (422, "Invalid"));
    let none = target.ask("POST", "configmaps", body(json!({}))).await;
    assert_eq!(
        none.message(),
        "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required"
    );
}
