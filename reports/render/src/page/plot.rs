//! The plot with its legend, once for wide and once for narrow screens.
use crate::{
    charts::{self, Size},
    lanes,
};
use maud::{Markup, PreEscaped, html};
use model::ArmReport;

/// Class of the swatch, and what it stands for.
const REQUESTS: [(&str, &str); 4] = [
    ("good", "answered well"),
    ("failed", "failed"),
    ("median line", "median"),
    ("tail line", "99th percentile"),
];

const TIME: [(&str, &str); 2] = [("fault", "fault in place"), ("window", "requests failed")];

const PODS: [(&str, &str); 4] = [
    ("ready", "ready"),
    ("not-ready", "running, not ready"),
    ("pending", "pending"),
    ("terminating", "ending"),
];

pub(super) fn of(arm: &ArmReport, index: usize) -> Markup {
    let (Some(wide), Some(narrow)) = (
        charts::timeline(arm, Size::Wide),
        charts::timeline(arm, Size::Narrow),
    ) else {
        return html! {};
    };
    let drawn = lanes::drawn(&arm.timeline);
    let (_, idle) = lanes::lanes(&arm.plan, &arm.timeline, &arm.judgement.windows, drawn);
    let loads = arm.plan.loads().next().is_some();
    html! {
        h3 id={ "timeline-" (index + 1) } { "What happened" }
        figure.plot {
            ul.legend aria-hidden="true" {
                @if loads { @for (class, text) in REQUESTS { (swatch(class, text)) } }
                @for (class, text) in TIME { (swatch(class, text)) }
                @for (class, text) in PODS { (swatch(class, text)) }
            }
            div.wide { (PreEscaped(wide)) }
            div.narrow { (PreEscaped(narrow)) }
            @if let Some(note) = lanes::left_out(idle) { figcaption { (note) } }
        }
    }
}

fn swatch(class: &str, text: &str) -> Markup {
    html! { li { span class={ "swatch " (class) } {} (text) } }
}
