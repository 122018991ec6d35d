//! BaselineSteady: before anything was injected, every Deployment was ready and the system answered.
use super::STEADY;
use model::{Fact, Finding, Timeline, Verdict};

pub(super) fn check(timeline: &Timeline) -> Finding {
    let said = timeline.all().iter().find_map(|o| match &o.fact {
        Fact::Steady { took } => {
            Some((Verdict::Pass, format!("the system was steady after {took}")))
        }
        Fact::NotSteady { because } => Some((
            Verdict::Inconclusive,
            format!("the system did not become steady: {because}"),
        )),
        _ => None,
    });
    let (verdict, because) = said.unwrap_or((
        Verdict::Inconclusive,
        "the run ended before the system was steady".into(),
    ));
    Finding::new(STEADY, verdict, because)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};

    #[test]
    fn a_steady_baseline_is_met_and_one_that_was_not_reached_is_named() {
        let met = check(&Story::rollout().timeline());
        assert_eq!(
            (met.verdict, &*met.because),
            (Verdict::Pass, "the system was steady after 1.00 s")
        );
        let story = Story::rollout().without(|f| matches!(f, Fact::Steady { .. }));
        let unknown = check(&story.timeline());
        assert_eq!(unknown.verdict, Verdict::Inconclusive);
        let because = "review: 0 of 1 ready".to_string();
        let not = check(&story.with(ms(1000), Fact::NotSteady { because }).timeline());
        assert_eq!(
            not.because,
            "the system did not become steady: review: 0 of 1 ready"
        );
    }
}
