//! Steps that look into containers, logs and objects.
use crate::heads::Heads;
use crate::kinds;
use crate::limits::PODS_MAX;
use crate::object::Object;
use crate::path;
use crate::quantity::{condition, condition_way_out};
use crate::request::placeholders;
use crate::system::System;
use crate::tree::Kind;
use model::{
    Action, CheckKind, ExpectedOutput, Holds, Micros, ObjectsOf, PodChoice, PodsOf, Wanted,
    metric::Unit,
};
use std::collections::BTreeMap;

/// How long a log and an object are waited for where the file says nothing.
const WAIT: Micros = Micros::from_secs(60);

/// A step that looks at something, and what is checked of it.
pub type Look = (Action, Option<CheckKind>);

pub fn exec(step: &str, e: &Object, heads: &Heads, system: Option<&System>) -> Option<Look> {
    placeholders(e.node, &heads.saved, e.log);
    let words: Vec<&str> = e.texts("command").into_iter().map(|(_, w)| w).collect();
    let is_text = matches!(e.get("command").map(|n| &n.kind), Some(Kind::Scalar(_)));
    let command = match (is_text, words.as_slice()) {
        (true, [line]) => vec!["sh".into(), "-c".into(), (*line).into()],
        (_, words) => words.iter().map(ToString::to_string).collect(),
    };
    if command.is_empty() && e.get("command").is_some() {
        e.log
            .bad(e.node, "no command", "write the program and its arguments");
    }
    let expected = e.object("expect").map(|o| output(&o));
    if e.get("until").is_some() {
        e.needs("expect", "an exec with until");
    }
    let action = Action::Exec {
        pod: pod_choice(e, system)?,
        command,
        until: e.duration("until"),
    };
    let check = expected.map(|expected| CheckKind::Output {
        step: step.into(),
        expected,
    });
    Some((action, check))
}

fn output(o: &Object) -> ExpectedOutput {
    if o.node.entries().iter().all(|entry| entry.node.is_null()) {
        o.log.bad(
            o.node,
            "nothing is expected",
            "write exitCode, stdout or contains",
        );
    }
    ExpectedOutput {
        exit_code: o
            .whole("exitCode", 0, 255)
            .and_then(|c| i32::try_from(c).ok()),
        stdout: o.text("stdout").map(Into::into),
        contains: o.some_texts("contains"),
    }
}

pub fn logs(step: &str, l: &Object, heads: &Heads, system: Option<&System>) -> Option<Look> {
    placeholders(l.node, &heads.saved, l.log);
    let action = Action::Logs {
        pod: pod_choice(l, system)?,
        contains: l.some_texts("contains"),
        within: l.duration("timeout").unwrap_or(WAIT),
    };
    Some((action, Some(CheckKind::Logged { step: step.into() })))
}

/// The one of these fields that is there; anything else is put down.
fn exactly_one(of: &Object, fields: &[&'static str]) -> Option<&'static str> {
    let there: Vec<&&str> = fields.iter().filter(|f| of.get(f).is_some()).collect();
    match there[..] {
        [one] => Some(one),
        [] => {
            let message = format!("this needs one of {}", fields.join(", "));
            of.log.bad(of.node, message, "say which is meant");
            None
        }
        [first, ref more @ ..] => {
            more.iter()
                .for_each(|f| of.refuses(&[f], &format!("beside {first}")));
            None
        }
    }
}

fn labels(of: &Object) -> BTreeMap<String, String> {
    let pairs = of.text_map("selector").into_iter();
    pairs.map(|(k, v)| (k.into(), v.into())).collect()
}

fn workload(of: &Object, system: Option<&System>) -> Option<String> {
    let (node, name) = of.word("workload")?;
    if let Some(system) = system {
        system.must_have_workload(name, node, of.log);
    }
    Some(name.into())
}

fn pod_choice(of: &Object, system: Option<&System>) -> Option<PodChoice> {
    let pods = match exactly_one(of, &["workload", "selector", "pod"])? {
        "workload" => PodsOf::Workload(workload(of, system)?),
        "selector" => PodsOf::Labels(labels(of)),
        _ => PodsOf::Name(of.text("pod")?.into()),
    };
    Some(PodChoice {
        of: pods,
        replica: of.whole32("replica", 1, PODS_MAX),
        container: of.text("container").map(Into::into),
    })
}

pub fn wait(step: &str, a: &Object, system: Option<&System>) -> Option<Look> {
    let kind = a.text("kind")?;
    let api_version = kinds::api_version(a, kind, system);
    let of = match exactly_one(a, &["name", "selector", "workload"])? {
        "name" => ObjectsOf::Name(a.text("name")?.into()),
        "selector" => ObjectsOf::Labels(labels(a)),
        _ => ObjectsOf::Workload(workload(a, system)?),
    };
    if let (ObjectsOf::Workload(_), Some((node, word))) = (&of, a.word("kind"))
        && word != "Pod"
    {
        let message = format!("workload chooses pods, and not a {word}");
        a.log.bad(
            node,
            message,
            "write kind: Pod, or name in place of workload",
        );
    }
    kinds::has_condition(a, kind);
    let path = path_of(a);
    if let Some((path, _)) = &path {
        kinds::has_member(a, kind, path);
    }
    let holds = holds(a, path.is_some());
    let (path, what) = path.map_or((None, String::new()), |(path, what)| (Some(path), what));
    let action = Action::Await {
        wanted: Wanted {
            api_version: api_version?,
            kind: kind.into(),
            of,
            path,
            what,
            holds: holds?,
        },
        within: a.duration("timeout").unwrap_or(WAIT),
    };
    Some((action, Some(CheckKind::Awaited { step: step.into() })))
}

/// Where in the object to look, and how the file calls that.
fn path_of(a: &Object) -> Option<(String, String)> {
    if let Some(condition) = a.text("condition") {
        a.refuses(&["path"], "beside condition");
        let path = format!("$.status.conditions[?@.type=='{condition}'].status");
        return Some((path, condition.into()));
    }
    let (node, text) = a.word("path")?;
    let path = path::read(node, text, a.log)?;
    Some((path, text.into()))
}

fn holds(a: &Object, has_path: bool) -> Option<Holds> {
    const WAYS: [&str; 4] = ["is", "isNot", "successCondition", "exists"];
    if a.get("condition").is_some() && WAYS.iter().all(|f| a.get(f).is_none()) {
        return Some(Holds::Is(vec!["True".into()]));
    }
    let way = exactly_one(a, &WAYS)?;
    if !has_path && way != "exists" {
        let needed = format!("an await with {way}");
        a.needs("path", &needed);
    }
    match way {
        "is" => Some(Holds::Is(a.some_texts("is"))),
        "isNot" => Some(Holds::IsNot(a.some_texts("isNot"))),
        "exists" => Some(Holds::Exists(a.flag("exists")?)),
        _ => {
            let (node, text) = a.word("successCondition")?;
            let unit = Unit::Count;
            let condition = condition(text, unit);
            let put_down = |what| a.log.bad(node, what, condition_way_out(unit));
            condition.map(Holds::Compares).map_err(put_down).ok()
        }
    }
}
