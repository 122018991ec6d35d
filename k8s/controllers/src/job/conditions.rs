//! conditions — how a Job says that it was suspended, is about to end, and has ended.

use jiff::Timestamp;
use k8s_openapi::{
    api::batch::v1::{JobCondition, JobStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::decide::End;

impl End {
    pub(super) fn reason(self) -> &'static str {
        match self {
            End::Complete => "CompletionsReached",
            End::BackoffLimit => "BackoffLimitExceeded",
            End::Deadline => "DeadlineExceeded",
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            End::Complete => "Reached expected number of succeeded pods",
            End::BackoffLimit => "Job has reached the specified backoff limit",
            End::Deadline => "Job was active longer than specified deadline",
        }
    }
}

/// Whether the Job has ended, one way or the other.
pub(crate) fn is_finished(status: &JobStatus) -> bool {
    finished(status).is_some()
}

/// When it ended.
pub(crate) fn finished_at(status: &JobStatus) -> Option<Timestamp> {
    finished(status)?
        .last_transition_time
        .as_ref()
        .map(|time| time.0)
}

fn finished(status: &JobStatus) -> Option<&JobCondition> {
    find(status, "Complete").or_else(|| find(status, "Failed"))
}

/// The end that was announced and waits for the last pods.
pub(crate) fn decided(status: &JobStatus) -> Option<End> {
    if find(status, "SuccessCriteriaMet").is_some() {
        return Some(End::Complete);
    }
    let is_deadline =
        find(status, "FailureTarget")?.reason.as_deref() == Some(End::Deadline.reason());
    Some(if is_deadline {
        End::Deadline
    } else {
        End::BackoffLimit
    })
}

fn find<'a>(status: &'a JobStatus, type_: &str) -> Option<&'a JobCondition> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == type_ && condition.status == "True")
}

pub(crate) fn announce(status: &mut JobStatus, end: End, now: Timestamp) {
    let type_ = if end == End::Complete {
        "SuccessCriteriaMet"
    } else {
        "FailureTarget"
    };
    set(status, type_, "True", (end.reason(), end.message()), now);
}

pub(crate) fn conclude(status: &mut JobStatus, end: End, now: Timestamp) {
    if end == End::Complete {
        status.completion_time = Some(Time(now));
    }
    let type_ = if end == End::Complete {
        "Complete"
    } else {
        "Failed"
    };
    set(status, type_, "True", (end.reason(), end.message()), now);
}

/// A Job that never was suspended does not speak of it.
pub(crate) fn suspend(status: &mut JobStatus, is_suspended: bool, now: Timestamp) {
    if is_suspended {
        set(
            status,
            "Suspended",
            "True",
            ("JobSuspended", "Job suspended"),
            now,
        );
    } else if find(status, "Suspended").is_some() {
        set(
            status,
            "Suspended",
            "False",
            ("JobResumed", "Job resumed"),
            now,
        );
    }
}

fn set(
    status: &mut JobStatus,
    type_: &str,
    value: &str,
    (reason, message): (&str, &str),
    now: Timestamp,
) {
    let conditions = status.conditions.get_or_insert_default();
    if conditions
        .iter()
        .any(|present| present.type_ == type_ && present.status == value)
    {
        return;
    }
    conditions.retain(|present| present.type_ != type_);
    conditions.push(JobCondition {
        type_: type_.into(),
        status: value.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    });
}
