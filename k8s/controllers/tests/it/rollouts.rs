//! Rolling updates from one version to the next (`semantics.md` 3.1–3.4).

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    kubelet::Script,
    world::{Seen, World, reason, web},
};

const SECOND: Duration = Duration::from_secs(1);

fn never_ready() -> Script {
    Script {
        ready: None,
        ..Script::default()
    }
}

fn of<'a>(pods: &'a [Seen], image: &'a str) -> impl Iterator<Item = &'a Seen> {
    pods.iter()
        .filter(move |pod| pod.image == image && !pod.is_going)
}

#[tokio::test(start_paused = true)]
async fn dep_1_a_rollout_keeps_surge_and_unavailable_at_every_size() {
    for (replicas, surge, unavailable) in [
        (1, 1, 0),
        (2, 1, 0),
        (3, 1, 0),
        (4, 1, 1),
        (5, 2, 1),
        (8, 2, 2),
        (10, 3, 2),
    ] {
        let world = World::new().await;
        world.deployed(replicas, json!({})).await;
        world.history.clear();
        world.roll_to("web:2").await;
        world.complete("web:2").await;
        let replicas = usize::try_from(replicas).unwrap();
        let moments = world.history.moments();
        let most = moments
            .iter()
            .map(|pods| pods.iter().filter(|pod| !pod.is_going).count())
            .max()
            .unwrap();
        let least = moments
            .iter()
            .map(|pods| pods.iter().filter(|pod| pod.serves()).count())
            .min()
            .unwrap();
        assert_eq!(most, replicas + surge, "of {replicas}");
        assert!(least >= replicas - unavailable, "{least} of {replicas}");
    }
}

#[tokio::test(start_paused = true)]
async fn dep_2_the_only_pod_goes_after_its_successor_is_there() {
    let world = World::new().await;
    world.deployed(1, json!({})).await;
    world.history.clear();
    world.roll_to("web:2").await;
    world.complete("web:2").await;
    let came = world
        .history
        .first(|pods| of(pods, "web:2").any(Seen::serves))
        .unwrap();
    let went = world
        .history
        .first(|pods| pods.iter().any(|pod| pod.image == "web:1" && pod.is_going))
        .unwrap();
    assert!(came <= went);
    assert!(
        world
            .history
            .moments()
            .iter()
            .all(|pods| pods.iter().any(Seen::serves))
    );
}

#[tokio::test(start_paused = true)]
async fn dep_3_a_version_that_never_gets_ready_takes_no_more_than_the_budget() {
    let world = World::new().await;
    world.kubelet.script("web:2", never_ready());
    world.deployed(4, json!({})).await;
    world.roll_to("web:2").await;
    tokio::time::sleep(120 * SECOND).await;
    let moments = world.history.moments();
    let last = moments.last().unwrap();
    assert_eq!(
        (of(last, "web:1").count(), of(last, "web:2").count()),
        (3, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn dep_4_and_5_a_rollout_past_its_deadline_says_so_and_still_completes() {
    let world = World::new().await;
    world.kubelet.script("web:2", never_ready());
    world
        .deployed(2, json!({"progressDeadlineSeconds": 10}))
        .await;
    world.roll_to("web:2").await;
    let began = Instant::now();
    let is_late = |d: Option<&Deployment>| {
        d.and_then(|d| reason(d, "Progressing")).as_deref() == Some("ProgressDeadlineExceeded")
    };
    world.wait("web", is_late).await;
    let took = began.elapsed();
    assert!((10 * SECOND..=13 * SECOND).contains(&took), "{took:?}");
    let moments = world.history.moments();
    let last = moments.last().unwrap();
    assert_eq!(
        (of(last, "web:1").count(), of(last, "web:2").count()),
        (2, 1)
    );

    world.kubelet.script("web:2", Script::default());
    for pod in world.pods().await {
        world.kubelet.set_ready(&pod, true).await;
    }
    let complete = world.complete("web:2").await;
    world
        .wait("web", |d: Option<&Deployment>| {
            d.and_then(|d| reason(d, "Progressing")).as_deref() == Some("NewReplicaSetAvailable")
        })
        .await;
    assert_eq!(complete.status.unwrap().replicas, Some(2));
}

#[tokio::test(start_paused = true)]
async fn dep_6_min_ready_seconds_hold_the_old_pod_back() {
    let world = World::new().await;
    world.deployed(2, json!({"minReadySeconds": 5})).await;
    world.history.clear();
    world.roll_to("web:2").await;
    world.complete("web:2").await;
    for count in [1, 2] {
        let came = world
            .history
            .first(|pods| of(pods, "web:2").filter(|pod| pod.is_ready).count() == count)
            .unwrap();
        let went = world
            .history
            .first(|pods| of(pods, "web:1").count() == 2 - count)
            .unwrap();
        assert!(
            (5 * SECOND..8 * SECOND).contains(&(went - came)),
            "{:?}",
            went - came
        );
    }
}

#[tokio::test(start_paused = true)]
async fn dep_7_unhealthy_old_pods_go_first() {
    let world = World::new().await;
    world.deployed(4, json!({})).await;
    let sick = world.pods().await.remove(0);
    world.kubelet.set_ready(&sick, false).await;
    world
        .wait("web", |d: Option<&Deployment>| {
            d.and_then(|d| d.status.as_ref()?.available_replicas) == Some(3)
        })
        .await;
    world.history.clear();
    world.kubelet.script(
        "web:2",
        Script {
            ready: Some(5 * SECOND),
            ..Script::default()
        },
    );
    world.roll_to("web:2").await;
    world.complete("web:2").await;
    let moments = world.history.moments();
    let first: Vec<&str> = moments
        .iter()
        .flatten()
        .filter(|pod| pod.is_going)
        .map(|pod| pod.name.as_str())
        .take(1)
        .collect();
    assert_eq!(first, [sick.name_any()]);
}

#[tokio::test(start_paused = true)]
async fn dep_8_recreate_starts_nothing_before_the_last_old_pod_is_gone() {
    let world = World::new().await;
    world.kubelet.script(
        "web:1",
        Script {
            stop: 5 * SECOND,
            ..Script::default()
        },
    );
    world
        .deployed(3, json!({"strategy": {"type": "Recreate"}}))
        .await;
    world.history.clear();
    let began = Instant::now();
    world.roll_to("web:2").await;
    world.complete("web:2").await;
    let both = |pods: &Vec<Seen>| {
        pods.iter().any(|pod| pod.image == "web:1") && pods.iter().any(|pod| pod.image == "web:2")
    };
    assert!(!world.history.moments().iter().any(both));
    assert!(began.elapsed() < 7 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn dep_9_a_rollout_is_complete_while_an_old_pod_still_drains() {
    let world = World::new().await;
    world.kubelet.script(
        "web:1",
        Script {
            stop: 20 * SECOND,
            ..Script::default()
        },
    );
    world.deployed(1, json!({})).await;
    world.roll_to("web:2").await;
    world.complete("web:2").await;
    assert!(
        world
            .pods()
            .await
            .iter()
            .any(|pod| pod.metadata.deletion_timestamp.is_some())
    );
}

#[tokio::test(start_paused = true)]
async fn dep_16_a_restart_annotation_replaces_every_pod() {
    let world = World::new().await;
    world.deployed(3, json!({})).await;
    let before: Vec<String> = world
        .pods()
        .await
        .iter()
        .map(|pod| pod.name_any())
        .collect();
    let restart = json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}});
    world.merge::<Deployment>("web", restart).await;
    world.complete("web:1").await;
    let after = world.pods().await;
    assert!(
        after
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .all(|pod| !before.contains(&pod.name_any()))
    );
    assert_eq!(world.sets().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_changes_in_a_row_end_with_the_second_and_leave_nothing_of_the_first() {
    let world = World::new().await;
    world.deployed(5, json!({})).await;
    world.roll_to("web:2").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    world.roll_to("web:3").await;
    world.complete("web:3").await;
    let moments = world.history.moments();
    let last = moments.last().unwrap();
    assert_eq!(
        (
            of(last, "web:1").count(),
            of(last, "web:2").count(),
            of(last, "web:3").count()
        ),
        (0, 0, 5)
    );
}

#[tokio::test(start_paused = true)]
async fn scaling_in_the_middle_of_a_stuck_rollout_is_shared() {
    let world = World::new().await;
    world.kubelet.script("web:2", never_ready());
    world
        .deployed(
            10,
            json!({"strategy": {"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}}),
        )
        .await;
    world.roll_to("web:2").await;
    tokio::time::sleep(30 * SECOND).await;
    world
        .merge::<Deployment>("web", json!({"spec": {"replicas": 15}}))
        .await;
    tokio::time::sleep(30 * SECOND).await;
    let moments = world.history.moments();
    let last = moments.last().unwrap();
    assert_eq!(
        (of(last, "web:1").count(), of(last, "web:2").count()),
        (11, 7)
    );
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_undone_uses_its_old_set_again() {
    let world = World::new().await;
    world.deployed(2, json!({})).await;
    world.roll_to("web:2").await;
    world.complete("web:2").await;
    world.roll_to("web:1").await;
    world.complete("web:1").await;
    world
        .wait("web", |d: Option<&Deployment>| {
            d.and_then(|d| {
                d.annotations()
                    .get("deployment.kubernetes.io/revision")
                    .cloned()
            })
            .as_deref()
                == Some("3")
        })
        .await;
    assert_eq!(world.sets().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_old_sets_are_kept_than_the_history_holds() {
    let world = World::new().await;
    world
        .create::<Deployment>(web(1, json!({"revisionHistoryLimit": 1})))
        .await;
    for image in ["web:1", "web:2", "web:3", "web:4"] {
        world.roll_to(image).await;
        world.complete(image).await;
    }
    tokio::time::sleep(SECOND).await;
    assert_eq!(world.sets().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_paused_deployment_waits_for_its_resumption() {
    let world = World::new().await;
    world.deployed(2, json!({})).await;
    world
        .merge::<Deployment>("web", json!({"spec": {"paused": true}}))
        .await;
    world.roll_to("web:2").await;
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(world.sets().await.len(), 1);
    world
        .merge::<Deployment>("web", json!({"spec": {"paused": false}}))
        .await;
    world.complete("web:2").await;
}
