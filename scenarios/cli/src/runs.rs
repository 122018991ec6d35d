//! Runs that are on disk already.
use crate::{files, select::Wrong};
use anyhow::Context;
use model::{ExitCode, Plan, Timeline};
use std::path::Path;

/// `brownout report`: judges a recorded run again.
pub fn report_again(run: &Path, junit: Option<&Path>) -> anyhow::Result<ExitCode> {
    let made = files::read(run)?;
    let arms = made.arms.iter().map(|arm| read(&run.join(arm)));
    let recorded = arms.collect::<anyhow::Result<Vec<_>>>()?;
    let report = checks::report(
        recorded,
        &made.command,
        env!("CARGO_PKG_VERSION"),
        &files::now(),
    );
    files::write(run, &report)?;
    if let Some(junit) = junit {
        std::fs::write(junit, render::junit(std::slice::from_ref(&report)))?;
    }
    files::say(&render::terminal(&report, files::is_terminal()));
    files::say(&format!("  report: {}\n", files::page(run).display()));
    Ok(files::exit_of(&report))
}

fn read(dir: &Path) -> anyhow::Result<(Plan, Timeline)> {
    let plan = dir.join(runner::PLAN_FILE);
    let text =
        std::fs::read_to_string(&plan).with_context(|| format!("reading {}", plan.display()))?;
    let plan =
        serde_json::from_str(&text).map_err(|e| Wrong(format!("{}: {e}", plan.display())))?;
    let timeline = dir.join(runner::TIMELINE_FILE);
    let text = std::fs::read_to_string(&timeline).unwrap_or_default();
    let timeline =
        Timeline::parse(&text).map_err(|e| Wrong(format!("{}: {e}", timeline.display())))?;
    Ok((plan, timeline))
}

/// `brownout recover`
pub async fn recover(runs: &Path) -> anyhow::Result<ExitCode> {
    let recovered = runner::recover(runs)
        .await
        .with_context(|| format!("looking through {}", runs.display()))?;
    if recovered.is_empty() {
        println!("Nothing was left behind by the runs in {}.", runs.display());
    }
    let mut all = ExitCode::Pass;
    for one in recovered {
        match one.result {
            Ok(done) => println!("{}: {done}", one.run.display()),
            Err(why) => {
                println!("{}: still there: {why}", one.run.display());
                all = ExitCode::FaultInPlace;
            }
        }
    }
    Ok(all)
}
