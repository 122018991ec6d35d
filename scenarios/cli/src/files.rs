//! The files of a run that are made from its judgement.
use crate::{select::Wrong, text};
use anyhow::Context;
use model::{ExitCode, Plan, Report, report::KEYS_FILE};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

/// Name of the file that says what a run is, written before anything runs.
const RUN_FILE: &str = "run.json";
/// Name of the file that says for machines what followed from it.
const RESULT_FILE: &str = "result.json";

/// What a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The command that does it again.
    pub command: String,
    /// The folders of its arms, in the order they run. One that never ran has a plan and no timeline.
    pub arms: Vec<String>,
    /// The signal that ended it before everything was undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// Whether somebody watches.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Now, RFC 3339 in UTC, to the second.
pub fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// The page of a run.
pub fn page(run: &Path) -> PathBuf {
    run.join("report.html")
}

/// Makes a new folder for a run, named by the time and the scenario, with the plan of each arm in it: whenever the run ends,
/// it can be told what was left out.
pub fn begin(runs: &Path, command: &str, plans: &[Plan]) -> anyhow::Result<PathBuf> {
    let scenario = plans.first().map_or("nothing", |plan| &plan.scenario);
    let time = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    let name = format!("{time}-{}", scenario.replace('/', "-"));
    let begun = || -> io::Result<PathBuf> {
        std::fs::create_dir_all(runs)?;
        let folder = new_folder(runs, &name)?;
        for plan in plans {
            let arm = folder.join(&plan.arm);
            std::fs::create_dir(&arm)?;
            std::fs::write(
                arm.join(runner::PLAN_FILE),
                serde_json::to_string_pretty(plan)?,
            )?;
        }
        let arms = plans.iter().map(|plan| plan.arm.clone()).collect();
        let run = Run {
            command: command.into(),
            arms,
            left: None,
        };
        put(&folder, RUN_FILE, &serde_json::to_string_pretty(&run)?)?;
        Ok(folder)
    };
    begun().with_context(|| format!("making {name} in {}", runs.display()))
}

/// `name`, or `name-2` and so on where another run began in the same second.
fn new_folder(runs: &Path, name: &str) -> io::Result<PathBuf> {
    let mut folder = runs.join(name);
    for number in 2.. {
        match std::fs::create_dir(&folder) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                folder = runs.join(format!("{name}-{number}"));
            }
            other => return other.map(|()| folder),
        }
    }
    unreachable!("there are fewer folders than numbers")
}

/// What the run in a folder is.
pub fn read(run: &Path) -> anyhow::Result<Run> {
    let file = run.join(RUN_FILE);
    let hint = "no run is recorded here; name a folder below runs/";
    let text = text::read(&file, text::RUN_MAX)
        .map_err(|e| Wrong(format!("{}: {e}; {hint}", file.display())))?;
    let read: Run =
        serde_json::from_str(&text).map_err(|e| Wrong(format!("{}: {e}", file.display())))?;
    if read.arms.is_empty() {
        return Err(Wrong(format!("{}: it names no arm", file.display())).into());
    }
    Ok(read)
}

/// Writes down that a run was left before everything was undone: whoever judges it again ends as it did.
pub fn left_at_once(run: &Path, by: &str) -> anyhow::Result<()> {
    let mut made = read(run)?;
    made.left = Some(by.into());
    put(run, RUN_FILE, &serde_json::to_string_pretty(&made)?)?;
    Ok(())
}

/// How many observations of an arm the last report of a run was made of.
pub fn observations(run: &Path, arm: &str) -> u64 {
    let text = text::read(&run.join(RESULT_FILE), text::RESULT_MAX);
    let result: serde_json::Value = text
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let mut arms = result["arms"].as_array().into_iter().flatten();
    let judged = arms.find(|a| a["arm"] == arm);
    judged.and_then(|a| a["observations"].as_u64()).unwrap_or(0)
}

/// Prints to stdout. Whoever reads only the beginning, like `head`, is no reason to fail.
pub fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Writes the page and what machines read.
pub fn write(run: &Path, report: &Report) -> anyhow::Result<()> {
    let write_in = |folder: &Path, name: &str, text: String| {
        put(folder, name, &text).with_context(|| format!("writing {name} in {}", folder.display()))
    };
    let write = |name: &str, text: String| write_in(run, name, text);
    for arm in report.arms.iter().filter(|a| !a.judgement.keys.is_empty()) {
        let lists = checks::keys::lists(&arm.plan, &arm.timeline);
        let folder = run.join(&arm.plan.arm);
        write_in(&folder, KEYS_FILE, serde_json::to_string_pretty(&lists)?)?;
    }
    write("report.html", render::html(report))?;
    write("junit.xml", render::junit(std::slice::from_ref(report)))?;
    write(RESULT_FILE, render::json(report))?;
    write("report.md", render::markdown(report))
}

/// Writes a file whole, or leaves the one that is there.
fn put(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let unfinished = folder.join(format!(".{name}"));
    let written = std::fs::write(&unfinished, text)
        .and_then(|()| std::fs::rename(&unfinished, folder.join(name)));
    if written.is_err() {
        // Nothing of it is worth the room that was wanting.
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}

/// How a process that made this report ends.
pub fn exit_of(report: &Report) -> ExitCode {
    let arms = report.arms.iter().map(|arm| arm.judgement.exit);
    ExitCode::foremost(arms.chain([report.verdict.into()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_or_stays_as_it_was() {
        let run = tempfile::tempdir().unwrap();
        put(run.path(), "report.md", "first").unwrap();
        let unwritable = run.path().join(".report.md");
        std::fs::create_dir(&unwritable).unwrap();
        assert!(put(run.path(), "report.md", "second").is_err());
        let stays = std::fs::read_to_string(run.path().join("report.md"));
        assert_eq!(stays.unwrap(), "first");
    }

    #[test]
    fn runs_that_begin_in_the_same_second_have_folders_of_their_own() {
        let runs = tempfile::tempdir().unwrap();
        let names = [0, 1, 2].map(|_| new_folder(runs.path(), "r").unwrap());
        assert_eq!(
            names,
            ["r", "r-2", "r-3"].map(|name| runs.path().join(name))
        );
    }
}
