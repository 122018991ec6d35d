//! Jobs, from the first pod to the last trace.

use std::time::Duration;

use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{kubelet::Script, world::World};

const SECOND: Duration = Duration::from_secs(1);

async fn job(world: &World, more: Value) {
    let template = json!({"metadata": {"labels": {"app": "load"}}, "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "load"}]}});
    let mut spec = json!({"template": template});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    world
        .create::<Job>(json!({"metadata": {"name": "load"}, "spec": spec}))
        .await;
}

fn ends_with(world: &World, code: i32) {
    world.kubelet.script(
        "load",
        Script {
            end: Some((5 * SECOND, code)),
            ..Script::default()
        },
    );
}

async fn until(world: &World, type_: &'static str) -> Job {
    let has = move |job: Option<&Job>| {
        let conditions = job
            .and_then(|job| job.status.as_ref()?.conditions.as_ref())
            .into_iter()
            .flatten();
        conditions
            .into_iter()
            .any(|c| c.type_ == type_ && c.status == "True")
    };
    world.wait("load", has).await;
    world.api().get("load").await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_indexed_job_runs_every_number_once_and_completes() {
    let world = World::new().await;
    ends_with(&world, 0);
    let began = Instant::now();
    job(
        &world,
        json!({"completions": 4, "parallelism": 2, "completionMode": "Indexed"}),
    )
    .await;
    let done = until(&world, "Complete").await;
    assert!(
        (10 * SECOND..12 * SECOND).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
    let status = done.status.unwrap();
    assert_eq!(
        (
            status.succeeded,
            status.active,
            status.completed_indexes.as_deref()
        ),
        (Some(4), None, Some("0-3"))
    );
    let index = |pod: &Pod| {
        pod.spec.as_ref().unwrap().containers[0]
            .env
            .as_ref()
            .unwrap()
            .iter()
            .find(|e| e.name == "JOB_COMPLETION_INDEX")
            .unwrap()
            .value
            .clone()
    };
    let mut indexes: Vec<Option<String>> = world.pods().await.iter().map(index).collect();
    indexes.sort();
    assert_eq!(
        indexes,
        ["0", "1", "2", "3"].map(|text| Some(text.to_owned()))
    );
    assert!(
        world
            .pods()
            .await
            .iter()
            .all(|pod| pod.labels()["batch.kubernetes.io/job-name"] == "load")
    );
    assert_eq!(
        (
            world.events("SuccessfulCreate").await.len(),
            world.events("Completed").await.len()
        ),
        (4, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_keeps_failing_tries_again_after_ever_longer_pauses_and_then_fails() {
    let world = World::new().await;
    ends_with(&world, 1);
    let began = Instant::now();
    job(&world, json!({"backoffLimit": 2})).await;
    let failed = until(&world, "Failed").await;
    // Three lives of 5 s with pauses of 10 and 20 s; pauses count from whole seconds.
    assert!(
        (42 * SECOND..50 * SECOND).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(failed.status.unwrap().failed, Some(3));
    assert_eq!(
        world.events("BackoffLimitExceeded").await,
        ["Job has reached the specified backoff limit"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_past_its_deadline_fails_and_stops_its_pods() {
    let world = World::new().await;
    let began = Instant::now();
    job(&world, json!({"activeDeadlineSeconds": 20})).await;
    let failed = until(&world, "Failed").await;
    assert!(
        (20 * SECOND..23 * SECOND).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(failed.status.unwrap().active, None);
    assert!(world.pods().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_finished_job_and_its_pods_vanish_after_their_time() {
    let world = World::new().await;
    ends_with(&world, 0);
    job(&world, json!({"ttlSecondsAfterFinished": 30})).await;
    until(&world, "Complete").await;
    let ended = Instant::now();
    let pod = world.pods().await.remove(0).name_any();
    world.wait("load", |job: Option<&Job>| job.is_none()).await;
    assert!(
        (30 * SECOND..33 * SECOND).contains(&ended.elapsed()),
        "{:?}",
        ended.elapsed()
    );
    world.wait(&pod, |pod: Option<&Pod>| pod.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_suspended_job_stops_its_pods_and_runs_again_when_resumed() {
    let world = World::new().await;
    ends_with(&world, 0);
    job(&world, json!({"parallelism": 2, "completions": 2})).await;
    tokio::time::sleep(SECOND).await;
    world
        .merge::<Job>("load", json!({"spec": {"suspend": true}}))
        .await;
    until(&world, "Suspended").await;
    tokio::time::sleep(60 * SECOND).await;
    assert!(world.pods().await.is_empty());
    world
        .merge::<Job>("load", json!({"spec": {"suspend": false}}))
        .await;
    assert_eq!(
        until(&world, "Complete").await.status.unwrap().succeeded,
        Some(2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_a_job_that_is_deleted_is_replaced() {
    let world = World::new().await;
    ends_with(&world, 0);
    job(&world, json!({})).await;
    tokio::time::sleep(SECOND).await;
    let first = world.pods().await.remove(0).name_any();
    world
        .api::<Pod>()
        .delete(&first, &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(
        until(&world, "Complete").await.status.unwrap().succeeded,
        Some(1)
    );
}
