//! FaultsEffective: every planned fault was injected and proven to have taken effect.
use super::{EFFECTIVE, concluded};
use crate::{count, offset};
use model::{Fact, FaultKind, Finding, Mutant, Plan, Timeline};

pub(super) fn check(plan: &Plan, timeline: &Timeline) -> Finding {
    let mut evidence = vec![];
    let mut missing = vec![];
    for (step, fault) in plan.faults() {
        match of_fault(step, &fault.kind, timeline) {
            Ok(proof) => evidence.push(proof),
            Err(what) => missing.push(what),
        }
    }
    let nothing = plan.loads().filter(|(_, load)| load.is_nothing());
    missing.extend(nothing.map(|(step, _)| {
        format!("the load “{step}”, which is what hurts, was replaced by nothing")
    }));
    if evidence.is_empty() && missing.is_empty() && plan.mutant == Some(Mutant::NoFault) {
        missing.push("the scenario has no fault that could be replaced by nothing".into());
    }
    let met = match evidence.len() {
        0 => "no fault was planned".into(),
        n => format!("{} proven to have taken effect", count(n as u64, "fault")),
    };
    concluded(EFFECTIVE, &met, evidence, missing)
}

fn of_fault(step: &str, kind: &FaultKind, timeline: &Timeline) -> Result<String, String> {
    if let FaultKind::None { instead_of } = kind {
        let (word, target) = (instead_of.word(), instead_of.target());
        return Err(format!(
            "the fault was replaced by nothing: {word} of {target} did not happen"
        ));
    }
    let injected = timeline
        .all()
        .iter()
        .any(|o| matches!(&o.fact, Fact::Injected { step: s, .. } if s == step));
    let said = timeline.all().iter().rev().find_map(|o| match &o.fact {
        Fact::Proven { step: s, evidence } if s == step => {
            Some(Ok(format!("{} {step}: {evidence}", offset(o.at))))
        }
        Fact::Unproven { step: s, because } if s == step => {
            Some(Err(format!("“{step}” could not be proven: {because}")))
        }
        _ => None,
    });
    match said {
        Some(said) if injected => said,
        _ if injected => Err(format!("“{step}” was injected and never proven")),
        _ => Err(format!("“{step}” was not injected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Story;
    use model::Verdict;

    fn found(story: Story) -> (Verdict, String) {
        let finding = check(&story.plan(), &story.timeline());
        (finding.verdict, finding.because)
    }

    #[test]
    fn a_fault_counts_when_it_was_injected_and_proven() {
        assert_eq!(
            found(Story::rollout()),
            (Verdict::Pass, "1 fault proven to have taken effect".into())
        );
        let unproven = Story::rollout().without(|f| matches!(f, Fact::Proven { .. }));
        assert_eq!(
            found(unproven),
            (
                Verdict::Inconclusive,
                "“roll” was injected and never proven".into()
            )
        );
        let never = Story::rollout().without(|f| matches!(f, Fact::Injected { .. }));
        assert_eq!(found(never).1, "“roll” was not injected");
    }

    #[test]
    fn a_load_that_hurts_replaced_by_nothing_is_never_effective() {
        let (verdict, because) = found(Story::rollout().without_load());
        assert_eq!(verdict, Verdict::Inconclusive);
        assert_eq!(
            because,
            "the load “siege”, which is what hurts, was replaced by nothing"
        );
    }

    #[test]
    fn a_fault_replaced_by_nothing_is_never_proven() {
        assert_eq!(
            found(Story::rollout().without_fault()),
            (
                Verdict::Inconclusive,
                "the fault was replaced by nothing: rollout of review did not happen".into()
            )
        );
    }
}
