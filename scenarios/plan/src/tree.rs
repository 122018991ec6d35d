//! A YAML document as a tree in which every value knows where it stands.
//!
//! serde decodes a file until the first thing it does not like. A tree can be looked at as a whole, so that all mistakes
//! are found at once, each with its line.
use crate::problem::{Place, Problem};
use granit_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};
use serde_json::{Number, Value};
use std::collections::HashMap;

/// So many values a document may have, aliases counted as often as they are used: more than any scenario, and too few
/// for a bomb of aliases.
const NODES_MAX: usize = 100_000;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub at: Place,
    /// The way to it in the file it was written in: `spec.method[1].fault.service`.
    pub path: String,
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A scalar as written. Quoted (or in a block), it is text; plain, YAML's core schema decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    pub text: String,
    pub quoted: bool,
    pub filled: Filled,
}

/// What became of the params in a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// There are none.
    No,
    /// They have their values. A number is welcome where one is needed, although a flow map needs quotes around a param.
    Yes,
    /// One has no value, and that was put down: nothing more is to be said here.
    Failed,
}

/// A member of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    /// Where the key stands.
    pub at: Place,
    pub node: Node,
}

impl Scalar {
    /// What it stands for as JSON.
    pub fn value(&self) -> Value {
        if self.quoted {
            return Value::String(self.text.clone());
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            text => number(text).map_or_else(|| Value::String(text.into()), Value::Number),
        }
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None; // so that neither `inf` nor `nan` nor a name is taken for a number
    }
    let whole = text.strip_prefix('+').unwrap_or(text);
    let whole = whole.parse().map(Number::from_i128);
    whole.unwrap_or_else(|_| text.parse().ok().and_then(Number::from_f64))
}

impl Node {
    /// The document of a file: its first. What is wrong with it as YAML, and every key that is written twice.
    pub fn parse(file: &str, text: &str) -> (Option<Node>, Vec<Problem>) {
        let mut reader = Reader::new(file, text);
        let node = match reader.document() {
            Ok(node) => node,
            Err(error) => {
                reader.problems.push(not_yaml(file, &error));
                None
            }
        };
        (node, reader.problems)
    }

    /// The entry of that key, if it is a map and has one.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|e| e.key == key)
            .map(|e| &e.node)
    }

    /// Its entries; none if it is not a map.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// A list without items, or a map without entries.
    pub fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::List(items) => items.is_empty(),
            Kind::Map(entries) => entries.is_empty(),
            Kind::Scalar(_) => false,
        }
    }

    /// A value that stands for nothing.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(s) if s.value().is_null())
    }

    /// Its items; none if it is not a list.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// Its text, if it is a scalar that is text.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(s) if s.value().is_string() => Some(&s.text),
            _ => None,
        }
    }

    /// Whether a param that stood here has no value.
    pub fn is_unfilled(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(s) if s.filled == Filled::Failed)
    }

    /// The number it is, if it is one.
    pub fn number(&self) -> Option<Number> {
        match &self.kind {
            Kind::Scalar(s) if !s.quoted || s.filled == Filled::Yes => number(&s.text),
            _ => None,
        }
    }

    /// True or false, if it is one of them.
    pub fn flag(&self) -> Option<bool> {
        match &self.kind {
            Kind::Scalar(s) if s.filled == Filled::Yes => s.text.parse().ok(),
            Kind::Scalar(s) => s.value().as_bool(),
            _ => None,
        }
    }

    /// The whole of it as JSON.
    pub fn json(&self) -> Value {
        match &self.kind {
            Kind::Scalar(s) => s.value(),
            Kind::List(items) => Value::Array(items.iter().map(Node::json).collect()),
            Kind::Map(entries) => {
                let members = entries.iter().map(|e| (e.key.clone(), e.node.json()));
                Value::Object(members.collect())
            }
        }
    }

    /// As a message quotes it: `"30"`, `12`, `a list`.
    pub fn written(&self) -> String {
        match &self.kind {
            Kind::Scalar(s) if s.value().is_null() => "nothing".into(),
            Kind::Scalar(s) if s.value().is_string() => format!("\"{}\"", s.text),
            Kind::Scalar(s) => s.text.clone(),
            Kind::List(_) => "a list".into(),
            Kind::Map(_) => "a map".into(),
        }
    }

    fn set_paths(&mut self, path: String) {
        match &mut self.kind {
            Kind::Scalar(_) => {}
            Kind::List(items) => {
                for (i, item) in items.iter_mut().enumerate() {
                    item.set_paths(format!("{path}[{i}]"));
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    let dot = if path.is_empty() { "" } else { "." };
                    entry.node.set_paths(format!("{path}{dot}{}", entry.key));
                }
            }
        }
        self.path = path;
    }
}

fn not_yaml(file: &str, error: &ScanError) -> Problem {
    let at = Place {
        line: error.marker().line(),
        column: error.marker().col() + 1,
    };
    Problem::new(file, at, "", format!("this is not YAML: {}", error.info()))
        .way_out("check indentation, quotes and brackets here and in the line before")
}

struct Reader<'t> {
    file: &'t str,
    events: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    problems: Vec<Problem>,
}

impl<'t> Reader<'t> {
    fn new(file: &'t str, text: &'t str) -> Reader<'t> {
        Reader {
            file,
            events: Parser::new_from_str(text),
            anchors: HashMap::new(),
            nodes: 0,
            problems: vec![],
        }
    }

    fn document(&mut self) -> Result<Option<Node>, ScanError> {
        while let Some((event, at)) = self.next()? {
            if !matches!(event, Event::StreamStart | Event::DocumentStart(..)) {
                let mut root = self.node(event, at)?;
                if let Some(root) = &mut root {
                    root.set_paths(String::new());
                }
                self.rest()?;
                return Ok(root);
            }
        }
        Ok(None)
    }

    /// Reads on to the end, so that a mistake after the last value is found as well.
    fn rest(&mut self) -> Result<(), ScanError> {
        while let Some((event, at)) = self.next()? {
            if matches!(event, Event::DocumentStart(..)) {
                let message = "a second document begins here";
                let problem = Problem::new(self.file, at, "", message);
                self.problems
                    .push(problem.way_out("put each scenario into a file of its own"));
                return Ok(());
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Place)>, ScanError> {
        for next in self.events.by_ref() {
            let (event, span) = next?;
            if !matches!(event, Event::Comment(..)) {
                let at = Place {
                    line: span.start.line(),
                    column: span.start.col() + 1,
                };
                return Ok(Some((event, at)));
            }
        }
        Ok(None)
    }

    /// The value that begins with `event`; none at the end of a collection or a document.
    fn node(&mut self, event: Event<'t>, at: Place) -> Result<Option<Node>, ScanError> {
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let forced = tag.is_some_and(|t| t.core_suffix() == Some("str"));
                let scalar = Scalar {
                    text: text.into_owned(),
                    quoted: style != ScalarStyle::Plain || forced,
                    filled: Filled::No,
                };
                (Kind::Scalar(scalar), anchor)
            }
            Event::SequenceStart(_, anchor, _) => (Kind::List(self.list()?), anchor),
            Event::MappingStart(_, anchor, _) => (Kind::Map(self.map()?), anchor),
            Event::Alias(id) => {
                let node = self.anchors.get(&id).cloned();
                if let Some(node) = &node {
                    self.nodes += count(node);
                }
                return Ok(node.map(|n| Node { at, ..n }));
            }
            _ => return Ok(None),
        };
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(ScanError::new(
                granit_parser::Marker::new(0, at.line, at.column - 1),
                format!("more than {NODES_MAX} values"),
            ));
        }
        let path = String::new();
        let node = Node { at, path, kind };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(Some(node))
    }

    fn list(&mut self) -> Result<Vec<Node>, ScanError> {
        let mut items = vec![];
        while let Some((event, at)) = self.next()? {
            match self.node(event, at)? {
                Some(item) => items.push(item),
                None => break,
            }
        }
        Ok(items)
    }

    fn map(&mut self) -> Result<Vec<Entry>, ScanError> {
        let mut entries: Vec<Entry> = vec![];
        while let Some((event, at)) = self.next()? {
            let Some(key) = self.node(event, at)? else {
                break;
            };
            let Some((event, value_at)) = self.next()? else {
                break;
            };
            let Some(node) = self.node(event, value_at)? else {
                break;
            };
            let key = match key.kind {
                Kind::Scalar(s) => s.text,
                _ => String::new(),
            };
            if let Some(first) = entries.iter().find(|e| e.key == key) {
                let message = format!(
                    "\"{key}\" is written twice; first in line {}",
                    first.at.line
                );
                let problem = Problem::new(self.file, at, "", message).value(&key);
                self.problems.push(problem.way_out("keep one of them"));
                continue;
            }
            entries.push(Entry { key, at, node });
        }
        Ok(entries)
    }
}

fn count(node: &Node) -> usize {
    let inside: usize = match &node.kind {
        Kind::Scalar(_) => 0,
        Kind::List(items) => items.iter().map(count).sum(),
        Kind::Map(entries) => entries.iter().map(|e| count(&e.node)).sum(),
    };
    1 + inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tree(text: &str) -> Node {
        let (node, problems) = Node::parse("a.yaml", text);
        assert_eq!(problems, []);
        node.unwrap()
    }

    #[test]
    fn a_value_knows_its_line_its_column_and_the_way_to_it() {
        let root = tree("# first\nspec:\n  method:\n    - name: a\n    - { name: b, at: 2s }\n");
        let at = root.get("spec").unwrap().get("method").unwrap().items()[1]
            .get("at")
            .unwrap();
        assert_eq!((at.at.line, at.at.column), (5, 22));
        assert_eq!(at.path, "spec.method[1].at");
        assert_eq!(at.text(), Some("2s"));
    }

    #[test]
    fn plain_scalars_follow_the_core_schema_and_quoted_ones_are_text() {
        let root = tree("a: [1, 1.5, -3, true, ~, off, '1', 1e3, 0.0.1, .5, inf, 1s, '']");
        assert_eq!(
            root.json()["a"],
            json!([
                1, 1.5, -3, true, null, "off", "1", 1000.0, "0.0.1", 0.5, "inf", "1s", ""
            ])
        );
    }

    #[test]
    fn an_alias_is_what_its_anchor_is_and_stands_where_it_is_used() {
        let root = tree("a: &x { b: 1 }\nc: *x\n");
        assert_eq!(root.json(), json!({"a": {"b": 1}, "c": {"b": 1}}));
        assert_eq!(root.get("c").unwrap().at.line, 2);
        assert_eq!(root.get("c").unwrap().get("b").unwrap().path, "c.b");
    }

    #[test]
    fn every_key_that_is_written_twice_is_named() {
        let (_, problems) = Node::parse("a.yaml", "a: 1\nb: 2\na: 3\nb: 4\n");
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a.yaml:3:1: \"a\" is written twice; first in line 1; keep one of them",
                "a.yaml:4:1: \"b\" is written twice; first in line 2; keep one of them",
            ]
        );
    }

    #[test]
    fn what_is_not_yaml_is_said_with_its_line() {
        let (node, problems) = Node::parse("a.yaml", "a: [1, 2\nb: 3\n");
        assert_eq!(node, None);
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0]
                .to_string()
                .starts_with("a.yaml:2:2: this is not YAML: "),
            "{}",
            problems[0]
        );
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..7 {
            let before = format!("*a{}, ", i - 1).repeat(10);
            text += &format!("a{i}: &a{i} [{before}]\n");
        }
        let (node, problems) = Node::parse("a.yaml", &text);
        assert_eq!((node, problems.len()), (None, 1));
    }
}
