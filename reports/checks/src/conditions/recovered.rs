//! Recovered: every undo that was a step of the plan was verified, and at its end each load went well for a while.
use super::{RECOVERED, concluded};
use crate::{
    force::{self, Force},
    offset,
    tail::{self, Tail},
};
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
    let forces = force::all(timeline);
    // A load that is what hurts ends what it does when it ends.
    for (step, _) in plan.loads().filter(|(_, load)| !load.stress) {
        let mine: Vec<&Window> = windows.iter().filter(|w| w.step == step).collect();
        let Some((last, tail)) = mine.last().zip(tail::of(step, &mine, &forces, timeline)) else {
            continue;
        };
        match tail {
            tail if tail.is_good() => evidence.push(tail.told()),
            tail if mended_later(last, &tail, &forces, plan, timeline) => {}
            _ if last.open_ended && last.failed > 1 => missing.push(format!(
                "requests of “{step}” still failed at its end, {} after the first",
                last.length()
            )),
            tail => missing.push(format!(
                "requests of “{step}” had not lastingly recovered at its end: {}; asked for are {}",
                tail.told(),
                tail.asked()
            )),
        }
    }
    let met = match evidence.is_empty() {
        true => "nothing was left to recover from".to_string(),
        false => evidence.join("; "),
    };
    concluded(RECOVERED, &met, evidence, missing)
}

fn undone<'a>(fault: &str, timeline: &'a Timeline) -> Option<(Micros, &'a str)> {
    timeline.all().iter().find_map(|o| match &o.fact {
        Fact::Undone { step, evidence } if step == fault => Some((o.at, evidence.as_str())),
        _ => None,
    })
}

/// Whether what the last window is the doing of was over only after the load, which could not see it mended then. What goes with the
/// whole namespace in the end is not mended, and a rollout leaves nothing to mend.
fn mended_later(
    last: &Window,
    tail: &Tail,
    forces: &[Force],
    plan: &Plan,
    timeline: &Timeline,
) -> bool {
    let draining = Fact::Phase {
        phase: Phase::Draining,
    };
    let drained = timeline.all().iter().find(|o| o.fact == draining);
    let drained = drained.map(|o| o.at);
    let needs_undo = |name: &str| {
        plan.faults()
            .any(|(step, fault)| step == name && fault.kind.needs_undo())
    };
    let is_later = |over: Micros| over >= tail.to && drained.is_none_or(|at| over < at);
    forces.iter().any(|force| {
        last.fault.as_ref() == Some(&force.step)
            && needs_undo(&force.step)
            && force.from <= tail.to
            && force.over.is_some_and(is_later)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Story, ms},
        windows,
    };
    use model::{Course, Strike, Verdict};

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
                "requests of “siege” still failed at its end, 190.0 ms after the first".into()
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

    fn strike(course: Course) -> Fact {
        Fact::Strike(Strike {
            step: "roll".into(),
            number: 1,
            pod: "review-old".into(),
            workload: "review".into(),
            course,
            detail: String::new(),
        })
    }

    #[test]
    fn what_fails_to_the_end_after_a_blow_was_over_is_not_excused_by_the_undo_after_the_load() {
        let undone = Fact::Undone {
            step: "roll".into(),
            evidence: "as many ready as before".into(),
        };
        let killed = |recovered| {
            Story::rollout()
                .pod_kill()
                .lasting_until(6000)
                .with(ms(2200), strike(Course::Made))
                .with(ms(recovered), strike(Course::Recovered))
                .with(ms(6200), undone.clone())
        };
        let half = |story| {
            (5000..6000)
                .step_by(20)
                .fold(story, |s: Story, at| s.failing(at..at + 10))
        };
        assert_eq!(
            found(&half(killed(2600))),
            (
                Verdict::Inconclusive,
                "requests of “siege” had not lastingly recovered at its end: good from +5.990 s to the end of “siege” at +5.992 s: 1 of \
                 1 requests; asked for are 10 requests in 379.2 ms"
                    .into()
            )
        );
        // Where the workload recovered only after the load, nobody could see it.
        assert_eq!(found(&half(killed(6100))).0, Verdict::Pass);
    }

    #[test]
    fn a_recovery_names_the_stretch_that_shows_it() {
        assert_eq!(
            found(&Story::rollout().failing(2300..2500).failing(2800..2810)),
            (
                Verdict::Pass,
                "good from +2.500 s to the end of “siege” at +2.992 s: 49 of 50 requests".into()
            )
        );
    }
}
