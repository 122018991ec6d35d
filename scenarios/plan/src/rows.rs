//! Invariants over the rows of collections.
use crate::heads::Does;
use crate::method::Method;
use crate::object::Object;
use crate::problem::meant;
use crate::tree::{Kind, Node};
use model::rows::{Filter, Sum};
use model::{Action, CheckKind};

/// Reads one by its type.
pub fn read(i: &Object, word: &str, method: &Method) -> Option<CheckKind> {
    let needs: &[&str] = match word {
        "conserved" => &["left", "right"],
        "unique" => &["fields"],
        "saga-terminates" => &["field", "outcomes"],
        _ => &["source", "view", "key", "fields"],
    };
    needs.iter().for_each(|field| i.needs(field, word));
    match word {
        "conserved" => conserved(i, method),
        "unique" => unique(i, method),
        "saga-terminates" => terminates(i, method),
        _ => converges(i, method),
    }
}

fn conserved(i: &Object, method: &Method) -> Option<CheckKind> {
    let side = |field| -> Vec<Sum> {
        let sums = i.list(field);
        sums.iter().filter_map(|s| sum(s, method)).collect()
    };
    Some(CheckKind::Conserved {
        left: side("left"),
        right: side("right"),
    })
}

fn sum(s: &Object, method: &Method) -> Option<Sum> {
    let collect = collect_of(s, "collect", method)?;
    let field = s.word("sum");
    if let Some((node, field)) = field {
        has_field(s, node, field, &collect, method);
    }
    Some(Sum {
        filter: filter(s, &collect, method),
        field: field.map(|(_, f)| f.into()),
        collect,
    })
}

fn unique(i: &Object, method: &Method) -> Option<CheckKind> {
    let collect = collect_of(i, "collect", method)?;
    Some(CheckKind::Unique {
        fields: fields(i, &[&collect], method),
        filter: filter(i, &collect, method),
        collect,
    })
}

fn terminates(i: &Object, method: &Method) -> Option<CheckKind> {
    let collect = collect_of(i, "collect", method)?;
    let (node, field) = i.word("field")?;
    has_field(i, node, field, &collect, method);
    Some(CheckKind::SagaTerminates {
        field: field.into(),
        outcomes: i.some_texts("outcomes"),
        at_least: i.whole("atLeast", 1, u64::MAX).unwrap_or(1),
        collect,
    })
}

fn converges(i: &Object, method: &Method) -> Option<CheckKind> {
    let collects = &[Does::Collect];
    let source = method.heads.named(i.word("source")?, collects, i.log);
    let view = method.heads.named(i.word("view")?, collects, i.log);
    let (source, view) = (source?, view?);
    let (node, key) = i.word("key")?;
    for collect in [&source, &view] {
        has_field(i, node, key, collect, method);
    }
    Some(CheckKind::Converges {
        key: key.into(),
        fields: fields(i, &[&source, &view], method),
        source,
        view,
    })
}

fn collect_of(of: &Object, field: &str, method: &Method) -> Option<String> {
    let collects = &[Does::Collect];
    method.heads.named_or_only(of, field, collects, collects)
}

fn fields(i: &Object, collects: &[&String], method: &Method) -> Vec<String> {
    for (node, field) in i.texts("fields") {
        collects
            .iter()
            .for_each(|c| has_field(i, node, field, c, method));
    }
    i.some_texts("fields")
}

/// `{ status: [A, B], price: 3 }`
fn filter(of: &Object, collect: &str, method: &Method) -> Filter {
    let Some(node) = of.get("where") else {
        return Filter::new();
    };
    if !matches!(node.kind, Kind::Map(_)) {
        let message = format!("{} is no map", node.written());
        of.log.bad(
            node,
            message,
            "write a field and its value, as { status: Paid }",
        );
    }
    let mut filter = Filter::new();
    for entry in node.entries() {
        has_field(of, &entry.node, &entry.key, collect, method);
        if entry.node.is_empty() {
            let message = format!("no row has nothing as its {}", entry.key);
            of.log
                .bad(&entry.node, message, "write a value, or several");
        }
        let values: Vec<String> = match &entry.node.kind {
            Kind::List(items) => items.iter().filter_map(scalar).collect(),
            _ => scalar(&entry.node).into_iter().collect(),
        };
        filter.insert(entry.key.clone(), values);
    }
    filter
}

fn scalar(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Scalar(s) => Some(s.text.clone()),
        _ => None,
    }
}

/// Puts down that a step does not collect a field.
fn has_field(of: &Object, node: &Node, field: &str, collect: &str, method: &Method) {
    let step = method.steps.iter().find(|s| s.name == collect);
    let Some(Action::Collect { fields, .. }) = step.map(|s| &s.action) else {
        return;
    };
    if !fields.contains_key(field) {
        let message = format!("\"{collect}\" collects no \"{field}\"");
        let way_out = meant(field, fields.keys().map(String::as_str));
        of.log.bad(
            node,
            message,
            format!("{way_out}; or add it to the fields of that step"),
        );
    }
}
