//! report.md: in short, for the summary of a CI step.
use crate::words;
use model::{ArmReport, CheckKind, Finding, Report, Verdict, visible_line};
use std::fmt::Write;

/// So many windows of an arm are listed.
const WINDOWS_MAX: usize = 10;
/// So many causes are listed besides those of the first screen.
const CAUSES_MAX: usize = 50;

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
    writeln!(text, "{}\n", paragraph(&report.hypothesis))?;
    writeln!(text, "**{}**\n", cell(&report.reason))?;
    for arm in &report.arms {
        write_arm(text, arm, report.arms.len() > 1)?;
    }
    let fence = fence(&report.reproduce);
    let reproduce = visible_line(&report.reproduce);
    writeln!(text, "{fence}sh\n{reproduce}\n{fence}")?;
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
    write_causes(text, arm)?;
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
    for (finding, check) in judgement.findings.iter().zip(&arm.plan.checks) {
        // Windows are told below.
        let is_metric = matches!(check.kind, CheckKind::Metric { .. });
        if finding.verdict != Verdict::Pass && !finding.evidence.is_empty() && !is_metric {
            write_evidence(text, finding)?;
        }
    }
    if let Some(keys) = words::key_list(arm) {
        writeln!(text, "- {}", cell(&keys))?;
    }
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

/// Why, as an operator would say it: all of it, the first screen's part first.
fn write_causes(text: &mut String, arm: &ArmReport) -> std::fmt::Result {
    if arm.judgement.causes.is_empty() {
        return Ok(());
    }
    let first = words::first_causes(arm).len();
    let (first, more) = arm.judgement.causes.split_at(first);
    writeln!(text, "Why:\n")?;
    for cause in first {
        let (what, rest) = (cell(&cause.what), cell(&cause.rest()));
        writeln!(text, "- {} **{what}**: {rest}", words::offset(cause.at))?;
    }
    writeln!(text)?;
    if more.is_empty() {
        return Ok(());
    }
    let count = more.len();
    writeln!(text, "<details><summary>{count} more</summary>\n")?;
    for cause in more.iter().take(CAUSES_MAX) {
        writeln!(text, "- {}", cell(&cause.written()))?;
    }
    writeln!(text, "\n</details>\n")
}

fn write_evidence(text: &mut String, finding: &Finding) -> std::fmt::Result {
    writeln!(text, "- {}:", cell(&finding.check))?;
    for line in &finding.evidence {
        writeln!(text, "  - {}", cell(line))?;
    }
    Ok(())
}

/// Text that stays in its cell and is not taken for markup.
fn cell(text: &str) -> String {
    let mut safe = String::new();
    let lines = text.replace(['\n', '\r'], " ");
    for c in visible_line(&lines).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '~' | '\\' => safe.extend(['\\', c]),
            _ => safe.push(c),
        }
    }
    safe
}

/// Text of a line of its own that is neither a heading nor a quotation nor a list.
fn paragraph(text: &str) -> String {
    let safe = cell(text.trim());
    match safe.starts_with(['#', '>', '-', '+', '=']) {
        true => format!("\\{safe}"),
        false => safe,
    }
}

/// What encloses code: longer than anything in it that could end it.
fn fence(code: &str) -> String {
    let ticks = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat((ticks + 1).max(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_holds_is_neither_markup_nor_another_line() {
        assert_eq!(
            cell("a|b\n`c` [d](e) <img> &amp; ~x~ \x1b[31m"),
            "a\\|b \\`c\\` \\[d\\](e) &lt;img> &amp;amp; \\~x\\~ ␛\\[31m"
        );
        assert_eq!(paragraph("# not a heading"), "\\# not a heading");
        assert_eq!(paragraph(" > no quotation"), "\\> no quotation");
    }

    #[test]
    fn code_cannot_end_what_encloses_it() {
        assert_eq!(fence("cargo run scenarios x"), "```");
        assert_eq!(fence("a````b`"), "`````");
    }
}
