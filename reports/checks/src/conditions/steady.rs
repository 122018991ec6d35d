//! BaselineSteady: before anything was injected, every Deployment was ready, and no request of a load failed.
use super::STEADY;
use crate::{count, offset};
use model::{Fact, Finding, Micros, Timeline, Verdict, Window};

pub(super) fn check(timeline: &Timeline, windows: &[Window]) -> Finding {
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
    match (said, failed_before(timeline, windows)) {
        (Some(Ok(_)), Some(failed)) => Finding::new(STEADY, Verdict::Inconclusive, failed),
        (Some(Ok(steady)), None) => Finding::new(STEADY, Verdict::Pass, steady),
        (Some(Err(because)), _) => Finding::new(STEADY, Verdict::Inconclusive, because),
        (None, _) => Finding::new(
            STEADY,
            Verdict::Inconclusive,
            "the run ended before the system was steady",
        ),
    }
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

fn clock_error(load: &str, timeline: &Timeline) -> Micros {
    let error = timeline.all().iter().find_map(|o| match &o.fact {
        Fact::LoadBegan { step, clock_error } if step == load => Some(*clock_error),
        _ => None,
    });
    error.unwrap_or_default()
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
        check(&timeline, &windows::of_loads(&plan, &timeline))
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
}
