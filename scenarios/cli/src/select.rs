//! From what was typed to scenarios.
use crate::{
    args::{Scenarios, Variant},
    files, text,
};
use anyhow::Context;
use model::{ExitCode, Mutant, Plan};
use plan::{Overrides, Scenario};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// What was typed, or a file, is wrong: exit 64.
#[derive(Debug)]
pub struct Wrong(pub String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

/// A scenario with the way to read the files it names.
pub struct Selected {
    pub scenario: Scenario,
    source: Source,
}

#[derive(Clone, Copy)]
enum Source {
    Catalogue,
    Disk,
}

impl Source {
    fn read(self, path: &str) -> io::Result<String> {
        match self {
            Source::Catalogue => plan::catalog().read(path),
            Source::Disk => text::read(Path::new(path), plan::MANIFEST_MAX),
        }
    }
}

impl Selected {
    /// Its arms, resolved.
    pub fn plans(&self, variant: &Variant) -> Result<Vec<Plan>, Wrong> {
        self.read(&self.scenario, variant, variant.mutant())
    }

    /// Those arms that say how their mechanism is switched off, with it switched off.
    fn switched_off(&self, variant: &Variant) -> Result<Vec<Plan>, Wrong> {
        let can = |arm: &plan::Arm| self.scenario.has_mechanism_off(&arm.name);
        match self.scenario.only(can) {
            Some(scenario) => self.read(&scenario, variant, Some(Mutant::MechanismOff)),
            None => Ok(vec![]),
        }
    }

    fn read(
        &self,
        scenario: &Scenario,
        variant: &Variant,
        mutant: Option<Mutant>,
    ) -> Result<Vec<Plan>, Wrong> {
        let read = |path: &str| self.source.read(path);
        let (profile, seed) = (variant.profile(), variant.seed);
        let plans = scenario.plans(profile, seed, mutant, &Overrides::new(), &read);
        plans.map_err(|problems| Wrong(problems.to_string()))
    }
}

/// The scenarios that names stand for, in the order they were named, each once; all of the catalogue for none.
pub fn select(names: &[String]) -> anyhow::Result<Vec<Selected>> {
    let mut selected: Vec<Selected> = vec![];
    let all = [String::new()];
    for name in if names.is_empty() { &all } else { names } {
        for found in one(name)? {
            let same = |s: &Selected| {
                s.scenario.name() == found.scenario.name()
                    && s.scenario.documented_ids() == found.scenario.documented_ids()
            };
            if !selected.iter().any(same) {
                selected.push(found);
            }
        }
    }
    Ok(selected)
}

fn one(name: &str) -> anyhow::Result<Vec<Selected>> {
    if name.ends_with(".yaml") || name.ends_with(".yml") {
        return Ok(vec![from_file(Path::new(name))?]);
    }
    let found = plan::catalog()
        .find(name)
        .map_err(|unknown| Wrong(unknown.to_string()))?;
    let of_catalogue = |scenario| Selected {
        scenario,
        source: Source::Catalogue,
    };
    Ok(found.into_iter().map(of_catalogue).collect())
}

fn from_file(file: &Path) -> anyhow::Result<Selected> {
    let text = text::read(file, plan::SCENARIO_MAX)
        .map_err(|e| Wrong(format!("{}: {e}", file.display())))?;
    let read = |path: &str| Source::Disk.read(path);
    let scenario = plan::validate(&file.display().to_string(), &text, &read)
        .map_err(|problems| Wrong(problems.to_string()))?;
    Ok(Selected {
        scenario,
        source: Source::Disk,
    })
}

/// `brownout scenarios --list`
pub fn list(wanted: &Scenarios) -> anyhow::Result<ExitCode> {
    for Selected { scenario, .. } in select(&wanted.names)? {
        files::say(&format!("{}\n", scenario.name()));
        let hypothesis = model::visible_line(scenario.hypothesis());
        files::say(&format!("    {hypothesis}\n"));
        let arms: Vec<&str> = scenario
            .arms()
            .iter()
            .map(|arm| arm.name.as_str())
            .collect();
        if arms.len() > 1 {
            files::say(&format!("    arms: {}\n", arms.join(", ")));
        }
        files::say(&format!(
            "    replays: {}\n",
            scenario.documented_ids().join(", ")
        ));
    }
    Ok(ExitCode::Pass)
}

/// `brownout validate`: every problem of every file.
pub fn validate(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut wrong = vec![];
    for file in files {
        match check(file) {
            Ok(()) => files::say(&format!("{}: ok\n", file.display())),
            Err(e) => wrong.push(e.to_string()),
        }
    }
    if wrong.is_empty() {
        Ok(ExitCode::Pass)
    } else {
        Err(Wrong(wrong.join("\n")).into())
    }
}

/// A file of either kind.
fn check(file: &Path) -> anyhow::Result<()> {
    let is_chaos = text::read(file, plan::SCENARIO_MAX).is_ok_and(|text| plan::is_chaos(&text));
    match is_chaos {
        true => crate::chaos::read(file).map(drop),
        false => from_file(file).map(drop),
    }
}

/// `brownout explain`
pub fn explain(name: &str, variant: &Variant) -> anyhow::Result<ExitCode> {
    for selected in one(name).context("explaining")? {
        let off = match variant.mutant() {
            None => selected.switched_off(variant)?,
            Some(_) => vec![],
        };
        for plan in selected.plans(variant)? {
            let off = off.iter().find(|off| off.arm == plan.arm);
            files::say(&format!("{}\n", model::visible(&plan::explain(&plan, off))));
        }
    }
    Ok(ExitCode::Pass)
}
