//! What was looked for in containers, logs and objects was so.
use crate::offset;
use model::{Action, ExpectedOutput, Fact, Finding, Micros, Plan, Timeline, Verdict};

/// So many changes on the way are named.
const EVIDENCE_MAX: usize = 8;

/// The last command of a step came to what is expected.
pub(crate) fn output(step: &str, expected: &ExpectedOutput, timeline: &Timeline) -> Finding {
    if *expected == ExpectedOutput::default() {
        return unasked("output", step);
    }
    let seen = timeline.all().iter().rev().find_map(|o| match &o.fact {
        Fact::Executed { step: s, seen } if s == step => Some((o.at, seen)),
        _ => None,
    });
    let Some((at, seen)) = seen else {
        return unseen("output", step, expected.written());
    };
    let differences = expected.with(&timeline.saved_until(at)).differences(seen);
    let (verdict, because) = match differences.first() {
        None => (
            Verdict::Pass,
            format!("“{step}” came to {}", expected.written()),
        ),
        Some(first) => (Verdict::Fail, format!("“{step}”: {first}")),
    };
    let complaints = seen.stderr.lines().map(|line| format!("stderr: {line}"));
    Finding {
        target: expected.written(),
        measured: seen.written(),
        evidence: differences
            .into_iter()
            .chain(complaints)
            .take(EVIDENCE_MAX)
            .collect(),
        ..Finding::new("output", verdict, because)
    }
}

/// All texts were in the log in time.
pub(crate) fn logged(step: &str, plan: &Plan, timeline: &Timeline) -> Finding {
    let texts = match plan.step(step).map(|s| &s.action) {
        Some(Action::Logs { contains, .. }) => contains.as_slice(),
        _ => &[],
    };
    if texts.iter().all(String::is_empty) {
        return unasked("logged", step);
    }
    let target = format!(
        "{} in the log",
        texts
            .iter()
            .map(|t| format!("{t:?}"))
            .collect::<Vec<_>>()
            .join(" and ")
    );
    let last = timeline.all().iter().rev().find_map(|o| match &o.fact {
        Fact::Logged {
            step: s,
            found,
            missing,
        } if s == step => Some((o.at, found, missing)),
        _ => None,
    });
    let Some((at, found, missing)) =
        last.filter(|(.., m)| m.is_empty() || has_ended(step, timeline))
    else {
        return unseen("logged", step, target);
    };
    let (verdict, because) = match missing.first() {
        None => (Verdict::Pass, format!("“{step}” found its text in the log")),
        Some(text) => (
            Verdict::Fail,
            format!("“{step}”: {text:?} was not in the log in time"),
        ),
    };
    Finding {
        target,
        measured: match verdict {
            Verdict::Pass => format!("found at {}", offset(at)),
            _ => format!("{} of {} found", texts.len() - missing.len(), texts.len()),
        },
        evidence: found.iter().take(EVIDENCE_MAX).cloned().collect(),
        ..Finding::new("logged", verdict, because)
    }
}

/// What is waited for was so in time.
pub(crate) fn awaited(step: &str, plan: &Plan, timeline: &Timeline) -> Finding {
    let target = match plan.step(step).map(|s| &s.action) {
        Some(Action::Await { wanted, within }) => format!("{} within {within}", wanted.written()),
        _ => String::new(),
    };
    let looks: Vec<(Micros, &str, bool)> = timeline
        .all()
        .iter()
        .filter_map(|o| match &o.fact {
            Fact::Awaited { step: s, seen, met } if s == step => Some((o.at, seen.as_str(), *met)),
            _ => None,
        })
        .collect();
    let Some((at, seen, met)) = looks
        .last()
        .filter(|(.., met)| *met || has_ended(step, timeline))
    else {
        return unseen("awaited", step, target);
    };
    let began = timeline.all().iter().find_map(|o| match &o.fact {
        Fact::StepBegan { step: s } if s == step => Some(o.at),
        _ => None,
    });
    let took = at.saturating_sub(began.unwrap_or(*at));
    let (verdict, because) = match met {
        true => (Verdict::Pass, format!("“{step}”: {seen} after {took}")),
        false => (Verdict::Fail, format!("“{step}”: it was {seen} to the end")),
    };
    Finding {
        target,
        measured: seen.to_string(),
        evidence: looks
            .iter()
            .take(EVIDENCE_MAX)
            .map(|(at, seen, _)| format!("{} {seen}", offset(*at)))
            .collect(),
        ..Finding::new("awaited", verdict, because)
    }
}

fn unasked(check: &str, step: &str) -> Finding {
    let because = format!("nothing is expected of “{step}”");
    Finding::new(check, Verdict::Inconclusive, because)
}

fn unseen(check: &str, step: &str, target: String) -> Finding {
    Finding {
        target,
        ..Finding::new(
            check,
            Verdict::Inconclusive,
            format!("“{step}” did not come to its end"),
        )
    }
}

/// Whether a step used all of its time; what was not seen until then was not there.
fn has_ended(step: &str, timeline: &Timeline) -> bool {
    let mut ends = timeline.all().iter();
    ends.any(|o| matches!(&o.fact, Fact::StepEnded { step: s, ok: true, .. } if s == step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, after, ms};
    use model::{Execution, Holds, ObjectsOf, PodChoice, PodsOf, Wanted};

    fn ended(step: &str) -> Fact {
        Fact::StepEnded {
            step: step.into(),
            ok: true,
            detail: "done".into(),
        }
    }

    #[test]
    fn the_last_command_of_a_step_decides_and_without_one_nothing_can_be_told() {
        let expected = ExpectedOutput {
            stdout: Some("10".into()),
            ..ExpectedOutput::default()
        };
        let printed = |out: &str| Fact::Executed {
            step: "env".into(),
            seen: Execution {
                pod: "room-1".into(),
                exit_code: Some(0),
                stdout: out.into(),
                ..Execution::default()
            },
        };
        let found = |story: &Story| output("env", &expected, &story.timeline());
        let passes = Story::rollout()
            .with(ms(1), printed("9\n"))
            .with(ms(2), printed("10\n"));
        let finding = found(&passes);
        assert_eq!(
            (finding.verdict, &*finding.measured),
            (Verdict::Pass, r#"exit code 0, "10\n""#)
        );
        let finding = found(&Story::rollout().with(ms(1), printed("9\n")));
        assert_eq!(finding.because, r#"“env”: it printed "9\n", expected "10""#);
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(found(&Story::rollout()).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_command_and_a_log_of_which_nothing_is_expected_show_nothing() {
        let executed = Fact::Executed {
            step: "env".into(),
            seen: Execution::default(),
        };
        let logs = Action::Logs {
            pod: PodChoice {
                of: PodsOf::Name("a".into()),
                replica: None,
                container: None,
            },
            contains: vec![String::new()],
            within: ms(1000),
        };
        let found = Fact::Logged {
            step: "log".into(),
            found: vec!["anything".into()],
            missing: vec![],
        };
        let story = Story::rollout()
            .doing("log", after(&[]), logs)
            .with(ms(1), executed)
            .with(ms(2), found);
        let (plan, timeline) = (story.plan(), story.timeline());
        let nothing = ExpectedOutput::default();
        let ran = output("env", &nothing, &timeline);
        assert_eq!(ran.verdict, Verdict::Inconclusive);
        let read = logged("log", &plan, &timeline);
        assert_eq!(read.because, "nothing is expected of “log”");
        assert_eq!(read.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_log_with_its_text_passes_one_without_fails_and_one_not_read_to_the_end_cannot_be_told() {
        let pod = PodChoice {
            of: PodsOf::Workload("order".into()),
            replica: None,
            container: None,
        };
        let step = Action::Logs {
            pod,
            contains: vec!["sold".into()],
            within: ms(1000),
        };
        let told = |found: &[&str], missing: &[&str]| Fact::Logged {
            step: "log".into(),
            found: found.iter().map(ToString::to_string).collect(),
            missing: missing.iter().map(ToString::to_string).collect(),
        };
        let story = || Story::rollout().doing("log", after(&[]), step.clone());
        let found = |story: Story| logged("log", &story.plan(), &story.timeline());
        let passes = found(
            story()
                .with(ms(9), told(&[], &["sold"]))
                .with(ms(10), told(&["7 sold"], &[])),
        );
        assert_eq!(
            (passes.verdict, &passes.evidence[..]),
            (Verdict::Pass, &["7 sold".to_string()][..])
        );
        let without = story().with(ms(9), told(&[], &["sold"]));
        assert_eq!(found(without.clone()).verdict, Verdict::Inconclusive);
        let fails = found(without.with(ms(10), ended("log")));
        assert_eq!(
            (fails.verdict, &*fails.because),
            (Verdict::Fail, r#"“log”: "sold" was not in the log in time"#)
        );
    }

    #[test]
    fn what_is_waited_for_passes_when_it_comes_fails_when_the_time_is_up_and_cannot_be_told_before()
    {
        let wanted = Wanted {
            api_version: "v1".into(),
            kind: "PersistentVolumeClaim".into(),
            of: ObjectsOf::Name("aws-efs".into()),
            path: Some("$.status.phase".into()),
            what: "$.status.phase".into(),
            holds: Holds::Is(vec!["Bound".into()]),
        };
        let step = Action::Await {
            wanted,
            within: ms(1000),
        };
        let seen = |seen: &str, met| Fact::Awaited {
            step: "bound".into(),
            seen: seen.into(),
            met,
        };
        let began = Fact::StepBegan {
            step: "bound".into(),
        };
        let story = || {
            Story::rollout()
                .doing("bound", after(&[]), step.clone())
                .with(ms(5), began.clone())
        };
        let found = |story: Story| awaited("bound", &story.plan(), &story.timeline());
        let pending = || story().with(ms(6), seen("Pending", false));
        let passes = found(pending().with(ms(25), seen("Bound", true)));
        assert_eq!(
            (passes.verdict, &*passes.because),
            (Verdict::Pass, "“bound”: Bound after 20.0 ms")
        );
        assert_eq!(
            passes.target,
            "PersistentVolumeClaim/aws-efs: $.status.phase is Bound within 1.00 s"
        );
        assert_eq!(passes.evidence, ["+0.006 s Pending", "+0.025 s Bound"]);
        assert_eq!(found(pending()).verdict, Verdict::Inconclusive);
        let fails = found(pending().with(ms(1005), ended("bound")));
        assert_eq!(
            (fails.verdict, &*fails.because),
            (Verdict::Fail, "“bound”: it was Pending to the end")
        );
    }
}
