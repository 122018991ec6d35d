//! The steps of a method: when each begins, what it does, how long it may take.
use crate::change;
use crate::fault;
use crate::heads::{BACKGROUND, Does, Heads, does};
use crate::keys;
use crate::load;
use crate::look;
use crate::object::Object;
use crate::path;
use crate::request::{self, Within};
use crate::system::System;
use model::{
    Action, Check, CheckKind, Expected, Fault, FaultKind, Load, LoadModel, Micros, Severity, Start,
    Step,
};
use std::collections::{BTreeMap, BTreeSet};

/// How long a fault may take to be proven, and an undo to be verified, where the file says nothing.
const FAULT_TIMEOUT: Micros = Micros::from_secs(180);
/// How long requests and a collection may take where the file says nothing.
const REQUESTS_TIMEOUT: Micros = Micros::from_secs(60);
/// What a load may take beyond its duration and the limit of its last request: starting the worker, fetching its log.
const LOAD_GRACE: Micros = Micros::from_secs(30);
/// What a load by repetitions may take where the file says nothing.
const REPETITIONS_TIMEOUT: Micros = Micros::from_secs(600);

/// The steps of a plan and the checks that belong to them.
pub struct Method<'a> {
    pub heads: Heads<'a>,
    pub steps: Vec<Step>,
    /// What is expected of the answers of steps with requests.
    pub checks: Vec<Check>,
}

/// Reads the spec's load and its method.
pub fn read<'a>(spec: &Object<'a>, steps: &[Object<'a>], system: Option<&System>) -> Method<'a> {
    let mut method = Method {
        heads: Heads::read(spec.get("load"), steps),
        steps: vec![],
        checks: vec![],
    };
    method
        .steps
        .extend(background(spec, &method.heads.saved, system));
    let mut before = None;
    let mut starts = BTreeMap::new();
    for step in steps {
        let start = start(step, before, &method.heads);
        before = step.text("name").or(before);
        if let (Some(name), Some(start)) = (step.text("name"), &start) {
            starts.insert(name, waits(start));
        }
        let one = one(step, &method.heads, system);
        if step.get("fault").is_none() {
            step.refuses(&["every", "times", "for", "jitter"], "without a fault");
        }
        if let (Some(name), Some(start), Some((action, check))) = (step.text("name"), start, one) {
            method.checks.extend(check.map(|kind| of_step(name, kind)));
            let timeout = step.duration("timeout").unwrap_or_else(|| timeout(&action));
            method.steps.push(Step {
                name: name.into(),
                start,
                action,
                timeout,
            });
        }
    }
    keys::differ(&loads(spec, steps));
    for step in steps {
        in_order(step, &starts);
        needless(step, &method.steps);
    }
    method
}

/// All loads by their names.
fn loads<'a>(spec: &Object<'a>, steps: &[Object<'a>]) -> Vec<(&'a str, Object<'a>)> {
    let background = spec.peek("load").map(|load| (BACKGROUND, load));
    let named = steps
        .iter()
        .filter_map(|step| Some((step.text("name")?, step.peek("load")?)));
    background.into_iter().chain(named).collect()
}

fn background(spec: &Object, saved: &[&str], system: Option<&System>) -> Option<Step> {
    let load = load::read(&spec.object("load")?, saved, system)?;
    Some(Step {
        name: BACKGROUND.into(),
        start: Start::After {
            steps: vec![],
            delay: Micros::ZERO,
        },
        timeout: load_timeout(&load),
        action: Action::Load { load },
    })
}

/// When a step begins; without a word, when the step before it is done.
fn start(step: &Object, before: Option<&str>, heads: &Heads) -> Option<Start> {
    if step.get("at").is_some() {
        step.refuses(
            &["after", "delay"],
            "beside at: it counts from the first request of a load",
        );
        let load = heads.named_or_only(step, "during", &[Does::Load], &[Does::Load]);
        let at = step.duration("at");
        return Some(Start::During {
            load: load?,
            at: at?,
        });
    }
    step.refuses(&["during"], "without at");
    let delay = step.duration("delay").unwrap_or(Micros::ZERO);
    let steps = match step.get("after") {
        None => before.map(String::from).into_iter().collect(),
        Some(_) => {
            let named = step.texts("after").into_iter();
            named
                .filter_map(|word| heads.named(word, &[], step.log))
                .collect()
        }
    };
    Some(Start::After { steps, delay })
}

/// What a step does, and what is checked of it without a word in objectives.
fn one(
    step: &Object,
    heads: &Heads,
    system: Option<&System>,
) -> Option<(Action, Option<CheckKind>)> {
    let name = step.text("name").unwrap_or_default();
    let action = match does(step)? {
        Does::Exec => return look::exec(name, &step.object("exec")?, heads, system),
        Does::Logs => return look::logs(name, &step.object("logs")?, heads, system),
        Does::Await => return look::wait(name, &step.object("await")?, system),
        Does::Apply => change::apply(&step.object("apply")?, system)?,
        Does::Delete => change::delete(&step.object("delete")?, system)?,
        Does::Load => {
            let load = load::read(&step.object("load")?, &heads.saved, system)?;
            Action::Load { load }
        }
        Does::Fault => {
            let fault = fault::read(step, system)?;
            Action::Fault { fault }
        }
        Does::Undo => {
            let fault = heads.named(step.word("undo")?, &[Does::Fault], step.log)?;
            Action::Undo { fault }
        }
        Does::Requests => {
            let (requests, expected) = request::read(step, Within::Step, &heads.saved, system)
                .into_iter()
                .unzip();
            return Some((Action::Requests { requests }, answers(name, expected)));
        }
        Does::Collect => collect(&step.object("collect")?, heads, system)?,
    };
    Some((action, None))
}

fn collect(c: &Object, heads: &Heads, system: Option<&System>) -> Option<Action> {
    let (node, url) = c.word("url")?;
    request::check_url(node, url, system, c.log);
    request::placeholders(node, &heads.saved, c.log);
    if c.get("field").is_none() {
        c.refuses(&["ledger"], "without field: nothing is looked for");
        c.needs("fields", "a collect without field");
    }
    let ledger = match c.get("field") {
        Some(_) => Some(heads.named_or_only(c, "ledger", &[Does::Load], &[Does::Load])?),
        None => None,
    };
    let mut fields = BTreeMap::new();
    for (name, place) in c.text_map("fields") {
        let node = c.get("fields").and_then(|f| f.get(name)).unwrap_or(c.node);
        let place = match place.starts_with(['$', '{', '.']) {
            true => path::read(node, place, c.log),
            false => Some(place.into()),
        };
        fields.extend(place.map(|place| (name.to_string(), place)));
    }
    Some(Action::Collect {
        url: url.into(),
        collection: c.text("collection")?.into(),
        field: c.text("field").map(Into::into),
        ledger,
        fields,
    })
}

/// The check of a step has its name.
fn of_step(step: &str, kind: CheckKind) -> Check {
    Check {
        name: step.into(),
        severity: Severity::Fail,
        kind,
    }
}

fn answers(step: &str, expected: Vec<Option<Expected>>) -> Option<CheckKind> {
    let asked = expected.iter().any(Option::is_some);
    let expected = expected.into_iter().map(Option::unwrap_or_default);
    asked.then(|| CheckKind::Responses {
        step: step.into(),
        expected: expected.collect(),
    })
}

fn timeout(action: &Action) -> Micros {
    match action {
        Action::Load { load } => load_timeout(load),
        Action::Fault { fault } => FAULT_TIMEOUT + rhythm(fault),
        Action::Undo { .. } | Action::Delete { .. } => FAULT_TIMEOUT,
        Action::Requests { requests } => {
            REQUESTS_TIMEOUT + requests.iter().filter_map(|r| r.until).sum()
        }
        Action::Exec { until, .. } => REQUESTS_TIMEOUT + until.unwrap_or_default(),
        Action::Logs { within, .. } | Action::Await { within, .. } => REQUESTS_TIMEOUT + *within,
        Action::Collect { .. } | Action::Apply { .. } => REQUESTS_TIMEOUT,
    }
}

/// How long the blows of a fault fall, and what a Job that deals them may wait for recovery.
fn rhythm(fault: &Fault) -> Micros {
    let blows = fault.kind.aim().map(|aim| aim.rhythm.length());
    let recovery = match &fault.kind {
        FaultKind::ChaosJob { chaos, .. } => chaos.recovery,
        _ => Micros::ZERO,
    };
    blows.unwrap_or_default() + recovery
}

fn load_timeout(load: &Load) -> Micros {
    let duration = match load.model {
        LoadModel::Closed { duration: None, .. } => REPETITIONS_TIMEOUT,
        _ => load.duration().unwrap_or(REPETITIONS_TIMEOUT),
    };
    duration + load.timeout + LOAD_GRACE
}

/// What a step waits for.
fn waits(start: &Start) -> Vec<String> {
    match start {
        Start::After { steps, .. } => steps.clone(),
        Start::During { load, .. } => vec![load.clone()],
    }
}

/// Puts down a step that waits for itself, and an undo that may come before its fault.
fn in_order(step: &Object, waits: &BTreeMap<&str, Vec<String>>) {
    let Some((node, name)) = step
        .word("name")
        .filter(|(_, name)| waits.contains_key(name))
    else {
        return;
    };
    let earlier = all_before(name, waits);
    if earlier.contains(&name) {
        let through: Vec<&str> = earlier.iter().copied().filter(|e| *e != name).collect();
        let message = match through.is_empty() {
            true => format!("step \"{name}\" waits for itself"),
            false => format!(
                "step \"{name}\" waits for {}, and that for it",
                through.join(" and ")
            ),
        };
        step.log
            .bad(node, message, "change one of their after or at");
    } else if let Some(fault) = step
        .text("undo")
        .filter(|f| waits.contains_key(f) && !earlier.contains(f))
    {
        let message = format!("\"{name}\" may begin before \"{fault}\", which it undoes");
        step.log.bad(node, message, format!("write after: {fault}"));
    }
}

/// Puts down an undo of what leaves nothing to undo.
fn needless(step: &Object, steps: &[Step]) {
    let Some((node, name)) = step.word("undo") else {
        return;
    };
    let undone = steps.iter().find(|s| s.name == name);
    if let Some(Action::Fault { fault }) = undone.map(|s| &s.action)
        && !fault.kind.needs_undo()
    {
        let message = format!("a {} leaves nothing to undo", fault.kind.word());
        step.log.bad(
            node,
            message,
            "leave this step out, or roll out another manifest",
        );
    }
}

/// Every step that is over, or at least begun, when `step` begins.
fn all_before<'w>(step: &str, waits: &'w BTreeMap<&str, Vec<String>>) -> Vec<&'w str> {
    let mut found: Vec<&str> = vec![];
    let mut seen = BTreeSet::new();
    let mut open = vec![step];
    while let Some(name) = open.pop() {
        for earlier in waits.get(name).into_iter().flatten() {
            if seen.insert(earlier.as_str()) {
                found.push(earlier);
                open.push(earlier);
            }
        }
    }
    found
}
