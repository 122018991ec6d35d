//! Autoscalers in both versions, and what pods use.

use crate::target::{Target, embedded_only, pod, target};
use apiserver::{Amounts, Measured, Metrics, PodUsage};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

fn v1(target: &Target, name: &str) -> String {
    let namespace = &target.namespace;
    format!("/apis/autoscaling/v1/namespaces/{namespace}/horizontalpodautoscalers{name}")
}

const V2: &str = "autoscaling/horizontalpodautoscalers";

fn scaler(name: &str, more: Value) -> Value {
    let mut spec = json!({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 3});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"metadata": {"name": name}, "spec": spec})
}

fn cpu(percent: u32) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": percent});
    json!({"type": "Resource", "resource": {"name": "cpu", "target": target}})
}

#[tokio::test(start_paused = true)]
async fn an_autoscaler_of_version_1_is_one_of_version_2_and_back() {
    let target = target().await;
    let body = scaler("one", json!({"targetCPUUtilizationPercentage": 15}));
    let made = target.create(&v1(&target, ""), body).await;
    assert_eq!(
        (
            &made["apiVersion"],
            &made["spec"]["targetCPUUtilizationPercentage"]
        ),
        (&json!("autoscaling/v1"), &json!(15))
    );
    let stored = target.get(&format!("{V2}/one")).await.body;
    assert_eq!(
        (&stored["apiVersion"], &stored["spec"]["metrics"]),
        (&json!("autoscaling/v2"), &json!([cpu(15)]))
    );
    let patch = json!({"spec": {"targetCPUUtilizationPercentage": 20, "maxReplicas": 4}});
    let patched = target.merge(&v1(&target, "/one"), patch).await;
    assert_eq!(patched.body["spec"]["maxReplicas"], 4, "{patched:?}");
    let stored = target.get(&format!("{V2}/one")).await.body;
    assert_eq!(stored["spec"]["metrics"], json!([cpu(20)]));
    let list = target.get(&v1(&target, "")).await.body;
    assert_eq!(
        list["items"][0]["spec"]["targetCPUUtilizationPercentage"],
        20
    );
}

#[tokio::test(start_paused = true)]
async fn what_version_1_has_no_field_for_outlives_a_change_made_in_it() {
    let target = target().await;
    let memory = json!({"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "100Mi"}}});
    let more = json!({"metrics": [memory, cpu(50)], "behavior": {"scaleUp": {}}});
    let before = target.create(V2, scaler("two", more)).await;
    let seen = target.get(&v1(&target, "/two")).await.body;
    assert_eq!(seen["spec"]["targetCPUUtilizationPercentage"], 50);
    let changed = json!({"spec": {"maxReplicas": 9}});
    target.merge(&v1(&target, "/two"), changed).await;
    let after = target.get(&format!("{V2}/two")).await.body;
    for part in ["metrics", "behavior"] {
        assert_eq!(after["spec"][part], before["spec"][part], "{part}");
    }
    assert_eq!(after["spec"]["maxReplicas"], 9);
    assert_eq!(after["metadata"].get("annotations"), None);
}

#[tokio::test(start_paused = true)]
async fn an_autoscaler_that_names_no_metric_aims_at_80_percent() {
    let target = target().await;
    target
        .create(&v1(&target, ""), scaler("bare", json!({})))
        .await;
    let stored = target.get(&format!("{V2}/bare")).await.body;
    assert_eq!(
        (&stored["spec"]["metrics"], &stored["spec"]["minReplicas"]),
        (&json!([cpu(80)]), &json!(1))
    );
}

#[tokio::test(start_paused = true)]
async fn both_versions_are_discovered_the_newer_one_first() {
    let target = target().await;
    let group = target.get("/apis/autoscaling").await.body;
    let versions: Vec<_> = group["versions"].as_array().unwrap().iter().collect();
    assert_eq!(
        (versions.len(), &group["preferredVersion"]["version"]),
        (2, &json!("v2"))
    );
    let old = target.get("/apis/autoscaling/v1").await.body;
    assert_eq!(old["resources"][0]["name"], "horizontalpodautoscalers");
    let measured = target.get("/apis/metrics.k8s.io/v1beta1").await.body;
    let resources = measured["resources"].as_array().unwrap();
    let verbs: Vec<_> = resources
        .iter()
        .map(|r| (&r["name"], &r["verbs"]))
        .collect();
    let read = json!(["get", "list"]);
    assert_eq!(verbs, [(&json!("nodes"), &read), (&json!("pods"), &read)]);
}

/// A node that has measured one pod.
struct Meter {
    namespace: String,
}

impl Metrics for Meter {
    fn pods(&self) -> Vec<PodUsage> {
        let amounts = Amounts {
            nanocores: 12_500_000,
            memory: 3 << 20,
        };
        vec![PodUsage {
            namespace: self.namespace.clone(),
            pod: "busy".into(),
            containers: Measured {
                at: Timestamp::UNIX_EPOCH,
                window: Duration::from_secs(15),
                usage: vec![("c".into(), amounts)],
            },
        }]
    }

    fn node(&self) -> Option<Measured<Amounts>> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn what_pods_use_is_shown_once_it_was_measured() {
    let Some(target) = embedded_only("metrics").await else {
        return;
    };
    for name in ["busy", "new"] {
        target.create("pods", pod(name, json!({"app": name}))).await;
        let running = json!({"status": {"phase": "Running"}});
        target.merge(&format!("pods/{name}/status"), running).await;
    }
    let early = target.get("metrics.k8s.io/pods").await;
    assert_eq!(early.reason(), (503, "ServiceUnavailable"));
    let meter = Meter {
        namespace: target.namespace.clone(),
    };
    target
        .embedded
        .as_ref()
        .unwrap()
        .set_metrics(Arc::new(meter));
    let list = target
        .get("metrics.k8s.io/pods?labelSelector=app%3Dbusy")
        .await;
    let seen = &list.body["items"][0];
    assert_eq!(
        (
            &seen["metadata"]["labels"],
            &seen["window"],
            &seen["timestamp"]
        ),
        (
            &json!({"app": "busy"}),
            &json!("15s"),
            &json!("1970-01-01T00:00:00Z")
        )
    );
    assert_eq!(
        seen["containers"],
        json!([{"name": "c", "usage": {"cpu": "12500u", "memory": "3Mi"}}])
    );
    let none = target
        .get("metrics.k8s.io/pods?labelSelector=app%3Dnew")
        .await;
    assert_eq!(none.body["items"], json!([]));
    let namespace = &target.namespace;
    let unmeasured = target.get("metrics.k8s.io/pods/new").await;
    let expected = format!("podmetrics.metrics.k8s.io \"{namespace}/new\" not found");
    assert_eq!((unmeasured.code, unmeasured.message()), (404, &*expected));
    let missing = target.get("metrics.k8s.io/pods/nope").await;
    assert_eq!(missing.message(), "pods \"nope\" not found");
    let written = target.merge("metrics.k8s.io/pods/busy", json!({})).await;
    assert_eq!(written.code, 405);
}
