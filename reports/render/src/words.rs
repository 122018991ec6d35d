//! How figures, instants and plans are written.
use model::{
    Action, ArmReport, Cause, FaultKind, Micros, Mutant, Plan, Start, Step, Timeline, Verdict,
};
use model::{cause::FIRST_MAX, report::KEYS_FILE};

/// An instant, from the start of the run: `+2.500 s`.
pub(crate) fn offset(at: Micros) -> String {
    format!("+{:.3} s", at.as_secs_f64())
}

/// Seconds in the unit a person would choose.
pub(crate) fn seconds(seconds: f64) -> String {
    Micros((seconds * 1e6).round() as u64).to_string()
}

/// Seconds as a tick of an axis: `1 ms`, `500 µs`, `10 s`.
pub(crate) fn round(seconds: f64) -> String {
    match seconds {
        s if s < 0.000_999 => format!("{:.0} µs", s * 1e6),
        s if s < 0.999 => format!("{:.0} ms", s * 1e3),
        s => format!("{s:.0} s"),
    }
}

/// A share of 1 as per cent, never rounded up to 100 or down to 0.
pub(crate) fn percent(share: f64) -> String {
    let shown = share * 100.0;
    match format!("{shown:.2}").as_str() {
        "100.00" if share < 1.0 => "> 99.99 %".into(),
        "0.00" if share > 0.0 => "< 0.01 %".into(),
        text => format!("{text} %"),
    }
}

/// Tells verdicts apart without colour.
pub(crate) fn symbol(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Inconclusive => "?",
        Verdict::Fail => "✗",
    }
}

/// What a verdict means.
pub(crate) fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "It was shown to hold.",
        Verdict::Inconclusive => "It could not be told.",
        Verdict::Fail => "It was shown not to hold.",
    }
}

/// `rollout of review`.
pub(crate) fn fault(kind: &FaultKind) -> String {
    match kind {
        FaultKind::None { instead_of } => format!("nothing, instead of {}", fault(instead_of)),
        _ => format!("{} of {}", kind.word(), kind.target()),
    }
}

/// `3.00 s after the first request of siege`.
pub(crate) fn start(step: &Step) -> String {
    match &step.start {
        Start::During { load, at } => format!("{at} after the first request of “{load}”"),
        Start::After { steps, delay } => {
            let pause = match delay.0 {
                0 => String::new(),
                _ => format!("{delay} "),
            };
            match steps.len() {
                0 if pause.is_empty() => "at once".into(),
                0 => format!("{pause}after the start"),
                _ => format!("{pause}after {}", named(steps)),
            }
        }
    }
}

fn named(steps: &[String]) -> String {
    let quoted: Vec<String> = steps.iter().map(|step| format!("“{step}”")).collect();
    quoted.join(" and ")
}

/// The causes for the first screen: those near the trouble, or else whatever was seen.
pub(crate) fn first_causes(arm: &ArmReport) -> Vec<&Cause> {
    let all = &arm.judgement.causes;
    let near = all.iter().filter(|cause| cause.is_near).count();
    let shown = if near == 0 { all.len() } else { near };
    all.iter().take(shown.min(FIRST_MAX)).collect()
}

/// How many causes are further down only.
pub(crate) fn more_causes(arm: &ArmReport) -> usize {
    arm.judgement.causes.len() - first_causes(arm).len()
}

/// `main/lost.json has all 37 lost keys and 2 that were found more than once`.
pub(crate) fn key_list(arm: &ArmReport) -> Option<String> {
    let (lost, repeated) = arm.judgement.keys.iter().fold((0, 0), |sum, keys| {
        (sum.0 + keys.lost, sum.1 + keys.repeated)
    });
    let keys = |n: u64| match n {
        1 => "1 key".to_string(),
        n => format!("{n} keys"),
    };
    let what = match (lost, repeated) {
        (0, 0) => return None,
        (lost, 0) => format!("{} lost", keys(lost)),
        (0, repeated) => format!("{} found more than once", keys(repeated)),
        (lost, repeated) => format!(
            "{} lost and {} found more than once",
            keys(lost),
            keys(repeated)
        ),
    };
    Some(format!("{}/{KEYS_FILE} has {what}", arm.plan.arm))
}

/// What is wrong with taking a mutant's report for the experiment's.
pub(crate) fn mutant(mutant: Mutant) -> (&'static str, &'static str) {
    match mutant {
        Mutant::NoFault => (
            "every fault is replaced by nothing",
            "Its verdict must be inconclusive.",
        ),
        Mutant::MechanismOff => (
            "the mechanism under test is switched off",
            "Its verdict must be fail.",
        ),
    }
}

/// From the first step to when the run began to tidy up: the stretch that a reader wants to see.
pub(crate) fn stage(timeline: &Timeline) -> (Micros, Micros) {
    use model::{Fact, observation::Phase};
    let all = timeline.all();
    let first = all
        .iter()
        .find(|o| matches!(o.fact, Fact::StepBegan { .. } | Fact::Request(_)));
    let tidying = all.iter().find(|o| {
        let draining = Fact::Phase {
            phase: Phase::Draining,
        };
        o.fact == draining || matches!(o.fact, Fact::CleanedUp { .. })
    });
    let from = first.map_or(Micros::ZERO, |o| o.at);
    let to = tidying.map_or_else(|| timeline.end(), |o| o.at);
    (from, to.max(from))
}

/// The steps that inject faults.
pub(crate) fn fault_steps(plan: &Plan) -> impl Iterator<Item = (&Step, &FaultKind)> {
    plan.steps.iter().filter_map(|step| match &step.action {
        Action::Fault { fault } => Some((step, &fault.kind)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn almost_all_is_not_written_as_all() {
        assert_eq!(percent(1.0), "100.00 %");
        assert_eq!(percent(0.999_999), "> 99.99 %");
        assert_eq!(percent(0.8211), "82.11 %");
        assert_eq!(percent(0.000_001), "< 0.01 %");
        assert_eq!(percent(0.0), "0.00 %");
    }
}
