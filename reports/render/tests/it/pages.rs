use crate::{golden::same, story};
use model::{ExitCode, Report, Timeline, Verdict};

fn all_formats(run: &str, report: &Report) {
    same(run, "report.html", &render::html(report));
    same(
        run,
        "junit.xml",
        &render::junit(std::slice::from_ref(report)),
    );
    same(run, "result.json", &render::json(report));
    same(run, "report.md", &render::markdown(report));
    same(run, "terminal.txt", &render::terminal(report, false));
}

#[test]
fn a_contrast_of_two_arms_of_which_one_fails() {
    let report = story::zero_downtime();
    assert_eq!(report.verdict, Verdict::Fail);
    let verdicts: Vec<Verdict> = report.arms.iter().map(|a| a.judgement.verdict).collect();
    assert_eq!(verdicts, [Verdict::Fail, Verdict::Pass]);
    all_formats("zero-downtime", &report);
}

#[test]
fn an_outage_with_its_undo_that_passes() {
    let report = story::async_alarm();
    assert_eq!(report.verdict, Verdict::Pass, "{}", report.reason);
    all_formats("async-alarm", &report);
}

#[test]
fn a_mutant_without_its_fault_is_inconclusive_and_says_that_it_is_a_mutant() {
    let report = story::without_fault();
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert_eq!(report.arms[0].judgement.exit, ExitCode::Inconclusive);
    all_formats("no-fault", &report);
}

#[test]
fn a_walk_without_load_whose_answers_stand_in_the_page() {
    let report = story::walk_through();
    assert_eq!(report.verdict, Verdict::Fail);
    all_formats("walk-through", &report);
}

#[test]
fn several_reports_are_one_junit_file_with_a_suite_for_each_arm() {
    let file = render::junit(&[story::zero_downtime(), story::walk_through()]);
    assert_eq!(file.matches("<testsuite ").count(), 3);
}

#[test]
fn text_of_the_tested_system_is_never_markup_or_a_terminal_escape() {
    let mut report = story::without_fault();
    let evil = "<script>alert(1)</script>\u{1b}[2J|**x**";
    report.reason = evil.into();
    report.arms[0].plan.arm = evil.into();
    report.arms[0].judgement.findings[0].because = evil.into();
    report.arms[0].judgement.findings[0].measured = evil.into();
    let page = render::html(&report);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    assert!(!render::markdown(&report).contains("<script"));
    assert!(!render::junit(std::slice::from_ref(&report)).contains("<script"));
    assert!(!render::junit(std::slice::from_ref(&report)).contains('\u{1b}'));
    assert!(!render::terminal(&report, false).contains('\u{1b}'));
    assert!(render::terminal(&report, true).contains("\u{1b}[1;33m"));
}

#[test]
fn a_page_loads_nothing_from_anywhere() {
    let page = render::html(&story::zero_downtime());
    for needle in ["src=", "<link", "@import", "url(", "<script", "<iframe"] {
        assert!(!page.contains(needle), "{needle}");
    }
}

#[test]
fn a_run_that_was_killed_at_any_moment_has_its_page_and_is_no_pass() {
    for report in [story::zero_downtime(), story::async_alarm()] {
        for arm in report.arms {
            let all = arm.timeline.all();
            for seen in (0..all.len()).step_by(all.len() / 30) {
                let timeline = Timeline::new(all[..seen].to_vec());
                let cut = checks::report(vec![(arm.plan.clone(), timeline)], "", "", "");
                assert_ne!(cut.verdict, Verdict::Pass, "after {seen} observations");
                assert!(render::html(&cut).ends_with("</html>"));
                assert!(!render::junit(std::slice::from_ref(&cut)).is_empty());
                assert!(!render::terminal(&cut, true).is_empty());
            }
        }
    }
}
