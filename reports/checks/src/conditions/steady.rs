//! BaselineSteady: before anything was injected, every Deployment was ready, no request of a load failed, and a load that a fault
//! falls into had been answered.
use super::STEADY;
use crate::{count, offset, windows::clock_error};
use model::{Action, Fact, FaultKind, Finding, Micros, Plan, Start, Timeline, Verdict, Window};

pub(super) fn check(plan: &Plan, timeline: &Timeline, windows: &[Window]) -> Finding {
    let said = timeline.all().iter().find_map(|o| match &o.fact {
        Fact::Steady { took } => Some(Ok(format!("the system was steady after {took}"))),
        Fact::Lacking { what, way_out } => {
            Some(Err(format!("this cluster lacks {what}: {way_out}")))
        }
        Fact::NotSteady { because } => {
            Some(Err(format!("the system did not become steady: {because}")))
        }
        _ => None,
    });
    let unsteady = || failed_before(timeline, windows).or_else(|| unanswered(plan, timeline));
    let (verdict, because) = match said {
        Some(Ok(steady)) => match unsteady() {
            Some(why) => (Verdict::Inconclusive, why),
            None => (Verdict::Pass, steady),
        },
        Some(Err(because)) => (Verdict::Inconclusive, because),
        None => {
            let because = "the run ended before the system was steady";
            (Verdict::Inconclusive, because.into())
        }
    };
    Finding::new(STEADY, verdict, because)
}

/// What failed before the first fault was not its doing. Where the clocks leave that open, the fault is blamed.
fn failed_before(timeline: &Timeline, windows: &[Window]) -> Option<String> {
    let injected = timeline.all().iter().find_map(|o| match &o.fact {
        Fact::Injected { fault, .. } if fault != "none" => Some(o.at),
        _ => None,
    })?;
    let early = windows
        .iter()
        .find(|w| w.from + clock_error(&w.step, timeline) < injected)?;
    Some(format!(
        "{} of “{}” failed from {}, before any fault was injected",
        count(early.failed, "request"),
        early.step,
        offset(early.from)
    ))
}

/// A fault that falls into a load before that had one good answer: nobody knows how the load fares without it.
fn unanswered(plan: &Plan, timeline: &Timeline) -> Option<String> {
    plan.steps.iter().find_map(|step| {
        let (Action::Fault { fault }, Start::During { load, .. }) = (&step.action, &step.start)
        else {
            return None;
        };
        let at = injected(&step.name, timeline)?;
        let replaced = matches!(fault.kind, FaultKind::None { .. });
        (!replaced && !was_answered(load, at, timeline)).then(|| {
            format!(
                "“{}” was injected at {}, before “{load}” had one good answer: there is no baseline",
                step.name,
                offset(at)
            )
        })
    })
}

fn injected(of: &str, timeline: &Timeline) -> Option<Micros> {
    timeline.all().iter().find_map(|o| match &o.fact {
        Fact::Injected { step, .. } if step == of => Some(o.at),
        _ => None,
    })
}

fn was_answered(load: &str, before: Micros, timeline: &Timeline) -> bool {
    let before = before + clock_error(load, timeline);
    let mut requests = timeline.requests(load);
    requests.any(|(_, request)| request.is_good() && request.done <= before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Story, ms},
        windows,
    };

    fn found(story: &Story) -> Finding {
        let (plan, timeline) = (story.plan(), story.timeline());
        check(&plan, &timeline, &windows::of_loads(&plan, &timeline))
    }

    #[test]
    fn requests_that_failed_before_any_fault_were_no_steady_baseline() {
        let finding = found(&Story::rollout().failing(2100..2150));
        assert_eq!(
            (finding.verdict, &*finding.because),
            (
                Verdict::Inconclusive,
                "5 requests of “siege” failed from +2.100 s, before any fault was injected"
            )
        );
        assert_eq!(
            found(&Story::rollout().failing(2200..2400)).verdict,
            Verdict::Pass
        );
    }

    #[test]
    fn a_cluster_that_lacks_something_is_no_baseline_and_the_way_out_is_told() {
        let story = Story::rollout().without(|f| matches!(f, Fact::Steady { .. }));
        let lacking = Fact::Lacking {
            what: "the API metrics.k8s.io".into(),
            way_out: "install metrics-server".into(),
        };
        let finding = found(&story.with(ms(900), lacking));
        assert_eq!(
            (finding.verdict, &*finding.because),
            (
                Verdict::Inconclusive,
                "this cluster lacks the API metrics.k8s.io: install metrics-server"
            )
        );
    }

    #[test]
    fn a_steady_baseline_is_met_and_one_that_was_not_reached_is_named() {
        let met = found(&Story::rollout());
        assert_eq!(
            (met.verdict, &*met.because),
            (Verdict::Pass, "the system was steady after 1.00 s")
        );
        let story = Story::rollout().without(|f| matches!(f, Fact::Steady { .. }));
        let unknown = found(&story);
        assert_eq!(unknown.verdict, Verdict::Inconclusive);
        let because = "review: 0 of 1 ready".to_string();
        let not = found(&story.with(ms(1000), Fact::NotSteady { because }));
        assert_eq!(
            not.because,
            "the system did not become steady: review: 0 of 1 ready"
        );
    }

    #[test]
    fn a_fault_that_falls_into_a_load_before_its_first_good_answer_leaves_no_baseline() {
        let slow = |millis| found(&Story::rollout().taking(millis));
        assert_eq!(slow(150).verdict, Verdict::Pass);
        let none = slow(250);
        assert_eq!(
            (none.verdict, &*none.because),
            (
                Verdict::Inconclusive,
                "“roll” was injected at +2.200 s, before “siege” had one good answer: there is no baseline"
            )
        );
        // What was replaced by nothing needs none.
        let nothing = Story::rollout().taking(250).without_fault();
        assert_eq!(found(&nothing).verdict, Verdict::Pass);
    }

    #[test]
    fn what_was_in_flight_at_the_first_fault_did_not_fail_before_it() {
        let killed = Story::rollout().taking(150).reset_at(2200);
        assert_eq!(found(&killed).verdict, Verdict::Pass);
    }
}
