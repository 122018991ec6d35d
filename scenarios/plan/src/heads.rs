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
    Exec,
    Logs,
    Await,
    Apply,
    Delete,
}

const ACTIONS: [(&str, Does); 10] = [
    ("load", Does::Load),
    ("fault", Does::Fault),
    ("undo", Does::Undo),
    ("requests", Does::Requests),
    ("exec", Does::Exec),
    ("logs", Does::Logs),
    ("await", Does::Await),
    ("apply", Does::Apply),
    ("delete", Does::Delete),
    ("collect", Does::Collect),
];

/// A step as others refer to it.
pub struct Head<'a> {
    pub name: &'a str,
    pub does: Does,
}

/// The names that steps and checks may refer to.
pub struct Heads<'a> {
    heads: Vec<Head<'a>>,
    /// What requests save, by any step.
    pub saved: Vec<&'a str>,
}

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
        let loads = steps.iter().filter_map(|s| s.node.get("load"));
        let senders = loads.chain(background).chain(steps.iter().map(|s| s.node));
        Heads {
            heads,
            saved: senders.flat_map(saved).collect(),
        }
    }

    fn names(&self, does: &[Does]) -> Vec<&'a str> {
        let those = self
            .heads
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

/// The names under which the requests of a load or a step save something.
fn saved(sender: &Node) -> impl Iterator<Item = &str> {
    let requests = sender.get("requests").into_iter().flat_map(Node::items);
    let saves = requests.filter_map(|r| r.get("save"));
    saves.flat_map(Node::entries).map(|e| e.key.as_str())
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
            format!("write one of {}", ACTIONS.map(|(word, _)| word).join(", ")),
        ),
        [(a, _), (b, _), ..] => step.log.bad(
            step.node,
            format!("this step does two things: {a} and {b}"),
            "make two steps of it",
        ),
    }
    None
}
