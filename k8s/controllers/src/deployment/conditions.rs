//! conditions — how a deployment's conditions change: the transition time with the status only, the update time with every news.

use jiff::Timestamp;
use k8s_openapi::{
    api::apps::v1::{DeploymentCondition, DeploymentStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};

/// A condition that is yet to be stamped.
pub(super) fn new(
    type_: &str,
    status: &str,
    reason: &str,
    message: impl Into<String>,
) -> DeploymentCondition {
    DeploymentCondition {
        type_: type_.into(),
        status: status.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        ..DeploymentCondition::default()
    }
}

pub(super) fn find<'a>(
    status: &'a DeploymentStatus,
    type_: &str,
) -> Option<&'a DeploymentCondition> {
    status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == type_)
}

/// Nothing is touched while status and reason stay the same.
pub(super) fn set(status: &mut DeploymentStatus, condition: DeploymentCondition, now: Timestamp) {
    let is_same = find(status, &condition.type_).is_some_and(|present| {
        present.status == condition.status && present.reason == condition.reason
    });
    if !is_same {
        restamp(status, condition, now);
    }
}

/// Counts as news even if status and reason stay the same.
pub(super) fn restamp(
    status: &mut DeploymentStatus,
    mut condition: DeploymentCondition,
    now: Timestamp,
) {
    let present = find(status, &condition.type_);
    let unchanged = present
        .filter(|present| present.status == condition.status)
        .and_then(|present| present.last_transition_time.clone());
    condition.last_transition_time = Some(unchanged.unwrap_or(Time(now)));
    condition.last_update_time = Some(Time(now));
    let conditions = status.conditions.get_or_insert_default();
    match conditions.iter().position(|c| c.type_ == condition.type_) {
        Some(place) => conditions[place] = condition,
        None => conditions.push(condition),
    }
}

pub(super) fn remove(status: &mut DeploymentStatus, type_: &str) {
    if let Some(conditions) = &mut status.conditions {
        conditions.retain(|c| c.type_ != type_);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(status: &DeploymentStatus) -> (i64, i64) {
        let condition = find(status, "Progressing").unwrap();
        let second = |time: &Option<Time>| time.as_ref().unwrap().0.as_second();
        (
            second(&condition.last_transition_time),
            second(&condition.last_update_time),
        )
    }

    #[test]
    fn news_move_the_update_time_and_another_status_the_transition_time_too() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut status = DeploymentStatus::default();
        set(&mut status, new("Progressing", "True", "A", ""), at(1));
        set(&mut status, new("Progressing", "True", "A", "again"), at(2));
        assert_eq!(times(&status), (1, 1));
        restamp(&mut status, new("Progressing", "True", "A", ""), at(3));
        assert_eq!(times(&status), (1, 3));
        set(&mut status, new("Progressing", "False", "B", ""), at(4));
        assert_eq!(times(&status), (4, 4));
    }
}
