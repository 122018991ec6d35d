//! What the planted servers did, as they said it, on the clock of the run.
use model::{Fact, Micros, Timeline};
use serde_json::Value;
use std::{fs, path::Path};

/// An outage that was planted, as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Outage {
    pub kind: String,
    pub from: Micros,
    pub to: Micros,
}

impl Outage {
    pub fn length(&self) -> Micros {
        self.to.saturating_sub(self.from)
    }
}

/// A time of the wall clock, in microseconds since the epoch.
pub fn moment(timeline: &Timeline, wall_us: u64) -> Micros {
    let began = timeline.all().iter().find_map(|seen| match &seen.fact {
        Fact::Began { wall, .. } => Some((seen.at, wall.parse::<jiff::Timestamp>().unwrap())),
        _ => None,
    });
    let (at, wall) = began.expect("a run says when it began");
    let began_us = u64::try_from(wall.as_microsecond()).unwrap();
    Micros((wall_us + at.0).saturating_sub(began_us))
}

/// The lines of all pods of the server called `name`; what is no JSON is left out.
pub fn said(run: &str, name: &str) -> Vec<Value> {
    let pods = Path::new(run).join("main/cluster/pods");
    let mut lines = vec![];
    for pod in entries(&pods) {
        for log in entries(&pod.join(name)) {
            let text = fs::read_to_string(log).unwrap();
            lines.extend(text.lines().filter_map(json));
        }
    }
    lines
}

fn entries(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// A line of a pod's log begins with its time and its stream.
fn json(line: &str) -> Option<Value> {
    serde_json::from_str(&line[line.find('{')?..]).ok()
}

/// The outages of the server called `name`, in time.
pub fn outages(run: &str, timeline: &Timeline, name: &str) -> Vec<Outage> {
    let time = |line: &Value, member: &str| moment(timeline, line[member].as_u64().unwrap());
    let lines = said(run, name).into_iter();
    let of_outages = lines.filter(|line| line["did"] == "outage");
    let mut all: Vec<Outage> = of_outages
        .map(|line| Outage {
            kind: line["kind"].as_str().unwrap().into(),
            from: time(&line, "from"),
            to: time(&line, "to"),
        })
        .collect();
    all.sort_by_key(|outage| outage.from);
    all
}
