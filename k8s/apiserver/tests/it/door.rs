//! The listener on loopback, as a stranger and as kubectl see it.

use crate::target::{config_map, pod};
use apiserver::{ApiServer, Config, Door};
use kube::{Client, config::Kubeconfig};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const AGGREGATED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

async fn open() -> (ApiServer, Door) {
    let server = ApiServer::new(Config::default());
    let door = server.listen().await.unwrap();
    (server, door)
}

/// A request in plain text, the answer's status line and body.
async fn get(door: &Door, prefix: &str, path: &str, accept: &str) -> (String, Value) {
    let address = door.url();
    let address = address
        .strip_prefix("http://")
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {prefix}{path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    (head.lines().next().unwrap().into(), body)
}

fn prefix(door: &Door) -> String {
    let url = door.url();
    format!("/{}", url.rsplit('/').next().unwrap())
}

#[tokio::test]
async fn without_the_secret_there_is_nothing() {
    let (_server, door) = open().await;
    for prefix in ["", "/0123456789abcdef0123456789abcdef"] {
        assert_eq!(
            get(&door, prefix, "/api/v1/pods", "*/*").await.0,
            "HTTP/1.1 404 Not Found"
        );
    }
    assert_eq!(
        get(&door, &prefix(&door), "/api/v1/pods", "*/*").await.0,
        "HTTP/1.1 200 OK"
    );
}

#[tokio::test]
async fn the_kubeconfig_leads_to_the_same_objects() {
    let (server, door) = open().await;
    let kubeconfig = Kubeconfig::from_yaml(&door.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default())
        .await
        .unwrap();
    let outside = Client::try_from(config).unwrap();
    let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::default_namespaced(outside);
    let map = serde_json::from_value(config_map("a", "x")).unwrap();
    maps.create(&Default::default(), &map).await.unwrap();
    let inside: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
        kube::Api::default_namespaced(server.client("default"));
    assert_eq!(inside.get("a").await.unwrap().data.unwrap()["text"], "x");
}

#[tokio::test]
async fn a_dropped_door_is_closed() {
    let (_server, door) = open().await;
    let url = door.url();
    let address = url
        .strip_prefix("http://")
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    drop(door);
    // The port closes when the accepting task is gone, which the runtime sees to at its next turn.
    for _ in 0..100 {
        if TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the port is still open");
}

#[tokio::test]
async fn kubectl_finds_what_there_is() {
    let (_server, door) = open().await;
    let secret = prefix(&door);
    let (_, core) = get(&door, &secret, "/api", AGGREGATED).await;
    let resources = core["items"][0]["versions"][0]["resources"]
        .as_array()
        .unwrap();
    let pods = resources.iter().find(|r| r["resource"] == "pods").unwrap();
    assert_eq!(
        (&pods["shortNames"], &pods["categories"]),
        (&json!(["po"]), &json!(["all"]))
    );
    let (_, groups) = get(&door, &secret, "/apis", AGGREGATED).await;
    assert_eq!(groups["items"][0]["metadata"]["name"], "apps");
    let (_, plain) = get(&door, &secret, "/apis", "application/json").await;
    assert_eq!(plain["kind"], "APIGroupList");
    let (_, version) = get(&door, &secret, "/version", "*/*").await;
    assert_eq!(
        (&version["major"], &version["minor"]),
        (&json!("1"), &json!("33"))
    );
    let (_, openapi) = get(&door, &secret, "/openapi/v3/apis/apps/v1", "*/*").await;
    let patch =
        &openapi["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert_eq!(
        patch["x-kubernetes-group-version-kind"]["kind"],
        "Deployment"
    );
}

#[tokio::test]
async fn kubectl_gets_tables() {
    let (server, door) = open().await;
    let secret = prefix(&door);
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> =
        kube::Api::default_namespaced(server.client("default"));
    let body = serde_json::from_value(pod("a", json!({}))).unwrap();
    pods.create(&Default::default(), &body).await.unwrap();
    let (_, table) = get(
        &door,
        &secret,
        "/api/v1/namespaces/default/pods?limit=500",
        TABLE,
    )
    .await;
    let columns: Vec<_> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(columns[..5], ["Name", "Ready", "Status", "Restarts", "Age"]);
    let cells = &table["rows"][0]["cells"];
    assert_eq!(
        (&cells[0], &cells[1], &cells[2]),
        (&json!("a"), &json!("0/1"), &json!("Pending"))
    );
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}

#[tokio::test]
async fn kube_s_own_discovery_works() {
    let (server, _door) = open().await;
    let discovery = kube::Discovery::new(server.client("default"))
        .run()
        .await
        .unwrap();
    let apps = discovery.get("apps").unwrap();
    assert!(apps.recommended_kind("Deployment").is_some());
}
