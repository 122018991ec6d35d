//! The plot with its legend, once for wide and once for narrow screens.
use crate::{
    charts::{self, Size},
    lanes::{self, Lane, State},
    words,
};
use maud::{Markup, PreEscaped, html};
use model::ArmReport;

/// What a swatch stands for: its class, its text, and the states of bars that it explains.
type Key = (&'static str, &'static str, &'static [State]);

const BARS: [Key; 6] = [
    ("good", "answered well", &[State::Good]),
    ("failed", "failed", &[State::Failed]),
    ("ready", "ready", &[State::Ready, State::Some]),
    ("not-ready", "running, not ready", &[State::NotReady]),
    (
        "pending",
        "pending or ended",
        &[State::Pending, State::Ended],
    ),
    ("terminating", "ending", &[State::Terminating]),
];

/// The legend of what is in the plot, and of nothing else.
fn legend(arm: &ArmReport, lanes: &[Lane]) -> Vec<(&'static str, &'static str)> {
    let states: Vec<State> = lanes
        .iter()
        .flat_map(|l| &l.bars)
        .map(|b| b.state)
        .collect();
    let judgement = &arm.judgement;
    let loads = !judgement.summaries.is_empty();
    let windows = !judgement.windows.is_empty();
    let faults = words::fault_steps(&arm.plan)
        .any(|(_, kind)| !matches!(kind, model::FaultKind::None { .. }));
    let is_shown = |(class, _, of): &Key| match *class {
        "good" => loads || of.iter().any(|s| states.contains(s)),
        "failed" => windows || of.iter().any(|s| states.contains(s)),
        _ => of.iter().any(|s| states.contains(s)),
    };
    let bars = |keys: &[Key]| -> Vec<_> {
        let shown = keys.iter().filter(|key| is_shown(key));
        shown.map(|(class, text, _)| (*class, *text)).collect()
    };
    let mut legend = bars(&BARS[..2]);
    if loads {
        legend.extend([("median line", "median"), ("tail line", "99th percentile")]);
    }
    legend.extend(faults.then_some(("fault", "fault in place")));
    legend.extend(windows.then_some(("window", "requests failed")));
    let doubts = !judgement.doubts.is_empty();
    legend.extend(doubts.then_some(("doubt", "unknown, or the machine's")));
    legend.extend(bars(&BARS[2..]));
    legend
}

pub(super) fn of(arm: &ArmReport, index: usize) -> Markup {
    let (Some(wide), Some(narrow)) = (
        charts::timeline(arm, Size::Wide),
        charts::timeline(arm, Size::Narrow),
    ) else {
        return html! {};
    };
    let drawn = lanes::drawn(&arm.timeline);
    let (rows, left_out) = lanes::lanes(&arm.plan, &arm.timeline, &arm.judgement.windows, drawn);
    html! {
        h3 id={ "timeline-" (index + 1) } { "What happened" }
        figure.plot {
            ul.legend aria-hidden="true" {
                @for (class, text) in legend(arm, &rows) { (swatch(class, text)) }
            }
            div.wide { (PreEscaped(wide)) }
            div.narrow { (PreEscaped(narrow)) }
            @if let Some(note) = left_out.note() { figcaption { (note) } }
        }
    }
}

fn swatch(class: &str, text: &str) -> Markup {
    html! { li { span class={ "swatch " (class) } {} (text) } }
}
