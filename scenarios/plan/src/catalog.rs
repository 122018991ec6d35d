//! The catalogue: scenario files and manifests that are compiled into the crate.
use crate::problem::meant;
use crate::{Arm, Scenario, parse};
use std::sync::OnceLock;
use std::{fmt, io};

/// Files by their path in the repository.
static FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Where scenario files are in the repository.
const FOLDER: &str = "scenarios/catalog/";

/// All scenarios that come with the product, and the manifests they name.
#[derive(Debug)]
pub struct Catalog {
    scenarios: Vec<Scenario>,
}

/// Nothing in the catalogue is called like that; the text says what is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What was asked for.
    pub asked: String,
    /// `did you mean mybnb/preflight?`, or all there is.
    pub way_out: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no such scenario: \"{}\"; {}", self.asked, self.way_out)
    }
}

impl std::error::Error for Unknown {}

/// The catalogue. It is read once.
///
/// # Panics
/// If a file that was compiled in has a mistake; the tests of this crate read them all.
pub fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| Catalog {
        scenarios: scenarios(),
    })
}

fn scenarios() -> Vec<Scenario> {
    let files = FILES.iter().filter(|(file, _)| file.starts_with(FOLDER));
    let read =
        files.map(|(file, text)| parse(file, text).unwrap_or_else(|problems| panic!("{problems}")));
    let mut scenarios: Vec<Scenario> = read.collect();
    // What is checked before everything else comes first in its system.
    scenarios.sort_by_cached_key(|s| {
        let (system, experiment) = s.name().split_once('/').unwrap_or((s.name(), ""));
        (
            system.to_string(),
            experiment != "preflight",
            experiment.to_string(),
        )
    });
    scenarios
}

impl Catalog {
    /// All scenarios, by system, the preflight of each first.
    pub fn list(&self) -> &[Scenario] {
        &self.scenarios
    }

    /// The text of a file that was compiled in, by its path in the repository: what [`Scenario::plans`] needs for a scenario
    /// of the catalogue.
    pub fn read(&self, path: &str) -> io::Result<String> {
        let found = FILES.iter().find(|(file, _)| *file == path);
        found
            .map(|(_, text)| (*text).into())
            .ok_or(io::ErrorKind::NotFound.into())
    }

    /// What a word on the command line means: the name of a scenario; the id of a recorded experiment, and then only the arm
    /// that replays it; the beginning of names up to a slash (`mybnb`); or everything, if it is empty.
    pub fn find(&self, asked: &str) -> Result<Vec<Scenario>, Unknown> {
        let all = self.scenarios.iter();
        if let Some(scenario) = all.clone().find(|s| s.name() == asked) {
            return Ok(vec![scenario.clone()]);
        }
        let replays = |arm: &Arm| arm.documented.iter().any(|id| id == asked);
        let replaying: Vec<Scenario> = all.clone().filter_map(|s| s.only(replays)).collect();
        if !replaying.is_empty() {
            return Ok(replaying);
        }
        let prefix = format!("{}/", asked.trim_end_matches('/'));
        let below: Vec<Scenario> = all
            .filter(|s| asked.is_empty() || s.name().starts_with(&prefix))
            .cloned()
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
        let mut words: Vec<&str> = self
            .scenarios
            .iter()
            .flat_map(|s| s.documented_ids().into_iter().chain([s.name()]))
            .collect();
        words.sort_unstable();
        words.dedup();
        words
    }
}
