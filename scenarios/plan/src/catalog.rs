//! The catalogue: scenario files and manifests that are compiled into the crate.
use crate::problem::meant;
use crate::{Problems, Scenario, parse};
use std::io;

/// Files by their path in the repository.
static FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Where scenario files are in the repository.
const FOLDER: &str = "scenarios/catalog/";

/// All scenarios that come with the product.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    scenarios: Vec<Scenario>,
}

/// A scenario that was asked for, and which of its arms.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<'c> {
    /// The scenario.
    pub scenario: &'c Scenario,
    /// Names of the arms that were meant: all of them, or the one that replays the recorded experiment asked for.
    pub arms: Vec<&'c str>,
}

/// Nothing in the catalogue is called like that; the text says what is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What was asked for.
    pub asked: String,
    /// `did you mean mybnb/preflight?`, or all there is.
    pub way_out: String,
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no such scenario: \"{}\"; {}", self.asked, self.way_out)
    }
}

impl std::error::Error for Unknown {}

/// Reads the catalogue. An error is a mistake in a file that was compiled in; a test of this crate rules it out.
pub fn catalog() -> Result<Catalog, Problems> {
    let mut problems = vec![];
    let mut scenarios = vec![];
    for (file, text) in FILES.iter().filter(|(file, _)| file.starts_with(FOLDER)) {
        match parse(file, text) {
            Ok(scenario) => scenarios.push(scenario),
            Err(Problems(found)) => problems.extend(found),
        }
    }
    // As one reads them: what is checked before everything else first.
    scenarios.sort_by_key(|s| {
        (
            system(&s.name).to_string(),
            !s.name.ends_with("/preflight"),
            s.name.clone(),
        )
    });
    match problems.is_empty() {
        true => Ok(Catalog { scenarios }),
        false => Err(Problems(problems)),
    }
}

/// The text of a file that was compiled in, by its path in the repository: what [`Scenario::plans`] reads for a scenario
/// of the catalogue.
pub fn embedded(path: &str) -> io::Result<String> {
    let found = FILES.iter().find(|(file, _)| *file == path);
    found
        .map(|(_, text)| (*text).into())
        .ok_or(io::ErrorKind::NotFound.into())
}

fn system(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

impl Catalog {
    /// All scenarios, by system, the preflight of each first.
    pub fn list(&self) -> &[Scenario] {
        &self.scenarios
    }

    /// What a word on the command line means: the name of a scenario, the id of a recorded experiment (then only the arm
    /// that replays it), or the beginning of names up to a slash (`mybnb`).
    pub fn find(&self, asked: &str) -> Result<Vec<Found<'_>>, Unknown> {
        if let Some(scenario) = self.scenarios.iter().find(|s| s.name == asked) {
            return Ok(vec![whole(scenario)]);
        }
        let replaying: Vec<Found> = self
            .scenarios
            .iter()
            .filter_map(|s| replaying(s, asked))
            .collect();
        if !replaying.is_empty() {
            return Ok(replaying);
        }
        let prefix = format!("{}/", asked.trim_end_matches('/'));
        let below: Vec<Found> = self
            .scenarios
            .iter()
            .filter(|s| s.name.starts_with(&prefix))
            .map(whole)
            .collect();
        match below.is_empty() {
            false => Ok(below),
            true => Err(Unknown {
                asked: asked.into(),
                way_out: meant(asked, self.words()),
            }),
        }
    }

    /// Everything that can be asked for.
    fn words(&self) -> Vec<&str> {
        let mut words = vec![];
        for scenario in &self.scenarios {
            words.push(scenario.name.as_str());
            words.extend(
                scenario
                    .arms
                    .iter()
                    .flat_map(|a| a.documented.iter().map(String::as_str)),
            );
        }
        words.sort_unstable();
        words.dedup();
        words
    }
}

fn whole(scenario: &Scenario) -> Found<'_> {
    Found {
        scenario,
        arms: scenario.arms.iter().map(|a| a.name.as_str()).collect(),
    }
}

fn replaying<'c>(scenario: &'c Scenario, id: &str) -> Option<Found<'c>> {
    let arms = scenario
        .arms
        .iter()
        .filter(|a| a.documented.iter().any(|d| d == id));
    let arms: Vec<&str> = arms.map(|a| a.name.as_str()).collect();
    (!arms.is_empty()).then_some(Found { scenario, arms })
}
