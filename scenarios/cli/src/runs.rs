//! Runs that are on disk already.
use crate::{files, place, select::Wrong, text};
use anyhow::Context;
use chaos::Left;
use model::{ExitCode, Fact, Plan, Report, Timeline};
use std::{
    io::{self, BufReader},
    path::{Path, PathBuf},
};

/// `brownout report`: judges a recorded run again. What cannot be read is an error, and the reports there are stay as they are.
pub fn report_again(run: &Path, junit: Option<&Path>) -> anyhow::Result<ExitCode> {
    let made = files::read(run)?;
    let mut recorded = vec![];
    let mut left = vec![];
    for arm in &made.arms {
        let dir = arm_of(run, arm)?;
        let (plan, timeline) = read(run, &dir, arm)?;
        left.push(in_place(&dir, &timeline)?);
        recorded.push((plan, timeline));
    }
    if let Some(by) = &made.left {
        let last = recorded.iter().rposition(|(_, t)| !t.all().is_empty());
        left[last.unwrap_or(0)] = Some(format!("the run was left at once, by {by}"));
    }
    let mut report = checks::report(
        recorded,
        &made.command,
        env!("CARGO_PKG_VERSION"),
        &files::now(),
    );
    say_what_is_left(&mut report, left);
    files::write(run, &report)?;
    if let Some(junit) = junit {
        std::fs::write(junit, render::junit(std::slice::from_ref(&report)))?;
    }
    files::say(&render::terminal(&report, files::is_terminal()));
    files::say(&format!("  report: {}\n", files::page(run).display()));
    Ok(files::exit_of(&report))
}

/// The folder of an arm. What is recorded of a run is in its folder: a name that leads out of it is not one.
fn arm_of(run: &Path, arm: &str) -> Result<PathBuf, Wrong> {
    let dir = run.join(arm);
    let is_inside = || -> io::Result<bool> {
        let whole = dir.canonicalize()?;
        Ok(whole.parent() == Some(&run.canonicalize()?) && whole.is_dir())
    };
    match is_inside() {
        Ok(true) => Ok(dir),
        Ok(false) => Err(Wrong(format!(
            "{}: the arm “{arm}” is not a folder of this run; a run that was moved is whole only with all of its folder",
            run.display()
        ))),
        Err(e) => Err(Wrong(format!("{}: {e}", dir.display()))),
    }
}

fn read(run: &Path, dir: &Path, arm: &str) -> anyhow::Result<(Plan, Timeline)> {
    let file = dir.join(runner::PLAN_FILE);
    let wrong = |e: &dyn std::fmt::Display| Wrong(format!("{}: {e}", file.display()));
    let text = text::read(&file, text::PLAN_MAX).map_err(|e| wrong(&e))?;
    let plan = serde_json::from_str(&text).map_err(|e| wrong(&e))?;
    Ok((plan, timeline(run, dir, arm)?))
}

/// What was seen. A run that was killed before it began has no timeline; one that began has one.
fn timeline(run: &Path, dir: &Path, arm: &str) -> Result<Timeline, Wrong> {
    let file = dir.join(runner::TIMELINE_FILE);
    let wrong = |e: &dyn std::fmt::Display| Wrong(format!("{}: {e}", file.display()));
    let judged = files::observations(run, arm);
    let timeline = match text::open(&file) {
        Ok(open) => Timeline::read(BufReader::new(open)).map_err(|e| wrong(&e))?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if dir.join(chaos::journal::FILE).exists() {
                let why =
                    "it is not there, and the run had begun; nothing can be judged without it";
                return Err(wrong(&why));
            }
            Timeline::default()
        }
        Err(e) => return Err(wrong(&e)),
    };
    if timeline.all().is_empty() && judged > 0 {
        let why = format!(
            "nothing is in it, and the reports beside it were made of {judged} observations; they stay as they are"
        );
        return Err(wrong(&why));
    }
    Ok(timeline)
}

/// Why something may be left in a cluster, by the journal of an arm. Of an arm that has none its timeline is asked.
fn in_place(dir: &Path, timeline: &Timeline) -> anyhow::Result<Option<String>> {
    if dir.join(chaos::journal::FILE).exists() {
        let left = Left::read(dir).with_context(|| format!("reading {}", dir.display()))?;
        return Ok(left.words());
    }
    let real = timeline
        .all()
        .iter()
        .any(|o| matches!(&o.fact, Fact::Began { cluster, .. } if cluster != place::EMBEDDED));
    let cleaned = timeline
        .all()
        .iter()
        .any(|o| matches!(o.fact, Fact::CleanedUp { .. }));
    let left = real && !cleaned;
    Ok(left.then(|| "the run did not say that it cleaned up".into()))
}

/// What may still be in place outranks every verdict, now as when it ran.
fn say_what_is_left(report: &mut Report, left: Vec<Option<String>>) {
    for (arm, why) in report.arms.iter_mut().zip(left) {
        let Some(why) = why else {
            continue;
        };
        let judgement = &mut arm.judgement;
        judgement.exit = ExitCode::foremost([judgement.exit, ExitCode::FaultInPlace]);
        let what = format!("that everything was taken back: {why}");
        judgement.not_shown.push(what);
        eprintln!("brownout: a fault may still be in place: {why}");
    }
}

/// `brownout recover`
pub async fn recover(runs: &Path) -> anyhow::Result<ExitCode> {
    node::limits::sweep();
    let recovered = runner::recover(runs)
        .await
        .with_context(|| format!("looking through {}", runs.display()))?;
    if recovered.is_empty() {
        println!("Nothing was left behind by the runs in {}.", runs.display());
    }
    let mut all = ExitCode::Pass;
    for one in recovered {
        let run = one.run.display().to_string();
        let said = match &one.result {
            Ok(done) => format!("{run}: {done}"),
            Err(why) => {
                all = ExitCode::FaultInPlace;
                format!("{run}: still there: {why}")
            }
        };
        println!("{}", model::visible_line(&said));
    }
    Ok(all)
}
