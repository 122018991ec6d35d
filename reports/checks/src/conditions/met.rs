//! Whether anything that is judged can have met a fault: a request that was in flight or sent while it was in force, or a step that
//! ended after it began, as a look at what outlived it.
use crate::{
    force::{Force, SETTLING},
    offset,
};
use model::{Action, Fact, Micros, Plan, Timeline};

/// From when the first blow of a fault was dealt to when the last was over.
struct Span {
    from: Micros,
    /// None where that was not seen.
    over: Option<Micros>,
}

/// # Errors
/// Why the fault proves nothing about what is judged.
pub(super) fn check(
    fault: &str,
    forces: &[Force],
    plan: &Plan,
    timeline: &Timeline,
) -> Result<(), String> {
    let Some(span) = span(fault, forces) else {
        return Ok(());
    };
    let can_have_met = |step: &&str| can_have_met(step, &span, plan, timeline);
    let mut missed: Vec<&str> = vec![];
    for check in &plan.checks {
        let steps = check.kind.steps();
        // What rests on the whole run rests on the fault, too.
        if steps.is_empty() || steps.iter().any(can_have_met) {
            return Ok(());
        }
        missed.extend(steps.into_iter().filter(|step| is_load(step, plan)));
    }
    match missed.first() {
        None => Ok(()),
        Some(load) => Err(said(fault, load, &span, timeline)),
    }
}

fn span(fault: &str, forces: &[Force]) -> Option<Span> {
    let mine = || forces.iter().filter(|force| force.step == fault);
    let from = mine().map(|force| force.from).min()?;
    let over = mine().map(|force| force.over);
    let over = over
        .into_iter()
        .try_fold(from, |latest: Micros, over| Some(latest.max(over?)));
    Some(Span { from, over })
}

fn is_load(step: &str, plan: &Plan) -> bool {
    let step = plan.step(step);
    step.is_some_and(|s| matches!(s.action, Action::Load { .. }))
}

fn can_have_met(step: &str, span: &Span, plan: &Plan, timeline: &Timeline) -> bool {
    if !is_load(step, plan) {
        return !ended_before(step, span.from, timeline);
    }
    let mut sent = false;
    let met = timeline.requests(step).any(|(_, request)| {
        sent = true;
        let over = span.over.map(|over| over + SETTLING);
        request.done >= span.from && over.is_none_or(|over| request.sent <= over)
    });
    // Of a load without requests another condition tells.
    met || !sent
}

/// A step that never came to its end came later, or another condition tells of it.
fn ended_before(of: &str, at: Micros, timeline: &Timeline) -> bool {
    timeline
        .all()
        .iter()
        .take_while(|o| o.at < at)
        .any(|o| matches!(&o.fact, Fact::StepEnded { step, .. } if step == of))
}

fn said(fault: &str, load: &str, span: &Span, timeline: &Timeline) -> String {
    let over = match span.over {
        Some(over) => format!("to {}", offset(over)),
        None => "on".into(),
    };
    let (first, last) = timeline.span(load).unwrap_or_default();
    format!(
        "no request of “{load}” can have met “{fault}”, and nothing later is judged: it was in force from {} {over}, the load went \
         from {} to {}",
        offset(span.from),
        offset(first),
        offset(last)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Story, after, ms},
        force,
    };
    use model::{Check, CheckKind, Comparison, Metric, Severity, Threshold};

    fn found(story: &Story) -> Result<(), String> {
        let (plan, timeline) = (story.plan(), story.timeline());
        check("roll", &force::all(&timeline), &plan, &timeline)
    }

    fn asked(kind: CheckKind) -> Check {
        Check {
            name: "asked".into(),
            severity: Severity::Fail,
            kind,
        }
    }

    fn availability() -> Check {
        asked(CheckKind::Metric {
            metric: Metric::Availability,
            condition: Threshold {
                comparison: Comparison::Equal,
                value: 1.0,
            },
            step: "siege".into(),
        })
    }

    fn undone() -> Fact {
        Fact::Undone {
            step: "roll".into(),
            evidence: "ready".into(),
        }
    }

    fn down() -> Story {
        Story::rollout().service_down().asking(vec![availability()])
    }

    #[test]
    fn a_fault_that_falls_into_a_measured_load_is_met() {
        assert_eq!(found(&down()), Ok(()));
        assert_eq!(found(&down().with(ms(2300), undone())), Ok(()));
    }

    #[test]
    fn a_fault_that_comes_after_the_measured_load_is_met_by_none_of_its_requests() {
        let late = down().injected_at(3050).with(ms(3060), undone());
        assert_eq!(
            found(&late).unwrap_err(),
            "no request of “siege” can have met “roll”, and nothing later is judged: it was in force from +3.050 s to +3.060 s, the \
             load went from +2.000 s to +2.992 s"
        );
        // The last request was still in flight.
        assert_eq!(found(&late.taking(100)), Ok(()));
    }

    #[test]
    fn a_fault_that_was_over_long_before_the_measured_load_is_met_by_none_of_its_requests() {
        let early = down().injected_at(100).with(ms(900), undone());
        assert!(found(&early).is_err());
        assert_eq!(
            found(&down().injected_at(100).with(ms(1100), undone())),
            Ok(())
        );
    }

    #[test]
    fn what_is_looked_at_after_a_fault_may_come_after_it() {
        let lost = asked(CheckKind::NoLostAckedWrites {
            load: "siege".into(),
            collect: "alarms".into(),
            at_least: 1,
        });
        let undo = Action::Undo {
            fault: "roll".into(),
        };
        let ended = Fact::StepEnded {
            step: "alarms".into(),
            ok: true,
            detail: String::new(),
        };
        let late = |collected| {
            down()
                .injected_at(3050)
                .with(ms(3060), undone())
                .doing("alarms", after(&["roll"]), undo.clone())
                .with(ms(collected), ended.clone())
                .asking(vec![availability(), lost.clone()])
        };
        assert_eq!(found(&late(3200)), Ok(()));
        assert!(found(&late(3040)).is_err());
    }
}
