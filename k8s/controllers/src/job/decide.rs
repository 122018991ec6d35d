//! decide — what a Job's controller does next, from the Job and its pods alone.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobSpec, JobStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;

use super::{
    backoff, conditions,
    count::{Counted, count, counts, done, done_indexes, is_indexed},
    indexes,
};
use crate::pods;

/// What is to be done now, and when to look again although nothing changed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Decision {
    /// Pods to make, by their number if the Job is indexed.
    pub create: Vec<Option<i32>>,
    /// Pods to delete, by name.
    pub delete: Vec<String>,
    /// The Job itself is to be deleted: its time after the end is over.
    pub is_expired: bool,
    /// The status that follows.
    pub status: JobStatus,
    /// A time that a rule names.
    pub again: Option<Duration>,
}

/// How a Job ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    Complete,
    BackoffLimit,
    Deadline,
}

/// The next step. A finished Job keeps its status; only its remaining time runs.
pub(crate) fn decide(job: &Job, all: &[Pod], now: Timestamp) -> Decision {
    let (spec, before) = (
        job.spec.clone().unwrap_or_default(),
        job.status.clone().unwrap_or_default(),
    );
    let counted = count(all);
    if job.metadata.deletion_timestamp.is_some() {
        return Decision {
            status: before,
            ..Decision::default()
        };
    }
    if conditions::is_finished(&before) {
        return retire(&spec, before, &counted, now);
    }
    let mut next = Decision {
        status: counts(&spec, &before, &counted),
        ..Decision::default()
    };
    if spec.suspend == Some(true) {
        next.delete = names(&counted.active);
        next.status.start_time = None;
        conditions::suspend(&mut next.status, true, now);
        return next;
    }
    conditions::suspend(&mut next.status, false, now);
    let started = next.status.start_time.get_or_insert(Time(now)).0;
    let deadline = spec
        .active_deadline_seconds
        .map(|seconds| pods::remaining(started, seconds_after_stamp(seconds), now));
    match conditions::decided(&before).or_else(|| end(&spec, &counted, deadline)) {
        Some(end) => finish(next, end, &counted, now),
        None => go_on(next, &spec, &counted, deadline, now),
    }
}

fn end(spec: &JobSpec, counted: &Counted, deadline: Option<Duration>) -> Option<End> {
    let limit = usize::try_from(spec.backoff_limit.unwrap_or(6)).unwrap_or(0);
    let is_complete = match spec.completions {
        Some(completions) => done(spec, counted) >= usize::try_from(completions).unwrap_or(0),
        // Without a number the first success says that the work is done; who still works may end in peace.
        None => !counted.succeeded.is_empty() && counted.active.is_empty(),
    };
    if counted.failed.len() > limit || backoff::is_past_restarts(spec, counted, limit) {
        Some(End::BackoffLimit)
    } else if deadline.is_some_and(|left| left.is_zero()) {
        Some(End::Deadline)
    } else {
        is_complete.then_some(End::Complete)
    }
}

// Said at once, done when the last pod is gone.
fn finish(mut next: Decision, end: End, counted: &Counted, now: Timestamp) -> Decision {
    next.delete = names(&counted.active);
    conditions::announce(&mut next.status, end, now);
    if counted.active.is_empty() && counted.going == 0 {
        conditions::conclude(&mut next.status, end, now);
    }
    next
}

fn go_on(
    mut next: Decision,
    spec: &JobSpec,
    counted: &Counted,
    deadline: Option<Duration>,
    now: Timestamp,
) -> Decision {
    let (wanted, active) = (wanted(spec, counted), counted.active.len());
    let pause = backoff::left(counted, now);
    if active > wanted {
        let mut surplus = counted.active.clone();
        surplus.sort_by_key(|pod| {
            (
                pods::is_ready(pod),
                std::cmp::Reverse(pod.metadata.creation_timestamp.clone()),
            )
        });
        next.delete = names(&surplus[..active - wanted]);
    } else if active < wanted && pause.is_zero() {
        next.create = pods_to_make(spec, counted, wanted - active);
    }
    let pause = Some(pause).filter(|pause| active < wanted && !pause.is_zero());
    next.again = deadline.into_iter().chain(pause).min();
    next
}

fn wanted(spec: &JobSpec, counted: &Counted) -> usize {
    let parallelism = usize::try_from(spec.parallelism.unwrap_or(1)).unwrap_or(0);
    match spec.completions {
        Some(completions) => parallelism.min(
            usize::try_from(completions)
                .unwrap_or(0)
                .saturating_sub(done(spec, counted)),
        ),
        None if counted.succeeded.is_empty() => parallelism,
        None => counted.active.len().min(parallelism),
    }
}

fn pods_to_make(spec: &JobSpec, counted: &Counted, count: usize) -> Vec<Option<i32>> {
    if !is_indexed(spec) {
        return vec![None; count];
    }
    let mut taken = done_indexes(spec, counted);
    taken.extend(counted.active.iter().filter_map(|pod| indexes::of(pod)));
    indexes::missing(spec.completions.unwrap_or(1), &taken, count)
        .into_iter()
        .map(Some)
        .collect()
}

fn retire(spec: &JobSpec, before: JobStatus, counted: &Counted, now: Timestamp) -> Decision {
    let ended = conditions::finished_at(&before).unwrap_or(now);
    let left = spec
        .ttl_seconds_after_finished
        .map(|seconds| pods::remaining(ended, seconds_after_stamp(seconds.into()), now));
    Decision {
        delete: names(&counted.active),
        is_expired: left.is_some_and(|left| left.is_zero()),
        again: left.filter(|left| !left.is_zero()),
        status: before,
        ..Decision::default()
    }
}

// A stamp is cut to whole seconds: a second more makes sure that nothing happens early. Zero means at once.
fn seconds_after_stamp(seconds: i64) -> Duration {
    match u64::try_from(seconds) {
        Ok(seconds @ 1..) => Duration::from_secs(seconds + 1),
        _ => Duration::ZERO,
    }
}

fn names(pods: &[&Pod]) -> Vec<String> {
    pods.iter().map(|pod| pod.name_any()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::{Value, json};

    pub fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    pub fn job(spec: Value) -> Job {
        let mut spec = spec;
        spec["template"] = json!({"spec": {"restartPolicy": "Never", "containers": []}});
        serde_json::from_value(json!({"metadata": {"name": "load"}, "spec": spec})).unwrap()
    }

    pub fn pod(name: &str, phase: &str, ended: i64) -> Pod {
        let terminated = json!([{"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 1, "finishedAt": Time(at(ended))}}}]);
        let containers = if matches!(phase, "Succeeded" | "Failed") {
            terminated
        } else {
            Value::Null
        };
        serde_json::from_value(json!({"metadata": {"name": name}, "status": {"phase": phase, "containerStatuses": containers}})).unwrap()
    }

    fn indexed(index: i32, phase: &str) -> Pod {
        let mut pod = pod(&format!("load-{index}"), phase, 0);
        pod.annotations_mut()
            .insert(indexes::INDEX.into(), index.to_string());
        pod
    }

    fn ends(status: &JobStatus) -> Vec<(&str, &str)> {
        let conditions = status.conditions.iter().flatten();
        conditions
            .map(|c| (c.type_.as_str(), c.reason.as_deref().unwrap_or_default()))
            .collect()
    }

    #[test]
    fn a_new_job_starts_as_many_pods_as_may_run_at_once() {
        assert_eq!(
            decide(
                &job(json!({"completions": 5, "parallelism": 2})),
                &[],
                at(0)
            )
            .create,
            [None, None]
        );
        assert_eq!(
            decide(
                &job(json!({"completions": 1, "parallelism": 2})),
                &[],
                at(0)
            )
            .create,
            [None]
        );
    }

    #[test]
    fn it_makes_no_more_pods_than_are_still_needed() {
        let pods = [
            pod("a", "Succeeded", 1),
            pod("b", "Running", 0),
            pod("c", "Succeeded", 1),
        ];
        assert_eq!(
            decide(
                &job(json!({"completions": 3, "parallelism": 3})),
                &pods,
                at(2)
            )
            .create,
            []
        );
    }

    #[test]
    fn an_indexed_job_fills_its_lowest_free_numbers() {
        let spec = json!({"completions": 4, "parallelism": 3, "completionMode": "Indexed"});
        let decision = decide(
            &job(spec),
            &[indexed(0, "Succeeded"), indexed(2, "Running")],
            at(0),
        );
        assert_eq!(decision.create, [Some(1), Some(3)]);
        assert_eq!(
            (
                decision.status.succeeded,
                decision.status.completed_indexes.as_deref()
            ),
            (Some(1), Some("0"))
        );
    }

    #[test]
    fn enough_successes_complete_it() {
        let decision = decide(
            &job(json!({"completions": 1})),
            &[pod("a", "Succeeded", 1)],
            at(2),
        );
        assert_eq!(
            ends(&decision.status),
            [
                ("SuccessCriteriaMet", "CompletionsReached"),
                ("Complete", "CompletionsReached")
            ]
        );
        assert_eq!(decision.status.completion_time, Some(Time(at(2))));
    }

    #[test]
    fn a_job_without_a_number_of_completions_ends_with_its_last_pod() {
        let (done, busy) = (pod("a", "Succeeded", 1), pod("b", "Running", 0));
        let spec = json!({"parallelism": 2});
        assert_eq!(
            decide(&job(spec.clone()), &[done.clone(), busy], at(2)),
            Decision {
                status: decide(
                    &job(spec.clone()),
                    &[done.clone(), pod("b", "Running", 0)],
                    at(2)
                )
                .status,
                ..Decision::default()
            }
        );
        assert_eq!(ends(&decide(&job(spec), &[done], at(2)).status).len(), 2);
    }

    #[test]
    fn more_failures_than_allowed_end_it() {
        let decision = decide(
            &job(json!({"completions": 1, "backoffLimit": 0})),
            &[pod("a", "Failed", 1)],
            at(2),
        );
        assert_eq!(
            ends(&decision.status),
            [
                ("FailureTarget", "BackoffLimitExceeded"),
                ("Failed", "BackoffLimitExceeded")
            ]
        );
        assert_eq!(decision.create, []);
    }

    #[test]
    fn a_deadline_ends_it_when_its_pods_are_gone() {
        let mut late = job(json!({"completions": 1, "activeDeadlineSeconds": 10}));
        late.status = Some(decide(&late, &[], at(0)).status);
        assert_eq!(
            decide(&late, &[pod("a", "Running", 0)], at(4)).again,
            Some(Duration::from_secs(7))
        );
        let decision = decide(&late, &[pod("a", "Running", 0)], at(11));
        assert_eq!(
            (ends(&decision.status), &decision.delete[..]),
            (
                vec![("FailureTarget", "DeadlineExceeded")],
                &["a".to_owned()][..]
            )
        );
        late.status = Some(decision.status);
        assert_eq!(
            ends(&decide(&late, &[], at(12)).status)[1],
            ("Failed", "DeadlineExceeded")
        );
    }

    #[test]
    fn a_finished_job_goes_when_its_time_after_the_end_is_over() {
        let mut done = job(json!({"completions": 1, "ttlSecondsAfterFinished": 5}));
        done.status = Some(decide(&done, &[pod("a", "Succeeded", 1)], at(2)).status);
        let early = decide(&done, &[pod("a", "Succeeded", 1)], at(4));
        assert_eq!(
            (early.is_expired, early.again),
            (false, Some(Duration::from_secs(4)))
        );
        assert!(decide(&done, &[pod("a", "Succeeded", 1)], at(8)).is_expired);
    }

    #[test]
    fn a_suspended_job_has_no_pods_and_no_running_time() {
        let decision = decide(
            &job(json!({"completions": 1, "suspend": true})),
            &[pod("a", "Running", 0)],
            at(2),
        );
        assert_eq!(
            (&decision.delete[..], decision.status.start_time),
            (&["a".to_owned()][..], None)
        );
    }

    #[test]
    fn restarts_in_place_count_as_failures() {
        let mut stubborn = job(json!({"completions": 1, "backoffLimit": 2}));
        stubborn
            .spec
            .as_mut()
            .unwrap()
            .template
            .spec
            .as_mut()
            .unwrap()
            .restart_policy = Some("OnFailure".into());
        let mut restarted = pod("a", "Running", 0);
        restarted.status.as_mut().unwrap().container_statuses = serde_json::from_value(
            json!([{"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": 2}]),
        )
        .unwrap();
        assert_eq!(
            ends(&decide(&stubborn, &[restarted], at(2)).status),
            [("FailureTarget", "BackoffLimitExceeded")]
        );
    }
}
