//! The rules of a service mesh: three versions of each kind, their checks, and pods that get a side-car.

use crate::target::embedded_only;
use serde_json::{Value, json};

const GROUP: &str = "networking.istio.io";

fn rule(version: &str) -> Value {
    json!({"apiVersion": format!("networking.istio.io/{version}"), "kind": "DestinationRule", "metadata": {"name": "order"},
        "spec": {"host": "order", "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 1}}}}})
}

fn path(namespace: &str, version: &str, rest: &str) -> String {
    format!("/apis/networking.istio.io/{version}/namespaces/{namespace}/{rest}")
}

#[tokio::test(start_paused = true)]
async fn a_rule_is_the_same_object_in_every_version() {
    let Some(target) = embedded_only(GROUP).await else {
        return;
    };
    let at = |version, rest| path(&target.namespace, version, rest);
    target
        .create(&at("v1alpha3", "destinationrules"), rule("v1alpha3"))
        .await;
    let read = target.get(&at("v1", "destinationrules/order")).await.body;
    assert_eq!(read["apiVersion"], "networking.istio.io/v1");
    assert_eq!(read["spec"], rule("v1")["spec"]);
    // What a client of an old version sends back is taken, and counts as a change.
    let patch =
        json!({"spec": {"trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 2}}}}});
    let patched = target
        .merge(&at("v1beta1", "destinationrules/order"), patch)
        .await;
    assert_eq!(patched.body["apiVersion"], "networking.istio.io/v1beta1");
    assert_eq!(patched.body["metadata"]["generation"], 2);
    let list = target.get(&at("v1alpha3", "destinationrules")).await.body;
    let only = &list["items"][0];
    assert_eq!(only["apiVersion"], "networking.istio.io/v1alpha3");
    let pool = &only["spec"]["trafficPolicy"]["connectionPool"];
    assert_eq!(pool["tcp"]["maxConnections"], 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_rule_is_said_with_the_way_out() {
    let Some(target) = embedded_only(GROUP).await else {
        return;
    };
    let rules = path(&target.namespace, "v1", "destinationrules");
    let mut wrong = rule("v1");
    wrong["spec"]["trafficPolicy"] = json!({"outlierDetection": {"interval": "soon"}});
    let answer = target.ask("POST", &rules, wrong).await;
    assert_eq!(answer.reason(), (422, "Invalid"));
    assert_eq!(
        answer.message(),
        "DestinationRule.networking.istio.io \"order\" is invalid: spec.trafficPolicy.outlierDetection.interval: Invalid value: \"soon\": \
         must be a duration such as 500ms, 1s or 1m30s"
    );
    let mut unknown = rule("v1");
    unknown["spec"]["trafficPolicy"]["connectionPool"]["tcp"]["maxConnection"] = json!(1);
    let strict = format!("{rules}?fieldValidation=Strict");
    let answer = target.ask("POST", &strict, unknown).await;
    assert_eq!(
        answer.message(),
        "DestinationRule in version \"v1\" cannot be handled as a DestinationRule: strict decoding error: unknown field \
         \"spec.trafficPolicy.connectionPool.tcp.maxConnection\""
    );
    let services = path(&target.namespace, "v1", "virtualservices");
    let nowhere =
        json!({"metadata": {"name": "order"}, "spec": {"hosts": ["order"], "http": [{}]}});
    let answer = target.ask("POST", &services, nowhere).await;
    assert!(
        answer
            .message()
            .ends_with("spec.http[0].route: Required value: at least one destination"),
        "{answer:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_release_that_is_played_must_exist() {
    let Some(target) = embedded_only(GROUP).await else {
        return;
    };
    let mut late = rule("v1");
    late["metadata"]["annotations"] = json!({"brownout.dev/istio-profile": "2.0"});
    let rules = path(&target.namespace, "v1", "destinationrules");
    let told = "metadata.annotations[brownout.dev/istio-profile]: Invalid value: \"2.0\": must be an Istio release from 1.4 to 1.27";
    assert!(
        target
            .ask("POST", &rules, late.clone())
            .await
            .message()
            .ends_with(told)
    );
    let namespace =
        json!({"metadata": {"name": "late", "annotations": late["metadata"]["annotations"]}});
    let answer = target.ask("POST", "/api/v1/namespaces", namespace).await;
    assert!(answer.message().ends_with(told), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn new_pods_of_a_labelled_namespace_get_a_side_car_and_old_ones_do_not() {
    let Some(target) = embedded_only(GROUP).await else {
        return;
    };
    let pod = |name: &str, labels: Value| json!({"metadata": {"name": name, "labels": labels}, "spec": {"containers": [{"name": "c", "image": "room"}]}});
    let has = |pod: &Value| pod["metadata"]["annotations"]["sidecar.istio.io/status"].is_string();
    let old = target.create("pods", pod("old", json!({}))).await;
    let namespace = format!("/api/v1/namespaces/{}", target.namespace);
    let label = json!({"metadata": {"labels": {"istio-injection": "enabled"}}});
    target.merge(&namespace, label).await;
    let new = target.create("pods", pod("new", json!({}))).await;
    let no = json!({"sidecar.istio.io/inject": "false"});
    let without = target.create("pods", pod("without", no)).await;
    assert_eq!([&old, &new, &without].map(has), [false, true, false]);
}
