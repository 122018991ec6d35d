//! The steps of a method as others refer to them: by name, and by what they do.
use crate::object::Object;
use crate::problem::{LABEL_WAY_OUT, Log, is_label, meant};
use crate::tree::Node;

/// Name of the step that the load of the spec becomes.
pub const BACKGROUND: &str = "load";

/// What a step does, before it is read in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    Load,
    Fault,
    Undo,
    Requests,
    Collect,
}

const ACTIONS: [(&str, Does); 5] = [
    ("load", Does::Load),
    ("fault", Does::Fault),
    ("undo", Does::Undo),
    ("requests", Does::Requests),
    ("collect", Does::Collect),
];

/// A step as others refer to it.
pub struct Head<'a> {
    pub name: &'a str,
    pub does: Does,
}

/// The names that steps and checks may refer to.
pub struct Heads<'a>(pub Vec<Head<'a>>);

impl<'a> Heads<'a> {
    /// Of the spec's load and of all steps that say what they do.
    pub fn read(background: Option<&'a Node>, steps: &[Object<'a>]) -> Heads<'a> {
        let mut heads = vec![];
        heads.extend(background.map(|_| Head {
            name: BACKGROUND,
            does: Does::Load,
        }));
        for step in steps {
            let (Some((node, name)), Some(does)) = (step.word("name"), does(step)) else {
                continue;
            };
            if !is_label(name) {
                let message = format!("\"{name}\" is no name for a step");
                step.log.bad(node, message, LABEL_WAY_OUT);
            }
            if heads.iter().any(|h: &Head| h.name == name) {
                step.log.bad(
                    node,
                    format!("two steps are named \"{name}\""),
                    "give one another name",
                );
                continue;
            }
            heads.push(Head { name, does });
        }
        Heads(heads)
    }

    fn names(&self, does: &[Does]) -> Vec<&'a str> {
        let those = self
            .0
            .iter()
            .filter(|h| does.is_empty() || does.contains(&h.does));
        those.map(|h| h.name).collect()
    }

    /// The step that a field names; it must be there and do one of these things (any, if none is given).
    pub fn named(&self, (node, name): (&Node, &str), does: &[Does], log: &Log) -> Option<String> {
        if self.names(does).contains(&name) {
            return Some(name.into());
        }
        let message = match self.names(&[]).contains(&name) {
            true => format!("step \"{name}\" is of another kind"),
            false => format!("no such step: \"{name}\""),
        };
        log.bad(node, message, meant(name, self.names(does)));
        None
    }

    /// The step that a field names, or the only one that does such a thing.
    pub fn named_or_only(
        &self,
        of: &Object,
        field: &str,
        does: &[Does],
        only: &[Does],
    ) -> Option<String> {
        if let Some(word) = of.word(field) {
            return self.named(word, does, of.log);
        }
        match self.names(only)[..] {
            [name] => return Some(name.into()),
            [] => {
                let word = ACTIONS
                    .iter()
                    .find(|(_, d)| only.contains(d))
                    .map_or("load", |(word, _)| word);
                let message = format!("this needs a step with a {word}");
                of.log.bad(
                    of.node,
                    message,
                    format!("add one to the method, with {word}:"),
                );
            }
            _ => of.needs(field, "a method with several of them"),
        }
        None
    }
}

/// The one thing that a step does.
pub fn does(step: &Object) -> Option<Does> {
    let found: Vec<_> = ACTIONS
        .iter()
        .filter(|(field, _)| step.get(field).is_some())
        .collect();
    match found[..] {
        [(_, does)] => return Some(*does),
        [] => step.log.bad(
            step.node,
            "this step does nothing",
            "write one of load, fault, undo, requests, collect",
        ),
        [(a, _), (b, _), ..] => step.log.bad(
            step.node,
            format!("this step does two things: {a} and {b}"),
            "make two steps of it",
        ),
    }
    None
}
