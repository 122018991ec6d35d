//! CronJobs in real time; what takes hours is tested in virtual time.

use std::time::Duration;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

use crate::kinds::pod_spec;
use crate::world::{World, conform};

fn cron(world: &World, schedule: &str) -> Value {
    let never = json!({"restartPolicy": "Never"});
    let pod = pod_spec(vec![world.shell("true")], never);
    let job = json!({"spec": {"template": {"spec": pod}}});
    json!({"metadata": {"name": "work"}, "spec": {"schedule": schedule, "concurrencyPolicy": "Forbid", "jobTemplate": job}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cron_job_starts_a_job_when_its_time_has_come() {
    conform("CronJob", async |world| {
        let made: CronJob = world.create(cron(world, "@every 5s")).await;
        let began = made.metadata.creation_timestamp.clone().unwrap().0;
        let done = |cron: &CronJob| {
            let status = cron.status.as_ref();
            status.is_some_and(|status| status.last_successful_time.is_some())
        };
        let cron: CronJob = world.until("work", "done once", done).await;
        let last = cron.status.unwrap().last_schedule_time.unwrap().0;
        assert!(last.duration_since(began).as_secs() >= 5, "{last}");
        let all = ListParams::default();
        let jobs = world.api::<Job>().list(&all).await.unwrap();
        let job = &jobs.items[0];
        let due = &job.annotations()["batch.kubernetes.io/cronjob-scheduled-timestamp"];
        let due: Timestamp = due.parse().unwrap();
        assert_eq!(job.name_any(), format!("work-{}", due.as_second() / 60));
        assert_eq!(job.owner_references()[0].name, "work");
        world.delete::<CronJob>("work").await;
        let within = Duration::from_secs(60);
        world
            .eventually("jobs and pods go with it", within, async || {
                let jobs = world.api::<Job>().list(&all).await.unwrap();
                let pods = world.api::<Pod>().list(&all).await.unwrap();
                jobs.items.is_empty() && pods.items.is_empty()
            })
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_that_cannot_be_read_is_refused() {
    conform("CronJob validation", async |world| {
        for (schedule, why) in [
            ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
            ("61 * * * *", "end of range (61) above maximum (59): 61"),
            ("@often", "unrecognized descriptor: @often"),
        ] {
            let cron = serde_json::from_value(cron(world, schedule)).unwrap();
            let (api, params) = (world.api::<CronJob>(), PostParams::default());
            let Err(kube::Error::Api(refusal)) = api.create(&params, &cron).await else {
                panic!("{schedule} was taken")
            };
            let message = format!(
                "CronJob.batch \"work\" is invalid: spec.schedule: Invalid value: {schedule:?}: {why}"
            );
            assert_eq!((refusal.code, &*refusal.message), (422, &*message));
        }
    })
    .await;
}
