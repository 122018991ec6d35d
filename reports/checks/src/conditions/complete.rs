//! EvidenceComplete: the run came to its end, every step did what it should, and nothing was missed on the way.
use super::{COMPLETE, concluded};
use crate::count;
use model::{Fact, Finding, Plan, Timeline};

pub(super) fn check(plan: &Plan, timeline: &Timeline) -> Finding {
    let mut missing: Vec<String> = vec![];
    let mut began = false;
    for observation in timeline.all() {
        match &observation.fact {
            Fact::Began { .. } => began = true,
            Fact::Stopped { by } => missing.insert(0, format!("the run was stopped by {by}")),
            Fact::Gap { what } => missing.push(what.clone()),
            _ => {}
        }
    }
    if !began {
        missing.insert(0, "the timeline has no beginning".into());
    }
    for step in &plan.steps {
        match ended(&step.name, timeline) {
            Some((true, _)) => {}
            Some((false, detail)) => missing.push(format!("“{}” failed: {detail}", step.name)),
            None => missing.push(format!("“{}” did not come to its end", step.name)),
        }
    }
    let seen = count(timeline.all().len() as u64, "observation");
    let steps = count(plan.steps.len() as u64, "step");
    let met = format!("{steps} came to an end, {seen}, no gap");
    concluded(COMPLETE, &met, vec![], missing)
}

fn ended<'a>(name: &str, timeline: &'a Timeline) -> Option<(bool, &'a str)> {
    timeline.all().iter().rev().find_map(|o| match &o.fact {
        Fact::StepEnded { step, ok, detail } if step == name => Some((*ok, detail.as_str())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};
    use model::Verdict;

    fn found(story: Story) -> Finding {
        check(&story.plan(), &story.timeline())
    }

    #[test]
    fn a_run_that_came_to_its_end_without_a_gap_is_complete() {
        let met = found(Story::rollout());
        assert_eq!(met.verdict, Verdict::Pass);
        assert_eq!(
            met.because,
            "2 steps came to an end, 118 observations, no gap"
        );
    }

    #[test]
    fn a_stop_outranks_gaps_and_steps_among_what_is_missing() {
        let stopped = Story::rollout()
            .without(|f| matches!(f, Fact::StepEnded { step, .. } if step == "siege"))
            .with(
                ms(2100),
                Fact::Gap {
                    what: "the watch of pods broke for 2 s".into(),
                },
            )
            .with(
                ms(2600),
                Fact::Stopped {
                    by: "SIGINT".into(),
                },
            );
        let finding = found(stopped);
        assert_eq!(finding.verdict, Verdict::Inconclusive);
        assert_eq!(
            finding.evidence,
            [
                "the run was stopped by SIGINT",
                "the watch of pods broke for 2 s",
                "“siege” did not come to its end"
            ]
        );
    }
}
