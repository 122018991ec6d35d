//! The key events of the timeline, in order.
use crate::words;
use maud::{Markup, html};
use model::{ArmReport, Course, Fact, Micros, PodState, WindowState};
use std::collections::BTreeMap;

/// So many events are listed; the timeline has them all.
const EVENTS_MAX: usize = 150;

/// One row: when, of what kind, what.
struct Row {
    at: Micros,
    kind: &'static str,
    text: String,
}

pub(super) fn of(arm: &ArmReport) -> Markup {
    let mut rows = rows(arm);
    let more = rows.len().saturating_sub(EVENTS_MAX);
    rows.truncate(EVENTS_MAX);
    html! {
        details open[rows.len() <= 60] {
            summary { h3 { "Key events" } }
            table.events {
                thead { tr { th.number { "Time" } th { "" } th { "What" } } }
                tbody {
                    @for row in &rows {
                        tr class=(row.kind) {
                            td.number { (words::offset(row.at)) }
                            td.kind { (row.kind) }
                            td { (row.text) }
                        }
                    }
                }
            }
            @if more > 0 { p.note { (more) " more are in " code { "timeline.jsonl" } "." } }
        }
    }
}

fn rows(arm: &ArmReport) -> Vec<Row> {
    let (beginning, tidying) = words::stage(&arm.timeline);
    let mut pods = BTreeMap::<&str, &PodState>::new();
    let mut rows: Vec<Row> = vec![];
    for observation in arm.timeline.all() {
        let (kind, text) = match &observation.fact {
            // What the run sets up at its beginning and takes away at its end is no news.
            Fact::Pod(_) | Fact::Endpoints { .. } | Fact::Event { .. }
                if observation.at >= tidying =>
            {
                continue;
            }
            Fact::Pod(pod) => {
                let before = pods.insert(&pod.uid, pod);
                match change(before, pod) {
                    Some(text) if observation.at >= beginning || is_trouble(pod) => ("pod", text),
                    _ => continue,
                }
            }
            Fact::Endpoints { .. } if observation.at < beginning => continue,
            fact => match told(fact) {
                Some(row) => row,
                None => continue,
            },
        };
        let at = observation.at;
        rows.push(Row { at, kind, text });
    }
    for window in &arm.judgement.windows {
        let state = match window.state {
            WindowState::Down => "every request fails",
            WindowState::Degraded => "some requests fail",
        };
        rows.push(Row {
            at: window.from,
            kind: "window",
            text: format!("“{}”: from here {state}", window.step),
        });
        if !window.open_ended {
            rows.push(Row {
                at: window.to,
                kind: "window",
                text: format!(
                    "{}: requests succeed again, after {}",
                    window.step,
                    window.length()
                ),
            });
        }
    }
    rows.sort_by_key(|row| row.at);
    rows
}

/// Worth a line even while the system is set up.
fn is_trouble(pod: &PodState) -> bool {
    pod.restarts > 0 || !pod.reason.is_empty()
}

fn change(before: Option<&PodState>, pod: &PodState) -> Option<String> {
    let name = &pod.name;
    let was = |of: fn(&PodState) -> bool| before.is_some_and(of);
    if pod.gone {
        return Some(format!("{name} is gone"));
    }
    if pod.restarts > before.map_or(0, |p| p.restarts) {
        return Some(format!("{name} was restarted ({} times)", pod.restarts));
    }
    if pod.terminating && !was(|p| p.terminating) {
        return Some(format!("{name} begins to end"));
    }
    if pod.ready && !was(|p| p.ready) {
        return Some(format!("{name} is ready"));
    }
    if !pod.ready && was(|p| p.ready) && !pod.terminating {
        return Some(format!("{name} is no longer ready"));
    }
    if !pod.reason.is_empty() && before.is_none_or(|p| p.reason != pod.reason) {
        return Some(format!("{name}: {}", pod.reason));
    }
    before.is_none().then(|| format!("{name} is created"))
}

fn told(fact: &Fact) -> Option<(&'static str, String)> {
    Some(match fact {
        Fact::Began { wall, .. } => ("run", format!("the run began at {wall}")),
        Fact::Phase { phase } => ("run", format!("phase {}", phase.word())),
        Fact::Steady { .. } => ("run", "the system is steady".into()),
        Fact::Lacking { what, way_out } => {
            ("trouble", format!("this cluster lacks {what}: {way_out}"))
        }
        Fact::Autoscaler {
            name,
            current,
            desired,
            targets,
            ..
        } => (
            "scaling",
            format!("autoscaler {name}: {targets}, has {current}, wants {desired}"),
        ),
        Fact::NotSteady { because } => ("trouble", format!("the system is not steady: {because}")),
        Fact::StepBegan { step } => ("step", format!("“{step}” begins")),
        Fact::StepEnded { step, ok, detail } => match ok {
            true => ("step", format!("“{step}” is done: {detail}")),
            false => ("trouble", format!("“{step}” failed: {detail}")),
        },
        Fact::LoadBegan { step, .. } => ("load", format!("first request of “{step}”")),
        Fact::LoadEnded {
            step,
            finished,
            cut_short,
            ..
        } => match cut_short {
            None => ("load", format!("“{step}” ended with {finished} requests")),
            Some(why) => ("trouble", format!("“{step}” was cut short: {why}")),
        },
        Fact::Injected {
            step,
            fault,
            targets,
        } => (
            "fault",
            format!("“{step}” injected: {fault} of {}", targets.join(", ")),
        ),
        Fact::Proven { step, evidence } => ("fault", format!("“{step}” proven: {evidence}")),
        Fact::Unproven { step, because } => ("trouble", format!("“{step}” not proven: {because}")),
        Fact::Strike(s) => {
            let kind = match s.course {
                Course::Unproven | Course::Withheld => "trouble",
                _ => "fault",
            };
            let (step, number, word) = (&s.step, s.number, s.course.word());
            let whom = if s.pod.is_empty() {
                &s.workload
            } else {
                &s.pod
            };
            (
                kind,
                format!("“{step}” blow {number} against {whom} {word}: {}", s.detail),
            )
        }
        Fact::Undone { step, evidence } => ("fault", format!("“{step}” undone: {evidence}")),
        Fact::UndoFailed { step, because } => (
            "trouble",
            format!("“{step}” could not be undone: {because}"),
        ),
        Fact::Endpoints { service, ready } => match ready {
            0 => ("endpoints", format!("{service} has no ready endpoint")),
            1 => ("endpoints", format!("{service} has 1 ready endpoint")),
            n => ("endpoints", format!("{service} has {n} ready endpoints")),
        },
        Fact::Event {
            object,
            severity,
            reason,
            message,
        } if severity == "Warning" => ("event", format!("{reason} {object}: {message}")),
        Fact::Collected {
            step,
            keys,
            rows,
            reads,
            complete,
        } => (
            "load",
            format!(
                "“{step}” found {} entries in {reads} readings{}",
                keys.len().max(rows.len()),
                if *complete {
                    ""
                } else {
                    ", the last one not complete"
                }
            ),
        ),
        Fact::Executed { step, seen } => (
            "look",
            format!("“{step}” in {}: {}", seen.pod, seen.written()),
        ),
        Fact::Logged {
            step,
            found,
            missing,
        } => match missing.first() {
            None => (
                "look",
                format!("“{step}” found in the log: {}", found.join(" / ")),
            ),
            Some(text) => ("look", format!("“{step}”: {text:?} is not in the log")),
        },
        Fact::Awaited { step, seen, met } => match met {
            true => ("look", format!("“{step}”: {seen}, as waited for")),
            false => ("look", format!("“{step}”: {seen}")),
        },
        Fact::Saved { step, name, value } => {
            ("load", format!("“{step}” kept {{{{{name}}}}}: {value}"))
        }
        Fact::Stopped { by } => ("trouble", format!("the run was stopped by {by}")),
        Fact::CleanedUp { ok, detail } => match ok {
            true => ("run", format!("cleaned up: {detail}")),
            false => ("trouble", format!("not cleaned up: {detail}")),
        },
        Fact::LastWords {
            pod,
            container,
            lines,
        } => (
            "trouble",
            format!("last words of {container} of {pod}: {}", lines.join(" / ")),
        ),
        Fact::Warned { pod, line } => ("trouble", format!("log of {pod}: {line}")),
        Fact::Gap { what } => ("trouble", format!("gap: {what}")),
        Fact::Unsent(unsent) => (
            "trouble",
            format!(
                "“{}” did not send {} requests that were due, because too many were unanswered",
                unsent.step, unsent.count
            ),
        ),
        // What is known of the time of a load, and what is not, is said with the load.
        Fact::Canary(_) | Fact::Stalled(_) | Fact::Pressed(_) => return None,
        // What is wrong with them is among the causes.
        Fact::Container(_) | Fact::PodSpec(_) | Fact::Service(_) | Fact::Deployment(_) => {
            return None;
        }
        // The graph and the lanes tell of these.
        Fact::Counted(_) | Fact::Asked { .. } => return None,
        Fact::Breaker(_) => return None,
        Fact::Event { .. } | Fact::Replicas { .. } | Fact::Request(_) | Fact::Pod(_) => {
            return None;
        }
    })
}
