//! conditions — what holds for a pod, and since when.

use k8s_openapi::api::core::v1::{PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::{PodView, Record};

struct Condition {
    kind: &'static str,
    holds: bool,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl Condition {
    fn plain(kind: &'static str, holds: bool) -> Condition {
        Condition {
            kind,
            holds,
            reason: None,
            message: None,
        }
    }

    fn no(kind: &'static str, reason: &'static str) -> Condition {
        Condition {
            kind,
            holds: false,
            reason: Some(reason),
            message: None,
        }
    }

    /// Holds when no container is `what`.
    fn unless(kind: &'static str, names: &[&str], reason: &'static str, what: &str) -> Condition {
        if names.is_empty() {
            return Condition::plain(kind, true);
        }
        let message = format!("containers with {what} status: [{}]", names.join(" "));
        Condition {
            message: Some(message),
            ..Condition::no(kind, reason)
        }
    }
}

/// All conditions of a pod in this phase.
pub(super) fn of(
    view: &PodView,
    phase: &str,
    before: Option<&PodStatus>,
    now: Timestamp,
) -> Vec<PodCondition> {
    let all = conditions(view, phase).into_iter();
    all.map(|new| keep_time(new, before, now)).collect()
}

fn conditions(view: &PodView, phase: &str) -> [Condition; 5] {
    let incomplete: Vec<&str> = names(&view.init, |record| record.exit_code() != Some(0));
    let unready: Vec<&str> = names(&view.app, |record| !record.ready);
    let ready = |kind| match phase {
        "Succeeded" => Condition::no(kind, "PodCompleted"),
        "Failed" => Condition::no(kind, "PodFailed"),
        _ => Condition::unless(kind, &unready, "ContainersNotReady", "unready"),
    };
    [
        Condition::plain(
            "PodReadyToStartContainers",
            view.address.is_some() && !view.stopped,
        ),
        Condition::unless(
            "Initialized",
            &incomplete,
            "ContainersNotInitialized",
            "incomplete",
        ),
        ready("Ready"),
        ready("ContainersReady"),
        Condition::plain("PodScheduled", true),
    ]
}

fn names(records: &[Record], wanted: impl Fn(&Record) -> bool) -> Vec<&str> {
    records
        .iter()
        .filter(|record| wanted(record))
        .map(|record| record.name.as_str())
        .collect()
}

fn keep_time(new: Condition, before: Option<&PodStatus>, now: Timestamp) -> PodCondition {
    let status = if new.holds { "True" } else { "False" };
    let old = before.and_then(|before| {
        before
            .conditions
            .iter()
            .flatten()
            .find(|old| old.type_ == new.kind)
    });
    let since = old
        .filter(|old| old.status == status)
        .and_then(|old| old.last_transition_time.clone());
    PodCondition {
        type_: new.kind.into(),
        status: status.into(),
        reason: new.reason.map(Into::into),
        message: new.message,
        last_transition_time: Some(since.unwrap_or(Time(now))),
        ..PodCondition::default()
    }
}
