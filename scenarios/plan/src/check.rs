//! Objectives and invariants.
use crate::heads::{Does, Heads};
use crate::method::Method;
use crate::object::Object;
use crate::quantity::{condition, condition_way_out};
use crate::system::System;
use crate::words;
use model::{Action, Check, CheckKind, Severity};

/// All checks of a plan: those of its steps, then the objectives, then the invariants.
pub fn read(spec: &Object, method: &Method, system: Option<&System>) -> Vec<Check> {
    let mut checks = Checks {
        found: method.checks.clone(),
    };
    for objective in spec.list("objectives") {
        let kind = objective_kind(&objective, &method.heads, system);
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

fn objective_kind(o: &Object, heads: &Heads, system: Option<&System>) -> Option<CheckKind> {
    if o.get("type").is_none() {
        o.refuses(
            &["deployment", "service", "load"],
            "beside a metric: write step",
        );
        return metric(o, heads);
    }
    o.refuses(&["metric", "successCondition", "step"], "beside a type");
    let named = |field: &str, kind: &str, refused: &str, word: &str| {
        o.needs(field, word);
        o.refuses(&[refused], &format!("in {word}"));
        let (node, name) = o.word(field)?;
        if let Some(system) = system {
            system.must_have(kind, name, node, o.log);
        }
        Some(name.to_string())
    };
    let load = heads.named_or_only(o, "load", &[Does::Load], &[Does::Load]);
    match o.one_of("type")? {
        word @ "replacement-inside" => Some(CheckKind::ReplacementInside {
            deployment: named("deployment", "Deployment", "service", word)?,
            load: load?,
        }),
        word => Some(CheckKind::EndpointsNeverEmpty {
            service: named("service", "Service", "deployment", word)?,
            load: load?,
        }),
    }
}

fn metric(o: &Object, heads: &Heads) -> Option<CheckKind> {
    o.needs("metric", "an objective without type");
    o.needs("successCondition", "an objective");
    let step = heads.named_or_only(o, "step", &[Does::Load, Does::Requests], &[Does::Load]);
    let metric = words::metric(o.one_of("metric")?)?;
    let (node, text) = o.word("successCondition")?;
    let unit = metric.unit();
    let condition =
        condition(text, unit).map_err(|what| o.log.bad(node, what, condition_way_out(unit)));
    Some(CheckKind::Metric {
        metric,
        condition: condition.ok()?,
        step: step?,
    })
}

fn invariant_kind(i: &Object, method: &Method) -> Option<CheckKind> {
    let load = method
        .heads
        .named_or_only(i, "load", &[Does::Load], &[Does::Load]);
    let collect = method
        .heads
        .named_or_only(i, "collect", &[Does::Collect], &[Does::Collect]);
    let at_least = i.whole("atLeast", 1, u64::MAX);
    let (load, collect) = (load?, collect?);
    writes_keys(i, &load, method);
    match i.one_of("type")? {
        "no-lost-acked-writes" => Some(CheckKind::NoLostAckedWrites {
            load,
            collect,
            at_least: at_least.unwrap_or(1),
        }),
        _ => {
            i.refuses(&["atLeast"], "in no-duplicates");
            Some(CheckKind::NoDuplicates { load, collect })
        }
    }
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
