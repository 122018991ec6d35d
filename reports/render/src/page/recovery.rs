//! From the fault to the first good answer, split into what happened on the way: the longest part is where to look.
use crate::words;
use maud::{Markup, html};
use model::{ArmReport, Fact, Micros, Window};

/// Something that happened after a fault, in its order.
struct Mark {
    at: Micros,
    what: String,
}

/// The anatomy of one fault: what its target went through from when it was injected (or begun to be undone) until requests
/// succeeded again.
pub(super) fn of(arm: &ArmReport, target: &str, injected: Micros, windows: &[&Window]) -> Markup {
    let marks = marks(arm, target, injected, windows);
    let Some(last) = marks.last().filter(|_| marks.len() > 1).map(|m| m.at) else {
        return html! {};
    };
    let whole = last.saturating_sub(injected);
    let mut before = injected;
    let parts: Vec<(&Mark, Micros, Micros)> = marks
        .iter()
        .map(|mark| {
            let (from, took) = (before - injected, mark.at.saturating_sub(before));
            before = mark.at;
            (mark, from, took)
        })
        .collect();
    html! {
        table.plain.anatomy {
            thead { tr { th.number { "after" } th { "what" } th.number { "step" } th { "" } } }
            tbody {
                @for (mark, from, took) in &parts {
                    tr {
                        td.number { (mark.at.saturating_sub(injected)) }
                        td { (mark.what) }
                        td.number { (took) }
                        td.span aria-hidden="true" {
                            span style={ "margin-left:" (share(*from, whole)) "%;width:" (share(*took, whole)) "%" } {}
                        }
                    }
                }
            }
        }
    }
}

fn share(part: Micros, whole: Micros) -> String {
    format!("{:.1}", part.0 as f64 * 100.0 / whole.0.max(1) as f64)
}

fn marks(arm: &ArmReport, target: &str, injected: Micros, windows: &[&Window]) -> Vec<Mark> {
    let end = end(arm, injected);
    let mut marks: Vec<Mark> = vec![];
    let mut seen = std::collections::BTreeSet::new();
    let mut once = |at: Micros, key: String, what: String| {
        let inside = at >= injected && at <= end;
        (seen.insert(key) && inside).then_some(Mark { at, what })
    };
    for observation in arm.timeline.all() {
        let at = observation.at;
        let found = match &observation.fact {
            Fact::Pod(pod) if pod.owner == target => {
                let (name, uid) = (&pod.name, &pod.uid);
                match (pod.gone, pod.terminating, pod.ready, pod.phase.as_str()) {
                    (true, ..) => once(at, format!("{uid} gone"), format!("{name} is gone")),
                    (_, true, ..) => {
                        once(at, format!("{uid} ends"), format!("{name} begins to end"))
                    }
                    (_, _, true, _) => once(at, format!("{uid} ready"), format!("{name} is ready")),
                    (_, _, _, "Running") => once(at, format!("{uid} runs"), format!("{name} runs")),
                    _ => once(at, uid.clone(), format!("{name} is created")),
                }
            }
            _ => None,
        };
        marks.extend(found);
    }
    for window in windows {
        marks.extend(once(
            window.from,
            format!("{} fails", window.from.0),
            format!("first failed request of “{}”", window.step),
        ));
        if !window.open_ended {
            marks.extend(once(
                window.to,
                format!("{} good", window.to.0),
                format!("first good request of “{}” again", window.step),
            ));
        }
    }
    marks.sort_by_key(|mark| mark.at);
    marks.truncate(MARKS_MAX);
    marks
}

/// When the next fault was injected, or the run began to tidy up: what happens later has another cause.
fn end(arm: &ArmReport, injected: Micros) -> Micros {
    let (_, tidying) = words::stage(&arm.timeline);
    let next = arm
        .timeline
        .all()
        .iter()
        .find(|o| o.at > injected && o.at < tidying && matches!(o.fact, Fact::Injected { .. }));
    next.map_or(tidying, |o| o.at)
}

/// More than a rollout of a few pods with its windows; beyond that the key events tell the story.
const MARKS_MAX: usize = 16;
