//! page — one self-contained HTML file: no script, no network, light and dark, for screens, phones and paper.
//!
//! - `headline`: what is claimed, the verdict and its one reason
//! - `arm`: everything about one arm, from `tables`, `plot`, `graph`, `faults`, `loads` and `events`
//! - `repeat`: how to do it again
mod answers;
mod arm;
mod blows;
mod causes;
mod events;
mod faults;
mod graph;
mod headline;
mod loads;
mod plot;
mod recovery;
mod repeat;
mod tables;

use crate::words;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::{Report, Verdict, visible};

const STYLE: &str = include_str!("style.css");

/// A page that nothing can make load anything.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The page of a report. What names and answers have of control characters is shown.
pub fn html(report: &Report) -> String {
    let title = format!(
        "{} {}: {}",
        words::symbol(report.verdict),
        report.verdict,
        report.scenario
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (headline::of(report))
                    @for (i, arm) in report.arms.iter().enumerate() {
                        (arm::of(arm, i, report.arms.len()))
                    }
                    (repeat::of(report))
                }
                footer {
                    "brownout " (report.version) ", judged " (report.judged)
                    ". A verdict is the worst of everything that counts; what was not seen is never a pass."
                }
            }
        }
    };
    visible(&page.into_string()).into_owned()
}

/// The verdict as a word and a sign; colour only repeats them.
fn badge(verdict: Verdict) -> Markup {
    html! {
        span class={ "badge " (verdict.word()) } {
            span.sign aria-hidden="true" { (words::symbol(verdict)) }
            " " (verdict.word())
        }
    }
}

/// The badge of something that is shown and does not count.
fn aside(verdict: Verdict, word: &str) -> Markup {
    match verdict {
        Verdict::Pass => badge(verdict),
        Verdict::Inconclusive => {
            html! { span.badge.aside { span.sign aria-hidden="true" { "?" } " not told" } }
        }
        Verdict::Fail => {
            html! { span.badge.aside { span.sign aria-hidden="true" { "!" } " " (word) } }
        }
    }
}

/// The `id` of an arm's section.
fn anchor(index: usize) -> String {
    format!("arm-{}", index + 1)
}
