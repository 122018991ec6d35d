//! decide — whether a CronJob is due, and what becomes of the jobs it started before. Pure.

use apiserver::Schedule;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::batch::v1::{CronJob, CronJobSpec, Job},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;

/// More missed times than this are worth a warning.
const MISSED_MAX: usize = 100;
/// Kubernetes looks so much after a time, lest a clock that is a little off makes it come early.
const AFTER_DUE: SignedDuration = SignedDuration::from_millis(100);

/// The newest time that has passed since the last start, and whether very many have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Due {
    pub at: Timestamp,
    pub too_many: bool,
}

/// What a CronJob does now.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    Nothing,
    /// Another run is still going, and two are forbidden.
    Busy,
    Start {
        at: Timestamp,
        /// Jobs that make way.
        replace: Vec<String>,
    },
}

/// What it does, and how long until the next time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decision {
    pub act: Act,
    pub too_many: bool,
    pub again: Option<std::time::Duration>,
}

/// `active` are the names of its jobs that have not ended.
pub(super) fn decide(
    cron: &CronJob,
    schedule: &Schedule,
    active: &[String],
    now: Timestamp,
) -> Decision {
    let spec = cron.spec.clone().unwrap_or_default();
    let due = due(cron, &spec, schedule, now);
    let next = schedule
        .after(now)
        .map(|next| next.duration_since(now) + AFTER_DUE);
    Decision {
        act: due.map_or(Act::Nothing, |due| act(&spec, active, due.at)),
        too_many: due.is_some_and(|due| due.too_many),
        again: next.map(|wait| wait.try_into().unwrap_or_default()),
    }
}

fn act(spec: &CronJobSpec, active: &[String], at: Timestamp) -> Act {
    match spec.concurrency_policy.as_deref() {
        Some("Forbid") if !active.is_empty() => Act::Busy,
        Some("Replace") => Act::Start {
            at,
            replace: active.to_vec(),
        },
        _ => Act::Start {
            at,
            replace: vec![],
        },
    }
}

fn due(cron: &CronJob, spec: &CronJobSpec, schedule: &Schedule, now: Timestamp) -> Option<Due> {
    let last = cron
        .status
        .as_ref()
        .and_then(|status| status.last_schedule_time.as_ref());
    let made = cron.metadata.creation_timestamp.as_ref();
    let mut from = last.or(made).map_or(now, |Time(time)| *time);
    // What came too long ago is missed for good.
    if let Some(seconds) = spec.starting_deadline_seconds {
        let earliest = now
            .checked_sub(SignedDuration::from_secs(seconds))
            .unwrap_or(from);
        from = from.max(earliest);
    }
    let first = schedule.after(from).filter(|first| *first <= now)?;
    let (mut at, mut missed) = (first, 1);
    while let Some(next) = schedule.after(at).filter(|next| *next <= now) {
        missed += 1;
        at = next;
        if missed > MISSED_MAX {
            return Some(Due {
                at: newest(schedule, at, now),
                too_many: true,
            });
        }
    }
    Some(Due {
        at,
        too_many: false,
    })
}

/// The newest time up to now, without counting all those before it: looked for from ever earlier beginnings.
fn newest(schedule: &Schedule, known: Timestamp, now: Timestamp) -> Timestamp {
    let mut span = SignedDuration::from_mins(2);
    let first = loop {
        let from = now.checked_sub(span).unwrap_or(known).max(known);
        match schedule.after(from).filter(|at| *at <= now) {
            Some(at) => break at,
            None if from == known => return known,
            None => span *= 2,
        }
    };
    let later = std::iter::successors(Some(first), |at| {
        schedule.after(*at).filter(|next| *next <= now)
    });
    later.last().unwrap_or(first)
}

/// Names of ended jobs beyond what is to be kept, the oldest first.
pub(super) fn surplus(spec: &CronJobSpec, jobs: &[Job]) -> Vec<String> {
    let ended = |kind: &str, keep: Option<i32>| -> Vec<String> {
        let Some(keep) = keep else { return vec![] };
        let mut jobs: Vec<&Job> = jobs.iter().filter(|job| end(job) == Some(kind)).collect();
        let start = |job: &&Job| {
            let status = job.status.as_ref();
            status.and_then(|status| status.start_time.clone())
        };
        jobs.sort_by_key(|job| (start(job), job.name_any()));
        let more = jobs
            .len()
            .saturating_sub(usize::try_from(keep).unwrap_or(0));
        jobs[..more].iter().map(|job| job.name_any()).collect()
    };
    let mut all = ended("Complete", spec.successful_jobs_history_limit);
    all.extend(ended("Failed", spec.failed_jobs_history_limit));
    all
}

/// How a job ended: `Complete` or `Failed`.
pub(super) fn end(job: &Job) -> Option<&str> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let ended = conditions
        .iter()
        .find(|one| one.status == "True" && matches!(&*one.type_, "Complete" | "Failed"));
    ended.map(|one| &*one.type_)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn time(text: &str) -> Timestamp {
        format!("2026-01-01T{text}Z").parse().unwrap()
    }

    fn cron(spec: Value, last: Option<&str>) -> CronJob {
        let mut spec = spec;
        spec["schedule"] = json!("*/10 * * * *");
        spec["jobTemplate"] = json!({});
        from_value(json!({"metadata": {"name": "c", "creationTimestamp": "2026-01-01T10:00:30Z"}, "spec": spec,
            "status": {"lastScheduleTime": last.map(|last| Time(time(last)))}}))
        .unwrap()
    }

    fn decided(spec: Value, last: Option<&str>, active: &[&str], now: &str) -> Decision {
        let schedule = Schedule::parse("*/10 * * * *", None).unwrap();
        let active: Vec<String> = active.iter().map(|name| (*name).into()).collect();
        decide(&cron(spec, last), &schedule, &active, time(now))
    }

    fn start(at: &str) -> Act {
        Act::Start {
            at: time(at),
            replace: vec![],
        }
    }

    #[test]
    fn it_starts_when_its_time_has_come_and_looks_again_at_the_next() {
        let early = decided(json!({}), None, &[], "10:05:00");
        assert_eq!(early.act, Act::Nothing);
        assert_eq!(early.again, Some(std::time::Duration::from_millis(300_100)));
        assert_eq!(
            decided(json!({}), None, &[], "10:10:00").act,
            start("10:10:00")
        );
        let done = decided(json!({}), Some("10:10:00"), &[], "10:10:00");
        assert_eq!(done.act, Act::Nothing);
    }

    #[test]
    fn of_several_missed_times_only_the_newest_is_made_up_for() {
        let late = decided(json!({}), None, &[], "10:45:00");
        assert_eq!((late.act, late.too_many), (start("10:40:00"), false));
    }

    #[test]
    fn very_many_missed_times_are_worth_a_warning() {
        let schedule = Schedule::parse("* * * * *", None).unwrap();
        let late = decide(&cron(json!({}), None), &schedule, &[], time("13:45:20"));
        assert_eq!((late.act, late.too_many), (start("13:45:00"), true));
    }

    #[test]
    fn after_its_deadline_a_run_is_missed() {
        let spec = json!({"startingDeadlineSeconds": 60});
        let of = |now: &str| decided(spec.clone(), None, &[], now).act;
        assert_eq!(of("10:10:59"), start("10:10:00"));
        assert_eq!(of("10:11:00"), Act::Nothing);
    }

    #[test]
    fn a_run_that_still_goes_is_joined_waited_for_or_replaced() {
        let of = |policy: &str| {
            let spec = json!({"concurrencyPolicy": policy});
            decided(spec, Some("10:10:00"), &["c-1"], "10:20:00").act
        };
        assert_eq!(of("Allow"), start("10:20:00"));
        assert_eq!(of("Forbid"), Act::Busy);
        assert_eq!(
            of("Replace"),
            Act::Start {
                at: time("10:20:00"),
                replace: vec!["c-1".into()]
            }
        );
    }

    #[test]
    fn the_oldest_ended_jobs_beyond_the_limits_go() {
        let job = |name: &str, end: &str, start: &str| -> Job {
            from_value(
                json!({"metadata": {"name": name}, "status": {"startTime": Time(time(start)),
                "conditions": [{"type": end, "status": "True"}]}}),
            )
            .unwrap()
        };
        let jobs = [
            job("b", "Complete", "10:20:00"),
            job("a", "Complete", "10:10:00"),
            job("c", "Failed", "10:00:00"),
            from_value(json!({"metadata": {"name": "d"}})).unwrap(),
        ];
        let spec = |done: i32, failed: i32| {
            from_value(json!({"schedule": "", "jobTemplate": {}, "successfulJobsHistoryLimit": done, "failedJobsHistoryLimit": failed}))
                .unwrap()
        };
        assert_eq!(surplus(&spec(1, 1), &jobs), ["a"]);
        assert_eq!(surplus(&spec(0, 0), &jobs), ["a", "b", "c"]);
    }
}
