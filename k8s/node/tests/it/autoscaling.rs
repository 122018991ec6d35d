//! Autoscalers over simulated pods, in virtual time: real metrics, real controllers, scripted load.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use node::runtime::{Load, Script, Simulated};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::*;

/// A Deployment `room` of pods that request 100m of CPU, under a load, with an autoscaler.
struct Scaled {
    cluster: Cluster,
    load: Load,
    began: Instant,
    _controllers: JoinSet<()>,
}

fn utilization(percent: u32) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": percent});
    json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}])
}

impl Scaled {
    async fn new(resources: Value, autoscaler: Value) -> Scaled {
        let load = Load::new(1);
        let script = Script {
            load: Some(load.clone()),
            ..Script::default()
        };
        let cluster = Cluster::simulated(Simulated::new().with("room:1", script));
        let _controllers = controllers::start(cluster.client.clone(), cluster.clock);
        let container = json!({"name": "c", "image": "room:1", "resources": resources});
        cluster
            .create::<Deployment>(json!({"metadata": {"name": "room"}, "spec": {"replicas": 1,
                "selector": {"matchLabels": {"app": "room"}},
                "template": {"metadata": {"labels": {"app": "room"}}, "spec": {"containers": [container]}}}}))
            .await;
        let mut spec = json!({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "room"},
            "minReplicas": 1, "maxReplicas": 10, "metrics": utilization(50)});
        spec.as_object_mut()
            .unwrap()
            .extend(autoscaler.as_object().unwrap().clone());
        cluster
            .create::<HorizontalPodAutoscaler>(json!({"metadata": {"name": "room"}, "spec": spec}))
            .await;
        let began = Instant::now();
        Scaled {
            cluster,
            load,
            began,
            _controllers,
        }
    }

    /// Past the time in which the CPU of young pods is doubted.
    async fn settled(resources: Value, autoscaler: Value) -> Scaled {
        let scaled = Scaled::new(resources, autoscaler).await;
        sleep(Duration::from_secs(600)).await;
        scaled
    }

    async fn deployment(&self) -> Deployment {
        Api::default_namespaced(self.cluster.client.clone())
            .get("room")
            .await
            .unwrap()
    }

    async fn size(&self) -> i32 {
        self.deployment().await.spec.unwrap().replicas.unwrap()
    }

    async fn resize(&self, kind: Size, patch: Value) {
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        let client = self.cluster.client.clone();
        match kind {
            Size::OfDeployment => drop(
                Api::<Deployment>::default_namespaced(client)
                    .patch("room", &params, &patch)
                    .await
                    .unwrap(),
            ),
            Size::OfAutoscaler => drop(
                Api::<HorizontalPodAutoscaler>::default_namespaced(client)
                    .patch("room", &params, &patch)
                    .await
                    .unwrap(),
            ),
        }
    }

    async fn scaler(&self) -> HorizontalPodAutoscaler {
        Api::default_namespaced(self.cluster.client.clone())
            .get("room")
            .await
            .unwrap()
    }

    /// Status and reason of a condition.
    async fn condition(&self, name: &str) -> (String, String) {
        let status = self.scaler().await.status.unwrap();
        let all = status.conditions.unwrap_or_default();
        let one = all.into_iter().find(|one| one.type_ == name).expect(name);
        (one.status, one.reason.unwrap())
    }

    /// Every size there is in this time, with the second at which it came.
    async fn sizes(&self, within: Duration) -> Vec<(u64, i32)> {
        let began = Instant::now();
        let mut sizes = vec![(0, self.size().await)];
        while began.elapsed() < within {
            sleep(Duration::from_secs(1)).await;
            let size = self.size().await;
            if sizes.last().is_none_or(|(_, last)| *last != size) {
                sizes.push((began.elapsed().as_secs(), size));
            }
        }
        sizes
    }
}

enum Size {
    OfDeployment,
    OfAutoscaler,
}

fn requests() -> Value {
    json!({"requests": {"cpu": "100m"}})
}

fn only_sizes(sizes: &[(u64, i32)]) -> Vec<i32> {
    sizes.iter().map(|(_, size)| *size).collect()
}

#[tokio::test(start_paused = true)]
async fn hpa_7_a_load_step_leads_over_4_and_8_to_10_no_faster_than_every_period() {
    let scaled = Scaled::settled(requests(), json!({})).await;
    // So much that pods which are not measured yet, and count as idle, hold nothing up.
    scaled.load.set(900);
    let sizes = scaled.sizes(Duration::from_secs(300)).await;
    assert_eq!(only_sizes(&sizes), [1, 4, 8, 10], "{sizes:?}");
    assert!(
        sizes
            .windows(2)
            .skip(1)
            .all(|two| two[1].0 - two[0].0 >= 14)
    );
    // HPA-14: sampled, averaged and looked at, all within the resolution.
    assert!((15..=90).contains(&sizes[1].0), "{sizes:?}");
    let told = scaled.cluster.events("SuccessfulRescale").await;
    let first =
        "New size: 4; reason: cpu resource utilization (percentage of request) above target";
    assert!(
        told.iter()
            .any(|event| event.message.as_deref() == Some(first)),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn hpa_8_with_an_empty_rule_the_first_step_leads_to_5() {
    let more = json!({"behavior": {"scaleUp": {}}});
    let scaled = Scaled::settled(requests(), more).await;
    scaled.load.set(900);
    let sizes = scaled.sizes(Duration::from_secs(300)).await;
    assert_eq!(only_sizes(&sizes), [1, 5, 10], "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn hpa_9_after_the_load_the_size_stays_for_five_minutes_and_drops_in_one_step() {
    let scaled = Scaled::settled(requests(), json!({})).await;
    scaled.load.set(250);
    sleep(Duration::from_secs(900)).await;
    assert_eq!(scaled.size().await, 10);
    scaled.load.set(1);
    let sizes = scaled.sizes(Duration::from_secs(500)).await;
    assert_eq!(only_sizes(&sizes), [10, 1], "{sizes:?}");
    assert!((300..=375).contains(&sizes[1].0), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn hpa_10_without_stabilisation_it_drops_within_a_minute() {
    let down = json!({"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}});
    let scaled = Scaled::settled(requests(), down).await;
    scaled.load.set(250);
    sleep(Duration::from_secs(900)).await;
    assert_eq!(scaled.size().await, 10);
    scaled.load.set(1);
    let sizes = scaled.sizes(Duration::from_secs(300)).await;
    assert_eq!(sizes.last().unwrap().1, 1, "{sizes:?}");
    assert!(sizes[1].0 <= 60, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn hpa_3_without_requests_the_usage_is_unknown_and_the_size_stays() {
    let scaled = Scaled::settled(json!({}), json!({})).await;
    scaled.load.set(900);
    assert_eq!(scaled.sizes(Duration::from_secs(300)).await.len(), 1);
    assert_eq!(
        scaled.condition("ScalingActive").await,
        ("False".into(), "FailedGetResourceMetric".into())
    );
    let told = scaled.cluster.events("FailedGetResourceMetric").await;
    let why = "failed to get cpu utilization: missing request for cpu in container c of Pod room-";
    let told = told
        .iter()
        .find(|e| e.message.as_deref().is_some_and(|m| m.starts_with(why)));
    // One event that counts, however often it is told.
    assert!(told.unwrap().count.unwrap() >= 20);
}

#[tokio::test(start_paused = true)]
async fn hpa_5_a_limit_is_a_request_too_and_usage_never_exceeds_it() {
    let limits = json!({"limits": {"cpu": "100m"}});
    let scaled = Scaled::settled(limits, json!({})).await;
    scaled.load.set(900);
    let sizes = scaled.sizes(Duration::from_secs(60)).await;
    // 100 % of the limit is twice the target: no step more than doubles.
    assert_eq!(only_sizes(&sizes), [1, 2, 4], "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn hpa_6_a_size_below_the_least_is_corrected_without_any_metric() {
    let scaled = Scaled::new(json!({}), json!({"minReplicas": 2})).await;
    let sizes = scaled.sizes(Duration::from_secs(30)).await;
    assert_eq!(only_sizes(&sizes), [1, 2], "{sizes:?}");
    assert!((14..=16).contains(&sizes[1].0), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn hpa_12_bounds_that_are_edited_hold_from_the_next_period_on() {
    let scaled = Scaled::settled(requests(), json!({})).await;
    let least = json!({"spec": {"minReplicas": 3}});
    scaled.resize(Size::OfAutoscaler, least).await;
    sleep(Duration::from_secs(16)).await;
    assert_eq!(scaled.size().await, 3);
    scaled
        .resize(Size::OfDeployment, json!({"spec": {"replicas": 30}}))
        .await;
    sleep(Duration::from_secs(16)).await;
    assert_eq!(scaled.size().await, 10);
}

#[tokio::test(start_paused = true)]
async fn hpa_13_a_size_of_zero_switches_it_off_until_somebody_starts_pods() {
    let scaled = Scaled::settled(requests(), json!({"minReplicas": 2})).await;
    let to = |replicas: i32| json!({"spec": {"replicas": replicas}});
    scaled.resize(Size::OfDeployment, to(0)).await;
    assert_eq!(scaled.sizes(Duration::from_secs(300)).await, [(0, 0)]);
    assert_eq!(
        scaled.condition("ScalingActive").await,
        ("False".into(), "ScalingDisabled".into())
    );
    scaled.resize(Size::OfDeployment, to(1)).await;
    sleep(Duration::from_secs(16)).await;
    assert_eq!(scaled.size().await, 2);
}

#[tokio::test(start_paused = true)]
async fn hpa_15_two_autoscalers_of_the_same_pods_both_stand_still() {
    let scaled = Scaled::settled(requests(), json!({})).await;
    let spec = scaled.scaler().await.spec.unwrap();
    scaled
        .cluster
        .create::<HorizontalPodAutoscaler>(json!({"metadata": {"name": "second"}, "spec": spec}))
        .await;
    sleep(Duration::from_secs(60)).await;
    scaled.load.set(900);
    assert_eq!(scaled.sizes(Duration::from_secs(120)).await, [(0, 1)]);
    assert_eq!(
        scaled.condition("ScalingActive").await,
        ("False".into(), "AmbiguousSelector".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_pod_has_no_metrics_until_it_was_looked_at_twice() {
    let scaled = Scaled::new(requests(), json!({})).await;
    let pods = async || {
        let path = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods";
        let request = http_get(path);
        scaled
            .cluster
            .client
            .request::<Value>(request)
            .await
            .unwrap()
    };
    sleep(Duration::from_secs(9)).await;
    assert_eq!(pods().await["items"], json!([]));
    sleep(Duration::from_secs(22)).await;
    let list = pods().await;
    let one = &list["items"][0];
    assert_eq!(one["containers"][0]["usage"]["cpu"], "1m", "{list}");
    let at: Timestamp = one["timestamp"].as_str().unwrap().parse().unwrap();
    let age = scaled.cluster.clock.now().duration_since(at);
    assert!(age.as_secs() <= 15, "{age:?}");
}

fn http_get(path: &str) -> hyper::Request<Vec<u8>> {
    hyper::Request::get(path).body(vec![]).unwrap()
}

#[tokio::test(start_paused = true)]
async fn hours_pass_while_nobody_writes() {
    let scaled = Scaled::settled(requests(), json!({})).await;
    let version = async || {
        let api: Api<Deployment> = Api::default_namespaced(scaled.cluster.client.clone());
        let list = api.list(&ListParams::default()).await.unwrap();
        list.metadata.resource_version
    };
    let before = version().await;
    sleep(Duration::from_secs(3 * 3600)).await;
    assert_eq!(version().await, before);
    assert!(scaled.began.elapsed() > Duration::from_secs(3 * 3600));
}

#[tokio::test(start_paused = true)]
async fn res_7_a_container_over_its_memory_is_killed_and_backs_off() {
    let script = Script {
        uses: (1, 200 << 20),
        ..Script::default()
    };
    let cluster = Cluster::simulated(Simulated::new().with("room:1", script));
    let container =
        json!([{"name": "c", "image": "room:1", "resources": {"limits": {"memory": "100Mi"}}}]);
    cluster.pod("room", container, json!({})).await;
    let pod = cluster
        .until("room", is_waiting_for("CrashLoopBackOff"))
        .await;
    let ended = container_end(&pod);
    assert_eq!((ended.0, ended.1.as_str()), (137, "OOMKilled"));
}

fn container_end(pod: &k8s_openapi::api::core::v1::Pod) -> (i32, String) {
    let last = container(pod).last_state.clone().unwrap();
    let ended = last.terminated.unwrap();
    (ended.exit_code, ended.reason.unwrap())
}
