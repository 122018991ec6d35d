//! How to do it again, and what lies beside the page.
use crate::FILES;
use maud::{Markup, html};
use model::Report;

pub(super) fn of(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Do it again" }
            pre.command { code { (report.reproduce) } }
            dl.facts {
                @for (file, what) in FILES { dt { code { (file) } } dd { (what) } }
            }
        }
    }
}
