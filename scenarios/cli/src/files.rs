//! The files of a run that are made from its judgement.
use anyhow::Context;
use model::{ExitCode, Report};
use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

/// Holds the command that made a run.
const COMMAND_FILE: &str = "command.txt";

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

/// Makes the folder of a run and notes the command that does it again.
pub fn begin(run: &Path, command: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(run).with_context(|| format!("making {}", run.display()))?;
    std::fs::write(run.join(COMMAND_FILE), command).context("writing the command")
}

/// The command that made a run.
pub fn read_command(run: &Path) -> Option<String> {
    std::fs::read_to_string(run.join(COMMAND_FILE)).ok()
}

/// Writes the page and what machines read.
pub fn write(run: &Path, report: &Report) -> anyhow::Result<()> {
    let write = |name: &str, text: String| {
        std::fs::write(run.join(name), text)
            .with_context(|| format!("writing {name} in {}", run.display()))
    };
    write("report.html", render::html(report))?;
    write("junit.xml", render::junit(std::slice::from_ref(report)))?;
    write("result.json", render::json(report))?;
    write("report.md", render::markdown(report))
}

/// How a process that made this report ends.
pub fn exit_of(report: &Report) -> ExitCode {
    let arms = report.arms.iter().map(|arm| arm.judgement.exit);
    ExitCode::foremost(arms.chain([report.verdict.into()]))
}
