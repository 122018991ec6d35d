//! What is asked of the timeline.
use super::{Lines, length};
use model::{
    Action, Check, CheckKind, Expected, Plan, Severity,
    rows::{Sum, filter_words},
};

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Fail => "",
        Severity::Warn => "(only a warning) ",
        Severity::Info => "(only shown) ",
    }
}

pub(super) fn check(check: &Check, plan: &Plan, lines: &mut Lines) {
    let severity = severity(check.severity);
    lines.put(1, format!("{severity}{}: {}", check.name, asked(check)));
    let CheckKind::Responses { step, expected } = &check.kind else {
        return;
    };
    let requests = match plan.step(step).map(|s| &s.action) {
        Some(Action::Requests { requests }) => requests.as_slice(),
        _ => &[],
    };
    for (i, expected) in expected.iter().enumerate() {
        let name = requests.get(i).map_or("a request", |r| r.name.as_str());
        lines.put(2, format!("{name}: {}", answer(expected)));
    }
}

fn asked(check: &Check) -> String {
    match &check.kind {
        CheckKind::Metric {
            metric,
            condition,
            step,
        } => format!(
            "{} of \"{step}\" {}",
            metric.word(),
            condition.write(metric.unit())
        ),
        CheckKind::Responses { step, .. } => format!("every answer of \"{step}\" is as expected"),
        CheckKind::Workload {
            metric,
            condition,
            workload,
            step,
        } => {
            let during = step.as_ref().map(|s| format!(" during \"{s}\""));
            let (word, condition) = (metric.word(), condition.write(metric.unit()));
            format!(
                "{word} of {workload}{} {condition}",
                during.unwrap_or_default()
            )
        }
        CheckKind::Edge {
            metric,
            condition,
            from,
            to,
            event,
        } => {
            let from = from.as_deref().unwrap_or(model::graph::LOAD_WORKER);
            let edge = model::graph::written(from, to, event.as_deref());
            let condition = condition.write(metric.unit());
            format!("{} of {edge} {condition}", metric.word())
        }
        CheckKind::FailuresAre {
            load,
            one_of,
            at_least,
        } => {
            let ways: Vec<String> = one_of.iter().map(|f| f.written()).collect();
            let ways = ways.join(" or ");
            format!("every failed request of \"{load}\", at least {at_least}, is {ways}")
        }
        CheckKind::Output { step, expected } => {
            format!("the command of \"{step}\" comes to {}", expected.written())
        }
        CheckKind::Logged { step } => format!("\"{step}\" finds its text in time"),
        CheckKind::Awaited { step } => format!("what \"{step}\" waits for comes in time"),
        CheckKind::ReplacementInside { deployment, load } => {
            format!("a pod of {deployment} is replaced during \"{load}\"")
        }
        CheckKind::EndpointsNeverEmpty { service, load } => {
            format!("{service} has a ready endpoint at every moment of \"{load}\"")
        }
        CheckKind::NoLostAckedWrites {
            load,
            collect,
            at_least,
        } => format!(
            "every acknowledged write of \"{load}\", at least {at_least}, is found by \"{collect}\""
        ),
        CheckKind::Conserved { left, right } => {
            format!("{} == {}", Sum::all_written(left), Sum::all_written(right))
        }
        CheckKind::Unique {
            collect,
            fields,
            filter,
        } => format!(
            "no two rows of \"{collect}\"{} have one {}",
            filter_words(filter),
            fields.join(" and ")
        ),
        CheckKind::SagaTerminates {
            collect,
            field,
            outcomes,
            at_least,
        } => format!(
            "{field} of every row of \"{collect}\", at least {at_least}, is {}",
            outcomes.join(" or ")
        ),
        CheckKind::Converges {
            source,
            view,
            key,
            fields,
        } => format!(
            "\"{view}\" has every {key} of \"{source}\" with its {}",
            fields.join(" and ")
        ),
        CheckKind::NoDuplicates { load, collect } => {
            format!("nothing that \"{load}\" wrote is found twice by \"{collect}\"")
        }
    }
}

pub(super) fn answer(expected: &Expected) -> String {
    let errors: Vec<&str> = expected.error.iter().map(|e| e.word()).collect();
    let parts = [
        expected.status.map(|s| format!("HTTP {s}")),
        (!errors.is_empty()).then(|| format!("no answer ({})", errors.join(" or "))),
        expected.bytes.map(|b| format!("{b} bytes")),
        expected.json.as_ref().map(|j| format!("containing {j}")),
        expected.body.as_ref().map(|b| format!("the body {b:?}")),
        (!expected.contains.is_empty()).then(|| format!("with {:?} in it", expected.contains)),
        (!expected.headers.is_empty()).then(|| headers(&expected.headers)),
        expected
            .location
            .as_ref()
            .map(|l| format!("Location {l}<number>")),
        expected.within.map(|w| format!("within {}", length(w))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => "anything".into(),
        false => parts.join(", "),
    }
}

/// `access-control-allow-origin: *, vary: origin`
fn headers(headers: &[(String, String)]) -> String {
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"));
    lines.collect::<Vec<_>>().join(", ")
}
