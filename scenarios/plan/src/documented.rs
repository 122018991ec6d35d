//! The recorded figures that stand beside ours.
use crate::heads::{Does, Heads};
use crate::object::Object;
use crate::recorded;
use crate::words::{Form, SIEGE};
use model::{Documented, SiegeSummary};
use serde_json::{Map, Value};

/// Reads what was recorded.
pub fn read(spec: &Object, heads: &Heads) -> Vec<Documented> {
    let list = spec.list("documented");
    list.iter().filter_map(|d| one(d, heads)).collect()
}

fn one(d: &Object, heads: &Heads) -> Option<Documented> {
    let figures = d.object("siege");
    let step = match d.word("step") {
        Some(word) => heads.named(word, &[], d.log),
        None if figures.is_some() => heads.named_or_only(d, "step", &[Does::Load], &[Does::Load]),
        None => None,
    };
    let siege = figures.and_then(|s| siege(&s));
    let (id, claim) = (d.text("id"), d.text("claim"));
    Some(Documented {
        id: id?.into(),
        claim: claim?.into(),
        step,
        siege,
        differs: d.text("differs").unwrap_or_default().into(),
    })
}

fn siege(s: &Object) -> Option<SiegeSummary> {
    let mut figures = Map::new();
    for field in SIEGE.fields {
        let figure = match field.form {
            Form::Whole => s.whole(field.name, 0, u64::MAX).map(Value::from),
            _ => s.number(field.name).map(Value::from),
        };
        figures.insert(field.name.into(), figure.unwrap_or_default());
    }
    let summary = serde_json::from_value(Value::Object(figures)).ok()?;
    if let Some((field, why)) = recorded::objection(&summary) {
        let way_out = "write the twelve lines as they were printed";
        s.log.bad(s.get(field).unwrap_or(s.node), why, way_out);
    }
    Some(summary)
}
