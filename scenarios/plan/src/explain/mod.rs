//! A plan in plain words, every default included.
mod changes;
mod checks;
mod faults;
mod loads;
mod steps;

use model::{Manifest, Micros, Mutant, Plan};
use serde_json::Value;
use std::fmt::Write;

/// What a plan will do and ask, for people. `off` is the same plan with its mechanism switched off: what that changes is told at the end.
pub fn explain(plan: &Plan, off: Option<&Plan>) -> String {
    let mut lines = Lines(String::new());
    lines.put(
        0,
        format!(
            "{}, arm {}, profile {}",
            plan.scenario,
            plan.arm,
            plan.profile.word()
        ),
    );
    lines.put(0, plan.hypothesis.clone());
    if let Some(mutant) = plan.mutant {
        lines.put(0, mutant_words(mutant).into());
    }
    lines.put(0, String::new());
    system(plan, &mut lines);
    lines.put(0, "Then:".into());
    if plan.steps.is_empty() {
        lines.put(1, "nothing".into());
    }
    for (i, one) in plan.steps.iter().enumerate() {
        steps::step(i + 1, one, plan, &mut lines);
    }
    lines.put(0, "Asked:".into());
    for check in &plan.checks {
        checks::check(check, plan, &mut lines);
    }
    if let Some(off) = off {
        lines.put(
            0,
            "With the mechanism off (--mutant mechanism-off), and then it must fail:".into(),
        );
        changes::between(plan, off, &mut lines);
    }
    for documented in &plan.documented {
        lines.put(
            0,
            format!("Recorded as {}: {}", documented.id, documented.claim),
        );
    }
    lines.0
}

struct Lines(String);

impl Lines {
    fn put(&mut self, depth: usize, line: String) {
        let _ = writeln!(self.0, "{}{line}", "  ".repeat(depth));
    }
}

fn mutant_words(mutant: Mutant) -> &'static str {
    match mutant {
        Mutant::NoFault => {
            "This is a test of the scenario: every fault is replaced by nothing. It must be inconclusive."
        }
        Mutant::MechanismOff => {
            "This is a test of the scenario: the mechanism under test is switched off. It must fail."
        }
    }
}

fn system(plan: &Plan, lines: &mut Lines) {
    lines.put(
        0,
        format!("In namespace {}, from seed {}:", plan.namespace, plan.seed),
    );
    for (name, value) in &plan.params {
        lines.put(1, format!("{name} = {value}"));
    }
    for need in &plan.requires {
        lines.put(1, format!("on a cluster with {}", need.written()));
    }
    for manifest in &plan.manifests {
        lines.put(1, format!("apply {}", objects(manifest)));
    }
    lines.put(
        1,
        format!(
            "wait until every Deployment is ready and every Service is reached from a pod, at most {}",
            length(plan.ready_timeout)
        ),
    );
    lines.put(
        1,
        format!("give up and undo after {} in all", length(plan.deadline)),
    );
}

/// `k8s/manifests/mybnb/room.yaml: Service/room, Deployment/room`
fn objects(manifest: &Manifest) -> String {
    let names = manifest.objects.iter().map(title);
    format!(
        "{}: {}",
        manifest.file,
        names.collect::<Vec<_>>().join(", ")
    )
}

/// `Deployment/room`
fn title(object: &Value) -> String {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
    format!(
        "{}/{}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}

/// As a person would write it in a scenario: `300ms`, `12s`, `5m`, `1m30s`.
fn length(time: Micros) -> String {
    let us = time.0;
    match us {
        us if us % 1_000 != 0 => format!("{us}us"),
        us if us % 1_000_000 != 0 => format!("{}ms", us / 1_000),
        us if us < 60_000_000 => format!("{}s", us / 1_000_000),
        us if us % 60_000_000 == 0 => format!("{}m", us / 60_000_000),
        us => format!("{}m{}s", us / 60_000_000, us / 1_000_000 % 60),
    }
}
