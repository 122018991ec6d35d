//! junit.xml: a case for each condition and objective, so that a CI server shows which one broke and since when.
use crate::words;
use model::{ArmReport, Finding, Report, Severity, Verdict, visible, visible_line};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// Reports as one JUnit file: a suite for each arm. Inconclusive is an error, fail is a failure; what does not count succeeds and
/// says its warning in `system-out`.
pub fn junit(reports: &[Report]) -> String {
    let mut file = quick_junit::Report::new("brownout");
    for report in reports {
        for arm in &report.arms {
            file.add_test_suite(suite(report, arm));
        }
    }
    file.to_string()
        .expect("characters that XML forbids were replaced where the text was taken in")
}

fn suite(report: &Report, arm: &ArmReport) -> TestSuite {
    let name = format!("{}.{}", report.scenario, arm.plan.arm);
    let name = visible_line(&name);
    let mut suite = TestSuite::new(&*name);
    suite.set_time(Duration::from(arm.timeline.end()));
    for condition in &arm.judgement.conditions {
        suite.add_test_case(case(&name, condition, Severity::Fail, arm));
    }
    let severities = arm.plan.checks.iter().map(|check| check.severity);
    for (finding, severity) in arm.judgement.findings.iter().zip(severities) {
        suite.add_test_case(case(&name, finding, severity, arm));
    }
    suite
}

fn case(suite: &str, finding: &Finding, severity: Severity, arm: &ArmReport) -> TestCase {
    let status = match (finding.counts, finding.verdict) {
        (false, _) | (_, Verdict::Pass) => TestCaseStatus::success(),
        (_, Verdict::Inconclusive) => unsuccessful(NonSuccessKind::Error, finding, arm),
        (_, Verdict::Fail) => unsuccessful(NonSuccessKind::Failure, finding, arm),
    };
    let mut case = TestCase::new(&*visible_line(&finding.check), status);
    case.set_classname(suite);
    let word = match severity {
        Severity::Warn if finding.verdict != Verdict::Pass => "warning: ",
        _ => "",
    };
    case.set_system_out(format!("{word}{}", details(finding)));
    case
}

/// The message is what a CI server shows first: it has the first cause as well.
fn unsuccessful(kind: NonSuccessKind, finding: &Finding, arm: &ArmReport) -> TestCaseStatus {
    let causes = words::first_causes(arm);
    let why = causes.first();
    let why = why.map(|cause| format!("; why: {}", cause.written()));
    let message = format!("{}{}", finding.because, why.unwrap_or_default());
    let causes = causes
        .iter()
        .map(|cause| format!("why: {}", cause.written()));
    let lines: Vec<String> = [details(finding)].into_iter().chain(causes).collect();
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_type(finding.verdict.word())
        .set_message(&*visible_line(&message))
        .set_description(&*visible(&lines.join("\n")));
    status
}

fn details(finding: &Finding) -> String {
    let mut lines = vec![finding.because.clone()];
    if !finding.target.is_empty() {
        lines.push(format!("target: {}", finding.target));
    }
    if !finding.measured.is_empty() {
        lines.push(format!("measured: {}", finding.measured));
    }
    lines.extend(finding.evidence.iter().cloned());
    visible(&lines.join("\n")).into_owned()
}
