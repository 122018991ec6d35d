//! Runs that are on disk already.
use crate::{files, select::Wrong};
use anyhow::Context;
use model::{ExitCode, Plan, Timeline};
use std::path::{Path, PathBuf};

/// `brownout report`: judges a recorded run again.
pub fn report_again(run: &Path, junit: Option<&Path>) -> anyhow::Result<ExitCode> {
    let arms = arms_of(run)?;
    let recorded = arms
        .iter()
        .map(|dir| read(dir))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let reproduce = files::read_command(run).unwrap_or_default();
    let report = checks::report(
        recorded,
        &reproduce,
        env!("CARGO_PKG_VERSION"),
        &files::now(),
    );
    files::write(run, &report)?;
    if let Some(junit) = junit {
        std::fs::write(junit, render::junit(std::slice::from_ref(&report)))?;
    }
    print!("{}", render::terminal(&report, files::is_terminal()));
    println!("{}", files::page(run).display());
    Ok(files::exit_of(&report))
}

/// The arms of a run, in the order they ran: its folders with a plan, or the folder itself.
fn arms_of(run: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let has_plan = |dir: &PathBuf| dir.join(runner::PLAN_FILE).is_file();
    let entries = std::fs::read_dir(run).map_err(|e| Wrong(format!("{}: {e}", run.display())))?;
    let mut arms: Vec<PathBuf> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(has_plan)
        .collect();
    let began = |dir: &PathBuf| {
        std::fs::metadata(dir.join(runner::PLAN_FILE))
            .and_then(|m| m.modified())
            .ok()
    };
    arms.sort_by_key(began);
    if has_plan(&run.to_path_buf()) {
        arms.insert(0, run.into());
    }
    if arms.is_empty() {
        return Err(Wrong(format!(
            "{}: no run is recorded here; name a folder below runs/",
            run.display()
        ))
        .into());
    }
    Ok(arms)
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
