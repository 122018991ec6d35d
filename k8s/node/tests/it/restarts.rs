//! Restarts, back-off and probes of simulated containers, in virtual time.

use std::time::Duration;

use apiserver::Streams;
use node::runtime::{Script, Simulated};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn room() -> Value {
    json!([{"name": "room", "image": "room:1"}])
}

async fn one(script: Script, container: Value, more: Value) -> Cluster {
    let cluster = Cluster::simulated(Simulated::new().with("room:1", script));
    let mut room = json!({"name": "room", "image": "room:1"});
    room.as_object_mut()
        .unwrap()
        .extend(container.as_object().unwrap().clone());
    cluster.pod("room", json!([room]), more).await;
    cluster
}

#[tokio::test(start_paused = true)]
async fn rst_1_a_crashing_container_is_restarted_after_0_10_20_40_80_160_and_300_seconds() {
    let script = Script {
        exits: Some((seconds(1), 1)),
        ..Script::default()
    };
    let cluster = one(script, json!({}), json!({})).await;
    let mut starts = vec![];
    for number in 0..8 {
        cluster
            .until("room", move |pod| {
                is_running(pod) && restarts(pod) == number
            })
            .await;
        starts.push(Instant::now());
    }
    let gaps: Vec<u64> = starts
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64().round() as u64 - 1)
        .collect();
    assert_eq!(gaps, [0, 10, 20, 40, 80, 160, 300]);
}

#[tokio::test(start_paused = true)]
async fn rst_2_in_the_gap_the_container_waits_in_crash_loop_back_off_and_the_pod_stays_running() {
    let script = Script {
        exits: Some((seconds(1), 3)),
        ..Script::default()
    };
    let cluster = one(script, json!({}), json!({})).await;
    let pod = cluster
        .until("room", is_waiting_for("CrashLoopBackOff"))
        .await;
    assert_eq!(
        (phase(&pod), is_ready(&pod), restarts(&pod), exit_code(&pod)),
        ("Running", false, 1, Some(3))
    );
    let message = container(&pod)
        .state
        .clone()
        .unwrap()
        .waiting
        .unwrap()
        .message
        .unwrap();
    assert!(
        message.starts_with("back-off 10s restarting failed container=room pod=room_default("),
        "{message}"
    );
    assert_eq!(cluster.events("BackOff").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rst_4_a_policy_ends_the_pod_by_its_exit_code() {
    for (policy, code, end) in [
        ("OnFailure", 0, "Succeeded"),
        ("Never", 1, "Failed"),
        ("Never", 0, "Succeeded"),
    ] {
        let script = Script {
            exits: Some((seconds(1), code)),
            ..Script::default()
        };
        let cluster = one(script, json!({}), json!({"restartPolicy": policy})).await;
        let pod = cluster.until("room", move |pod| phase(pod) == end).await;
        assert_eq!((restarts(&pod), exit_code(&pod)), (0, Some(code)));
    }
}

#[tokio::test(start_paused = true)]
async fn prb_21_without_a_readiness_probe_a_running_container_is_ready() {
    let cluster = one(Script::default(), json!({}), json!({})).await;
    let pod = cluster.until("room", is_ready).await;
    assert_eq!(
        (phase(&pod), container(&pod).started),
        ("Running", Some(true))
    );
    assert!(pod.status.unwrap().pod_ip.unwrap().starts_with("127.1."));
    for reason in ["Pulled", "Created", "Started"] {
        assert_eq!(cluster.events(reason).await.len(), 1, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn prb_14_readiness_is_first_asked_soon_after_the_start_whatever_its_period() {
    let probe = json!({"readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 30}});
    let cluster = one(Script::default(), probe, json!({})).await;
    let began = Instant::now();
    cluster.until("room", is_ready).await;
    assert!(began.elapsed() < seconds(3), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn prb_13_readiness_waits_for_its_initial_delay() {
    let probe = json!({"readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1, "initialDelaySeconds": 5}});
    let cluster = one(Script::default(), probe, json!({})).await;
    let began = Instant::now();
    cluster.until("room", is_ready).await;
    assert!(
        (4.9..7.0).contains(&began.elapsed().as_secs_f64()),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn prb_11_a_pod_that_fails_turns_unready_with_the_third_attempt() {
    let script = Script {
        sick_after: Some(seconds(20)),
        ..Script::default()
    };
    let probe = json!({"readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 2, "failureThreshold": 3}});
    let cluster = one(script, probe, json!({})).await;
    cluster.until("room", is_ready).await;
    let began = Instant::now();
    let pod = cluster.until("room", |pod| !is_ready(pod)).await;
    assert!(
        (23.0..26.5).contains(&began.elapsed().as_secs_f64()),
        "{:?}",
        began.elapsed()
    );
    assert_eq!((restarts(&pod), phase(&pod)), (0, "Running"));
    assert!(!cluster.events("Unhealthy").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn prb_15_and_16_only_the_startup_probe_is_asked_until_it_succeeds_and_its_failure_restarts()
{
    let slow = Script {
        ready_after: seconds(12),
        ..Script::default()
    };
    let probes = |threshold: u32| {
        json!({
            "startupProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1, "failureThreshold": threshold},
            "livenessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1},
        })
    };
    let cluster = one(slow.clone(), probes(30), json!({})).await;
    let began = Instant::now();
    let pod = cluster
        .until("room", |pod| {
            has_container(pod) && container(pod).started == Some(true)
        })
        .await;
    assert!(
        (11.5..13.5).contains(&began.elapsed().as_secs_f64()),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(restarts(&pod), 0);
    let cluster = one(slow, probes(5), json!({})).await;
    cluster.until("room", |pod| restarts(pod) == 1).await;
    let killing = cluster.events("Killing").await;
    assert_eq!(
        killing[0].message.as_deref(),
        Some("Container room failed startup probe, will be restarted")
    );
}

#[tokio::test(start_paused = true)]
async fn prb_17_a_liveness_failure_replaces_the_container_and_nothing_else() {
    let script = Script {
        sick_after: Some(seconds(10)),
        on_term: Some((seconds(1), 143)),
        ..Script::default()
    };
    let probe = json!({"livenessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1}});
    let cluster = one(script, probe, json!({})).await;
    let before = cluster.until("room", is_ready).await;
    let after = cluster
        .until("room", |pod| restarts(pod) == 1 && is_running(pod))
        .await;
    assert_eq!(
        (exit_code(&after), &after.metadata.uid),
        (Some(143), &before.metadata.uid)
    );
    assert_eq!(after.status.unwrap().pod_ip, before.status.unwrap().pod_ip);
}

#[tokio::test(start_paused = true)]
async fn prb_18_with_policy_never_a_liveness_failure_ends_the_pod() {
    let script = Script {
        sick_after: Some(seconds(10)),
        ..Script::default()
    };
    let probe = json!({"livenessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1}});
    let script = Script {
        on_term: None,
        ..script
    };
    let cluster = one(script, probe, json!({"restartPolicy": "Never"})).await;
    let pod = cluster.until("room", |pod| phase(pod) == "Failed").await;
    assert_eq!((restarts(&pod), exit_code(&pod)), (0, Some(137)));
}

#[tokio::test(start_paused = true)]
async fn prb_19_a_container_that_is_being_killed_by_liveness_stays_ready_while_its_readiness_says_so()
 {
    let script = Script {
        sick_after: Some(seconds(10)),
        on_term: Some((seconds(10), 0)),
        ..Script::default()
    };
    let cluster = one(
        script,
        json!({"livenessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1}}),
        json!({}),
    )
    .await;
    let ready = cluster.until("room", is_ready).await;
    let began = Instant::now();
    cluster.until("room", |pod| !is_ready(pod)).await;
    // 10 s well, 3 failures, 10 s to stop.
    assert!(
        (20.0..25.0).contains(&began.elapsed().as_secs_f64()),
        "{:?} {ready:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn init_containers_run_one_after_the_other_and_before_the_others() {
    let script = Script {
        exits: Some((seconds(5), 0)),
        ..Script::default()
    };
    let cluster = Cluster::simulated(Simulated::new().with("room:2", script));
    let init = json!([{"name": "first", "image": "room:2"}, {"name": "second", "image": "room:2"}]);
    let began = Instant::now();
    cluster
        .pod("room", room(), json!({"initContainers": init}))
        .await;
    let pod = cluster.until("room", is_ready).await;
    assert!(
        (9.9..11.0).contains(&began.elapsed().as_secs_f64()),
        "{:?}",
        began.elapsed()
    );
    let init = pod.status.unwrap().init_container_statuses.unwrap();
    assert!(init.iter().all(|one| {
        one.state
            .as_ref()
            .unwrap()
            .terminated
            .as_ref()
            .unwrap()
            .exit_code
            == 0
    }));
}

#[tokio::test(start_paused = true)]
async fn vol_10_a_missing_map_holds_the_container_back_until_it_exists() {
    let env = json!({"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "x"}}}]});
    let cluster = one(Script::default(), env, json!({})).await;
    let pod = cluster
        .until("room", is_waiting_for("CreateContainerConfigError"))
        .await;
    assert_eq!((restarts(&pod), phase(&pod)), (0, "Pending"));
    let map = json!({"metadata": {"name": "conf"}, "data": {"x": "1"}});
    cluster
        .create::<k8s_openapi::api::core::v1::ConfigMap>(map)
        .await;
    let began = Instant::now();
    cluster.until("room", is_ready).await;
    assert!(began.elapsed() < seconds(1));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_image_is_told_with_the_images_there_are() {
    let cluster = Cluster::simulated(Simulated::new());
    cluster
        .pod(
            "odd",
            json!([{"name": "c", "image": "nginx:1", "imagePullPolicy": "Never"}]),
            json!({}),
        )
        .await;
    let pod = cluster
        .until("odd", is_waiting_for("ErrImageNeverPull"))
        .await;
    let message = container(&pod)
        .state
        .clone()
        .unwrap()
        .waiting
        .unwrap()
        .message
        .unwrap();
    assert!(
        message.contains("\"nginx:1\"") && message.contains("busybox"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_hour_passes_and_the_log_is_where_the_streams_say() {
    let log = vec![
        (seconds(1), "hello".to_owned()),
        (seconds(3600), "still here".to_owned()),
    ];
    let cluster = one(
        Script {
            log,
            ..Script::default()
        },
        json!({}),
        json!({}),
    )
    .await;
    cluster.until("room", is_ready).await;
    tokio::time::sleep(seconds(3601)).await;
    assert_eq!(cluster.log("room", false), ["hello", "still here"]);
    assert!(
        cluster
            .node
            .log_file("default", "room", None, true)
            .is_err()
    );
}

/// Restarts when `CrashLoopBackOff` is first seen, and how long after its first start the container was first restarted.
async fn until_it_loops(script: Script, probes: Value) -> (i32, f64) {
    let cluster = one(script, probes, json!({})).await;
    cluster.until("room", is_running).await;
    let began = Instant::now();
    cluster
        .until("room", |pod| restarts(pod) == 1 && is_running(pod))
        .await;
    let first = began.elapsed().as_secs_f64();
    let pod = cluster
        .until("room", is_waiting_for("CrashLoopBackOff"))
        .await;
    (restarts(&pod), first)
}

/// A file that lives for ten seconds and is asked for every five.
fn fading(on_term: Option<(Duration, i32)>) -> (Script, Value) {
    let script = Script {
        sick_after: Some(seconds(10)),
        on_term,
        ..Script::default()
    };
    let probe = json!({"exec": {"command": ["cat", "/tmp/healthy"]}, "periodSeconds": 5, "failureThreshold": 5});
    (script, json!({"livenessProbe": probe}))
}

#[tokio::test(start_paused = true)]
async fn xck_1_a_shell_that_ignores_the_signal_loops_after_five_restarts() {
    let (script, probe) = fading(None);
    let (restarts, first) = until_it_loops(script, probe).await;
    assert_eq!(restarts, 5);
    assert!((60.0..=68.0).contains(&first), "{first}");
}

#[tokio::test(start_paused = true)]
async fn xck_2_the_same_program_with_a_handler_loops_after_four() {
    let (script, probe) = fading(Some((Duration::ZERO, 0)));
    let (restarts, first) = until_it_loops(script, probe).await;
    assert_eq!(restarts, 4);
    assert!((30.0..=38.0).contains(&first), "{first}");
}

#[tokio::test(start_paused = true)]
async fn xck_3_a_program_slower_than_its_liveness_probe_is_never_ready_and_loops_after_two() {
    let script = Script {
        ready_after: seconds(20),
        sick_after: Some(Duration::ZERO),
        on_term: Some((Duration::ZERO, 143)),
        ..Script::default()
    };
    let asked = json!({"httpGet": {"port": 8080}, "initialDelaySeconds": 2, "periodSeconds": 1});
    let probes = json!({"livenessProbe": asked, "readinessProbe": {"httpGet": {"port": 8080}}});
    let cluster = one(script, probes, json!({})).await;
    let looping = cluster.until("room", is_waiting_for("CrashLoopBackOff"));
    let pod = tokio::select! {
        pod = looping => pod,
        pod = cluster.until("room", is_ready) => panic!("it became ready: {pod:?}"),
    };
    assert_eq!(restarts(&pod), 2);
}

#[tokio::test(start_paused = true)]
async fn rst_3_a_container_that_ends_well_waits_as_long_as_one_that_fails() {
    let script = Script {
        exits: Some((seconds(1), 0)),
        ..Script::default()
    };
    let cluster = one(script, json!({}), json!({})).await;
    let mut starts = vec![];
    for number in 0..4 {
        cluster
            .until("room", move |pod| {
                is_running(pod) && restarts(pod) == number
            })
            .await;
        starts.push(Instant::now());
    }
    let gaps: Vec<u64> = starts
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64().round() as u64 - 1)
        .collect();
    assert_eq!(gaps, [0, 10, 20]);
}

#[tokio::test(start_paused = true)]
async fn rst_6_a_new_pod_has_no_history() {
    let script = Script {
        exits: Some((seconds(1), 1)),
        ..Script::default()
    };
    let cluster = one(script, json!({}), json!({})).await;
    cluster
        .until("room", |pod| restarts(pod) == 3 && is_running(pod))
        .await;
    cluster.pod("next", room(), json!({})).await;
    let began = Instant::now();
    cluster.until("next", |pod| restarts(pod) == 1).await;
    assert!(began.elapsed() < seconds(3), "{:?}", began.elapsed());
}
