//! Objectives and invariants.
use crate::heads::Does;
use crate::method::Method;
use crate::object::Object;
use crate::problem::meant;
use crate::quantity::{condition, condition_way_out};
use crate::range::Range;
use crate::rows;
use crate::system::System;
use crate::words::{self, EDGE_METRICS, ERROR_KINDS, Figure};
use model::{
    Action, Check, CheckKind, EdgeMetric, Failure, LoadModel, Severity, Threshold, WorkloadMetric,
};

/// All checks of a plan: those of its steps, then the objectives, then the invariants.
pub fn read(spec: &Object, method: &Method, system: Option<&System>) -> Vec<Check> {
    let mut checks = Checks {
        found: method.checks.clone(),
    };
    for objective in spec.list("objectives") {
        let kind = objective_kind(&objective, method, system);
        let word = objective.text("type").or(objective.text("metric"));
        checks.add(&objective, word, kind);
    }
    for invariant in spec.list("invariants") {
        let kind = invariant_kind(&invariant, method);
        checks.add(&invariant, invariant.text("type"), kind);
    }
    if checks.found.is_empty() && spec.log.count() == 0 {
        spec.log.bad(
            spec.node,
            "nothing is asked",
            "write expect in a step with requests, objectives or invariants",
        );
    }
    checks.found
}

struct Checks {
    found: Vec<Check>,
}

impl Checks {
    fn add(&mut self, of: &Object, word: Option<&str>, kind: Option<CheckKind>) {
        let severity = match of.one_of("severity") {
            Some("warn") => Severity::Warn,
            Some("info") => Severity::Info,
            _ => Severity::Fail,
        };
        let (Some(name), Some(kind)) = (of.text("name").or(word), kind) else {
            return;
        };
        if self.found.iter().any(|c| c.name == name) {
            let node = of.get("name").unwrap_or(of.node);
            of.log.bad(
                node,
                format!("two checks are named \"{name}\""),
                "give one another name",
            );
        }
        self.found.push(Check {
            name: name.into(),
            severity,
            kind,
        });
    }
}

fn objective_kind(o: &Object, method: &Method, system: Option<&System>) -> Option<CheckKind> {
    if o.get("type").is_none() {
        o.refuses(
            &["deployment", "service", "load", "oneOf", "atLeast"],
            "beside a metric: write step",
        );
        o.refuses(&["from", "to", "event"], "without type: write type: edge");
        return figure(o, method, system);
    }
    let word = o.one_of("type")?;
    if word == "edge" {
        return edge(o, system);
    }
    o.refuses(
        &[
            "metric",
            "successCondition",
            "step",
            "workload",
            "from",
            "to",
            "event",
        ],
        "beside a type",
    );
    let (needed, kind) = match word {
        "replacement-inside" => ("deployment", "Deployment"),
        "endpoints-never-empty" => ("service", "Service"),
        _ => ("oneOf", ""),
    };
    let others = ["deployment", "service", "oneOf"];
    let others: Vec<&str> = others.into_iter().filter(|f| *f != needed).collect();
    o.needs(needed, word);
    o.refuses(&others, &format!("in {word}"));
    let load = method
        .heads
        .named_or_only(o, "load", &[Does::Load], &[Does::Load]);
    if word == "failures-are" {
        return failures_are(o, load?);
    }
    o.refuses(&["atLeast"], &format!("in {word}"));
    let (node, name) = o.word(needed)?;
    if let Some(system) = system {
        system.must_have(kind, name, node, o.log);
    }
    let name = name.to_string();
    Some(match word {
        "replacement-inside" => CheckKind::ReplacementInside {
            deployment: name,
            load: load?,
        },
        _ => CheckKind::EndpointsNeverEmpty {
            service: name,
            load: load?,
        },
    })
}

/// A figure of what goes from one service to another.
fn edge(o: &Object, system: Option<&System>) -> Option<CheckKind> {
    o.refuses(
        &[
            "step",
            "workload",
            "load",
            "deployment",
            "service",
            "oneOf",
            "atLeast",
        ],
        "in edge: it is of the whole run",
    );
    for needed in ["metric", "successCondition", "to"] {
        o.needs(needed, "edge");
    }
    let service = |field| {
        let (node, name) = o.word(field)?;
        // Who is called is a Service; who only hears of events need not be one.
        let kind = if field == "to" && o.get("event").is_none() {
            "Service"
        } else {
            "Deployment"
        };
        if let Some(system) = system {
            system.must_have(kind, name, node, o.log);
        }
        Some(name.to_string())
    };
    let (from, to) = (service("from"), service("to"));
    let event = o.text("event").map(str::to_owned);
    if let (Some(_), None, Some(node)) = (&event, &from, o.get("event")) {
        o.log
            .bad(node, "the load worker publishes no events", "write from");
    }
    let (node, word) = o.word("metric")?;
    let metric = word.parse::<EdgeMetric>();
    let metric = metric.map_err(|_| {
        let message = format!("no such metric of an edge: \"{word}\"");
        o.log.bad(node, message, meant(word, EDGE_METRICS.to_vec()));
    });
    let metric = metric.ok()?;
    if event.is_some() && !metric.is_of_events() {
        let message = format!("events have no {word}");
        o.log
            .bad(node, message, "write calls, rate, errors or errorRatio");
    }
    Some(CheckKind::Edge {
        metric,
        condition: threshold(o, Range::of(metric.unit()))?,
        from,
        to: to?,
        event,
    })
}

fn failures_are(o: &Object, load: String) -> Option<CheckKind> {
    let one_of: Vec<Failure> = o.list("oneOf").iter().map(failure).collect();
    if let Some(node) = o.get("oneOf").filter(|n| n.is_empty()) {
        let way_out = "write at least one way to fail, or metric: errors";
        o.log.bad(node, "this allows no failure at all", way_out);
    }
    Some(CheckKind::FailuresAre {
        load,
        one_of,
        at_least: o.whole("atLeast", 0, u64::MAX).unwrap_or(1),
    })
}

fn failure(f: &Object) -> Failure {
    let error = f.one_of("error");
    if error.is_some() {
        f.refuses(&["status", "bytes"], "beside error: there is no answer");
    }
    if f.node.entries().is_empty() {
        let way_out = "write status, bytes or error";
        f.log.bad(f.node, "this is every failure there is", way_out);
    }
    Failure {
        status: f
            .whole("status", 100, 599)
            .and_then(|s| u16::try_from(s).ok()),
        bytes: f.whole("bytes", 0, u64::MAX),
        error: ERROR_KINDS.into_iter().find(|k| Some(k.word()) == error),
    }
}

fn figure(o: &Object, method: &Method, system: Option<&System>) -> Option<CheckKind> {
    let heads = &method.heads;
    o.needs("metric", "an objective without type");
    o.needs("successCondition", "an objective");
    let (node, word) = o.word("metric")?;
    let figure = words::figure(word).map_err(|known| {
        let message = format!("no such metric: \"{word}\"");
        o.log.bad(node, message, meant(word, known));
    });
    match figure.ok()? {
        Figure::OfLoad(metric) => {
            o.refuses(
                &["workload"],
                &format!("with {word}: that is a figure of a load"),
            );
            let step = heads.named_or_only(o, "step", &[Does::Load, Does::Requests], &[Does::Load]);
            let sent = step.as_deref().and_then(|step| sent_at_most(step, method));
            Some(CheckKind::Metric {
                metric,
                condition: threshold(o, Range::of_load(metric, sent))?,
                step: step?,
            })
        }
        Figure::OfWorkload(metric) => {
            o.needs("workload", word);
            let from_load = metric == WorkloadMetric::ScaleOutReaction;
            let step = match from_load || o.get("step").is_some() {
                true => Some(heads.named_or_only(o, "step", &[Does::Load], &[Does::Load])?),
                false => None,
            };
            let condition = threshold(o, Range::of(metric.unit()));
            let (node, workload) = o.word("workload")?;
            if let Some(system) = system {
                system.must_have_workload(workload, node, o.log);
            }
            Some(CheckKind::Workload {
                metric,
                condition: condition?,
                workload: workload.into(),
                step,
            })
        }
    }
}

/// How many requests a step sends at most, where the file says that.
fn sent_at_most(step: &str, method: &Method) -> Option<u64> {
    match &method.steps.iter().find(|s| s.name == step)?.action {
        Action::Load { load } => match &load.model {
            // The last request of each stage may fall on its end.
            LoadModel::Open { stages, .. } => Some(load.planned_requests()? + stages.len() as u64),
            LoadModel::Closed { .. } => None,
        },
        Action::Requests { requests } if requests.iter().all(|r| r.until.is_none()) => {
            Some(requests.len() as u64)
        }
        _ => None,
    }
}

fn threshold(o: &Object, range: Range) -> Option<Threshold> {
    let (node, text) = o.word("successCondition")?;
    let put_down = |what| o.log.bad(node, what, condition_way_out(range.unit));
    let read = condition(text, range.unit).and_then(|condition| range.admit(condition));
    read.map_err(put_down).ok()
}

fn invariant_kind(i: &Object, method: &Method) -> Option<CheckKind> {
    let word = i.one_of("type")?;
    let own: &[&str] = match word {
        "no-lost-acked-writes" => &["load", "collect", "atLeast"],
        "no-duplicates" => &["load", "collect"],
        "conserved" => &["left", "right"],
        "unique" => &["collect", "fields", "where"],
        "saga-terminates" => &["collect", "field", "outcomes", "atLeast"],
        _ => &["source", "view", "key", "fields"],
    };
    let all = [
        "load", "collect", "atLeast", "left", "right", "fields", "where", "field", "outcomes",
        "source", "view", "key",
    ];
    let others: Vec<&str> = all.into_iter().filter(|f| !own.contains(f)).collect();
    i.refuses(&others, &format!("in {word}"));
    match word {
        "no-lost-acked-writes" | "no-duplicates" => written(i, word, method),
        _ => rows::read(i, word, method),
    }
}

/// What a load wrote and a collection has.
fn written(i: &Object, word: &str, method: &Method) -> Option<CheckKind> {
    let heads = &method.heads;
    let load = heads.named_or_only(i, "load", &[Does::Load], &[Does::Load]);
    let collect = heads.named_or_only(i, "collect", &[Does::Collect], &[Does::Collect]);
    let at_least = i.whole("atLeast", 1, u64::MAX).unwrap_or(1);
    let (load, collect) = (load?, collect?);
    writes_keys(i, &load, method);
    Some(match word {
        "no-duplicates" => CheckKind::NoDuplicates { load, collect },
        _ => CheckKind::NoLostAckedWrites {
            load,
            collect,
            at_least,
        },
    })
}

fn writes_keys(i: &Object, load: &str, method: &Method) {
    let keyless = method.steps.iter().any(|s| match &s.action {
        Action::Load { load: l } => s.name == load && l.requests.iter().all(|r| r.key.is_none()),
        _ => false,
    });
    if keyless {
        let message =
            format!("no request of \"{load}\" has a key, so nothing it wrote can be found");
        i.log.bad(
            i.node,
            message,
            "write key: in the request, with {{seq}} in it",
        );
    }
}
