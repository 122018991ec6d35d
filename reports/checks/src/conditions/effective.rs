//! FaultsEffective: every planned fault was injected and proven to have taken effect, and what is judged can have met it.
use super::{EFFECTIVE, concluded, met};
use crate::{count, force, offset};
use model::{Course, Fact, FaultKind, Finding, Late, Mutant, Plan, Timeline};

pub(super) fn check(plan: &Plan, timeline: &Timeline) -> Finding {
    let mut evidence = vec![];
    let mut missing = vec![];
    let forces = force::all(timeline);
    for (step, fault) in plan.faults() {
        let proven = of_fault(step, &fault.kind, timeline);
        match proven.and_then(|proof| met::check(step, &forces, plan, timeline).map(|()| proof)) {
            Ok(proof) => {
                let late = Late::of(step, plan, timeline).filter(|late| late.by().is_some());
                let late = late.map(|late| format!("; injected {}", late.told()));
                evidence.push(proof + &late.unwrap_or_default());
            }
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
    if kind.aim().is_some() {
        blows(step, timeline)?;
    }
    match said {
        Some(said) if injected => said,
        _ if injected => Err(format!("“{step}” was injected and never proven")),
        _ => Err(format!("“{step}” was not injected")),
    }
}

/// Every blow must be proven, and one at least be dealt.
fn blows(step: &str, timeline: &Timeline) -> Result<(), String> {
    let strikes = || {
        let all = timeline.all().iter();
        all.filter_map(|o| match &o.fact {
            Fact::Strike(s) if s.step == step => Some((o.at, s)),
            _ => None,
        })
    };
    let count = |course| strikes().filter(|(_, s)| s.course == course).count();
    if let Some((at, missed)) = strikes().find(|(_, s)| s.course == Course::Unproven) {
        let detail = &missed.detail;
        return Err(format!(
            "a blow of “{step}” at {} could not be proven: {detail}",
            offset(at)
        ));
    }
    let (made, proven) = (count(Course::Made), count(Course::Proven));
    match made {
        0 => Err(format!("“{step}” dealt no blow")),
        _ if proven < made => Err(format!(
            "{} of {made} blows of “{step}” were never proven",
            made - proven
        )),
        _ => Ok(()),
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
    fn a_fault_that_strikes_counts_when_every_blow_was_proven() {
        let strike = |course| {
            Fact::Strike(model::Strike {
                step: "roll".into(),
                number: 1,
                pod: "review-old".into(),
                workload: "review".into(),
                course,
                detail: "it was not seen".into(),
            })
        };
        let struck = || Story::rollout().pod_kill();
        assert_eq!(found(struck()).1, "“roll” dealt no blow");
        let made = struck().with(crate::fixture::ms(2200), strike(Course::Made));
        assert_eq!(
            found(made.clone()).1,
            "1 of 1 blows of “roll” were never proven"
        );
        let missed = made
            .clone()
            .with(crate::fixture::ms(2300), strike(Course::Unproven));
        assert_eq!(
            found(missed).1,
            "a blow of “roll” at +2.300 s could not be proven: it was not seen"
        );
        let proven = made.with(crate::fixture::ms(2300), strike(Course::Proven));
        assert_eq!(found(proven).0, Verdict::Pass);
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

    #[test]
    fn a_fault_that_came_later_than_planned_says_by_how_much() {
        let evidence = |story: Story| check(&story.plan(), &story.timeline()).evidence;
        assert_eq!(
            evidence(Story::rollout()),
            ["+2.600 s roll: review-new is ready, review-old is gone"]
        );
        assert_eq!(
            evidence(Story::rollout().injected_at(2450)),
            [
                "+2.600 s roll: review-new is ready, review-old is gone; injected 450.0 ms after the first request of “siege”, \
                 250.0 ms later than planned"
            ]
        );
    }
}
