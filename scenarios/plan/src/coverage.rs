//! The coverage table: which scenario replays which documented experiment, and what it said last.
use crate::experiments::{Checkpoint, Experiment, experiments};
use crate::{Arm, Catalog};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What was said last on each kind of cluster, by the id of an experiment: `embedded` → `pass (embedded, quick, 2026-11-20)`.
pub type Verdicts = BTreeMap<String, BTreeMap<String, String>>;

/// Between two kinds of cluster in a row.
const BETWEEN: &str = "; ";

/// An arm that replays an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay<'a> {
    /// The scenario's name.
    pub scenario: &'a str,
    /// The arm's name.
    pub arm: &'a str,
}

const HEAD: &str = "# Coverage

Every documented experiment, the scenario that replays it, and what that said last on each kind of cluster. Made by `brownout coverage`; not to be edited.
On a real cluster (kube) it is inconclusive where that lacks what the scenario says it needs: Istio, or an image.

";
const EXPERIMENTS: &str = "
| experiment | what it was | replayed by | last verdict |
| --- | --- | --- | --- |
";
const NOT_YET: &str = "not replayed yet";
const NEVER_RUN: &str = "–";

/// The arms of the catalogue that replay an experiment, by its id. An id that is not in [`experiments`] is there too.
pub fn replays(catalog: &Catalog) -> BTreeMap<&str, Vec<Replay<'_>>> {
    let mut all: BTreeMap<&str, Vec<Replay>> = BTreeMap::new();
    for scenario in catalog.list() {
        for Arm {
            name, documented, ..
        } in scenario.arms()
        {
            for id in documented {
                all.entry(id).or_default().push(Replay {
                    scenario: scenario.name(),
                    arm: name,
                });
            }
        }
    }
    all
}

/// The whole file, Markdown.
pub fn coverage(catalog: &Catalog, verdicts: &Verdicts) -> String {
    let replays = replays(catalog);
    let is_replayed = |e: &&Experiment| replays.contains_key(&*e.id);
    let replayed = experiments().iter().filter(is_replayed).count();
    let cannot = experiments()
        .iter()
        .filter(|e| !is_replayed(e) && e.not_replayed.is_some())
        .count();
    let mut text = HEAD.to_string();
    let all = experiments().len();
    let _ = write!(
        text,
        "{all} documented experiments: {replayed} replayed by {} scenarios, {cannot} cannot be",
        scenarios(&replays).len()
    );
    let _ = match all - replayed - cannot {
        0 => writeln!(text, "."),
        left => writeln!(text, ", {left} are {NOT_YET}."),
    };
    text += EXPERIMENTS;
    for experiment in experiments() {
        let by = match (replays.get(&*experiment.id), &experiment.not_replayed) {
            (Some(arms), _) => arms.iter().map(in_words).collect::<Vec<_>>().join(", "),
            (None, Some(why)) => why.clone(),
            (None, None) => NOT_YET.into(),
        };
        let verdict = match replays.contains_key(&*experiment.id) {
            true => verdicts
                .get(&experiment.id)
                .map_or(NEVER_RUN.into(), |said| {
                    said.values().cloned().collect::<Vec<_>>().join(BETWEEN)
                }),
            false => String::new(),
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {by} | {verdict} |",
            experiment.id, experiment.title
        );
    }
    checkpoints(&mut text, &replays);
    text
}

/// The names of those that replay an experiment; the others of the catalogue replay none.
fn scenarios<'a>(replays: &BTreeMap<&str, Vec<Replay<'a>>>) -> BTreeSet<&'a str> {
    replays.values().flatten().map(|r| r.scenario).collect()
}

fn in_words(replay: &Replay) -> String {
    match replay.arm {
        "main" => format!("`{}`", replay.scenario),
        arm => format!("`{}` {arm}", replay.scenario),
    }
}

/// A row a system, a column a checkpoint: how many of the experiments on it are replayed.
fn checkpoints(text: &mut String, replays: &BTreeMap<&str, Vec<Replay>>) {
    let mut systems: Vec<&str> = vec![];
    for experiment in experiments() {
        if !systems.contains(&experiment.system()) {
            systems.push(experiment.system());
        }
    }
    let headings = Checkpoint::ALL.map(|(_, heading)| heading).join(" | ");
    let _ = writeln!(
        text,
        "\n## Checkpoints\n\nReplayed and documented experiments of each system on each point by which the reports assess it.\n"
    );
    let _ = writeln!(
        text,
        "| system | {headings} |\n| --- |{}",
        " --- |".repeat(Checkpoint::ALL.len())
    );
    for system in systems {
        let _ = write!(text, "| {system} |");
        for (checkpoint, _) in Checkpoint::ALL {
            let on_it = |e: &&Experiment| e.system() == system && e.shows.contains(&checkpoint);
            let documented = experiments().iter().filter(on_it).count();
            let replayed = experiments()
                .iter()
                .filter(on_it)
                .filter(|e| replays.contains_key(&*e.id))
                .count();
            let _ = match documented {
                0 => write!(text, " |"),
                _ => write!(text, " {replayed}/{documented} |"),
            };
        }
        text.push('\n');
    }
}

/// The verdicts in a file that [`coverage`] made.
pub fn verdicts_in(file: &str) -> Verdicts {
    let row = |line: &str| {
        let (id, rest) = line.strip_prefix("| `")?.split_once('`')?;
        let (_, verdict) = rest.strip_suffix('|')?.rsplit_once(" | ")?;
        let verdict = verdict.trim();
        let said = verdict.split(BETWEEN).filter_map(|verdict| {
            let (_, terms) = verdict.split_once(" (")?;
            let (cluster, _) = terms.split_once(',')?;
            Some((cluster.to_string(), verdict.to_string()))
        });
        let said: BTreeMap<String, String> = said.collect();
        (!said.is_empty()).then(|| (id.to_string(), said))
    };
    file.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_counts_once_however_many_experiments_its_arms_replay() {
        let replay = |scenario, arm| Replay { scenario, arm };
        let replays = BTreeMap::from([
            ("a/b", vec![replay("a/x", "main")]),
            ("a/c", vec![replay("a/x", "main"), replay("a/y", "off")]),
        ]);
        assert_eq!(scenarios(&replays), BTreeSet::from(["a/x", "a/y"]));
    }

    #[test]
    fn verdicts_are_read_back_and_a_row_without_one_has_none() {
        let file = "| experiment | what it was | replayed by | last verdict |\n\
            | `a/b` | a title | `a/c` arm | pass (embedded, quick, 2026-11-20); fail (kube, quick, 2026-11-19) |\n\
            | `a/d` | a title | `a/c` | – |\n\
            | `a/e` | a title | A pipeline. |  |\n";
        let of = |cluster: &str, verdict: &str| (cluster.to_string(), verdict.to_string());
        let said = BTreeMap::from([
            of("embedded", "pass (embedded, quick, 2026-11-20)"),
            of("kube", "fail (kube, quick, 2026-11-19)"),
        ]);
        let expected = [("a/b".to_string(), said)];
        assert_eq!(verdicts_in(file), Verdicts::from(expected));
    }
}
