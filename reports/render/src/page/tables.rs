//! Objectives and conditions: all of them, not the first that is not met.
use super::{aside, badge};
use crate::words;
use maud::{Markup, html};
use model::{ArmReport, Finding, Severity};

pub(super) fn objectives(arm: &ArmReport) -> Markup {
    let severities = arm.plan.checks.iter().map(|c| c.severity);
    let keys = words::key_list(arm);
    html! {
        h3 { "Objectives" }
        @if arm.judgement.findings.is_empty() { p { "Nothing was asked of this arm." } }
        @else {
            table.cards {
                thead { tr { th { "Objective" } th { "Target" } th { "Measured" } th { "Verdict" } } }
                tbody {
                    @for (finding, severity) in arm.judgement.findings.iter().zip(severities) {
                        (objective(finding, severity))
                    }
                }
            }
            @if let Some(keys) = keys { p.note { (keys) "." } }
        }
    }
}

fn objective(finding: &Finding, severity: Severity) -> Markup {
    let word = match severity {
        Severity::Fail => "",
        Severity::Warn => "warning",
        Severity::Info => "for information",
    };
    html! {
        tr {
            td data-label="Objective" {
                strong { (finding.check) }
                p.because { (finding.because) }
                (evidence(&finding.evidence, &finding.because))
            }
            td data-label="Target" { (finding.target) }
            td data-label="Measured" { @if finding.measured.is_empty() { "–" } @else { (finding.measured) } }
            td data-label="Verdict" {
                @if finding.counts { (badge(finding.verdict)) } @else { (aside(finding.verdict, word)) }
            }
        }
    }
}

/// What is proven by more than the sentence above it.
fn evidence(lines: &[String], because: &str) -> Markup {
    html! {
        @if lines.iter().any(|line| line != because) {
            ul.evidence { @for line in lines { li { (line) } } }
        }
    }
}

/// What a reader asks of each condition.
fn question(condition: &str) -> &'static str {
    match condition {
        "BaselineSteady" => "Was the system well before?",
        "LoadDelivered" => "Was the load sent as planned?",
        "FaultsEffective" => "Did the faults take effect?",
        "Recovered" => "Was the system well afterwards?",
        "RollbackVerified" => "Is everything undone?",
        "EvidenceComplete" => "Was everything seen?",
        _ => "",
    }
}

pub(super) fn conditions(arm: &ArmReport) -> Markup {
    html! {
        h3 { "Conditions" }
        p.lead { "A pass is earned: what is missing here makes a run inconclusive." }
        table.cards {
            thead { tr { th { "Condition" } th { "What was seen" } th { "Met" } } }
            tbody {
                @for condition in &arm.judgement.conditions {
                    tr {
                        td data-label="Condition" {
                            strong { (condition.check) }
                            p.because { (question(&condition.check)) }
                        }
                        td data-label="What was seen" {
                            (condition.because)
                            (evidence(&condition.evidence, &condition.because))
                        }
                        td data-label="Met" { (met(condition)) }
                    }
                }
            }
        }
    }
}

fn met(condition: &Finding) -> Markup {
    match condition.verdict {
        model::Verdict::Pass => {
            html! { span.badge.pass { span.sign aria-hidden="true" { "✓" } " met" } }
        }
        _ => {
            html! { span.badge.inconclusive { span.sign aria-hidden="true" { "?" } " not met" } }
        }
    }
}
