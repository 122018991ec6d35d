//! CronJobs, hours of them.

use std::time::Duration;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::jiff::Timestamp;
use kube::{ResourceExt, api::ListParams};
use serde_json::{Value, json};

use crate::{kubelet::Script, world::World};

const MINUTE: Duration = Duration::from_secs(60);

/// A CronJob whose pods take so long.
async fn cron(world: &World, takes: Duration, more: Value) {
    let script = Script {
        end: Some((takes, 0)),
        ..Script::default()
    };
    world.kubelet.script("work", script);
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "work"}]});
    let mut spec =
        json!({"schedule": "*/10 * * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}});
    let (Some(fields), Value::Object(more)) = (spec.as_object_mut(), more) else {
        unreachable!("literals")
    };
    fields.extend(more);
    world
        .create::<CronJob>(json!({"metadata": {"name": "work"}, "spec": spec}))
        .await;
}

async fn jobs(world: &World) -> Vec<Job> {
    let jobs = world.api::<Job>().list(&ListParams::default()).await;
    let mut jobs = jobs.unwrap().items;
    jobs.sort_by_key(|job| job.name_any());
    jobs
}

fn is_active(job: &Job) -> bool {
    let status = job.status.as_ref();
    status.is_some_and(|status| status.active.unwrap_or(0) > 0)
}

#[tokio::test(start_paused = true)]
async fn each_run_is_a_job_called_after_its_minute_and_the_last_three_are_kept() {
    let world = World::new().await;
    cron(&world, Duration::from_secs(5), json!({})).await;
    tokio::time::sleep(61 * MINUTE).await;
    let told = world.events("SawCompletedJob").await;
    assert_eq!(told.len(), 6, "{told:?}");
    let jobs = jobs(&world).await;
    assert_eq!(jobs.len(), 3);
    for job in &jobs {
        let due = &job.annotations()["batch.kubernetes.io/cronjob-scheduled-timestamp"];
        let due: Timestamp = due.parse().unwrap();
        assert_eq!(due.as_second() % 600, 0);
        assert_eq!(job.name_any(), format!("work-{}", due.as_second() / 60));
    }
    let cron = world.api::<CronJob>().get("work").await.unwrap();
    let status = cron.status.unwrap();
    assert_eq!(status.active, None);
    assert!(status.last_successful_time > status.last_schedule_time);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_joined_waited_for_or_replaced() {
    for (policy, kept) in [("Allow", 3), ("Forbid", 1), ("Replace", 1)] {
        let world = World::new().await;
        let more = json!({"concurrencyPolicy": policy});
        cron(&world, 1000 * MINUTE, more).await;
        tokio::time::sleep(30 * MINUTE + Duration::from_secs(30)).await;
        let jobs = jobs(&world).await;
        let active = jobs.iter().filter(|job| is_active(job)).count();
        assert_eq!((active, jobs.len()), (kept, kept), "{policy}");
        let told = world.events("JobAlreadyActive").await.len();
        assert_eq!(told > 0, policy == "Forbid", "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn while_it_is_suspended_nothing_starts_and_afterwards_one_run_is_made_up_for() {
    let world = World::new().await;
    cron(&world, Duration::from_secs(5), json!({"suspend": true})).await;
    tokio::time::sleep(25 * MINUTE).await;
    assert_eq!(jobs(&world).await.len(), 0);
    let late = json!({"spec": {"suspend": false}});
    world.merge::<CronJob>("work", late).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(jobs(&world).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn jobs_go_with_their_cron_job() {
    let world = World::new().await;
    cron(&world, 1000 * MINUTE, json!({})).await;
    tokio::time::sleep(11 * MINUTE).await;
    assert!(!jobs(&world).await.is_empty());
    let api = world.api::<CronJob>();
    api.delete("work", &Default::default()).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    assert_eq!(jobs(&world).await.len(), 0);
    assert_eq!(world.pods().await.len(), 0);
}
