//! report.md: in short, for the summary of a CI step.
use crate::words;
use model::{ArmReport, Report, Verdict};
use std::fmt::Write;

/// So many windows of an arm are listed.
const WINDOWS_MAX: usize = 10;

/// The report as Markdown: verdict, reason, objectives, unmet conditions, windows and the command.
pub fn markdown(report: &Report) -> String {
    let mut text = String::new();
    write(&mut text, report).expect("a string takes everything that is written");
    text
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    let verdict = report.verdict;
    writeln!(
        text,
        "## {} {verdict}: {}\n",
        words::symbol(verdict),
        cell(&report.scenario)
    )?;
    writeln!(text, "{}\n", cell(&report.hypothesis))?;
    writeln!(text, "**{}**\n", cell(&report.reason))?;
    for arm in &report.arms {
        write_arm(text, arm, report.arms.len() > 1)?;
    }
    writeln!(text, "```sh\n{}\n```", report.reproduce)?;
    writeln!(
        text,
        "\nbrownout {}, judged {}",
        report.version, report.judged
    )
}

fn write_arm(text: &mut String, arm: &ArmReport, named: bool) -> std::fmt::Result {
    let judgement = &arm.judgement;
    if named {
        let verdict = judgement.verdict;
        writeln!(
            text,
            "### Arm {}: {} {verdict}\n",
            cell(&arm.plan.arm),
            words::symbol(verdict)
        )?;
    }
    if let Some(mutant) = arm.plan.mutant {
        let (what, must) = words::mutant(mutant);
        writeln!(
            text,
            "> Not the experiment but a test of it: {what}. {must}\n"
        )?;
    }
    writeln!(
        text,
        "| | Objective | Target | Measured |\n|---|---|---|---|"
    )?;
    for finding in &judgement.findings {
        let sign = match (finding.counts, finding.verdict) {
            (false, v) if v != Verdict::Pass => "!",
            (_, v) => words::symbol(v),
        };
        writeln!(
            text,
            "| {sign} | {} | {} | {} |",
            cell(&finding.check),
            cell(&finding.target),
            cell(&finding.measured)
        )?;
    }
    writeln!(text)?;
    for condition in &judgement.conditions {
        if condition.verdict != Verdict::Pass {
            writeln!(
                text,
                "- **{}** is not met: {}",
                condition.check,
                cell(&condition.because)
            )?;
        }
    }
    for window in judgement.windows.iter().take(WINDOWS_MAX) {
        let fault = match &window.fault {
            Some(fault) => format!(", after {fault}"),
            None => ", no fault of ours".into(),
        };
        writeln!(
            text,
            "- {} failed for {} from {}: {} requests{}",
            cell(&window.step),
            window.length(),
            words::offset(window.from),
            window.failed,
            cell(&fault)
        )?;
    }
    for limit in &judgement.not_shown {
        writeln!(text, "- not shown: {}", cell(limit))?;
    }
    writeln!(text)
}

/// Text that stays in its cell and is not taken for markup.
fn cell(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' => safe.push(' '),
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '|' | '*' | '_' | '`' | '[' | '\\' => safe.extend(['\\', c]),
            _ => safe.push(c),
        }
    }
    safe
}
