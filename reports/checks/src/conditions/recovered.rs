//! Recovered: every undo that was a step of the plan was verified, and at the end requests succeed again.
use super::{RECOVERED, concluded};
use crate::offset;
use model::{Action, Fact, Finding, Micros, Plan, Timeline, Window, observation::Phase};

pub(super) fn check(plan: &Plan, timeline: &Timeline, windows: &[Window]) -> Finding {
    let mut evidence = vec![];
    let mut missing = vec![];
    for step in &plan.steps {
        let Action::Undo { fault } = &step.action else {
            continue;
        };
        match undone(fault, timeline) {
            Some((at, what)) => evidence.push(format!("{} {fault}: {what}", offset(at))),
            None => missing.push(format!("“{fault}” was not undone")),
        }
    }
    // A load that is what hurts ends what it does when it ends.
    for (step, _) in plan.loads().filter(|(_, load)| !load.stress) {
        let mine: Vec<&Window> = windows.iter().filter(|w| w.step == step).collect();
        match mine
            .iter()
            .find(|w| w.open_ended && !undone_after(w.to, plan, timeline))
        {
            Some(w) => missing.push(format!(
                "requests of “{step}” still failed at its end, {} after the first",
                w.length()
            )),
            None if mine.is_empty() => {}
            None => evidence.push(format!("requests of “{step}” succeeded again")),
        }
    }
    let met = match evidence.is_empty() {
        true => "nothing was left to recover from",
        false => "what was undone is verified, and requests succeed",
    };
    concluded(RECOVERED, met, evidence, missing)
}

fn undone<'a>(fault: &str, timeline: &'a Timeline) -> Option<(Micros, &'a str)> {
    timeline.all().iter().find_map(|o| match &o.fact {
        Fact::Undone { step, evidence } if step == fault => Some((o.at, evidence.as_str())),
        _ => None,
    })
}

/// Whether the system was mended only after this: then a load that ended before could not see it recover. What goes with the
/// whole namespace in the end is not mended.
fn undone_after(at: Micros, plan: &Plan, timeline: &Timeline) -> bool {
    let draining = Fact::Phase {
        phase: Phase::Draining,
    };
    let needs_undo = |name: &str| {
        plan.faults()
            .any(|(step, fault)| step == name && fault.kind.needs_undo())
    };
    timeline
        .all()
        .iter()
        .take_while(|o| o.fact != draining)
        .any(|o| match &o.fact {
            Fact::Undone { step, .. } => o.at >= at && needs_undo(step),
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Story, ms},
        windows,
    };
    use model::Verdict;

    fn found(story: &Story) -> (Verdict, String) {
        let (plan, timeline) = (story.plan(), story.timeline());
        let windows = windows::of_loads(&plan, &timeline);
        let finding = check(&plan, &timeline, &windows);
        (finding.verdict, finding.because)
    }

    #[test]
    fn a_system_that_answers_at_the_end_has_recovered() {
        let outage = Story::rollout().failing(2300..2500);
        assert_eq!(found(&outage).0, Verdict::Pass);
        let down = Story::rollout().failing(2800..3000);
        assert_eq!(
            found(&down),
            (
                Verdict::Inconclusive,
                "requests of “siege” still failed at its end, 192.0 ms after the first".into()
            )
        );
    }

    #[test]
    fn a_load_that_hurts_may_fail_to_its_end() {
        let down = || Story::rollout().failing(2800..3000);
        assert_eq!(found(&down().hurting()).0, Verdict::Pass);
        assert_eq!(found(&down()).0, Verdict::Inconclusive);
    }

    #[test]
    fn a_load_that_ended_before_the_undo_need_not_see_it() {
        let undone = Fact::Undone {
            step: "roll".into(),
            evidence: "ready".into(),
        };
        let draining = Fact::Phase {
            phase: Phase::Draining,
        };
        let down = || Story::rollout().failing(2800..3000).service_down();
        let undone_in_time = down()
            .with(ms(3100), undone.clone())
            .with(ms(3200), draining.clone());
        assert_eq!(found(&undone_in_time).0, Verdict::Pass);
        let gone_with_the_rest = down().with(ms(3200), draining).with(ms(3300), undone);
        assert_eq!(found(&gone_with_the_rest).0, Verdict::Inconclusive);
    }

    #[test]
    fn a_planned_undo_must_be_verified() {
        let story = Story::rollout().undoing("roll");
        assert_eq!(found(&story).1, "“roll” was not undone");
    }
}
