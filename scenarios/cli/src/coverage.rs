//! `brownout coverage`: which documented experiment is replayed by what, and what that said last.
use crate::files;
use anyhow::Context;
use model::ExitCode;
use plan::catalog;
use plan::coverage::{Verdicts, coverage, replays, verdicts_in};
use serde_json::Value;
use std::path::Path;

/// Prints the table and writes it to `file`: verdicts come from the runs, and where there is no run, from what the file says.
pub fn write(runs: &Path, file: &Path) -> anyhow::Result<ExitCode> {
    let before = std::fs::read_to_string(file).unwrap_or_default();
    let mut verdicts = verdicts_in(&before);
    let results = results(runs).with_context(|| format!("looking through {}", runs.display()))?;
    verdicts.extend(said(&results));
    let text = coverage(catalog(), &verdicts);
    if text != before {
        std::fs::write(file, &text).with_context(|| format!("writing {}", file.display()))?;
    }
    files::say(&text);
    Ok(ExitCode::Pass)
}

/// What came of each run, the oldest first.
fn results(runs: &Path) -> anyhow::Result<Vec<Value>> {
    let mut folders = match std::fs::read_dir(runs) {
        Ok(entries) => entries
            .map(|e| Ok(e?.path()))
            .collect::<std::io::Result<Vec<_>>>()?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => vec![],
        Err(e) => return Err(e.into()),
    };
    // Their names begin with the time.
    folders.sort();
    let read = |folder: &std::path::PathBuf| {
        // A run that is under way, or was killed, has none.
        let text = std::fs::read_to_string(folder.join("result.json")).ok()?;
        serde_json::from_str(&text).ok()
    };
    Ok(folders.iter().filter_map(read).collect())
}

/// The last verdict on each documented experiment. A mutant says nothing about one.
fn said(results: &[Value]) -> Verdicts {
    let replays = replays(catalog());
    let mut verdicts = Verdicts::new();
    for result in results {
        for arm in result["arms"].as_array().into_iter().flatten() {
            if !arm["mutant"].is_null() {
                continue;
            }
            let is_it = |replay: &plan::coverage::Replay| {
                result["scenario"] == replay.scenario && arm["arm"] == replay.arm
            };
            let ids = replays.iter().filter(|(_, arms)| arms.iter().any(is_it));
            let verdict = in_words(arm);
            verdicts.extend(ids.map(|(id, _)| (id.to_string(), verdict.clone())));
        }
    }
    verdicts
}

/// `pass (embedded, quick, 2026-11-20)`
fn in_words(arm: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("unknown").to_string();
    let day = text(&arm["cluster"]["wall"]);
    let day = day.split('T').next().unwrap_or_default();
    let [verdict, cluster, profile] = [
        &arm["judgement"]["verdict"],
        &arm["cluster"]["cluster"],
        &arm["profile"],
    ]
    .map(text);
    format!("{verdict} ({cluster}, {profile}, {day})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(verdict: &str, mutant: Value, day: u32) -> Value {
        json!({"scenario": "mybnb/zero-downtime", "arms": [{
            "arm": "with-probes", "profile": "quick", "mutant": mutant,
            "cluster": {"cluster": "kube", "wall": format!("2026-11-{day}T10:00:00Z")},
            "judgement": {"verdict": verdict},
        }]})
    }

    #[test]
    fn the_last_run_that_was_no_mutant_counts_for_what_its_arm_replays() {
        let results = [
            run("fail", Value::Null, 18),
            run("pass", Value::Null, 19),
            run("fail", json!("mechanism-off"), 20),
        ];
        let verdict = "pass (kube, quick, 2026-11-19)".to_string();
        assert_eq!(
            said(&results),
            Verdicts::from([("mybnb/zero-downtime".to_string(), verdict)])
        );
    }
}
