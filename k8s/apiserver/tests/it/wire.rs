//! Protobuf bodies, as kubectl 1.33 sent them, give the same objects as JSON.

use crate::target::{Target, target};
use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};

/// `kubectl create configmap c --from-literal=a=b`
const CONFIG_MAP: &str = "6b3873000a0f0a0276311209436f6e6669674d6170121b0a110a016312001a0022002a0032003800420012060a01611201621a002200";
/// `kubectl create secret generic s --from-literal=a=b`
const SECRET: &str = "6b3873000a0c0a0276311206536563726574121d0a110a017312001a0022002a0032003800420012060a01611201621a001a002200";
/// `kubectl create deployment d --image=app:1 --replicas=2 --port=80`
const DEPLOYMENT: &str = "6b3873000a150a07617070732f7631120a4465706c6f796d656e7412ae010a1b0a016412001a0022002a003200380042005a080a036170\
         701201641280010802120a0a080a036170701201641a680a1a0a0012001a0022002a003200380042005a080a03617070120164124a122c\
         0a0361707012056170703a312a00320a0a001000185022002a0042006a007200800100880100900100a201001a00320042004a00520058\
         00600068008201008a01009a0100c2010022020a00280038001a0c0800100018002000280038001a002200";
/// `kubectl autoscale deployment web --name=h --min=2 --max=4 --cpu-percent=20`
const AUTOSCALER: &str = "6b3873000a290a0e6175746f7363616c696e672f76321217486f72697a6f6e74616c506f644175746f7363616c6572125f0a110a016812\
         001a0022002a0032003800420012440a1a0a0a4465706c6f796d656e7412037765621a07617070732f76311002180422220a085265736f\
         7572636522160a03637075120f0a0b5574696c697a6174696f6e20141a04180020001a002200";

/// `kubectl auth whoami`
const WHO: &str = "6b3873000a2d0a1861757468656e7469636174696f6e2e6b38732e696f2f7631121153656c665375626a656374526576696577121a0a10\
                   0a0012001a0022002a0032003800420012060a040a0012001a002200";

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Sends a body as protobuf; only tries it, so that the same can be created from JSON.
async fn tried(target: &Target, path: &str, body: &[u8]) -> (u16, Value) {
    let request = Request::post(format!("{path}?dryRun=All"))
        .header("content-type", "application/vnd.kubernetes.protobuf")
        .header("accept", "application/json")
        .body(Body::from(body.to_vec()))
        .unwrap();
    let response = target.client.send(request).await.unwrap();
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&body).unwrap())
}

/// What both creations must agree on.
fn essence(mut object: Value) -> Value {
    for field in [
        "uid",
        "creationTimestamp",
        "resourceVersion",
        "managedFields",
    ] {
        object["metadata"]
            .as_object_mut()
            .unwrap()
            .shift_remove(field);
    }
    object
}

#[tokio::test(start_paused = true)]
async fn api_17_protobuf_creates_what_json_creates() {
    let target = target().await;
    let namespace = &target.namespace;
    let template = json!({"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "app", "image": "app:1", "ports": [{"containerPort": 80}]}]}});
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 20}}});
    let cases = [
        (
            "/api/v1",
            "configmaps",
            CONFIG_MAP,
            json!({"metadata": {"name": "c"}, "data": {"a": "b"}}),
        ),
        (
            "/api/v1",
            "secrets",
            SECRET,
            json!({"metadata": {"name": "s"}, "data": {"a": "Yg=="}}),
        ),
        (
            "/apis/apps/v1",
            "deployments",
            DEPLOYMENT,
            json!({"metadata": {"name": "d", "labels": {"app": "d"}}, "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "d"}}, "template": template}}),
        ),
        (
            "/apis/autoscaling/v2",
            "horizontalpodautoscalers",
            AUTOSCALER,
            json!({"metadata": {"name": "h"}, "spec": {"minReplicas": 2, "maxReplicas": 4, "metrics": [cpu], "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}),
        ),
    ];
    for (base, resource, hex, body) in cases {
        let path = format!("{base}/namespaces/{namespace}/{resource}");
        let (code, protobuf) = tried(&target, &path, &bytes(hex)).await;
        assert_eq!(code, 201, "{protobuf}");
        let json = target
            .ask("POST", &format!("{path}?dryRun=All"), body)
            .await;
        assert_eq!(essence(protobuf), essence(json.body), "{resource}");
    }
    let (code, refused) = tried(
        &target,
        &format!("/api/v1/namespaces/{namespace}/configmaps"),
        b"k8s\0nonsense",
    )
    .await;
    assert!(code >= 400, "{refused}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_is_told_to_kubectl_too() {
    let target = target().await;
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let (code, answer) = tried(&target, path, &bytes(WHO)).await;
    assert_eq!((code, &answer["kind"]), (201, &json!("SelfSubjectReview")));
    assert!(answer["status"]["userInfo"]["username"].is_string());
}
