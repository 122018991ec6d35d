//! Requests that were sent once, each with its answer.
use crate::words;
use maud::{Markup, html};
use model::{Action, ArmReport, Micros, Request, RequestFact};

/// So much of a body is shown, in characters; the timeline has what was kept.
const BODY_SHOWN: usize = 1_500;

pub(super) fn of(arm: &ArmReport) -> Markup {
    let steps = arm.plan.steps.iter().filter_map(|step| match &step.action {
        Action::Requests { requests } => Some((step.name.as_str(), requests)),
        _ => None,
    });
    html! {
        @for (step, requests) in steps {
            h3 { "Requests " em { (step) } }
            table.cards {
                thead { tr { th { "Request" } th { "Answer" } th { "Sent" } th.number { "Took" } } }
                tbody {
                    @for (i, request) in requests.iter().enumerate() {
                        @let answer = arm.timeline.requests(step).find(|(_, r)| r.index as usize == i);
                        (row(request, answer))
                    }
                }
            }
        }
    }
}

fn row(request: &Request, answer: Option<(Micros, &RequestFact)>) -> Markup {
    html! {
        tr {
            td data-label="Request" {
                strong { (request.name) }
                p.because { code { (request.method) " " (request.url) } }
            }
            @match answer {
                None => { td data-label="Answer" { "not sent" } td {} td {} }
                Some((due, answer)) => {
                    td data-label="Answer" {
                        (answer.result())
                        @if answer.bytes > 0 { span.because { ", " (answer.bytes) " bytes" } }
                        @if let Some(location) = &answer.location { p.because { "Location: " code { (location) } } }
                        @if let Some(body) = answer.body.as_deref().filter(|b| !b.is_empty()) { (shown(body)) }
                    }
                    td data-label="Sent" { (words::offset(answer.sent)) }
                    td.number data-label="Took" { (answer.done.saturating_sub(due)) }
                }
            }
        }
    }
}

fn shown(body: &str) -> Markup {
    let text: String = body.chars().take(BODY_SHOWN).collect();
    html! {
        details.body {
            summary { "body" }
            pre { (text) @if text.len() < body.len() { "…" } }
        }
    }
}
