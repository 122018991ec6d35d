//! Params: values by name, one for each profile, that stand in the file as `${name}`.
use crate::limits::PARAM_MAX;
use crate::object::Object;
use crate::problem::{Log, Place, Problem, meant};
use crate::tree::{Entry, Filled, Kind, Node, Scalar};
use crate::words::PARAM;
use model::Profile;
use std::collections::{BTreeMap, BTreeSet};

/// The params of one arm in one profile.
pub type Params = BTreeMap<String, Node>;

/// Values from the command line, by name; they win over the file.
pub type Overrides = BTreeMap<String, String>;

/// Chooses for each param its value in the profile.
pub fn choose(params: Option<&Node>, profile: Profile, overrides: &Overrides, log: &Log) -> Params {
    let entries = params.map(Node::entries).unwrap_or_default();
    let mut chosen = Params::new();
    for entry in entries {
        let node = one(entry, profile, log);
        chosen.insert(
            entry.key.clone(),
            node.unwrap_or_else(|| unfilled(&entry.node)),
        );
    }
    for (name, text) in overrides {
        if let Some(node) = chosen.get_mut(name) {
            *node = overridden(name, text);
        }
    }
    chosen
}

fn one(entry: &Entry, profile: Profile, log: &Log) -> Option<Node> {
    let node = match &entry.node.kind {
        Kind::Map(_) => Object::new(&entry.node, &PARAM, log)?.get(profile.word())?,
        _ => &entry.node,
    };
    match &node.kind {
        Kind::Scalar(s) if s.text.contains("${") => {
            log.bad(node, "a param cannot use another", "write its value");
        }
        Kind::Scalar(s) if s.text.len() > PARAM_MAX => log.bad(
            node,
            format!("a param of more than {PARAM_MAX} letters"),
            "write long texts where they are used",
        ),
        Kind::Scalar(_) => return Some(node.clone()),
        _ => log.bad(
            node,
            format!("{} cannot be a param", node.written()),
            "write one value, or quick and documented with one value each",
        ),
    }
    None
}

/// What stands for a param without a value.
fn unfilled(node: &Node) -> Node {
    let scalar = Scalar {
        text: String::new(),
        quoted: true,
        filled: Filled::Failed,
    };
    Node {
        kind: Kind::Scalar(scalar),
        ..node.clone()
    }
}

fn overridden(name: &str, text: &str) -> Node {
    let scalar = Scalar {
        text: text.into(),
        quoted: false,
        filled: Filled::Yes,
    };
    Node {
        at: Place::default(),
        path: format!("--set {name}"),
        kind: Kind::Scalar(scalar),
    }
}

/// A value as it is written.
pub fn written(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(s) => s.text.clone(),
        _ => String::new(),
    }
}

/// Puts the values of params in their places. A plain `${users}` becomes the value with its type; in quotes, or with
/// something around it, it is text. `$${` stands for `${`.
pub fn fill(node: &mut Node, params: &Params, log: &Log) {
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|n| fill(n, params, log)),
        Kind::Map(entries) => entries
            .iter_mut()
            .for_each(|e| fill(&mut e.node, params, log)),
        Kind::Scalar(scalar) => {
            let text = scalar.text.clone();
            let used = uses(&text);
            for name in used.iter().filter(|n| !params.contains_key(*n)) {
                let known = params.keys().map(String::as_str);
                log.bad(
                    node,
                    format!("no such param: ${{{name}}}"),
                    meant(name, known),
                );
            }
            let Kind::Scalar(scalar) = &mut node.kind else {
                return;
            };
            if !used
                .iter()
                .all(|n| params.get(n).is_some_and(|p| !p.is_unfilled()))
            {
                scalar.filled = Filled::Failed;
                return;
            }
            match used.first() {
                Some(name) if !scalar.quoted && text == format!("${{{name}}}") => {
                    *node = params[name].clone();
                }
                _ => {
                    scalar.text = filled(&text, params);
                    if !used.is_empty() {
                        scalar.filled = Filled::Yes;
                    }
                }
            }
        }
    }
}

fn filled(text: &str, params: &Params) -> String {
    let mut out = String::new();
    for part in parts(text) {
        match part {
            Part::Text(text) => out += text,
            Part::Param(name) => {
                if let Some(Kind::Scalar(s)) = params.get(name).map(|n| &n.kind) {
                    out += &s.text;
                }
            }
        }
    }
    out
}

/// The names that a text uses.
fn uses(text: &str) -> Vec<String> {
    let names = parts(text).into_iter().filter_map(|p| match p {
        Part::Param(name) => Some(name.to_string()),
        Part::Text(_) => None,
    });
    names.collect()
}

enum Part<'t> {
    Text(&'t str),
    Param(&'t str),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = vec![];
    let mut rest = text;
    while let Some(dollar) = rest.find("${") {
        let (before, after) = rest.split_at(dollar);
        if let Some(before) = before.strip_suffix('$') {
            parts.extend([Part::Text(before), Part::Text("${")]);
            rest = &after[2..];
            continue;
        }
        let Some(end) = after.find('}') else {
            break;
        };
        parts.extend([Part::Text(before), Part::Param(&after[2..end])]);
        rest = &after[end + 1..];
    }
    parts.push(Part::Text(rest));
    parts
}

/// Puts down every value from the command line for which no arm has a param.
pub fn unknown(spec: &Node, overrides: &Overrides, log: &Log) {
    let known: Vec<&str> = defined(spec).iter().map(|e| e.key.as_str()).collect();
    for (name, text) in overrides {
        if !known.contains(&name.as_str()) {
            let path = format!("--set {name}={text}");
            let problem = Problem::new(log.file(), Place::default(), &path, "no such param");
            let way_out = meant(name, known.iter().copied());
            log.add(problem.value(name).way_out(way_out));
        }
    }
}

/// Puts down every param of the file, those of its arms included, that nothing uses.
pub fn unused(spec: &Node, log: &Log) {
    let mut used = BTreeSet::new();
    collect_uses(spec, &mut used);
    for entry in defined(spec) {
        if !used.contains(&entry.key) {
            let problem = Problem::new(
                log.file(),
                entry.at,
                &entry.node.path,
                "nothing uses this param",
            );
            let way_out = format!("write ${{{}}} where it belongs, or leave it out", entry.key);
            log.add(problem.value(&entry.key).way_out(way_out));
        }
    }
}

fn collect_uses(node: &Node, used: &mut BTreeSet<String>) {
    match &node.kind {
        Kind::Scalar(s) => used.extend(uses(&s.text)),
        Kind::List(items) => items.iter().for_each(|n| collect_uses(n, used)),
        Kind::Map(entries) => entries.iter().for_each(|e| collect_uses(&e.node, used)),
    }
}

/// The params of the spec, of its arms, and of what switches mechanisms off.
fn defined(spec: &Node) -> Vec<&Entry> {
    let arms = spec.get("arms").map(Node::entries).unwrap_or_default();
    let overlays = arms.iter().map(|e| &e.node).chain([spec]);
    let all = overlays
        .flat_map(|o| [Some(o), o.get("mechanismOff")])
        .flatten();
    all.filter_map(|o| o.get("params"))
        .flat_map(Node::entries)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fill_in(
        text: &str,
        profile: Profile,
        overrides: &[(&str, &str)],
    ) -> (serde_json::Value, Vec<String>) {
        let mut root = Node::parse("a.yaml", text).0.unwrap();
        let log = Log::new("a.yaml");
        let overrides = overrides
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        let params = choose(root.get("params"), profile, &overrides, &log);
        fill(&mut root, &params, &log);
        unknown(&root, &overrides, &log);
        let problems = log.into_problems();
        (
            root.json()["use"].clone(),
            problems.iter().map(ToString::to_string).collect(),
        )
    }

    const TEXT: &str = "
params: { n: { quick: 1, documented: 10 }, wait: 3s }
use:
  - \"${n}\"
  - ${n}
  - <= ${wait} + ${n}s
  - $${n}
";

    #[test]
    fn a_param_has_the_value_of_its_profile_and_keeps_its_type_where_it_stands_alone() {
        let (used, problems) = fill_in(TEXT, Profile::Quick, &[]);
        assert_eq!(
            (used, problems.len()),
            (json!(["1", 1, "<= 3s + 1s", "${n}"]), 0)
        );
        let (used, _) = fill_in(TEXT, Profile::Documented, &[]);
        assert_eq!(used, json!(["10", 10, "<= 3s + 10s", "${n}"]));
    }

    #[test]
    fn the_command_line_wins_and_its_typos_are_told() {
        let (used, problems) = fill_in(TEXT, Profile::Quick, &[("n", "7"), ("wiat", "1s")]);
        assert_eq!(used, json!(["7", 7, "<= 3s + 7s", "${n}"]));
        assert_eq!(
            problems,
            ["a.yaml: --set wiat=1s: no such param; did you mean wait?"]
        );
    }

    #[test]
    fn what_is_used_and_not_defined_is_told_and_what_is_defined_and_not_used() {
        let (_, problems) = fill_in("params: { users: 1 }\nuse: ${usres}", Profile::Quick, &[]);
        assert_eq!(
            problems,
            ["a.yaml:2:6: use: no such param: ${usres}; did you mean users?"]
        );
        let log = Log::new("a.yaml");
        let text = "params: { a: 1, b: 2 }\nmethod: ${a}\narms: { x: { params: { c: 3 } } }";
        unused(&Node::parse("a.yaml", text).0.unwrap(), &log);
        let told: Vec<String> = log
            .into_problems()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "a.yaml:3:24: arms.x.params.c: nothing uses this param; write ${c} where it belongs, or leave it out",
                "a.yaml:1:17: params.b: nothing uses this param; write ${b} where it belongs, or leave it out",
            ]
        );
    }

    #[test]
    fn a_param_is_one_value_in_every_profile() {
        let (_, problems) = fill_in(
            "params: { a: { quick: 1 }, b: [1], c: '${a}' }\nuse: 1",
            Profile::Quick,
            &[],
        );
        assert_eq!(
            problems,
            [
                "a.yaml:1:14: params.a: documented is missing; in the documented profile",
                "a.yaml:1:31: params.b: a list cannot be a param; write one value, or quick and documented with one value each",
                "a.yaml:1:39: params.c: a param cannot use another; write its value",
            ]
        );
    }
}
