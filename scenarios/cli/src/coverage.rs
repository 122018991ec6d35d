//! `brownout coverage`: which documented experiment is replayed by what, and what that said last.
use crate::{files, text};
use anyhow::Context;
use model::{ExitCode, Verdict};
use plan::catalog;
use plan::coverage::{Verdicts, coverage, replays, verdicts_in};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, path::Path};

/// Prints the table and writes it to `file`: verdicts come from the runs, and where there is no run, from what the file says.
pub fn write(runs: &Path, file: &Path) -> anyhow::Result<ExitCode> {
    let before = std::fs::read_to_string(file).unwrap_or_default();
    let mut verdicts = verdicts_in(&before);
    let results = results(runs).with_context(|| format!("looking through {}", runs.display()))?;
    for (id, said) in said(&results) {
        verdicts.entry(id).or_default().extend(said);
    }
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
        let text = text::read(&folder.join("result.json"), text::RESULT_MAX).ok()?;
        serde_json::from_str(&text).ok()
    };
    Ok(folders.iter().filter_map(read).collect())
}

/// The last verdict on each documented experiment and kind of cluster: where several arms replay it, the worst of their last ones. A
/// mutant says nothing about one.
fn said(results: &[Value]) -> Verdicts {
    let mut last = BTreeMap::<(&str, &str, &str), Said>::new();
    for result in results {
        for arm in result["arms"].as_array().into_iter().flatten() {
            let names = [&result["scenario"], &arm["arm"], &arm["cluster"]["cluster"]];
            let [Some(scenario), Some(name), Some(cluster)] = names.map(Value::as_str) else {
                continue;
            };
            if let (true, Some(said)) = (arm["mutant"].is_null(), Said::of(arm, cluster)) {
                last.insert((scenario, name, cluster), said);
            }
        }
    }
    let mut verdicts = BTreeMap::<String, BTreeMap<String, Said>>::new();
    for (id, arms) in replays(catalog()) {
        let is_its = |scenario: &str, name: &str| {
            let mut arms = arms.iter();
            arms.any(|replay| replay.scenario == scenario && replay.arm == name)
        };
        for ((_, _, cluster), said) in last.iter().filter(|((s, n, _), _)| is_its(s, n)) {
            let of_id = verdicts.entry(id.to_string()).or_default();
            let worst = of_id
                .entry(cluster.to_string())
                .or_insert_with(|| said.clone());
            if said.verdict > worst.verdict {
                *worst = said.clone();
            }
        }
    }
    let written = |said: BTreeMap<String, Said>| {
        let written = said
            .into_iter()
            .map(|(cluster, said)| (cluster, said.written));
        written.collect()
    };
    verdicts
        .into_iter()
        .map(|(id, said)| (id, written(said)))
        .collect()
}

/// What a run said.
#[derive(Debug, Clone)]
struct Said {
    verdict: Verdict,
    /// `pass (embedded, quick, 2026-11-20)`
    written: String,
}

impl Said {
    fn of(arm: &Value, cluster: &str) -> Option<Said> {
        let verdict = Verdict::deserialize(&arm["judgement"]["verdict"]).ok()?;
        let profile = arm["profile"].as_str()?;
        let day = arm["cluster"]["wall"].as_str()?.split('T').next()?;
        Some(Said {
            verdict,
            written: format!("{} ({cluster}, {profile}, {day})", verdict.word()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(scenario: &str, arm: &str, verdict: &str, mutant: Value, on: (&str, u32)) -> Value {
        let (cluster, day) = on;
        json!({"scenario": scenario, "arms": [{
            "arm": arm, "profile": "quick", "mutant": mutant,
            "cluster": {"cluster": cluster, "wall": format!("2026-11-{day}T10:00:00Z")},
            "judgement": {"verdict": verdict},
        }]})
    }

    fn verdicts(id: &str, said: &[&str]) -> Verdicts {
        let of = |text: &&str| {
            let cluster = text.split(['(', ',']).nth(1).unwrap();
            (cluster.to_string(), text.to_string())
        };
        Verdicts::from([(id.to_string(), said.iter().map(of).collect())])
    }

    #[test]
    fn the_last_run_on_each_kind_of_cluster_that_was_no_mutant_counts_for_what_its_arm_replays() {
        let on =
            |verdict, mutant, on| run("mybnb/zero-downtime", "with-probes", verdict, mutant, on);
        let results = [
            on("fail", Value::Null, ("kube", 18)),
            on("pass", Value::Null, ("kube", 19)),
            on("fail", json!("mechanism-off"), ("kube", 20)),
            on("inconclusive", Value::Null, ("embedded", 21)),
        ];
        let expected = [
            "inconclusive (embedded, quick, 2026-11-21)",
            "pass (kube, quick, 2026-11-19)",
        ];
        assert_eq!(said(&results), verdicts("mybnb/zero-downtime", &expected));
    }

    #[test]
    fn of_several_arms_that_replay_one_the_worst_counts() {
        let on = |arm, verdict, day| {
            run(
                "gasstation/configuration",
                arm,
                verdict,
                Value::Null,
                ("kube", day),
            )
        };
        let results = [on("as-meant", "fail", 18), on("as-printed", "pass", 19)];
        let said = said(&results);
        let expected = verdicts("gasstation/secret", &["fail (kube, quick, 2026-11-18)"]);
        assert_eq!(said["gasstation/secret"], expected["gasstation/secret"]);
    }
}
