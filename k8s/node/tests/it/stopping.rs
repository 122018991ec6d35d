//! How simulated pods end, in virtual time.

use std::time::Duration;

use node::runtime::{Script, Simulated};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::*;

/// A running pod with a container of this script; `spec` is the rest of the pod's.
async fn running(script: Script, container: Value, spec: Value) -> Cluster {
    let cluster = Cluster::simulated(Simulated::new().with("room:1", script));
    let mut room = json!({"name": "room", "image": "room:1"});
    room.as_object_mut()
        .unwrap()
        .extend(container.as_object().unwrap().clone());
    cluster.pod("room", json!([room]), spec).await;
    cluster.until("room", is_ready).await;
    cluster
}

fn deaf() -> Script {
    Script {
        on_term: None,
        ..Script::default()
    }
}

fn polite(seconds: u64) -> Script {
    Script {
        on_term: Some((Duration::from_secs(seconds), 0)),
        ..Script::default()
    }
}

fn pre_stop(seconds: u64) -> Value {
    json!({"lifecycle": {"preStop": {"sleep": {"seconds": seconds}}}})
}

async fn deleted_in(cluster: &Cluster, grace: Option<u32>) -> f64 {
    cluster.delete("room", grace).await;
    cluster.time_to_end("room").await
}

#[tokio::test(start_paused = true)]
async fn rst_7_a_program_that_obeys_is_gone_when_it_has_ended() {
    let took = deleted_in(&running(polite(1), json!({}), json!({})).await, None).await;
    assert!((1.0..1.5).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn rst_8_a_program_that_does_not_lives_the_whole_grace_period() {
    let cluster = running(
        deaf(),
        json!({}),
        json!({"terminationGracePeriodSeconds": 5}),
    )
    .await;
    let took = deleted_in(&cluster, None).await;
    assert!((5.0..5.5).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn rst_10_the_hook_comes_first_and_its_time_is_taken_off_the_grace() {
    let grace = json!({"terminationGracePeriodSeconds": 10});
    let took = deleted_in(&running(deaf(), pre_stop(4), grace.clone()).await, None).await;
    assert!((10.0..10.5).contains(&took), "{took}");
    let took = deleted_in(&running(polite(0), pre_stop(4), grace).await, None).await;
    assert!((4.0..4.5).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn rst_11_a_hook_that_does_not_end_is_abandoned_and_two_seconds_remain() {
    let cluster = running(
        deaf(),
        pre_stop(60),
        json!({"terminationGracePeriodSeconds": 3}),
    )
    .await;
    let took = deleted_in(&cluster, None).await;
    assert!((5.0..5.5).contains(&took), "{took}");
    assert_eq!(cluster.events("FailedPreStopHook").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rst_12_the_hook_runs_before_a_liveness_kill_but_not_when_the_program_ends_by_itself() {
    let probe = json!({"livenessProbe": {"httpGet": {"port": 1}, "periodSeconds": 1}});
    let mut container = pre_stop(20);
    container
        .as_object_mut()
        .unwrap()
        .extend(probe.as_object().unwrap().clone());
    let sick = Script {
        sick_after: Some(Duration::from_secs(5)),
        ..polite(0)
    };
    let cluster = running(sick, container, json!({})).await;
    let killed = killed_after(&cluster).await;
    assert!((25.0..30.0).contains(&killed), "{killed}");
    let short = Script {
        exits: Some((Duration::from_secs(5), 0)),
        ..polite(0)
    };
    let ended = killed_after(&running(short, pre_stop(20), json!({})).await).await;
    assert!((4.5..5.5).contains(&ended), "{ended}");
}

async fn killed_after(cluster: &Cluster) -> f64 {
    let began = tokio::time::Instant::now();
    cluster.until("room", |pod| restarts(pod) == 1).await;
    began.elapsed().as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn rst_13_a_probes_own_grace_is_used_but_never_less_than_two_seconds() {
    let probe = json!({"livenessProbe": {"httpGet": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1,
        "terminationGracePeriodSeconds": 1}});
    let sick = Script {
        sick_after: Some(Duration::from_secs(10)),
        ..deaf()
    };
    let cluster = running(sick, probe, json!({})).await;
    let took = killed_after(&cluster).await;
    assert!((12.0..13.6).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_forced_deletion_ends_the_object_at_once_and_the_container_soon() {
    let cluster = running(deaf(), json!({}), json!({})).await;
    assert!(deleted_in(&cluster, Some(0)).await < 0.1);
    sleep(Duration::from_secs(3)).await;
    assert!(cluster.node.usage().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_later_order_shortens_the_grace() {
    let cluster = running(deaf(), json!({}), json!({})).await;
    cluster.delete("room", Some(30)).await;
    sleep(Duration::from_secs(5)).await;
    let took = deleted_in(&cluster, Some(4)).await;
    assert!((4.0..4.5).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn rst_16_containers_of_a_pod_are_asked_to_end_at_the_same_time() {
    let cluster = Cluster::simulated(
        Simulated::new()
            .with("room:1", polite(3))
            .with("room:2", polite(3)),
    );
    let two = json!([{"name": "a", "image": "room:1"}, {"name": "b", "image": "room:2"}]);
    cluster.pod("room", two, json!({})).await;
    cluster.until("room", is_ready).await;
    let took = deleted_in(&cluster, None).await;
    assert!((3.0..3.5).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn prb_20_readiness_goes_on_while_a_deleted_pod_drains_and_liveness_does_not() {
    let probes = json!({
        "readinessProbe": {"httpGet": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1},
        "livenessProbe": {"httpGet": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1},
    });
    let script = Script {
        sick_after: Some(Duration::from_secs(10)),
        ..polite(20)
    };
    let cluster = running(script, probes, json!({})).await;
    cluster.delete("room", None).await;
    let pod = cluster.until("room", |pod| !is_ready(pod)).await;
    assert!(is_running(&pod) && pod.metadata.deletion_timestamp.is_some());
    let unhealthy = cluster.events("Unhealthy").await;
    assert!(
        unhealthy
            .iter()
            .all(|event| event.message.as_deref().unwrap().starts_with("Readiness")),
        "{unhealthy:?}"
    );
    let took = cluster.time_to_end("room").await;
    assert!((8.0..11.0).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_everything_without_a_word() {
    let cluster = running(deaf(), json!({}), json!({})).await;
    cluster.node.shutdown().await;
    assert!(is_ready(&cluster.pods().get("room").await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_container_runs_only_after_its_post_start_hook() {
    let cluster = Cluster::simulated(Simulated::new().with("room:1", polite(0)));
    let hook = json!({"postStart": {"sleep": {"seconds": 7}}});
    let room = json!([{"name": "room", "image": "room:1", "lifecycle": hook}]);
    let began = tokio::time::Instant::now();
    cluster.pod("room", room, json!({})).await;
    cluster.until("room", is_ready).await;
    let took = began.elapsed().as_secs_f64();
    assert!((7.0..7.5).contains(&took), "{took}");
}
