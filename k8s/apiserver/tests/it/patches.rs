//! Patches of all four kinds, and what a three-way merge of kubectl makes of them.

use crate::target::{Answer, Target, deployment, target};
use serde_json::{Value, json};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

const WEB: &str = "apps/deployments/web";

async fn web(target: &Target) {
    target.create("apps/deployments", deployment("web")).await;
}

fn container(answer: &Answer) -> &Value {
    &answer.body["spec"]["template"]["spec"]["containers"][0]
}

fn template(containers: Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

/// One patch after the other on one Deployment: type, patch, and what a path then shows.
#[tokio::test(start_paused = true)]
async fn api_7_patches_on_a_deployment() {
    let target = target().await;
    web(&target).await;
    let c = |fields: Value| {
        let mut container = json!({"name": "c"});
        container
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        template(json!([container]))
    };
    let at = "/spec/template/spec/containers/0";
    let steps: Vec<(&str, Value, String, Value)> = vec![
        (
            STRATEGIC,
            c(json!({"image": "app:2"})),
            format!("{at}/image"),
            json!("app:2"),
        ),
        (
            STRATEGIC,
            c(json!({"env": [{"name": "B", "value": "2"}]})),
            format!("{at}/env"),
            json!([{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
        ),
        (
            STRATEGIC,
            c(json!({"env": [{"$patch": "delete", "name": "A"}]})),
            format!("{at}/env"),
            json!([{"name": "B", "value": "2"}]),
        ),
        (
            STRATEGIC,
            c(
                json!({"env": [{"name": "C", "value": "3"}], "$setElementOrder/env": [{"name": "C"}, {"name": "B"}]}),
            ),
            format!("{at}/env/0/name"),
            json!("C"),
        ),
        (
            STRATEGIC,
            c(json!({"ports": [{"containerPort": 81, "protocol": "TCP"}]})),
            format!("{at}/ports/0/containerPort"),
            json!(81),
        ),
        (
            STRATEGIC,
            c(json!({"ports": [{"$patch": "replace"}, {"containerPort": 82}]})),
            format!("{at}/ports"),
            json!([{"containerPort": 82, "protocol": "TCP"}]),
        ),
        (
            STRATEGIC,
            c(json!({"args": ["a", "b"]})),
            format!("{at}/args"),
            json!(["a", "b"]),
        ),
        (
            STRATEGIC,
            c(json!({"args": ["c"]})),
            format!("{at}/args"),
            json!(["c"]),
        ),
        (
            STRATEGIC,
            c(json!({"resources": {"limits": {"cpu": "1500m"}}})),
            format!("{at}/resources/limits"),
            json!({"cpu": "1500m", "memory": "1Gi"}),
        ),
        (
            STRATEGIC,
            c(json!({"resources": {"limits": null}})),
            format!("{at}/resources"),
            json!({}),
        ),
        (
            STRATEGIC,
            template(json!([{"name": "side", "image": "side:1"}])),
            "/spec/template/spec/containers/0/name".into(),
            json!("side"),
        ),
        (
            STRATEGIC,
            template(json!([{"$patch": "delete", "name": "side"}])),
            "/spec/template/spec/containers/1".into(),
            Value::Null,
        ),
        (
            STRATEGIC,
            json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
            "/spec/strategy".into(),
            json!({"type": "Recreate"}),
        ),
        (
            STRATEGIC,
            json!({"spec": {"strategy": {"$patch": "replace", "type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}}),
            "/spec/strategy/rollingUpdate/maxSurge".into(),
            json!(1),
        ),
        (
            STRATEGIC,
            json!({"metadata": {"labels": {"team": "red"}}}),
            "/metadata/labels/team".into(),
            json!("red"),
        ),
        (
            STRATEGIC,
            json!({"metadata": {"labels": {"team": null}}}),
            "/metadata/labels".into(),
            Value::Null,
        ),
        (
            STRATEGIC,
            json!({"spec": {"template": {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}}}),
            "/spec/template/spec/volumes/0/name".into(),
            json!("v"),
        ),
        (
            MERGE,
            json!({"spec": {"replicas": 4}}),
            "/spec/replicas".into(),
            json!(4),
        ),
        (
            MERGE,
            json!({"spec": {"template": {"spec": {"volumes": null}}}}),
            "/spec/template/spec/volumes".into(),
            Value::Null,
        ),
        (
            MERGE,
            json!({"metadata": {"annotations": {"note": "x"}}}),
            "/metadata/annotations/note".into(),
            json!("x"),
        ),
        (
            JSON,
            json!([{"op": "replace", "path": "/spec/replicas", "value": 5}]),
            "/spec/replicas".into(),
            json!(5),
        ),
        (
            JSON,
            json!([{"op": "add", "path": "/metadata/annotations/more", "value": "y"}]),
            "/metadata/annotations/more".into(),
            json!("y"),
        ),
        (
            JSON,
            json!([{"op": "test", "path": "/spec/replicas", "value": 5}, {"op": "remove", "path": "/metadata/annotations/more"}]),
            "/metadata/annotations/more".into(),
            Value::Null,
        ),
    ];
    for (media_type, patch, path, expected) in steps {
        let answer = target.ask_as("PATCH", WEB, media_type, patch.clone()).await;
        assert_eq!(answer.code, 200, "{patch}: {answer:?}");
        let shown = answer.body.pointer(&path).cloned().unwrap_or_default();
        assert_eq!(shown, expected, "{patch} at {path}");
    }
    let failing = json!([{"op": "test", "path": "/spec/replicas", "value": 9}]);
    assert_eq!(
        target.ask_as("PATCH", WEB, JSON, failing).await.reason(),
        (422, "Invalid")
    );
    assert_eq!(
        target
            .ask_as("PATCH", WEB, "text/plain", json!({}))
            .await
            .reason(),
        (415, "UnsupportedMediaType")
    );
}

#[tokio::test(start_paused = true)]
async fn api_7_service_ports_are_merged_by_number() {
    let target = target().await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"name": "a", "port": 80}]}});
    target.create("services", service).await;
    let patch = json!({"spec": {"ports": [{"name": "b", "port": 81}]}});
    let both = target
        .ask_as("PATCH", "services/web", STRATEGIC, patch)
        .await;
    assert_eq!(both.body["spec"]["ports"].as_array().unwrap().len(), 2);
    let patch = json!({"spec": {"ports": [{"port": 81, "$patch": "delete"}]}});
    let one = target
        .ask_as("PATCH", "services/web", STRATEGIC, patch)
        .await;
    assert_eq!(one.body["spec"]["ports"][0]["name"], "a");
}

impl Target {
    async fn apply(&self, manager: &str, options: &str, spec: Value) -> Answer {
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec});
        self.ask_as(
            "PATCH",
            &format!("{WEB}?fieldManager={manager}{options}"),
            APPLY,
            body,
        )
        .await
    }
}

fn whole(containers: Value) -> Value {
    json!({"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}})
}

#[tokio::test(start_paused = true)]
async fn api_8_apply_creates_changes_and_takes_away() {
    let target = target().await;
    let both = whole(
        json!([{"name": "a", "image": "a:1", "resources": {"limits": {"cpu": "0.5"}}}, {"name": "b", "image": "b:1"}]),
    );
    let made = target.apply("one", "", both.clone()).await;
    assert_eq!(
        (made.code, &made.body["spec"]["replicas"]),
        (201, &json!(1))
    );
    let again = target.apply("one", "", both).await;
    assert_eq!((again.code, again.version()), (200, made.version()));
    let fewer = target
        .apply("one", "", whole(json!([{"name": "a", "image": "a:1"}])))
        .await;
    let containers = fewer.body["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap();
    assert_eq!(
        (containers.len(), &containers[0]["resources"]),
        (1, &json!({}))
    );
    assert_eq!(fewer.body["metadata"]["managedFields"][0]["manager"], "one");
}

#[tokio::test(start_paused = true)]
async fn api_8_managers_share_conflict_and_give_up() {
    let target = target().await;
    target
        .apply("one", "", whole(json!([{"name": "a", "image": "a:1"}])))
        .await;
    let refused = target
        .apply(
            "two",
            "",
            json!({"template": {"spec": {"containers": [{"name": "a", "image": "a:2"}]}}}),
        )
        .await;
    assert_eq!(refused.reason(), (409, "Conflict"));
    let cause = &refused.body["details"]["causes"][0];
    assert_eq!(cause["reason"], "FieldManagerConflict");
    assert_eq!(
        cause["field"],
        ".spec.template.spec.containers[name=\"a\"].image"
    );
    let forced = target.apply("two", "&force=true", json!({"replicas": 3, "template": {"spec": {"containers": [{"name": "a", "image": "a:2"}]}}})).await;
    assert_eq!(container(&forced)["image"], "a:2");
    let given_up = target
        .apply(
            "two",
            "",
            json!({"template": {"spec": {"containers": [{"name": "a", "image": "a:2"}]}}}),
        )
        .await;
    assert_eq!(given_up.body["spec"]["replicas"], 1);
    let nobody = target
        .ask_as(
            "PATCH",
            WEB,
            APPLY,
            json!({"apiVersion": "apps/v1", "kind": "Deployment"}),
        )
        .await;
    assert_eq!(nobody.reason(), (422, "Invalid"));
}

/// What kubectl sends after someone else has edited: only the difference between its last manifest and the new one.
#[tokio::test(start_paused = true)]
async fn api_9_foreign_edits_survive_a_client_side_apply() {
    let target = target().await;
    web(&target).await;
    target
        .merge(
            WEB,
            json!({"metadata": {"labels": {"foreign": "yes"}}, "spec": {"replicas": 7}}),
        )
        .await;
    let difference = template(json!([{"name": "c", "image": "app:2"}]));
    let applied = target.ask_as("PATCH", WEB, STRATEGIC, difference).await;
    assert_eq!(container(&applied)["image"], "app:2");
    assert_eq!(
        (
            &applied.body["spec"]["replicas"],
            &applied.body["metadata"]["labels"]["foreign"]
        ),
        (&json!(7), &json!("yes"))
    );
}
