//! A card for each fault: what was planned, what happened, what proves it, what it cost.
use super::{blows, recovery};
use crate::words;
use maud::{Markup, html};
use model::{ArmReport, Fact, FaultKind, Late, Micros, Step, Window, WindowState};

/// So many windows of a fault are listed; blows have theirs in a table.
const WINDOWS_MAX: usize = 8;

pub(super) fn of(arm: &ArmReport) -> Markup {
    let faults: Vec<_> = words::fault_steps(&arm.plan).collect();
    html! {
        @if !faults.is_empty() {
            h3 { @if faults.len() == 1 { "The fault" } @else { "The faults" } }
            @for (step, kind) in faults { (card(arm, step, kind)) }
            (no_fault_of_ours(arm))
        }
    }
}

/// What failed while no fault was in force.
fn no_fault_of_ours(arm: &ArmReport) -> Markup {
    let others = arm.judgement.windows.iter().filter(|w| w.fault.is_none());
    let others: Vec<&Window> = others.collect();
    html! {
        @if !others.is_empty() {
            div.card {
                h4 { "No fault of ours" }
                p.note { "These requests began to fail while none of the faults was in force." }
                (listed(&others))
            }
        }
    }
}

fn listed(windows: &[&Window]) -> Markup {
    html! {
        ul { @for w in windows.iter().take(WINDOWS_MAX) { li { (window(w)) } } }
        @if windows.len() > WINDOWS_MAX { "and in " (windows.len() - WINDOWS_MAX) " more windows" }
    }
}

/// What the timeline says of one fault.
#[derive(Default)]
struct Course<'a> {
    injected: Option<Micros>,
    targets: &'a [String],
    proof: Option<(Micros, &'a str)>,
    undone: Option<(Micros, &'a str)>,
    trouble: Option<&'a str>,
}

fn course<'a>(arm: &'a ArmReport, name: &str) -> Course<'a> {
    let mut course = Course::default();
    for observation in arm.timeline.all() {
        let at = observation.at;
        match &observation.fact {
            Fact::Injected { step, targets, .. } if step == name => {
                course.injected = Some(at);
                course.targets = targets;
            }
            Fact::Proven { step, evidence } if step == name => course.proof = Some((at, evidence)),
            Fact::Undone { step, evidence } if step == name => course.undone = Some((at, evidence)),
            Fact::Unproven { step, because } | Fact::UndoFailed { step, because }
                if step == name =>
            {
                course.trouble = Some(because);
            }
            _ => {}
        }
    }
    course
}

fn card(arm: &ArmReport, step: &Step, kind: &FaultKind) -> Markup {
    let course = course(arm, &step.name);
    let after = |at: Micros| match course.injected {
        Some(injected) => format!("{} later", at.saturating_sub(injected)),
        None => words::offset(at),
    };
    let mine = |w: &&Window| w.fault.as_deref() == Some(step.name.as_str());
    let windows: Vec<&Window> = arm.judgement.windows.iter().filter(mine).collect();
    html! {
        div.card {
            h4 { (step.name) ": " (words::fault(kind)) }
            dl.facts {
                dt { "Planned" } dd { (words::start(step)) }
                dt { "Injected" }
                dd {
                    @match course.injected { Some(at) => (words::offset(at)), None => "never" }
                    @if let Some(late) = Late::of(&step.name, &arm.plan, &arm.timeline) { ", " (late.told()) }
                }
                @if !course.targets.is_empty() { dt { "Targets" } dd { (course.targets.join(", ")) } }
                dt { "Proof" }
                dd {
                    @match course.proof {
                        Some((at, evidence)) => { (after(at)) ": " (evidence) }
                        None => "none: it is not known to have taken effect"
                    }
                }
                @if !kind.needs_undo() { dt { "Undo" } dd { "none needed" } }
                @else if let Some((at, evidence)) = course.undone { dt { "Undone" } dd { (after(at)) ": " (evidence) } }
                @if let Some(trouble) = course.trouble { dt { "Trouble" } dd { (trouble) } }
                dt { "Requests failed" }
                dd {
                    @if windows.is_empty() { "none of a load" }
                    @else { (listed(&windows)) }
                }
            }
            (blows::of(arm, &step.name))
            @if let (Some(injected), None) = (course.injected, kind.aim()) {
                (recovery::of(arm, &kind.target(), injected, &windows))
            }
        }
    }
}

fn window(window: &Window) -> Markup {
    let kinds: Vec<String> = window
        .kinds
        .iter()
        .map(|(kind, n)| format!("{kind} {n}"))
        .collect();
    let state = match window.state {
        WindowState::Down => "every one".to_string(),
        WindowState::Degraded => format!("and {} answered well", window.good),
    };
    html! {
        strong { (window.length()) }
        " of “" (window.step) "”, from " (words::offset(window.from)) " to " (words::offset(window.to)) ": "
        (window.failed) " failed, " (state) " (" (kinds.join(", ")) ")"
        @if window.open_ended { ". The load ended before it was over: it may have been longer." }
    }
}
