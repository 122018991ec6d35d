//! Faults that nothing can meet: one that comes when its load is over, and one that no check looks beyond.
use crate::object::Object;
use crate::problem::Log;
use model::{Action, Plan, Start, Step};

/// Puts down what a plan already shows of its faults: nothing would be learnt from them.
pub fn check(plan: &Plan, steps: &[Object], log: &Log) {
    let node = |name: &str| steps.iter().find(|s| s.text("name") == Some(name));
    for (name, _) in plan.faults() {
        if let (Some(fault), Some(step)) = (node(name), plan.step(name)) {
            match too_late(step, plan) {
                Some((load, duration)) => log.bad(
                    fault.get("at").unwrap_or(fault.node),
                    format!("\"{load}\" is over after {duration}: none of its requests can meet this fault"),
                    format!("write an earlier at, or after: {load} where the fault shall come after it"),
                ),
                None => unseen(fault, name, plan, log),
            }
        }
    }
}

/// The load that is over when a fault is to fall into it, and how long it lasts.
fn too_late<'p>(step: &'p Step, plan: &'p Plan) -> Option<(&'p str, String)> {
    let Start::During { load, at } = &step.start else {
        return None;
    };
    let Action::Load { load: sent } = &plan.step(load)?.action else {
        return None;
    };
    let lasts = sent.duration().filter(|_| !sent.is_nothing())?;
    (*at >= lasts).then(|| (load.as_str(), lasts.to_string()))
}

/// Puts down a fault that every check has looked away from before it begins. What else is wrong is told first.
fn unseen(fault: &Object, name: &str, plan: &Plan, log: &Log) {
    if plan.checks.is_empty() || log.count() > 0 {
        return;
    }
    let before = plan.ended_before(name);
    let looks_beyond = plan.checks.iter().any(|check| {
        let steps = check.kind.steps();
        steps.is_empty() || steps.iter().any(|step| !before.contains(step))
    });
    if !looks_beyond {
        log.bad(
            fault.node,
            "nothing that is judged happens during or after this fault",
            "add an objective, an invariant or a step with expect that looks at what it does",
        );
    }
}
