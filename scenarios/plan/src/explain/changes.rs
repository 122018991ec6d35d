//! What is different from one plan to another, or from what runs to what is rolled out.
use super::{Lines, objects, title};
use model::{Manifest, Plan};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// So many changes of an object are told; more say that it is another object.
const CHANGES_MAX: usize = 20;
/// Longer values are cut.
const VALUE_MAX: usize = 100;

/// What a manifest changes in objects that the system began with.
pub(super) fn brought(plan: &Plan, manifest: &Manifest, lines: &mut Lines) {
    let there = |object: &Value| {
        let before = plan.manifests.iter().flat_map(|m| &m.objects);
        before.rev().find(|b| title(b) == title(object))
    };
    for object in &manifest.objects {
        if let Some(before) = there(object) {
            object_changes(before, object, 3, lines);
        }
    }
}

/// What is different about a second plan of the same arm.
pub(super) fn between(plan: &Plan, other: &Plan, lines: &mut Lines) {
    let mut told = Lines(String::new());
    manifests(plan, other, &mut told);
    steps(plan, other, &mut told);
    if told.0.is_empty() {
        told.put(1, "nothing is changed".into());
    }
    lines.0 += &told.0;
}

/// The manifests the system begins with.
fn manifests(plan: &Plan, other: &Plan, lines: &mut Lines) {
    let of = |plan: &Plan, file: &str| plan.manifests.iter().find(|m| m.file == file).cloned();
    for manifest in &other.manifests {
        if of(plan, &manifest.file).is_none() {
            lines.put(1, format!("apply {} as well", objects(manifest)));
        }
    }
    for manifest in &plan.manifests {
        match of(other, &manifest.file) {
            Some(now) => compare(manifest, &now, 1, lines),
            None => lines.put(1, format!("do not apply {}", objects(manifest))),
        }
    }
}

fn steps(plan: &Plan, other: &Plan, lines: &mut Lines) {
    for step in &plan.steps {
        match other.step(&step.name) {
            None => lines.put(1, format!("leave out step {}", step.name)),
            Some(now) if now.action == step.action && now.start == step.start => {}
            Some(now) => {
                lines.put(1, format!("step {} is another one", step.name));
                if let (Some(before), Some(now)) = (step.action.manifest(), now.action.manifest()) {
                    compare(before, now, 2, lines);
                }
            }
        }
    }
    for step in &other.steps {
        if plan.step(&step.name).is_none() {
            lines.put(1, format!("step {} is done as well", step.name));
        }
    }
}

/// Object by object, by kind and name.
fn compare(before: &Manifest, now: &Manifest, depth: usize, lines: &mut Lines) {
    let same = |objects: &[Value], object: &Value| {
        objects.iter().find(|o| title(o) == title(object)).cloned()
    };
    for object in &before.objects {
        match same(&now.objects, object) {
            Some(now) => object_changes(object, &now, depth, lines),
            None => lines.put(depth, format!("leave out {}", title(object))),
        }
    }
    for object in &now.objects {
        if same(&before.objects, object).is_none() {
            lines.put(depth, format!("add {}", title(object)));
        }
    }
}

fn object_changes(before: &Value, now: &Value, depth: usize, lines: &mut Lines) {
    let mut changes = vec![];
    differences("", before, now, &mut changes);
    let title = title(now);
    for change in changes.iter().take(CHANGES_MAX) {
        lines.put(depth, format!("{title}: {change}"));
    }
    if let Some(more) = changes.len().checked_sub(CHANGES_MAX).filter(|n| *n > 0) {
        lines.put(depth, format!("{title}: and {more} more"));
    }
}

/// `spec.replicas: 1 → 3`, and so on for each value that is not the same.
fn differences(path: &str, before: &Value, now: &Value, changes: &mut Vec<String>) {
    if before == now {
        return;
    }
    let fields = match (before, now) {
        (Value::Object(before), Value::Object(now)) => Some((before.clone(), now.clone())),
        (Value::Array(before), Value::Array(now)) => named(before).zip(named(now)),
        _ => None,
    };
    let Some((before, now)) = fields else {
        changes.push(format!("{path}: {} → {}", short(before), short(now)));
        return;
    };
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for name in names {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let of = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or(Value::Null);
        differences(&path, &of(&before), &of(&now), changes);
    }
}

/// A list of named things as a map of them.
fn named(list: &[Value]) -> Option<Map<String, Value>> {
    let pair = |item: &Value| Some((item["name"].as_str()?.to_string(), item.clone()));
    list.iter().map(pair).collect()
}

fn short(value: &Value) -> String {
    if value.is_null() {
        return "nothing".into();
    }
    let text = value.to_string();
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn changes(before: Value, now: Value) -> Vec<String> {
        let mut changes = vec![];
        differences("", &before, &now, &mut changes);
        changes
    }

    #[test]
    fn each_value_that_is_not_the_same_is_told_with_its_place() {
        let before = json!({"spec": {"replicas": 1, "gone": true, "same": [1]}});
        let now = json!({"spec": {"replicas": 3, "same": [1], "new": "x"}});
        assert_eq!(
            changes(before, now),
            [
                "spec.gone: true → nothing",
                "spec.new: nothing → \"x\"",
                "spec.replicas: 1 → 3"
            ]
        );
    }

    #[test]
    fn lists_of_named_things_are_compared_by_name_and_others_whole() {
        let before = json!({"containers": [{"name": "a", "image": "a:1"}, {"name": "b"}], "args": ["x", "y"]});
        let now =
            json!({"containers": [{"name": "b"}, {"name": "a", "image": "a:2"}], "args": ["x"]});
        assert_eq!(
            changes(before, now),
            [
                "args: [\"x\",\"y\"] → [\"x\"]",
                "containers.a.image: \"a:1\" → \"a:2\""
            ]
        );
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let cut = short(&json!("예".repeat(VALUE_MAX)));
        assert_eq!(cut.chars().count(), VALUE_MAX + 1);
        assert!(cut.ends_with('…'));
    }

    #[test]
    fn of_many_changes_some_are_told_and_the_rest_counted() {
        let many = |n: i64| {
            (0..n)
                .map(|i| (format!("k{i:02}"), json!(i)))
                .collect::<Map<_, _>>()
        };
        let object = |data: Map<String, Value>| json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": data});
        let mut lines = Lines(String::new());
        object_changes(&object(many(0)), &object(many(23)), 0, &mut lines);
        assert_eq!(lines.0.lines().count(), CHANGES_MAX + 1);
        assert!(
            lines.0.ends_with("ConfigMap/c: and 3 more\n"),
            "{}",
            lines.0
        );
    }
}
