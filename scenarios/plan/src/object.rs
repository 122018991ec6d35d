//! Reading a map of a scenario file by its vocabulary: what is unknown, missing or of the wrong kind is put down, and the
//! reading goes on.
use crate::problem::{Log, Problem, meant, nearest};
use crate::quantity::{self, DURATION_WAY_OUT, RATE_WAY_OUT};
use crate::tree::{Kind, Node};
use crate::words::{Field, Form, Type};
use model::Micros;
use serde_json::Value;

/// More missing fields than this are told in one line.
const MISSING_MAX: usize = 4;
/// So many unknown fields of one map are told one by one; the others are counted.
const UNKNOWN_MAX: usize = 20;

/// A map that is read as one of the types of the vocabulary.
pub struct Object<'a> {
    pub node: &'a Node,
    pub log: &'a Log,
    of: &'static Type,
}

impl<'a> Object<'a> {
    /// Puts down whatever does not belong there and whatever is missing. None if it is no map at all.
    pub fn new(node: &'a Node, of: &'static Type, log: &'a Log) -> Option<Object<'a>> {
        if !matches!(node.kind, Kind::Map(_)) {
            let known: Vec<&str> = of.fields.iter().map(|f| f.name).collect();
            let message = format!("{} is no {}", node.written(), of.name);
            log.bad(
                node,
                message,
                format!("write a map with {}", known.join(", ")),
            );
            return None;
        }
        let object = Object { node, log, of };
        object.unknown_fields();
        object.missing_fields();
        Some(object)
    }

    fn unknown_fields(&self) {
        let known = || self.of.fields.iter().map(|f| f.name);
        let mut unknown = self
            .node
            .entries()
            .iter()
            .filter(|entry| !known().any(|k| k == entry.key));
        for entry in unknown.by_ref().take(UNKNOWN_MAX) {
            let message = format!("no such field in a {}", self.of.name);
            let way_out = match nearest(&entry.key, known()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there is {}", known().collect::<Vec<_>>().join(", ")),
            };
            let problem = Problem::new(self.log.file(), entry.at, &entry.node.path, message);
            self.log.add(problem.value(&entry.key).way_out(way_out));
        }
        if let Some(next) = unknown.next() {
            let message = format!("{} more unknown fields from here on", 1 + unknown.count());
            let problem = Problem::new(self.log.file(), next.at, &self.node.path, message);
            self.log
                .add(problem.way_out("mend those before them first"));
        }
    }

    fn missing_fields(&self) {
        let required = self.of.fields.iter().filter(|f| f.required);
        let missing: Vec<&Field> = required.filter(|f| self.get(f.name).is_none()).collect();
        let add = |message: String, way_out: String| {
            let problem = Problem::new(self.log.file(), self.node.at, &self.node.path, message);
            self.log.add(problem.way_out(way_out));
        };
        if missing.len() > MISSING_MAX {
            let names: Vec<&str> = missing.iter().map(|f| f.name).collect();
            add(
                format!("{} are missing", names.join(", ")),
                format!("a {} has all of them", self.of.name),
            );
            return;
        }
        for field in missing {
            add(format!("{} is missing", field.name), lower(field.about));
        }
    }

    fn field(&self, name: &str) -> &'static Field {
        let field = self.of.fields.iter().find(|f| f.name == name);
        field.expect("only fields of the vocabulary are read")
    }

    /// The value of a field, if it is there and not null.
    pub fn get(&self, name: &str) -> Option<&'a Node> {
        self.field(name);
        let node = self.node.get(name)?;
        (!node.is_null()).then_some(node)
    }

    /// Puts down that a field is needed for `why`.
    pub fn needs(&self, name: &str, why: &str) {
        if self.get(name).is_none() {
            let message = format!("{why} needs {name}");
            let problem = Problem::new(self.log.file(), self.node.at, &self.node.path, message);
            self.log.add(problem.way_out(lower(self.field(name).about)));
        }
    }

    /// Puts down that these fields mean nothing beside `why`.
    pub fn refuses(&self, names: &[&str], why: &str) {
        for name in names {
            if let Some(node) = self.get(name) {
                self.log
                    .bad(node, format!("{name} means nothing {why}"), "leave it out");
            }
        }
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        text(self.get(name)?, self.log)
    }

    /// A text with its node, for what is looked up later.
    pub fn word(&self, name: &str) -> Option<(&'a Node, &'a str)> {
        let node = self.get(name)?;
        Some((node, text(node, self.log)?))
    }

    pub fn texts(&self, name: &str) -> Vec<(&'a Node, &'a str)> {
        let Some(node) = self.get(name) else {
            return vec![];
        };
        let items = match &node.kind {
            Kind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        items
            .iter()
            .filter_map(|n| Some((n, text(n, self.log)?)))
            .collect()
    }

    /// One text at least, and none of them empty: a list of nothing is met by everything.
    pub fn some_texts(&self, name: &str) -> Vec<String> {
        let Some(node) = self.get(name) else {
            return vec![];
        };
        let texts = self.texts(name);
        if node.is_empty() {
            self.log.bad(
                node,
                format!("{name} names nothing"),
                "write one at least, or leave it out",
            );
        }
        for (node, _) in texts.iter().filter(|(_, text)| text.is_empty()) {
            self.log.bad(
                node,
                format!("an empty text in {name}"),
                "write what is meant, or leave it out",
            );
        }
        texts.into_iter().map(|(_, text)| text.into()).collect()
    }

    pub fn one_of(&self, name: &str) -> Option<&'a str> {
        let (node, word) = self.word(name)?;
        self.known_word(name, node, word)
    }

    pub fn some_of(&self, name: &str) -> Vec<&'a str> {
        let words = self.texts(name).into_iter();
        words
            .filter_map(|(n, w)| self.known_word(name, n, w))
            .collect()
    }

    fn known_word(&self, name: &str, node: &Node, word: &'a str) -> Option<&'a str> {
        let known = match self.field(name).form {
            Form::OneOf(known) | Form::SomeOf(known) => known,
            _ => unreachable!("{name} is a field of words"),
        };
        if known.contains(&word) {
            return Some(word);
        }
        let message = format!("no such {name}: \"{word}\"");
        self.log
            .bad(node, message, meant(word, known.iter().copied()));
        None
    }

    pub fn duration(&self, name: &str) -> Option<Micros> {
        self.quantity(name, quantity::length, DURATION_WAY_OUT)
    }

    pub fn rate(&self, name: &str) -> Option<f64> {
        self.quantity(name, quantity::load_rate, RATE_WAY_OUT)
    }

    fn quantity<T>(
        &self,
        name: &str,
        read: fn(&str) -> Result<T, String>,
        way_out: &str,
    ) -> Option<T> {
        let node = self.get(name)?;
        if node.is_unfilled() {
            return None;
        }
        let Kind::Scalar(scalar) = &node.kind else {
            self.log
                .bad(node, format!("{} is no {name}", node.written()), way_out);
            return None;
        };
        read(&scalar.text)
            .map_err(|what| self.log.bad(node, what, way_out))
            .ok()
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        let node = self.get(name)?;
        let number = node.number().and_then(|n| n.as_f64());
        if number.is_none() && !node.is_unfilled() {
            self.log.bad(
                node,
                format!("{} is no number", node.written()),
                "write a number without quotes, as 1.5",
            );
        }
        number
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        let node = self.get(name)?;
        let flag = node.flag();
        if flag.is_none() && !node.is_unfilled() {
            let message = format!("{} is neither true nor false", node.written());
            self.log
                .bad(node, message, "write true or false, without quotes");
        }
        flag
    }

    /// A whole number in these limits.
    pub fn whole(&self, name: &str, min: u64, max: u64) -> Option<u64> {
        let node = self.get(name)?;
        let number = node.number().and_then(|n| n.as_u64());
        let number = number.filter(|n| (min..=max).contains(n));
        if number.is_none() && !node.is_unfilled() {
            let limits = match max {
                max if max >= u32::MAX.into() => format!("from {min} on"),
                _ => format!("from {min} to {max}"),
            };
            let message = format!("{} is no whole number {limits}", node.written());
            self.log.bad(
                node,
                message,
                format!("write a number {limits}, without quotes"),
            );
        }
        number
    }

    pub fn whole32(&self, name: &str, min: u32, max: u32) -> Option<u32> {
        let number = self.whole(name, min.into(), max.into());
        number.and_then(|n| u32::try_from(n).ok())
    }

    pub fn json(&self, name: &str) -> Option<Value> {
        self.get(name).map(Node::json)
    }

    /// Names with texts, in order.
    pub fn text_map(&self, name: &str) -> Vec<(&'a str, &'a str)> {
        let Some(node) = self.get(name) else {
            return vec![];
        };
        if !matches!(node.kind, Kind::Map(_)) {
            self.log.bad(
                node,
                format!("{} is no map", node.written()),
                "write name: text, a line each",
            );
        }
        let entries = node.entries().iter();
        entries
            .filter_map(|e| Some((e.key.as_str(), text(&e.node, self.log)?)))
            .collect()
    }

    /// The map of a field once more, without putting down again what is wrong with it.
    pub fn peek(&self, name: &str) -> Option<Object<'a>> {
        let Form::Object(of) = self.field(name).form else {
            unreachable!("{name} is a field of one map");
        };
        let node = self.get(name)?;
        let log = self.log;
        matches!(node.kind, Kind::Map(_)).then_some(Object { node, log, of })
    }

    pub fn object(&self, name: &str) -> Option<Object<'a>> {
        let Form::Object(of) = self.field(name).form else {
            unreachable!("{name} is a field of one map");
        };
        Object::new(self.get(name)?, of, self.log)
    }

    /// The items of a list, each read by its type.
    pub fn list(&self, name: &str) -> Vec<Object<'a>> {
        let Form::List(of) = self.field(name).form else {
            unreachable!("{name} is a field of a list");
        };
        let Some(node) = self.get(name) else {
            return vec![];
        };
        if !matches!(node.kind, Kind::List(_)) {
            let message = format!("{} is no list", node.written());
            self.log.bad(
                node,
                message,
                format!("write a list: \"- \" before each {}", of.name),
            );
        }
        let items = node.items().iter();
        items
            .filter_map(|item| Object::new(item, of, self.log))
            .collect()
    }

    /// The maps of a map by name.
    pub fn map(&self, name: &str) -> Vec<(&'a str, Object<'a>)> {
        let Form::Map(of) = self.field(name).form else {
            unreachable!("{name} is a field of maps by name");
        };
        let Some(node) = self.get(name) else {
            return vec![];
        };
        if !matches!(node.kind, Kind::Map(_)) {
            let message = format!("{} is no map", node.written());
            self.log.bad(
                node,
                message,
                format!("write the name of each {} and a colon", of.name),
            );
        }
        let entries = node.entries().iter();
        entries
            .filter_map(|e| Some((e.key.as_str(), Object::new(&e.node, of, self.log)?)))
            .collect()
    }
}

fn text<'a>(node: &'a Node, log: &Log) -> Option<&'a str> {
    if node.is_unfilled() {
        return None;
    }
    let text = node.text();
    if text.is_none() {
        let way_out = match &node.kind {
            Kind::Scalar(s) if !s.text.is_empty() => format!("write \"{}\"", s.text),
            _ => "write a text".into(),
        };
        log.bad(node, format!("{} is no text", node.written()), way_out);
    }
    text
}

/// The first sentence of a description as a way out.
fn lower(about: &str) -> String {
    let end = about.find(". Default").unwrap_or(about.len());
    let about = about[..end].trim_end_matches('.');
    let about = match about.split_once(": ") {
        Some((of, about)) if of.starts_with("Of ") || of.starts_with("In a ") => about,
        _ => about,
    };
    let mut chars = about.chars();
    match chars.next() {
        Some(first) if !about.starts_with("HTTP") => first.to_lowercase().chain(chars).collect(),
        _ => about.into(),
    }
}
