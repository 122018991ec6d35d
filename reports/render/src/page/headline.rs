//! What is claimed, whether it was shown, and the one reason.
use super::{anchor, badge};
use crate::words;
use maud::{Markup, html};
use model::{ArmReport, Mutant, Report, report::LoadSummary};

pub(super) fn of(report: &Report) -> Markup {
    let verdict = report.verdict;
    html! {
        header class={ "headline " (verdict.word()) } {
            p.scenario { (report.scenario) }
            h1 { (report.hypothesis) }
            @for mutant in mutants(report) { (banner(mutant)) }
            div.verdict {
                span.sign aria-hidden="true" { (words::symbol(verdict)) }
                div {
                    p.word { (verdict.word()) }
                    p.meaning { (words::meaning(verdict)) }
                }
            }
            p.reason { (report.reason) }
            @for arm in report.arms.iter() { (super::causes::first(arm, report.arms.len())) }
            @let limits = limits(report);
            @if !limits.is_empty() {
                div.limits {
                    strong { "Not shown" }
                    ul { @for limit in &limits { li { (limit) } } }
                }
            }
        }
        @if report.arms.len() > 1 { (contrast(report)) }
    }
}

fn mutants(report: &Report) -> Vec<Mutant> {
    let mut found: Vec<Mutant> = vec![];
    for mutant in report.arms.iter().filter_map(|arm| arm.plan.mutant) {
        if !found.contains(&mutant) {
            found.push(mutant);
        }
    }
    found
}

fn banner(mutant: Mutant) -> Markup {
    let (what, must) = words::mutant(mutant);
    html! {
        p.mutant {
            strong { "Not the experiment, but a test of it" }
            " (mutant " code { (mutant.word()) } "): " (what) ". " (must)
        }
    }
}

/// Each limit once, in the order of the arms.
fn limits(report: &Report) -> Vec<&str> {
    let mut limits: Vec<&str> = vec![];
    for limit in report.arms.iter().flat_map(|arm| &arm.judgement.not_shown) {
        if !limits.contains(&limit.as_str()) {
            limits.push(limit);
        }
    }
    limits
}

/// The arms beside one another: a documented experiment is a contrast.
fn contrast(report: &Report) -> Markup {
    html! {
        section {
            h2 { "The arms side by side" }
            table.cards {
                thead { tr {
                    th { "Arm" } th { "Verdict" } th.number { "Availability" } th.number { "Failed" }
                    th.number { "Longest window" } th.number { "p99 of good ones" }
                } }
                tbody { @for (i, arm) in report.arms.iter().enumerate() { (row(i, arm)) } }
            }
        }
    }
}

fn row(index: usize, arm: &ArmReport) -> Markup {
    let load = arm.judgement.summaries.first();
    let requests = |l: &LoadSummary| l.results.iter().map(|(_, n)| n).sum::<u64>();
    let good = |l: &LoadSummary| {
        let good = arm.timeline.requests(&l.step).filter(|(_, r)| r.is_good());
        good.count() as u64
    };
    let longest = arm.judgement.windows.iter().map(|w| w.length()).max();
    let figure = |text: Option<String>| text.unwrap_or_else(|| "–".into());
    html! {
        tr {
            td data-label="Arm" { a href={ "#" (anchor(index)) } { (arm.plan.arm) } }
            td data-label="Verdict" { (badge(arm.judgement.verdict)) }
            td.number data-label="Availability" {
                (figure(load.filter(|l| requests(l) > 0).map(|l| words::percent(good(l) as f64 / requests(l) as f64))))
            }
            td.number data-label="Failed" {
                (figure(load.map(|l| format!("{} of {}", requests(l) - good(l), requests(l)))))
            }
            td.number data-label="Longest window" {
                (figure(load.map(|_| longest.map_or("none".into(), |m| m.to_string()))))
            }
            td.number data-label="p99 of good ones" { (figure(load.map(|l| words::seconds(l.response[2])))) }
        }
    }
}
