//! What a step does, and when.
use super::{Lines, changes, faults, length, loads, objects};
use model::{Action, FaultKind, Micros, Plan, PodChoice, PodsOf, Start, Step};

pub(super) fn step(number: usize, step: &Step, plan: &Plan, lines: &mut Lines) {
    let limit = length(step.timeout);
    lines.put(
        1,
        format!(
            "{number}. {}: {}, at most {limit}",
            step.name,
            start(&step.start)
        ),
    );
    match &step.action {
        Action::Load { load } => loads::load(load, lines),
        Action::Fault { fault } => {
            lines.put(2, faults::what(&fault.kind));
            if let FaultKind::Rollout { manifest, .. } = &fault.kind {
                changes::brought(plan, manifest, lines);
            }
        }
        Action::Undo { fault } => lines.put(2, format!("undo \"{fault}\" and verify it")),
        Action::Requests { requests } => {
            lines.put(2, "send once, one after the other:".into());
            for request in requests {
                lines.put(3, loads::request(request));
            }
        }
        Action::Exec {
            pod,
            command,
            until,
        } => {
            let again = until.map(|t| format!(", again for {} until it is as expected", length(t)));
            let command = command.iter().map(|word| format!("{word:?}"));
            let command = command.collect::<Vec<_>>().join(" ");
            let again = again.unwrap_or_default();
            lines.put(
                2,
                format!("run {command} in {}{again}", container(pod, "the first of")),
            );
        }
        Action::Logs {
            pod,
            contains,
            within,
        } => {
            let texts = contains.iter().map(|text| format!("{text:?}"));
            let texts = texts.collect::<Vec<_>>().join(" and ");
            let whose = container(pod, "any of");
            lines.put(
                2,
                format!(
                    "wait for {texts} in the log of {whose}, at most {}",
                    length(*within)
                ),
            );
        }
        Action::Await { wanted, within } => {
            let wanted = wanted.written();
            lines.put(
                2,
                format!("wait until {wanted}, at most {}", length(*within)),
            );
        }
        Action::Apply { manifest } => lines.put(2, format!("apply {}", objects(manifest))),
        Action::Delete { kind, name, .. } => {
            lines.put(2, format!("delete {kind}/{name} and wait until it is gone"));
        }
        Action::Collect {
            url,
            collection,
            field,
            ledger,
            fields,
        } => {
            let until = match (field, ledger) {
                (Some(field), Some(ledger)) => {
                    format!(
                        "until {field} of its {collection} has every key that \"{ledger}\" wrote"
                    )
                }
                _ => format!("until its {collection} stay as they are"),
            };
            lines.put(2, format!("read {url} page by page {until}"));
            let kept: Vec<String> = fields.iter().map(|(k, v)| format!("{k} ({v})")).collect();
            if !kept.is_empty() {
                lines.put(2, format!("and keep of each {}", kept.join(", ")));
            }
        }
    }
}

/// `the first of the pods of room, container room`
fn container(pod: &PodChoice, which: &str) -> String {
    let pods = match (&pod.of, pod.replica) {
        (PodsOf::Name(_), _) => pod.of.written(),
        (of, Some(n)) => format!("number {n} of the {}", of.written()),
        (of, None) => format!("{which} the {}", of.written()),
    };
    match &pod.container {
        Some(container) => format!("{pods}, container {container}"),
        None => pods,
    }
}

fn start(start: &Start) -> String {
    match start {
        Start::During { load, at } => {
            format!("{} after the first request of \"{load}\"", length(*at))
        }
        Start::After { steps, delay } => {
            let names: Vec<String> = steps.iter().map(|s| format!("\"{s}\"")).collect();
            match (names.is_empty(), *delay) {
                (true, Micros::ZERO) => "at once".into(),
                (true, delay) => format!("{} after the system is ready", length(delay)),
                (false, Micros::ZERO) => format!("after {}", names.join(" and ")),
                (false, delay) => format!("{} after {}", length(delay), names.join(" and ")),
            }
        }
    }
}
