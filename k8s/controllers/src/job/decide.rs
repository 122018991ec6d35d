//! decide — what a Job's controller does next, from the Job and its pods alone.
//!
//! Counts are taken from the pods that exist: a finished pod that somebody deletes is forgotten, where Kubernetes would remember it.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobSpec, JobStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;

use super::{conditions, indexes};
use crate::pods;

/// The wait after the first failed pod; doubled after each further one.
const BACKOFF_FIRST: Duration = Duration::from_secs(10);
/// No failure makes the next pod wait longer.
const BACKOFF_MAX: Duration = Duration::from_secs(600);

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

/// The Job's pods, sorted by what became of them.
struct Counted<'a> {
    active: Vec<&'a Pod>,
    going: usize,
    failed: Vec<&'a Pod>,
    succeeded: Vec<&'a Pod>,
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

fn count(all: &[Pod]) -> Counted<'_> {
    let with_phase = |phase| all.iter().filter(|pod| pods::phase(pod) == phase).collect();
    Counted {
        active: all.iter().filter(|pod| pods::is_active(pod)).collect(),
        going: all
            .iter()
            .filter(|pod| !pods::is_finished(pod) && !pods::is_active(pod))
            .count(),
        failed: with_phase("Failed"),
        succeeded: with_phase("Succeeded"),
    }
}

fn counts(spec: &JobSpec, before: &JobStatus, counted: &Counted) -> JobStatus {
    let number = |count: usize| i32::try_from(count).ok();
    let positive = |count: usize| number(count).filter(|count| *count > 0);
    JobStatus {
        active: positive(counted.active.len()),
        failed: positive(counted.failed.len()),
        succeeded: positive(done(spec, counted)),
        ready: number(
            counted
                .active
                .iter()
                .filter(|pod| pods::is_ready(pod))
                .count(),
        ),
        terminating: number(counted.going),
        completed_indexes: Some(indexes::text(&done_indexes(spec, counted)))
            .filter(|text| !text.is_empty()),
        ..before.clone()
    }
}

fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

fn done_indexes(spec: &JobSpec, counted: &Counted) -> BTreeSet<i32> {
    let valid = |index: &i32| is_indexed(spec) && *index < spec.completions.unwrap_or(1);
    counted
        .succeeded
        .iter()
        .filter_map(|pod| indexes::of(pod))
        .filter(valid)
        .collect()
}

fn done(spec: &JobSpec, counted: &Counted) -> usize {
    if is_indexed(spec) {
        done_indexes(spec, counted).len()
    } else {
        counted.succeeded.len()
    }
}

fn end(spec: &JobSpec, counted: &Counted, deadline: Option<Duration>) -> Option<End> {
    let limit = usize::try_from(spec.backoff_limit.unwrap_or(6)).unwrap_or(0);
    let is_complete = match spec.completions {
        Some(completions) => done(spec, counted) >= usize::try_from(completions).unwrap_or(0),
        // Without a number the first success says that the work is done; who still works may end in peace.
        None => !counted.succeeded.is_empty() && counted.active.is_empty(),
    };
    if counted.failed.len() > limit || is_past_restarts(spec, counted, limit) {
        Some(End::BackoffLimit)
    } else if deadline.is_some_and(|left| left.is_zero()) {
        Some(End::Deadline)
    } else {
        is_complete.then_some(End::Complete)
    }
}

// Under `OnFailure` a pod fails by restarting its containers.
fn is_past_restarts(spec: &JobSpec, counted: &Counted, limit: usize) -> bool {
    let restarts_in_place = spec
        .template
        .spec
        .as_ref()
        .and_then(|spec| spec.restart_policy.as_deref())
        == Some("OnFailure");
    let statuses = counted
        .active
        .iter()
        .filter_map(|pod| pod.status.as_ref()?.container_statuses.as_ref())
        .flatten();
    let restarts: i32 = statuses.map(|container| container.restart_count).sum();
    restarts_in_place && usize::try_from(restarts).unwrap_or(0) >= limit.max(1)
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
    let pause = backoff(counted, now);
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

// What is left of the pause after the latest failure; only failures since the last success count.
fn backoff(counted: &Counted, now: Timestamp) -> Duration {
    let last_success = counted
        .succeeded
        .iter()
        .filter_map(|pod| finished_at(pod))
        .max();
    let failures: Vec<Timestamp> = counted
        .failed
        .iter()
        .filter_map(|pod| finished_at(pod))
        .filter(|at| Some(*at) > last_success)
        .collect();
    let Some(latest) = failures.iter().max() else {
        return Duration::ZERO;
    };
    let doublings = u32::try_from(failures.len() - 1).unwrap_or(u32::MAX);
    let pause = BACKOFF_FIRST
        .saturating_mul(2_u32.saturating_pow(doublings))
        .min(BACKOFF_MAX);
    pods::remaining(*latest, pause, now)
}

fn finished_at(pod: &Pod) -> Option<Timestamp> {
    let statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    let ends = statuses.filter_map(|container| {
        container
            .state
            .as_ref()?
            .terminated
            .as_ref()?
            .finished_at
            .as_ref()
    });
    ends.map(|time| time.0)
        .max()
        .or_else(|| Some(pod.metadata.creation_timestamp.as_ref()?.0))
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
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn job(spec: Value) -> Job {
        let mut spec = spec;
        spec["template"] = json!({"spec": {"restartPolicy": "Never", "containers": []}});
        serde_json::from_value(json!({"metadata": {"name": "load"}, "spec": spec})).unwrap()
    }

    fn pod(name: &str, phase: &str, ended: i64) -> Pod {
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
    fn a_failed_pod_is_replaced_after_a_pause_that_doubles() {
        let web = job(json!({"completions": 1, "backoffLimit": 3}));
        let decision = decide(&web, &[pod("a", "Failed", 100)], at(104));
        assert_eq!(
            (decision.create.len(), decision.again),
            (0, Some(Duration::from_secs(6)))
        );
        assert_eq!(
            decide(&web, &[pod("a", "Failed", 100)], at(110))
                .create
                .len(),
            1
        );
        assert_eq!(
            decide(
                &web,
                &[pod("a", "Failed", 80), pod("b", "Failed", 100)],
                at(110)
            )
            .again,
            Some(Duration::from_secs(10))
        );
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
