//! A scenario: a file that was read without a mistake, from which plans are made.
use crate::limits::{ARMS_MAX, STEPS_MAX};
use crate::object::Object;
use crate::overlay;
use crate::params::{self, Overrides};
use crate::problem::{LABEL_WAY_OUT, Log, Problem, Problems, is_label};
use crate::system::{Read, System};
use crate::tree::Node;
use crate::words::{API_VERSION, SCENARIO};
use crate::{check, documented, met, method};
use model::{
    Action, Fault, FaultKind, LoadModel, Micros, Mutant, Plan, Profile, Requirement, Step,
};
use std::collections::BTreeMap;

/// How long a system may take to become ready where the file says nothing.
const READY_TIMEOUT: Micros = Micros::from_secs(180);
/// What a run may take beyond the sum of what its steps may take: applying, recovering, draining.
const RUN_GRACE: Micros = Micros::from_secs(60);
/// The seed where neither the file nor the command line has one.
const SEED: u64 = 1;
/// The arm of a scenario that names none.
const MAIN: &str = "main";

/// A scenario file, free of mistakes as far as that can be seen without its manifests.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    file: String,
    name: String,
    labels: BTreeMap<String, String>,
    hypothesis: String,
    arms: Vec<Arm>,
    spec: Node,
}

/// An arm of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// Its name; `main` where the scenario names none.
    pub name: String,
    /// What shall hold in it.
    pub hypothesis: String,
    /// Ids of the recorded experiments that it replays.
    pub documented: Vec<String>,
}

/// Reads a scenario file. The error is everything that is wrong with it, in every arm and profile and with the mechanism
/// switched off; only what takes the manifests to see (unknown services, patches that hit nothing) is left to
/// [`Scenario::plans`]. `file` is what messages call it, and where relative paths begin.
pub fn parse(file: &str, text: &str) -> Result<Scenario, Problems> {
    let (scenario, problems) = read(file, text);
    match scenario {
        Some(scenario) if problems.is_empty() => Ok(scenario),
        _ => Err(Problems::sorted(problems)),
    }
}

/// Reads a scenario file and the manifests, and says everything that is wrong at once.
pub fn validate(file: &str, text: &str, files: &Read) -> Result<Scenario, Problems> {
    let (scenario, mut problems) = read(file, text);
    if let Some(scenario) = &scenario {
        let none = Overrides::new();
        problems.extend(scenario.all_variants(Some(files), &none));
    }
    match scenario {
        Some(scenario) if problems.is_empty() => Ok(scenario),
        _ => Err(Problems::sorted(problems)),
    }
}

/// As much of a scenario as can be read, and all that is wrong.
fn read(file: &str, text: &str) -> (Option<Scenario>, Vec<Problem>) {
    let (root, mut problems) = Node::parse(file, text);
    let log = Log::new(file);
    let Some(root) = root else {
        if problems.is_empty() {
            let empty = Problem::new(file, Default::default(), "", "the file is empty");
            problems.push(empty.way_out(format!(
                "begin with apiVersion: {API_VERSION} and kind: Scenario"
            )));
        }
        return (None, problems);
    };
    let scenario = scenario(&root, &log);
    if let Some(scenario) = &scenario {
        params::unused(&scenario.spec, &log);
        problems.extend(scenario.all_variants(None, &Overrides::new()));
    }
    problems.extend(log.into_problems());
    (scenario, problems)
}

fn scenario(root: &Node, log: &Log) -> Option<Scenario> {
    let s = Object::new(root, &SCENARIO, log)?;
    s.one_of("apiVersion");
    s.one_of("kind");
    let metadata = s.object("metadata")?;
    if let Some((node, name)) = metadata
        .word("name")
        .filter(|(_, n)| !n.split('/').all(is_label))
    {
        let message = format!("\"{name}\" is no name");
        log.bad(
            node,
            message,
            "write small letters, digits and hyphens, as mybnb/zero-downtime",
        );
    }
    let labels = metadata.text_map("labels");
    let spec = s.object("spec")?;
    let arms = arms(&spec);
    let first = arms.first().map(|a| a.hypothesis.clone());
    Some(Scenario {
        file: log.file().into(),
        name: metadata.text("name").unwrap_or_default().into(),
        labels: labels
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect(),
        hypothesis: spec
            .text("hypothesis")
            .map(String::from)
            .or(first)
            .unwrap_or_default(),
        arms,
        spec: spec.node.clone(),
    })
}

fn arms(spec: &Object) -> Vec<Arm> {
    let ids = |o: &Object| {
        let list = o.list("documented").into_iter();
        list.filter_map(|d| Some(d.text("id")?.to_string()))
            .collect::<Vec<_>>()
    };
    let hypothesis = spec.text("hypothesis").unwrap_or_default();
    let common = ids(spec);
    let arm = |(name, o): &(&str, Object)| {
        let mut documented = common.clone();
        documented.extend(ids(o).into_iter().filter(|id| !common.contains(id)));
        Arm {
            name: (*name).into(),
            hypothesis: o.text("hypothesis").unwrap_or(hypothesis).into(),
            documented,
        }
    };
    let mut overlays = spec.map("arms");
    if let (true, Some(node)) = (overlays.len() > ARMS_MAX, spec.get("arms")) {
        let message = format!("{} arms", overlays.len());
        let way_out = format!("at most {ARMS_MAX} are possible: make several scenarios of them");
        spec.log.bad(node, message, way_out);
        overlays.truncate(ARMS_MAX);
    }
    for (name, o) in overlays.iter().filter(|(name, _)| !is_label(name)) {
        spec.log.bad(
            o.node,
            format!("\"{name}\" is no name for an arm"),
            LABEL_WAY_OUT,
        );
    }
    let named: Vec<Arm> = overlays.iter().map(arm).collect();
    match spec.get("arms") {
        Some(_) => named,
        None => vec![Arm {
            name: MAIN.into(),
            hypothesis: hypothesis.into(),
            documented: common,
        }],
    }
}

/// One arm in one profile, as it is or as a mutant.
#[derive(Clone, Copy)]
struct Variant<'v> {
    arm: &'v str,
    profile: Profile,
    mutant: Option<Mutant>,
    overrides: &'v Overrides,
}

impl Scenario {
    /// The file as it was named to [`parse`].
    pub fn file(&self) -> &str {
        &self.file
    }

    /// `metadata.name`, e.g. `mybnb/zero-downtime`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `metadata.labels`.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// `spec.hypothesis`; an arm may have one of its own.
    pub fn hypothesis(&self) -> &str {
        &self.hypothesis
    }

    /// Its arms in the order in which they run.
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }

    /// Ids of the recorded experiments that its arms replay, each once.
    pub fn documented_ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = vec![];
        for id in self.arms.iter().flat_map(|a| &a.documented) {
            if !ids.contains(&id.as_str()) {
                ids.push(id);
            }
        }
        ids
    }

    /// The same scenario with only those arms for which `wanted` holds; none if it holds for none.
    pub fn only(&self, wanted: impl Fn(&Arm) -> bool) -> Option<Scenario> {
        let mut scenario = self.clone();
        scenario.arms.retain(wanted);
        (!scenario.arms.is_empty()).then_some(scenario)
    }

    /// One plan for each arm, in the order of the file. `seed` wins over the file's, `overrides` (params by name) too.
    /// `files` is given paths relative to where the path of the scenario file begins.
    pub fn plans(
        &self,
        profile: Profile,
        seed: Option<u64>,
        mutant: Option<Mutant>,
        overrides: &Overrides,
        files: &Read,
    ) -> Result<Vec<Plan>, Problems> {
        let log = Log::new(&self.file);
        params::unknown(&self.spec, overrides, &log);
        let mut plans = vec![];
        for arm in &self.arms {
            let variant = Variant {
                arm: &arm.name,
                profile,
                mutant,
                overrides,
            };
            plans.extend(self.plan(variant, seed, Some(files), &log));
        }
        let problems = Problems::sorted(log.into_problems());
        match problems.0.is_empty() {
            true => Ok(plans),
            false => Err(problems),
        }
    }

    /// What is wrong with any of its plans.
    fn all_variants(&self, files: Option<&Read>, overrides: &Overrides) -> Vec<Problem> {
        let log = Log::new(&self.file);
        for arm in &self.arms {
            let off = self.mechanism_off(&arm.name).map(|_| Mutant::MechanismOff);
            for (profile, mutant) in [
                (Profile::Quick, None),
                (Profile::Documented, None),
                (Profile::Quick, off),
                (Profile::Documented, off),
            ] {
                let variant = Variant {
                    arm: &arm.name,
                    profile,
                    mutant,
                    overrides,
                };
                self.plan(variant, None, files, &log);
            }
        }
        log.into_problems()
    }

    /// Whether an arm says how its mechanism is switched off: only then is there a plan with [`Mutant::MechanismOff`].
    pub fn has_mechanism_off(&self, arm: &str) -> bool {
        self.mechanism_off(arm).is_some()
    }

    fn mechanism_off(&self, arm: &str) -> Option<&Node> {
        let of_arm = self
            .spec
            .get("arms")
            .and_then(|a| a.get(arm))
            .and_then(|a| a.get("mechanismOff"));
        of_arm.or_else(|| self.spec.get("mechanismOff"))
    }

    /// The spec of a variant, its overlays laid on and its params filled in; with the params.
    fn resolved(&self, variant: Variant, log: &Log) -> (Node, params::Params) {
        let mut spec = overlay::without(&self.spec, &["arms", "mechanismOff"]);
        if let Some(arm) = self.spec.get("arms").and_then(|a| a.get(variant.arm)) {
            overlay::lay(&mut spec, &overlay::without(arm, &["mechanismOff"]));
        }
        if variant.mutant == Some(Mutant::MechanismOff) {
            match self.mechanism_off(variant.arm) {
                Some(off) => overlay::lay(&mut spec, off),
                None => {
                    let message = format!(
                        "arm {} does not say how its mechanism is switched off",
                        variant.arm
                    );
                    log.bad(
                        &self.spec,
                        message,
                        "write mechanismOff, an overlay with which the scenario must fail",
                    );
                }
            }
        }
        let params = params::choose(spec.get("params"), variant.profile, variant.overrides, log);
        let mut spec = overlay::without(&spec, &["params"]);
        params::fill(&mut spec, &params, log);
        (spec, params)
    }

    fn plan(
        &self,
        variant: Variant,
        seed: Option<u64>,
        files: Option<&Read>,
        log: &Log,
    ) -> Option<Plan> {
        let (node, params) = self.resolved(variant, log);
        let spec = Object::new(&node, &crate::words::SPEC, log)?;
        let mut items = spec.list("method");
        if let (true, Some(node)) = (items.len() > STEPS_MAX, spec.get("method")) {
            let message = format!("{} steps", items.len());
            log.bad(node, message, format!("at most {STEPS_MAX} are possible"));
            items.truncate(STEPS_MAX);
        }
        let system = files.map(|files| System::load(&spec, &items, files));
        let method = method::read(&spec, &items, system.as_ref());
        let checks = check::read(&spec, &method, system.as_ref());
        let documented = documented::read(&spec, &method.heads);
        let ready_timeout = spec.duration("readyTimeout").unwrap_or(READY_TIMEOUT);
        let steps_timeout: Micros = method.steps.iter().map(|s| s.timeout).sum();
        let deadline = ready_timeout + steps_timeout + RUN_GRACE;
        let seed = seed.or(spec.whole("seed", 0, u64::MAX)).unwrap_or(SEED);
        let wanted_deadline = spec.duration("deadline");
        if spec.texts("manifests").is_empty() && spec.get("manifests").is_some() {
            log.bad(
                &node,
                "no manifest: there would be no system",
                "name the files with its objects",
            );
        }
        let namespace = namespace(&spec);
        let mut plan = Plan {
            scenario: self.name.clone(),
            arm: variant.arm.into(),
            hypothesis: spec.text("hypothesis")?.into(),
            claim: self.hypothesis.clone(),
            profile: variant.profile,
            mutant: variant.mutant,
            seed,
            params: params
                .iter()
                .map(|(name, n)| (name.clone(), params::written(n)))
                .collect(),
            requires: requires(&spec),
            namespace: namespace?,
            manifests: system.map(|s| s.manifests).unwrap_or_default(),
            ready_timeout,
            steps: method.steps,
            checks,
            documented,
            deadline: wanted_deadline.unwrap_or(deadline),
        };
        met::check(&plan, &items, log);
        if variant.mutant == Some(Mutant::NoFault) {
            plan.steps = without_faults(plan.steps);
        }
        Some(plan)
    }
}

fn namespace(spec: &Object) -> Option<String> {
    let target = spec.object("target")?;
    let (node, name) = target.word("namespace")?;
    if !is_label(name) {
        spec.log
            .bad(node, format!("\"{name}\" is no namespace"), LABEL_WAY_OUT);
    }
    Some(name.into())
}

fn requires(spec: &Object) -> Vec<Requirement> {
    let Some(requires) = spec.object("requires") else {
        return vec![];
    };
    let apis = requires.texts("apis").into_iter();
    let mut needs: Vec<_> = apis.map(|(_, api)| Requirement::Api(api.into())).collect();
    let flags = [
        ("limits", Requirement::Limits),
        ("isolation", Requirement::Isolation),
    ];
    let wanted = flags
        .into_iter()
        .filter(|(f, _)| requires.flag(f) == Some(true));
    needs.extend(wanted.map(|(_, need)| need));
    let images = requires.texts("images").into_iter();
    needs.extend(images.map(|(_, image)| Requirement::Image(image.into())));
    needs
}

/// Every fault, and every load that is what hurts, replaced by nothing. Where there is none, nothing is done at all, so that
/// nothing can be shown.
fn without_faults(mut steps: Vec<Step>) -> Vec<Step> {
    let mut faults = 0;
    for step in &mut steps {
        if let Action::Load { load } = &mut step.action
            && load.stress
        {
            faults += 1;
            load.model = LoadModel::Open {
                stages: vec![],
                in_flight_max: 1,
            };
        }
        if let Action::Fault { fault } = &mut step.action {
            faults += 1;
            let instead_of = Box::new(fault.kind.clone());
            *fault = Fault {
                kind: FaultKind::None { instead_of },
            };
        }
    }
    match faults {
        0 => vec![],
        _ => steps,
    }
}
