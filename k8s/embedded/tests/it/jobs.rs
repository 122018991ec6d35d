//! Jobs that succeed and Jobs that do not.

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use crate::kinds::pod_spec;
use crate::world::{World, conform};

fn job(world: &World, name: &str, script: &str, more: Value) -> Value {
    let pod = pod_spec(vec![world.shell(script)], json!({"restartPolicy": "Never"}));
    let mut job = json!({"metadata": {"name": name}, "spec": {"template": {"spec": pod}}});
    crate::kinds::merge(&mut job["spec"], more);
    job
}

/// The conditions that hold, with their reasons.
fn holds(job: &Job) -> Vec<(&str, &str)> {
    let status = job.status.as_ref();
    let all = status.and_then(|status| status.conditions.as_deref());
    let all = all.unwrap_or_default().iter();
    all.filter(|one| one.status == "True")
        .map(|one| (&*one.type_, one.reason.as_deref().unwrap_or_default()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_complete_when_enough_pods_have_succeeded() {
    conform("Job completion", async |world| {
        let more = json!({"completions": 3, "parallelism": 2});
        world
            .create::<Job>(job(world, "done", "exit 0", more))
            .await;
        let job: Job = world
            .until("done", "complete", |job| {
                holds(job).iter().any(|(name, _)| *name == "Complete")
            })
            .await;
        println!("Job completion: {:?}", holds(&job));
        let reached = "CompletionsReached";
        assert_eq!(
            holds(&job),
            [("SuccessCriteriaMet", reached), ("Complete", reached)]
        );
        let status = job.status.unwrap();
        assert_eq!((status.succeeded, status.failed), (Some(3), None));
        assert!(status.completion_time.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_has_failed_when_its_pods_failed_too_often() {
    conform("Job failure", async |world| {
        let more = json!({"backoffLimit": 0});
        world
            .create::<Job>(job(world, "lost", "exit 3", more))
            .await;
        let job: Job = world
            .until("lost", "failed", |job| {
                holds(job).iter().any(|(name, _)| *name == "Failed")
            })
            .await;
        println!("Job failure: {:?}", holds(&job));
        let limit = "BackoffLimitExceeded";
        assert_eq!(holds(&job), [("FailureTarget", limit), ("Failed", limit)]);
        let status = job.status.unwrap();
        assert_eq!((status.succeeded, status.failed), (None, Some(1)));
        assert!(status.completion_time.is_none());
    })
    .await;
}
