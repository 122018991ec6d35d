//! What is printed at the end of a run.
use crate::words;
use model::{ArmReport, Finding, Report, Severity, Verdict, visible_line};

/// The report in a screenful of plain text; with `colour`, verdicts are coloured by ANSI escapes as well.
pub fn terminal(report: &Report, colour: bool) -> String {
    let paint = Paint(colour);
    let mut lines = vec![
        format!(
            "{} {}  {}",
            paint.verdict(report.verdict, words::symbol(report.verdict)),
            paint.verdict(report.verdict, &report.verdict.word().to_uppercase()),
            paint.bold(&report.scenario)
        ),
        format!("  {}", plain(&report.hypothesis)),
        format!("  because {}", plain(&report.reason)),
    ];
    for arm in &report.arms {
        lines.extend(of_arm(arm, report.arms.len() > 1, &paint));
    }
    lines.push(String::new());
    lines.push(format!("  again: {}", plain(&report.reproduce)));
    lines.join("\n") + "\n"
}

fn of_arm(arm: &ArmReport, named: bool, paint: &Paint) -> Vec<String> {
    let judgement = &arm.judgement;
    let mut lines = vec![String::new()];
    if named {
        let word = paint.verdict(judgement.verdict, judgement.verdict.word());
        lines.push(format!("  arm {}: {word}", paint.bold(&arm.plan.arm)));
    }
    if let Some(mutant) = arm.plan.mutant {
        let (what, must) = words::mutant(mutant);
        lines.push(format!("  mutant {}: {what}. {must}", mutant.word()));
    }
    lines.extend(why(arm, paint));
    let severities = arm.plan.checks.iter().map(|check| check.severity);
    for (finding, severity) in judgement.findings.iter().zip(severities) {
        lines.push(objective(finding, severity, paint));
    }
    for condition in &judgement.conditions {
        if condition.verdict != Verdict::Pass {
            let sign = paint.verdict(condition.verdict, words::symbol(condition.verdict));
            lines.push(format!(
                "  {sign} {}: {}",
                condition.check,
                plain(&condition.because)
            ));
        }
    }
    if let Some(keys) = words::key_list(arm) {
        lines.push(format!("  {}", plain(&keys)));
    }
    let met = judgement
        .conditions
        .iter()
        .filter(|c| c.verdict == Verdict::Pass);
    lines.push(paint.dim(&format!(
        "  {} of {} conditions met",
        met.count(),
        judgement.conditions.len()
    )));
    lines
}

/// What an operator would say first.
fn why(arm: &ArmReport, paint: &Paint) -> Vec<String> {
    let causes = words::first_causes(arm).into_iter().enumerate();
    let mut lines: Vec<String> = causes
        .map(|(i, cause)| {
            let lead = if i == 0 { "why" } else { "   " };
            let offset = words::offset(cause.at);
            let (what, rest) = (paint.bold(&cause.what), plain(&cause.rest()));
            format!("  {lead} {offset} {what}: {rest}")
        })
        .collect();
    match words::more_causes(arm) {
        0 => {}
        n => lines.push(format!("      and {n} more in the report")),
    }
    lines
}

fn objective(finding: &Finding, severity: Severity, paint: &Paint) -> String {
    let sign = match severity {
        Severity::Warn | Severity::Info if finding.verdict != Verdict::Pass => paint.dim("!"),
        _ => paint.verdict(finding.verdict, words::symbol(finding.verdict)),
    };
    let figures = match (finding.measured.is_empty(), finding.target.is_empty()) {
        (false, false) => format!("{} (target {})", finding.measured, finding.target),
        (true, false) => format!("target {}", finding.target),
        (false, true) => finding.measured.clone(),
        (true, true) => String::new(),
    };
    let because = match finding.verdict {
        Verdict::Pass => String::new(),
        _ => format!("\n      {}", plain(&finding.because)),
    };
    format!(
        "  {sign} {}: {}{because}",
        plain(&finding.check),
        plain(&figures)
    )
}

/// Control characters are shown, which a tested system's answer could otherwise send to the terminal.
fn plain(text: &str) -> String {
    visible_line(text).into_owned()
}

struct Paint(bool);

impl Paint {
    fn verdict(&self, verdict: Verdict, text: &str) -> String {
        self.with(
            match verdict {
                Verdict::Pass => "1;32",
                Verdict::Inconclusive => "1;33",
                Verdict::Fail => "1;31",
            },
            text,
        )
    }

    fn bold(&self, text: &str) -> String {
        self.with("1", &plain(text))
    }

    fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(&self, code: &str, text: &str) -> String {
        match self.0 {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_string(),
        }
    }
}
