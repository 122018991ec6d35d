//! Evaluations as literals.

use super::*;
use serde_json::{Value, json};
use std::time::Duration;

fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().unwrap()
}

fn scaler(more: Value) -> HorizontalPodAutoscaler {
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}});
    let mut spec = json!({"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 10, "metrics": [cpu]});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    serde_json::from_value(json!({"metadata": {"name": "web", "namespace": "ns"}, "spec": spec}))
        .unwrap()
}

fn pod() -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]},
        "status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "conditions":
            [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:01Z"}]},
    }))
    .unwrap()
}

fn using(cpu: i64) -> Vec<PodUse> {
    vec![PodUse {
        pod: "a".into(),
        at: now(),
        window: Duration::from_secs(15),
        containers: vec![("c".into(), [("cpu".to_owned(), cpu)].into())],
    }]
}

fn seen(scaler: &HorizontalPodAutoscaler, wanted: i32, cpu: i64) -> Seen<'_> {
    Seen {
        scaler,
        scale: Ok(Scale {
            wanted,
            selector: "app=web".into(),
            version: None,
        }),
        rivals: vec!["ns/web".into()],
        pods: vec![pod()],
        used: Ok(using(cpu)),
        now: now(),
    }
}

fn conditions(decision: &Decision) -> Vec<(&str, &str, &str)> {
    let all = decision.status.conditions.iter().flatten();
    all.map(|one| (&*one.type_, &*one.status, one.reason.as_deref().unwrap()))
        .collect()
}

fn events(decision: &Decision) -> Vec<(&str, &str)> {
    let all = decision.events.iter();
    all.map(|told| (&*told.reason, &*told.message)).collect()
}

#[test]
fn a_load_above_the_target_asks_for_more_and_says_why() {
    let scaler = scaler(json!({}));
    let mut history = History::default();
    let mut decision = decide(seen(&scaler, 1, 250), &mut history);
    let metric = "cpu resource utilization (percentage of request)";
    let expected = Resize {
        from: 1,
        to: 4,
        reason: format!("{metric} above target"),
    };
    assert_eq!(decision.resize, Some(expected));
    decision.resized(Ok(()), 0, &mut history);
    assert_eq!(
        conditions(&decision),
        [
            ("AbleToScale", "True", "SucceededRescale"),
            ("ScalingActive", "True", "ValidMetricFound"),
            ("ScalingLimited", "True", "ScaleUpLimit")
        ]
    );
    assert_eq!(
        events(&decision),
        [(
            "SuccessfulRescale",
            &*format!("New size: 4; reason: {metric} above target")
        )]
    );
    let status = serde_json::to_value(&decision.status).unwrap();
    assert_eq!(
        (
            &status["currentReplicas"],
            &status["desiredReplicas"],
            &status["lastScaleTime"]
        ),
        (&json!(1), &json!(4), &json!("2026-01-01T01:00:00Z"))
    );
    assert_eq!(
        status["currentMetrics"],
        json!([{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 250, "averageValue": "250m"}}}])
    );
}

#[test]
fn a_refused_resize_is_told_and_leaves_the_wish_as_it_was() {
    let scaler = scaler(json!({}));
    let mut history = History::default();
    let mut decision = decide(seen(&scaler, 1, 250), &mut history);
    decision.resized(Err("no".into()), 1, &mut history);
    assert_eq!(
        conditions(&decision)[0],
        ("AbleToScale", "False", "FailedUpdateScale")
    );
    assert_eq!(decision.status.desired_replicas, 1);
    assert_eq!(events(&decision)[0].0, "FailedRescale");
}

#[test]
fn hpa_3_without_a_request_the_size_is_unknown_and_stays() {
    let scaler = scaler(json!({}));
    let mut seen = seen(&scaler, 1, 900);
    seen.pods[0].spec.as_mut().unwrap().containers[0].resources = None;
    let decision = decide(seen, &mut History::default());
    let why = "failed to get cpu utilization: missing request for cpu in container c of Pod a";
    assert_eq!(
        events(&decision),
        [
            ("FailedGetResourceMetric", why),
            (
                "FailedComputeMetricsReplicas",
                &*format!(
                    "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: {why}"
                )
            )
        ]
    );
    assert_eq!(
        conditions(&decision),
        [
            ("AbleToScale", "True", "SucceededGetScale"),
            ("ScalingActive", "False", "FailedGetResourceMetric")
        ]
    );
    assert_eq!(decision.resize, None);
    assert!(
        decision.status.current_metrics.unwrap()[0]
            .resource
            .is_none()
    );
}

#[test]
fn hpa_6_12_bounds_come_before_metrics() {
    let scaler = scaler(json!({"minReplicas": 2, "maxReplicas": 3}));
    let resized = |wanted| {
        let mut seen = seen(&scaler, wanted, 0);
        seen.used = Err("down".into());
        decide(seen, &mut History::default())
            .resize
            .map(|r| (r.to, r.reason))
    };
    let below = "Current number of replicas below Spec.MinReplicas";
    let above = "Current number of replicas above Spec.MaxReplicas";
    assert_eq!(resized(1), Some((2, below.into())));
    assert_eq!(resized(7), Some((3, above.into())));
    assert_eq!(resized(2), None);
}

#[test]
fn hpa_13_a_size_of_zero_switches_it_off() {
    let scaler = scaler(json!({}));
    let decision = decide(seen(&scaler, 0, 900), &mut History::default());
    assert_eq!(
        conditions(&decision)[1],
        ("ScalingActive", "False", "ScalingDisabled")
    );
    assert_eq!((decision.resize, decision.events.len()), (None, 0));
}

#[test]
fn hpa_15_two_autoscalers_of_the_same_pods_do_nothing() {
    let scaler = scaler(json!({}));
    let mut seen = seen(&scaler, 1, 900);
    seen.rivals.push("ns/other".into());
    let decision = decide(seen, &mut History::default());
    let why = "pods by selector app=web are controlled by multiple HPAs: [ns/web ns/other]";
    assert_eq!(
        events(&decision),
        [
            ("AmbiguousSelector", why),
            ("FailedComputeMetricsReplicas", why)
        ]
    );
    assert_eq!(
        conditions(&decision)[1],
        ("ScalingActive", "False", "AmbiguousSelector")
    );
    assert_eq!(
        (decision.resize, decision.status.current_metrics),
        (None, None)
    );
}

#[test]
fn a_missing_target_is_all_that_is_said() {
    let scaler = scaler(json!({}));
    let mut seen = seen(&scaler, 1, 900);
    seen.scale = Err("deployments.apps \"web\" not found".into());
    let decision = decide(seen, &mut History::default());
    assert_eq!(
        conditions(&decision),
        [("AbleToScale", "False", "FailedGetScale")]
    );
    assert_eq!(
        events(&decision),
        [("FailedGetScale", "deployments.apps \"web\" not found")]
    );
}

#[test]
fn metrics_without_an_adapter_fail_as_on_a_cluster_that_has_none_and_block_the_way_down() {
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}});
    let rps = json!({"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "10"}}});
    let scaler = scaler(json!({"metrics": [cpu, rps]}));
    let why = "unable to get metric rps: unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered";
    let down = decide(seen(&scaler, 4, 5), &mut History::default());
    assert_eq!(events(&down)[0], ("FailedGetPodsMetric", why));
    assert_eq!(
        (conditions(&down)[1], down.resize.clone()),
        (("ScalingActive", "False", "FailedGetPodsMetric"), None)
    );
    let up = decide(seen(&scaler, 1, 100), &mut History::default());
    assert_eq!(up.resize.map(|resize| resize.to), Some(2));
}

#[test]
fn a_condition_changes_its_time_with_its_status_only() {
    let mut scaler = scaler(json!({}));
    let mut first = decide(seen(&scaler, 1, 50), &mut History::default());
    let earlier: Timestamp = "2026-01-01T00:30:00Z".parse().unwrap();
    for one in first.status.conditions.as_mut().unwrap() {
        one.last_transition_time = Some(Time(earlier));
    }
    scaler.status = Some(first.status);
    let mut seen = seen(&scaler, 1, 50);
    seen.used = Ok(vec![]);
    let second = decide(seen, &mut History::default());
    let times = second.status.conditions.unwrap();
    let times: Vec<_> = times
        .into_iter()
        .map(|one| (one.type_, one.last_transition_time.unwrap().0))
        .collect();
    assert_eq!(
        times,
        [
            ("AbleToScale".to_owned(), earlier),
            ("ScalingActive".to_owned(), now()),
            ("ScalingLimited".to_owned(), earlier)
        ]
    );
}
