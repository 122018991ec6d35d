//! Why, as an operator would say it: what matters most in the headline, all of it in the section of its arm.
use crate::words;
use maud::{Markup, html};
use model::{ArmReport, Cause};

/// So many are listed; `result.json` has them all.
const CAUSES_MAX: usize = 100;

/// For the first screen.
pub(super) fn first(arm: &ArmReport, arms: usize) -> Markup {
    let causes = words::first_causes(arm);
    html! {
        @if !causes.is_empty() {
            div.causes {
                strong { "Why" @if arms > 1 { ", arm " (arm.plan.arm) } }
                ul { @for cause in &causes { (item(cause)) } }
                @let more = words::more_causes(arm);
                @if more > 0 { p.note { (more) " more below." } }
            }
        }
    }
}

fn item(cause: &Cause) -> Markup {
    html! {
        li {
            span.when { (words::offset(cause.at)) } " "
            strong { (cause.what) } ": " (cause.rest())
        }
    }
}

/// All of them, further down, where the headline does not have them all.
pub(super) fn all(arm: &ArmReport) -> Markup {
    let causes = &arm.judgement.causes;
    html! {
        @if words::more_causes(arm) > 0 {
            h3 { "What else was seen in the cluster" }
            table.cards {
                thead { tr { th.number { "Time" } th { "What" } th { "Of" } th { "Seen" } } }
                tbody {
                    @for cause in causes.iter().take(CAUSES_MAX) {
                        tr {
                            td.number data-label="Time" { (words::offset(cause.at)) }
                            td data-label="What" {
                                strong { (cause.what) }
                                @if cause.times > 1 { " (" (cause.times) " times)" }
                            }
                            td data-label="Of" { (cause.object) }
                            td data-label="Seen" { (cause.detail) }
                        }
                    }
                }
            }
        }
    }
}
