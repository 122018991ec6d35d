//! What a service mesh does to calls between pods: limits, ejection, further tries, faults. On a real cluster it takes Istio.

mod failures;
mod limits;

use std::collections::BTreeMap;
use std::time::Duration;

use ::mesh::rules::{DestinationRule, VirtualService};
use k8s_openapi::api::core::v1::{Event, Namespace, Pod, Service};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::kinds::*;
use crate::world::{World, conform};

/// From a change of a rule until calls follow it, at the latest.
const PUSHED: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(20);

/// One answer to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reply {
    status: u16,
    bytes: usize,
    server: String,
    is_overloaded: bool,
    millis: u64,
}

impl Reply {
    fn read(line: &str) -> Reply {
        let words: Vec<&str> = line.split(' ').collect();
        let [status, bytes, server, overloaded, millis] = words[..] else {
            panic!("five words: {line}")
        };
        Reply {
            status: status.parse().expect("a status"),
            bytes: bytes.parse().expect("a number"),
            server: server.to_owned(),
            is_overloaded: overloaded == "true",
            millis: millis.parse().expect("a number"),
        }
    }

    /// The side-car's own answer when its pool is full.
    fn is_overflow(&self) -> bool {
        (self.status, self.bytes, self.is_overloaded) == (503, 81, true)
    }

    /// Its answer when every host is left out, or there is none.
    fn is_without_host(&self) -> bool {
        (self.status, self.bytes) == (503, 19)
    }
}

/// A test in a namespace whose new pods get side-cars like those of `release`; skipped where there is no mesh, or another release.
async fn in_mesh(statement: &str, release: Option<&str>, test: impl AsyncFnOnce(&World)) {
    conform(statement, async |world| {
        if world.is_real {
            let groups = world.client.list_api_groups().await.expect("groups");
            let has_mesh = groups.groups.iter().any(|one| one.name == "networking.istio.io");
            if !has_mesh || release.is_some() {
                println!("{statement}: skipped, this cluster has no networking.istio.io, or not of the release {release:?}");
                return;
            }
        }
        let mut metadata = json!({"labels": {"istio-injection": "enabled"}});
        if let Some(release) = release {
            metadata["annotations"] = json!({"brownout.dev/istio-profile": release});
        }
        let namespaces: Api<Namespace> = Api::all(world.client.clone());
        let patch = Patch::Merge(json!({"metadata": metadata}));
        let patched = namespaces
            .patch(&world.namespace, &PatchParams::default(), &patch)
            .await;
        patched.expect("the namespace is labelled");
        test(world).await;
    })
    .await;
}

/// A Service whose port says that it is HTTP, and a pod behind it.
async fn serving(world: &World, name: &str) {
    let mut http = service(name);
    http["spec"]["ports"][0]["name"] = json!("http");
    world.create::<Service>(http).await;
    let ready = json!({"readinessProbe": http_probe("/")});
    world.pod(name, world.server(name, ready), json!({})).await;
}

/// A pod from which to call.
async fn caller(world: &World, name: &str, annotations: Value) {
    let spec = pod_spec(vec![world.shell("sleep 1000")], json!({}));
    let pod = json!({"metadata": {"name": name, "annotations": annotations}, "spec": spec});
    world.create::<Pod>(pod).await;
    world.until(name, "running", is_running).await;
}

async fn rule(world: &World, host: &str, policy: Value) {
    let rule = json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
        "metadata": {"name": host}, "spec": {"host": host, "trafficPolicy": policy}});
    world.create::<DestinationRule>(rule).await;
}

async fn routes(world: &World, host: &str, http: Value) {
    let rule = json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": host}, "spec": {"hosts": [host], "http": http}});
    world.create::<VirtualService>(rule).await;
}

/// One connection and one request that waits for it.
fn tight() -> Value {
    json!({"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 1}})
}

async fn siege(
    world: &World,
    from: &str,
    to: (&str, &str),
    clients: usize,
    count: usize,
) -> Vec<Reply> {
    let (clients, count) = (clients.to_string(), count.to_string());
    let command = ["conformance-pod", "siege", to.0, to.1, &clients, &count];
    let ended = world.exec(from, &command, None).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out.lines().map(Reply::read).collect()
}

/// Until calls reach the pod, and the rules that there are have reached the side-cars.
async fn until_called(world: &World, from: &str, address: &str) {
    let what = format!("{address} answers {from}");
    world
        .eventually(&what, SOON, async || {
            siege(world, from, (address, "/"), 1, 1).await[0].status == 200
        })
        .await;
    if world.is_real {
        tokio::time::sleep(PUSHED).await;
    }
}

fn count(replies: &[Reply], is: impl Fn(&Reply) -> bool) -> usize {
    replies.iter().filter(|reply| is(reply)).count()
}

fn good(replies: &[Reply]) -> usize {
    count(replies, |reply| reply.status == 200)
}

/// What came, for people.
fn summary(replies: &[Reply]) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for reply in replies {
        let kind = format!("{} {} {}", reply.status, reply.bytes, reply.server);
        *all.entry(kind).or_default() += 1;
    }
    all
}

/// How often a pod was asked for a path.
async fn asked(world: &World, pod: &str, path: &str) -> usize {
    let begins = format!("{path} ");
    let log = world.log(pod).await;
    log.iter().filter(|line| line.starts_with(&begins)).count()
}
