//! RollbackVerified: nothing that was injected is left, and what the run had made is gone.
use super::{ROLLED_BACK, concluded};
use model::{Fact, Finding, Plan, Timeline};
use std::collections::BTreeSet;

pub(super) fn check(plan: &Plan, timeline: &Timeline) -> Finding {
    let mut evidence = vec![];
    let mut missing: Vec<String> = left(timeline)
        .into_iter()
        .map(|(step, why)| format!("“{step}” may still be in place: {why}"))
        .collect();
    match cleaned(timeline) {
        Some((true, detail)) => evidence.push(detail.to_string()),
        Some((false, detail)) => missing.push(format!("something was left: {detail}")),
        None => {
            let pending = not_undone(plan, timeline);
            missing.extend(pending.map(|step| format!("“{step}” was injected and not undone")));
            missing.push("the run did not say that it cleaned up".into());
        }
    }
    concluded(ROLLED_BACK, "nothing is left", evidence, missing)
}

/// Faults whose undo failed and did not succeed later, with the reason.
pub(crate) fn left(timeline: &Timeline) -> Vec<(&str, &str)> {
    let mut left: Vec<(&str, &str)> = vec![];
    for observation in timeline.all() {
        match &observation.fact {
            Fact::UndoFailed { step, because } => left.push((step, because)),
            Fact::Undone { step, .. } => left.retain(|(s, _)| s != step),
            _ => {}
        }
    }
    left
}

/// Whether everything that the run made is gone; `None` when it did not come to that.
pub(crate) fn cleaned(timeline: &Timeline) -> Option<(bool, &str)> {
    timeline.all().iter().rev().find_map(|o| match &o.fact {
        Fact::CleanedUp { ok, detail } => Some((*ok, detail.as_str())),
        _ => None,
    })
}

/// Faults that need an undo, were injected and were not undone.
pub(crate) fn not_undone<'a>(plan: &'a Plan, timeline: &Timeline) -> impl Iterator<Item = &'a str> {
    let mut open = BTreeSet::new();
    for observation in timeline.all() {
        match &observation.fact {
            Fact::Injected { step, .. } => open.insert(step.clone()),
            Fact::Undone { step, .. } => open.remove(step),
            _ => false,
        };
    }
    plan.faults()
        .filter(move |(step, fault)| fault.kind.needs_undo() && open.contains(*step))
        .map(|(step, _)| step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};
    use model::Verdict;

    fn found(story: &Story) -> (Verdict, String) {
        let finding = check(&story.plan(), &story.timeline());
        (finding.verdict, finding.because)
    }

    #[test]
    fn a_run_that_cleaned_up_is_rolled_back_and_one_that_was_killed_is_not() {
        assert_eq!(
            found(&Story::rollout()),
            (Verdict::Pass, "nothing is left".into())
        );
        let killed = Story::rollout().without(|f| matches!(f, Fact::CleanedUp { .. }));
        assert_eq!(found(&killed).1, "the run did not say that it cleaned up");
    }

    #[test]
    fn an_undo_that_failed_counts_until_it_succeeds() {
        let failed = Story::rollout().with(
            ms(3200),
            Fact::UndoFailed {
                step: "roll".into(),
                because: "the API server is away".into(),
            },
        );
        assert_eq!(
            found(&failed).1,
            "“roll” may still be in place: the API server is away"
        );
        let undone = Fact::Undone {
            step: "roll".into(),
            evidence: "ready".into(),
        };
        assert_eq!(found(&failed.with(ms(3300), undone)).0, Verdict::Pass);
    }
}
