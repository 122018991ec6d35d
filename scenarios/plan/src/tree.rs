//! A YAML document as a tree in which every value knows where it stands.
//!
//! serde decodes a file until the first thing it does not like. A tree can be looked at as a whole, so that all mistakes
//! are found at once, each with its line.
use crate::limits::{DEPTH_MAX, KEY_MAX, NODES_MAX, SCENARIO_MAX, TEXTS_MAX};
use crate::problem::{Place, Problem};
use granit_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};
use serde_json::{Number, Value};
use std::collections::HashMap;

/// So many letters of a value a message quotes.
const WRITTEN_MAX: usize = 200;

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
        if text.len() as u64 > SCENARIO_MAX {
            let message = format!("the file has more than {SCENARIO_MAX} bytes");
            let problem = Problem::new(file, Place::default(), "", message);
            return (None, vec![problem.way_out("write a shorter one")]);
        }
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
            Kind::Scalar(s) if s.value().is_string() => format!("\"{}\"", short(&s.text)),
            Kind::Scalar(s) => short(&s.text),
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

/// The beginning of a text.
fn short(text: &str) -> String {
    match text.char_indices().nth(WRITTEN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
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
    anchors: HashMap<usize, Anchored>,
    size: Size,
    depth: usize,
    problems: Vec<Problem>,
}

/// What an alias stands for.
struct Anchored {
    node: Node,
    size: Size,
}

/// How much was read, aliases counted as often as they are used.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    texts: usize,
}

impl<'t> Reader<'t> {
    fn new(file: &'t str, text: &'t str) -> Reader<'t> {
        Reader {
            file,
            events: Parser::new_from_str(text),
            anchors: HashMap::new(),
            size: Size::default(),
            depth: 0,
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
        let before = self.size;
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.size.texts += text.len();
                let forced = tag.is_some_and(|t| t.core_suffix() == Some("str"));
                let scalar = Scalar {
                    text: text.into_owned(),
                    quoted: style != ScalarStyle::Plain || forced,
                    filled: Filled::No,
                };
                (Kind::Scalar(scalar), anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let items = self.deeper(at, Reader::list)?;
                (Kind::List(items), anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let entries = self.deeper(at, Reader::map)?;
                (Kind::Map(entries), anchor)
            }
            Event::Alias(id) => return self.alias(id, at).map(Some),
            _ => return Ok(None),
        };
        self.size.nodes += 1;
        self.bounded(at)?;
        let path = String::new();
        let node = Node { at, path, kind };
        if anchor != 0 {
            let size = Size {
                nodes: self.size.nodes - before.nodes,
                texts: self.size.texts - before.texts,
            };
            let node = node.clone();
            self.anchors.insert(anchor, Anchored { node, size });
        }
        Ok(Some(node))
    }

    /// What was anchored, once more. It is counted before it is copied.
    fn alias(&mut self, id: usize, at: Place) -> Result<Node, ScanError> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(refused(at, "an alias inside of what it stands for"));
        };
        self.size.nodes += anchored.size.nodes;
        self.size.texts += anchored.size.texts;
        self.bounded(at)?;
        let node = self.anchors[&id].node.clone();
        Ok(Node { at, ..node })
    }

    fn bounded(&self, at: Place) -> Result<(), ScanError> {
        match self.size {
            size if size.nodes > NODES_MAX => {
                Err(refused(at, format!("more than {NODES_MAX} values")))
            }
            size if size.texts > TEXTS_MAX => {
                Err(refused(at, format!("more than {TEXTS_MAX} bytes of text")))
            }
            _ => Ok(()),
        }
    }

    fn deeper<T>(
        &mut self,
        at: Place,
        read: impl FnOnce(&mut Self) -> Result<T, ScanError>,
    ) -> Result<T, ScanError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let message = format!("more than {DEPTH_MAX} lists and maps in each other");
            return Err(refused(at, message));
        }
        let inside = read(self)?;
        self.depth -= 1;
        Ok(inside)
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
        let mut lines = HashMap::new();
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
            if key.len() > KEY_MAX {
                return Err(refused(at, format!("a key of more than {KEY_MAX} letters")));
            }
            if let Some(first) = lines.get(&key) {
                let message = format!("\"{key}\" is written twice; first in line {first}");
                let problem = Problem::new(self.file, at, "", message).value(&key);
                self.problems.push(problem.way_out("keep one of them"));
                continue;
            }
            lines.insert(key.clone(), at.line);
            entries.push(Entry { key, at, node });
        }
        Ok(entries)
    }
}

fn refused(at: Place, what: impl Into<String>) -> ScanError {
    let marker = granit_parser::Marker::new(0, at.line, at.column.saturating_sub(1));
    ScanError::new(marker, what.into())
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
        assert!(refused_as(&text).contains("more than 20000 values"));
    }

    fn refused_as(text: &str) -> String {
        let (node, problems) = Node::parse("a.yaml", text);
        assert_eq!((node, problems.len()), (None, 1));
        problems[0].to_string()
    }

    #[test]
    fn many_aliases_are_counted_before_they_are_copied() {
        let many = "*x, ".repeat(15_000);
        let values = format!("a: &x [{}]\nb: [{many}]\n", "y, ".repeat(15_000));
        assert!(refused_as(&values).contains("more than 20000 values"));
        let texts = format!("a: &x {}\nb: [{many}]\n", "y".repeat(500_000));
        assert!(refused_as(&texts).contains("more than 4194304 bytes of text"));
        assert!(refused_as("a: &x [*x]").contains("an alias inside of what it stands for"));
    }

    #[test]
    fn a_file_without_an_end_of_depth_length_or_key_is_refused() {
        let lists = refused_as(&format!("a: {}", "[".repeat(100_000)));
        assert!(lists.contains("this is not YAML"), "{lists}");
        let maps: String = (0..200).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
        assert!(refused_as(&maps).contains("more than 64 lists and maps in each other"));
        assert!(refused_as(&"k: 1\n".repeat(300_000)).contains("more than 1048576 bytes"));
        let key = format!("{}: 1", "k".repeat(300));
        assert!(refused_as(&key).contains("a key of more than 256 letters"));
    }

    #[test]
    fn a_long_value_is_quoted_by_its_beginning() {
        let root = tree(&format!("a: {}", "한".repeat(500)));
        let written = root.get("a").unwrap().written();
        assert_eq!(written, format!("\"{}…\"", "한".repeat(200)));
    }
}
