//! From conditions and findings to one word, one reason and one exit code.
//!
//! - Without a steady baseline or an effective fault nothing was shown: every finding is inconclusive, except a pass that does not
//!   depend on a fault.
//! - Without the load, the recovery or the evidence as planned, a pass is not earned; what was shown not to hold stays shown where
//!   the missing part could not have changed it.
use crate::{
    closed,
    conditions::{self, COMPLETE, DELIVERED, EFFECTIVE, RECOVERED, SOUND, STEADY},
    count, finality, offset,
    sample::Sample,
    soundness::Soundness,
};
use model::{Action, ArmReport, Course, ExitCode, Fact, Finding, Plan, Timeline, Verdict};
use std::collections::BTreeSet;

/// A report's reason names so many findings; the rest is counted.
const NAMED_MAX: usize = 3;

/// The findings of the plan's checks in the light of the conditions.
pub(crate) fn qualify(plan: &Plan, conditions: &[Finding], findings: Vec<Finding>) -> Vec<Finding> {
    let unmet = |names: &[&str]| -> Option<&Finding> {
        names.iter().find_map(|name| {
            conditions
                .iter()
                .find(|c| c.check == *name && c.verdict != Verdict::Pass)
        })
    };
    let nothing_shown = unmet(&[STEADY, EFFECTIVE]);
    let not_earned = unmet(&[COMPLETE, DELIVERED, RECOVERED]);
    let before_faults = steps_before_faults(plan);
    findings
        .into_iter()
        .zip(&plan.checks)
        .map(|(finding, check)| {
            let steps = check.kind.steps();
            // What rests on the whole run depends on all of it.
            let depends = steps.is_empty() || !steps.iter().all(|s| before_faults.contains(s));
            let passed = finding.verdict == Verdict::Pass;
            match (nothing_shown, not_earned) {
                (Some(condition), _) if !passed || depends => untold(finding, condition),
                (_, Some(condition)) if passed || !finality::is_final(&check.kind) => {
                    untold(finding, condition)
                }
                _ => finding,
            }
        })
        .collect()
}

fn untold(finding: Finding, condition: &Finding) -> Finding {
    Finding {
        because: format!(
            "not shown, because {} is not met; what was seen: {}",
            condition.check, finding.because
        ),
        verdict: Verdict::Inconclusive,
        ..finding
    }
}

/// Steps that must have ended before any fault begins: no fault can have changed what they saw.
fn steps_before_faults(plan: &Plan) -> BTreeSet<&str> {
    let mut faults = plan.faults().map(|(step, _)| plan.ended_before(step));
    match faults.next() {
        None => plan.steps.iter().map(|s| s.name.as_str()).collect(),
        Some(first) => faults.fold(first, |common, next| &common & &next),
    }
}

/// The worst of everything that counts, and the one reason for it.
pub(crate) fn conclude(conditions: &[Finding], findings: &[Finding]) -> (Verdict, String) {
    let counting: Vec<&Finding> = findings.iter().filter(|f| f.counts).collect();
    let of =
        |verdict| -> Vec<&&Finding> { counting.iter().filter(|f| f.verdict == verdict).collect() };
    let unmet = [STEADY, EFFECTIVE, SOUND, COMPLETE, DELIVERED, RECOVERED]
        .into_iter()
        .filter_map(|name| conditions.iter().find(|c| c.check == name))
        .chain(conditions)
        .find(|c| c.verdict != Verdict::Pass);
    let failed = of(Verdict::Fail);
    if let Some(first) = failed.first() {
        let more = match failed.len() - 1 {
            0 => String::new(),
            n => format!(" ({} more)", count(n as u64, "failed objective")),
        };
        let measured = match first.measured.is_empty() {
            true => String::new(),
            false => format!("{}, asked for was {}; ", first.measured, first.target),
        };
        let reason = format!(
            "“{}” does not hold: {measured}{}{more}",
            first.check, first.because
        );
        return (Verdict::Fail, reason);
    }
    if let Some(condition) = unmet {
        let reason = format!("{}: {}", condition.check, condition.because);
        return (Verdict::Inconclusive, reason);
    }
    if let Some(first) = of(Verdict::Inconclusive).first() {
        return (
            Verdict::Inconclusive,
            format!("“{}” cannot be told: {}", first.check, first.because),
        );
    }
    match counting.len() {
        0 => (
            Verdict::Inconclusive,
            "nothing was asked that counts".into(),
        ),
        _ => (Verdict::Pass, passed(&counting)),
    }
}

fn passed(counting: &[&Finding]) -> String {
    // Several objectives may rest on one figure.
    let mut shown: Vec<&str> = vec![];
    for finding in counting {
        if !shown.contains(&finding.because.as_str()) {
            shown.push(&finding.because);
        }
    }
    let more = match shown.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    shown.truncate(NAMED_MAX);
    format!("{}{more}", shown.join("; "))
}

/// What the run cannot tell, whatever its verdict.
pub(crate) fn not_shown(plan: &Plan, timeline: &Timeline, sound: &Soundness) -> Vec<String> {
    let mut limits = vec![];
    for load in &sound.loads {
        if let Some(gap) = load.longest_gap {
            limits.push(format!(
                "outages shorter than {gap}, the longest time between two requests of “{}”",
                load.step
            ));
        }
    }
    for (step, load) in plan.loads() {
        match closed::hidden(load, &Sample::of(timeline, step)) {
            0 => {}
            n => limits.push(format!(
                "what a stall hid: about {n} requests that the users of “{step}” would have sent and did not, because they were waiting"
            )),
        }
    }
    for observation in timeline.all() {
        match &observation.fact {
            Fact::LoadBegan { step, clock_error } if clock_error.0 > 0 => limits.push(format!(
                "the order of two things less than {clock_error} apart, when one is a request of “{step}”: its worker has a clock of its own"
            )),
            Fact::Gap { what } => limits.push(format!("{}: {what}", offset(observation.at))),
            _ => {}
        }
    }
    let blows = timeline
        .all()
        .iter()
        .filter(|o| matches!(&o.fact, Fact::Strike(s) if s.course == Course::Proven));
    let blows = blows.count();
    if blows > 0 {
        // What never happens in n blows has, at 95 %, at most this chance in one of them.
        let chance = 100.0 * (1.0 - 0.05_f64.powf(1.0 / blows as f64));
        limits.push(format!(
            "harm that fewer than {chance:.1} % of such blows do: {} were dealt",
            blows
        ));
    }
    if plan
        .steps
        .iter()
        .any(|s| matches!(s.action, Action::Fault { .. }))
    {
        limits.push("how another run would go: each fault was injected once".into());
    }
    limits
}

/// How a process that did only this run would end.
pub(crate) fn exit(verdict: Verdict, timeline: &Timeline) -> ExitCode {
    let stopped = timeline
        .all()
        .iter()
        .any(|o| matches!(o.fact, Fact::Stopped { .. }));
    let cleaned = conditions::cleaned(timeline);
    let in_place = !conditions::left(timeline).is_empty() || cleaned.is_some_and(|(ok, _)| !ok);
    ExitCode::foremost(
        [
            Some(ExitCode::from(verdict)),
            stopped.then_some(ExitCode::Stopped),
            in_place.then_some(ExitCode::FaultInPlace),
        ]
        .into_iter()
        .flatten(),
    )
}

/// The worst arm's verdict and reason; where all pass, every arm's.
pub(crate) fn of_arms(arms: &[ArmReport]) -> (Verdict, String) {
    let verdict = Verdict::worst(arms.iter().map(|arm| arm.judgement.verdict));
    let reasons: Vec<String> = arms
        .iter()
        .filter(|arm| arm.judgement.verdict == verdict)
        .map(|arm| match arms.len() {
            1 => arm.judgement.reason.clone(),
            _ => format!("arm {}: {}", arm.plan.arm, arm.judgement.reason),
        })
        .collect();
    let reason = match verdict {
        _ if arms.is_empty() => "nothing was run".into(),
        Verdict::Pass => reasons.join(". "),
        _ => reasons.into_iter().next().unwrap_or_default(),
    };
    (verdict, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Story, ms},
        judge,
    };
    use model::{Check, CheckKind, Comparison, Metric, Severity, Threshold};

    fn check(name: &str, metric: Metric, comparison: Comparison, value: f64) -> Check {
        Check {
            name: name.into(),
            severity: Severity::Fail,
            kind: CheckKind::Metric {
                metric,
                condition: Threshold { comparison, value },
                step: "siege".into(),
            },
        }
    }

    fn lossless() -> Vec<Check> {
        let replaced = Check {
            name: "replaced".into(),
            severity: Severity::Fail,
            kind: CheckKind::ReplacementInside {
                deployment: "review".into(),
                load: "siege".into(),
            },
        };
        let all = check("all answered", Metric::Availability, Comparison::Equal, 1.0);
        vec![all, replaced]
    }

    fn judged(story: Story) -> (Verdict, String, u8) {
        let story = story.asking(lossless());
        let judgement = judge(&story.plan(), &story.timeline());
        let code = judgement.exit.number();
        (judgement.verdict, judgement.reason, code)
    }

    #[test]
    fn a_pass_is_earned_and_says_what_was_shown() {
        assert_eq!(
            judged(Story::rollout()),
            (
                Verdict::Pass,
                "100 of 100 requests of “siege” answered well; review-new replaced review-old between two requests of “siege”".into(),
                0
            )
        );
        assert_eq!(
            judge(&Story::rollout().plan(), &Story::rollout().timeline()).not_shown,
            [
                "outages shorter than 10.0 ms, the longest time between two requests of “siege”",
                "the order of two things less than 1.0 ms apart, when one is a request of “siege”: its worker has a clock of its own",
                "how another run would go: each fault was injected once"
            ]
        );
    }

    #[test]
    fn what_was_shown_not_to_hold_fails_and_names_the_figure() {
        assert_eq!(
            judged(Story::rollout().failing(2300..2500)),
            (
                Verdict::Fail,
                "“all answered” does not hold: 80 %, asked for was availability == 100 %; 80 of 100 requests of “siege” answered well".into(),
                1
            )
        );
    }

    #[test]
    fn without_its_fault_nothing_is_shown_even_where_requests_failed() {
        let (verdict, reason, code) = judged(Story::rollout().without_fault());
        assert_eq!((verdict, code), (Verdict::Inconclusive, 2));
        assert_eq!(
            reason,
            "FaultsEffective: the fault was replaced by nothing: rollout of review did not happen"
        );
        let failing = Story::rollout().without_fault().failing(2300..2500);
        assert_eq!(judged(failing).0, Verdict::Inconclusive);
    }

    #[test]
    fn with_a_gap_a_pass_is_not_earned_and_a_failure_stays_one() {
        let gap = || Fact::Gap {
            what: "the watch of pods broke".into(),
        };
        let (verdict, reason, _) = judged(Story::rollout().with(ms(2100), gap()));
        assert_eq!(
            (verdict, &*reason),
            (
                Verdict::Inconclusive,
                "EvidenceComplete: the watch of pods broke"
            )
        );
        let failing = Story::rollout().failing(2300..2500).with(ms(2100), gap());
        assert_eq!(judged(failing).0, Verdict::Fail);
    }

    #[test]
    fn what_had_not_happened_when_a_run_was_stopped_is_not_a_failure() {
        let stopped = Fact::Stopped {
            by: "SIGINT".into(),
        };
        let lossy = check("some are lost", Metric::Availability, Comparison::Less, 1.0);
        let story = Story::rollout().with(ms(2900), stopped).asking(vec![lossy]);
        let judgement = judge(&story.plan(), &story.timeline());
        assert_eq!(judgement.verdict, Verdict::Inconclusive);
        assert_eq!(judgement.exit, ExitCode::Stopped);
    }

    #[test]
    fn a_warning_does_not_count_and_a_run_that_asks_nothing_is_inconclusive() {
        let mut slow = check("fast", Metric::LatencyP50, Comparison::Less, 0.001);
        slow.severity = Severity::Warn;
        let story = Story::rollout().asking(vec![slow]);
        let judgement = judge(&story.plan(), &story.timeline());
        assert_eq!(judgement.findings[0].verdict, Verdict::Fail);
        assert_eq!(
            (judgement.verdict, &*judgement.reason),
            (Verdict::Inconclusive, "nothing was asked that counts")
        );
    }

    #[test]
    fn a_stopped_run_ends_with_three_and_a_fault_left_in_place_with_four() {
        let stopped = || {
            Story::rollout().with(
                ms(2900),
                Fact::Stopped {
                    by: "SIGINT".into(),
                },
            )
        };
        assert_eq!(judged(stopped()).2, 3);
        assert_eq!(judged(stopped().failing(2300..2500)).2, 1);
        let left = Story::rollout()
            .without(|f| matches!(f, Fact::CleanedUp { .. }))
            .with(
                ms(3500),
                Fact::CleanedUp {
                    ok: false,
                    detail: "pod alarm is still there".into(),
                },
            );
        let (verdict, _, code) = judged(left);
        assert_eq!((verdict, code), (Verdict::Inconclusive, 4));
    }

    #[test]
    fn a_scenario_is_as_good_as_its_worst_arm() {
        let part = |arm: &str, story: Story| {
            let story = story.asking(lossless());
            let mut plan = story.plan();
            plan.arm = arm.into();
            (plan, story.timeline())
        };
        let report = crate::report(
            vec![
                part("with-probes", Story::rollout()),
                part("without", Story::rollout().failing(2300..2500)),
            ],
            "brownout run",
            "0.1.0",
            "2026-11-20T16:00:00Z",
        );
        assert_eq!(report.verdict, Verdict::Fail);
        assert!(
            report
                .reason
                .starts_with("arm without: “all answered” does not hold: 80 %")
        );
        let none = crate::report(vec![], "", "", "");
        assert_eq!(none.verdict, Verdict::Inconclusive);
    }
}
