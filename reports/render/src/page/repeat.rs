//! How to do it again, and what lies beside the page.
use maud::{Markup, html};
use model::Report;

/// Files of a run beside its page, with what each is.
const FILES: [(&str, &str); 3] = [
    ("result.json", "the verdict with all findings and figures"),
    ("junit.xml", "the same for a CI server"),
    ("report.md", "the same in short"),
];

/// Files in the folder of each arm.
const ARM_FILES: [(&str, &str); 2] = [
    ("plan.json", "what was planned, to the last default"),
    (
        "timeline.jsonl",
        "everything that was seen, one fact a line",
    ),
];

pub(super) fn of(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Do it again" }
            pre.command { code { (report.reproduce) } }
            h3 { "Beside this page" }
            dl.facts {
                @for (file, what) in FILES { (entry(file, what)) }
                @for arm in &report.arms {
                    @for (file, what) in ARM_FILES { (entry(&format!("{}/{file}", arm.plan.arm), what)) }
                }
            }
        }
    }
}

fn entry(file: &str, what: &str) -> Markup {
    html! {
        dt { a href={ "./" (file) } { code { (file) } } }
        dd { (what) }
    }
}
