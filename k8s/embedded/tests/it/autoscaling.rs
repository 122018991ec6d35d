//! HorizontalPodAutoscalers and what they read. Their times are long: the controller looks every 15 s at what was measured every 15 s.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::kinds::*;
use crate::world::{World, conform};

/// Sampling, measuring and evaluating, each at its slowest, and a machine that is busy with other things.
const SLOW: Duration = Duration::from_secs(150);

/// A Deployment `room` whose pods use CPU while `/state/load` exists, and its autoscaler.
async fn scaled(world: &World, resources: Value, autoscaler: Value) {
    let more = json!({"resources": resources});
    let container = world.container("c", &["conformance-pod", "burn", "on-demand"], more);
    let room = deployment("room", 1, pod_spec(vec![container], json!({})));
    world.create::<Deployment>(room).await;
    world.until("room", "rolled out", is_rolled_out).await;
    let target = json!({"type": "Utilization", "averageUtilization": 50});
    let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
    let mut spec = json!({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "room"},
        "minReplicas": 1, "maxReplicas": 3, "metrics": [metric]});
    merge(&mut spec, autoscaler);
    let scaler = json!({"metadata": {"name": "room"}, "spec": spec});
    world.create::<HorizontalPodAutoscaler>(scaler).await;
}

async fn status(world: &World) -> HorizontalPodAutoscalerStatus {
    let scaler = world.api::<HorizontalPodAutoscaler>().get("room").await;
    scaler.unwrap().status.unwrap_or_default()
}

async fn condition_of(world: &World, name: &str) -> Option<(String, String, String)> {
    let all = status(world).await.conditions.unwrap_or_default();
    let one = all.into_iter().find(|one| one.type_ == name)?;
    Some((one.status, one.reason?, one.message?))
}

async fn size(world: &World) -> i32 {
    let room = world.api::<Deployment>().get("room").await.unwrap();
    room.spec.unwrap().replicas.unwrap()
}

async fn events(world: &World, reason: &str) -> Vec<String> {
    let params = ListParams::default().fields(&format!("reason={reason}"));
    let all = world.api::<Event>().list(&params).await.unwrap();
    all.items
        .into_iter()
        .filter_map(|event| event.message)
        .collect()
}

/// The size is set before it is told.
async fn until_told(world: &World, reason: &str, wanted: &str) {
    let what = format!("an event ends with {wanted:?}");
    let told = async || {
        let all = events(world, reason).await;
        all.iter().any(|message| message.ends_with(wanted))
    };
    world.eventually(&what, SLOW, told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hpa_10_14_a_load_leads_to_more_pods_and_its_end_to_fewer() {
    conform("HPA-14", async |world| {
        let down = json!({"scaleDown": {"stabilizationWindowSeconds": 0}});
        scaled(
            world,
            json!({"limits": {"cpu": "100m"}}),
            json!({"behavior": down}),
        )
        .await;
        let began = Instant::now();
        let idle = async || {
            let measured = status(world).await.current_metrics.unwrap_or_default();
            let cpu = measured.first().and_then(|metric| metric.resource.clone());
            let percent = cpu.and_then(|cpu| cpu.current.average_utilization);
            percent.is_some_and(|percent| percent < 25)
        };
        world.eventually("idle usage is known", SLOW, idle).await;
        println!("HPA-14: usage known after {:.0?}", began.elapsed());
        let pods = world
            .api::<Pod>()
            .list(&ListParams::default())
            .await
            .unwrap();
        let pod = pods.items[0].name_any();
        world.sh(&pod, "touch /state/load").await;
        let began = Instant::now();
        let grown = async || size(world).await > 1;
        world.eventually("there are more pods", SLOW, grown).await;
        println!(
            "HPA-14: the first reaction came after {:.0?}",
            began.elapsed()
        );
        let reason = "cpu resource utilization (percentage of request) above target";
        until_told(world, "SuccessfulRescale", reason).await;
        let valid = async || {
            let told = condition_of(world, "ScalingActive").await;
            told.is_some_and(|(_, reason, _)| reason == "ValidMetricFound")
        };
        world.eventually("the metric is valid", SLOW, valid).await;
        world.sh(&pod, "rm /state/load").await;
        let began = Instant::now();
        let shrunk = async || size(world).await == 1;
        world.eventually("there is one pod", SLOW, shrunk).await;
        println!("HPA-10: one pod again after {:.0?}", began.elapsed());
        let expected = "New size: 1; reason: All metrics below target";
        until_told(world, "SuccessfulRescale", expected).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hpa_3_without_a_request_the_usage_is_unknown() {
    conform("HPA-3", async |world| {
        scaled(world, json!({}), json!({})).await;
        // Until the pod is measured the reason is another one.
        let wanted = "missing request for cpu in container c of Pod room-";
        let unknown = async || {
            let told = condition_of(world, "ScalingActive").await;
            told.is_some_and(|(status, reason, message)| {
                (&*status, &*reason) == ("False", "FailedGetResourceMetric")
                    && message.contains(wanted)
            })
        };
        world.eventually("the reason is told", SLOW, unknown).await;
        let expected = format!(
            "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: \
             failed to get cpu utilization: {wanted}"
        );
        let is_told = async || {
            let told = events(world, "FailedComputeMetricsReplicas").await;
            told.iter().any(|message| message.starts_with(&expected))
        };
        world.eventually("the failure is told", SLOW, is_told).await;
        assert_eq!(size(world).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hpa_6_12_13_a_size_is_brought_within_its_bounds_unless_it_is_zero() {
    conform("HPA-6", async |world| {
        scaled(world, json!({}), json!({"minReplicas": 2})).await;
        let began = Instant::now();
        world
            .eventually("there are two", SLOW, async || size(world).await == 2)
            .await;
        println!("HPA-6: corrected after {:.0?}", began.elapsed());
        let expected = "New size: 2; reason: Current number of replicas below Spec.MinReplicas";
        until_told(world, "SuccessfulRescale", expected).await;
        let to = |replicas: i32| json!({"spec": {"replicas": replicas}});
        world.patch::<Deployment>("room", to(5)).await;
        world
            .eventually("there are three", SLOW, async || size(world).await == 3)
            .await;
        world.patch::<Deployment>("room", to(0)).await;
        let disabled = async || {
            let told = condition_of(world, "ScalingActive").await;
            told.is_some_and(|(_, reason, _)| reason == "ScalingDisabled")
        };
        world.eventually("it is switched off", SLOW, disabled).await;
        assert_eq!(size(world).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hpa_15_two_autoscalers_of_the_same_pods_say_so() {
    conform("HPA-15", async |world| {
        scaled(world, json!({"requests": {"cpu": "50m"}}), json!({})).await;
        let first = world
            .api::<HorizontalPodAutoscaler>()
            .get("room")
            .await
            .unwrap();
        let second = json!({"metadata": {"name": "second"}, "spec": first.spec});
        world.create::<HorizontalPodAutoscaler>(second).await;
        let ambiguous = async || {
            let told = condition_of(world, "ScalingActive").await;
            told.is_some_and(|(_, reason, _)| reason == "AmbiguousSelector")
        };
        world
            .eventually("the selector is ambiguous", SLOW, ambiguous)
            .await;
        let expected = "pods by selector app=room are controlled by multiple HPAs: [";
        let is_told = async || {
            let told = events(world, "AmbiguousSelector").await;
            told.iter().any(|message| message.starts_with(expected))
        };
        world
            .eventually("the ambiguity is told", SLOW, is_told)
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hpa_metrics_of_other_kinds_fail_as_without_an_adapter() {
    conform("HPA-adapter", async |world| {
        let rps = json!({"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "10"}}});
        let resources = json!({"requests": {"cpu": "50m"}});
        scaled(world, resources, json!({"metrics": [rps]})).await;
        let told = async || !events(world, "FailedGetPodsMetric").await.is_empty();
        world.eventually("the failure is told", SLOW, told).await;
        let expected = "unable to get metric rps: unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered";
        assert_eq!(events(world, "FailedGetPodsMetric").await, [expected]);
    })
    .await;
}
