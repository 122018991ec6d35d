//! json — text as the reports' services wrote it: Jackson's pretty printer, two spaces, `"key" : value`, arrays inline.

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use std::io::{self, Write};

/// The value as Jackson pretty-prints it: `{`, a field a line, `[ {` … `}, {` … `} ]`.
pub fn pretty(value: &impl Serialize) -> String {
    let mut text = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(
            &mut text,
            Jackson::default(),
        ))
        .expect("values made of maps with text keys can be written to memory");
    String::from_utf8(text).expect("the serializer writes UTF-8")
}

/// Arrays are inline and do not indent what is in them; empty ones keep a space: `[ ]`, `{ }`.
#[derive(Default)]
struct Jackson {
    depth: usize,
    is_empty: Vec<bool>,
}

impl Jackson {
    fn open(&mut self) {
        self.is_empty.push(true);
    }

    fn value_follows(&mut self) {
        if let Some(is_empty) = self.is_empty.last_mut() {
            *is_empty = false;
        }
    }

    fn was_empty(&mut self) -> bool {
        self.is_empty.pop().unwrap_or(true)
    }

    fn line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl Formatter for Jackson {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open();
        writer.write_all(b"[")
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.value_follows();
        writer.write_all(if first { b" " } else { b", " })
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.was_empty();
        writer.write_all(b" ]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open();
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.value_follows();
        if !first {
            writer.write_all(b",")?;
        }
        self.line(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" : ")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.was_empty() {
            return writer.write_all(b" }");
        }
        self.line(writer)?;
        writer.write_all(b"}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_indented_and_arrays_are_not() {
        let value = json!({"a": [{"b": 1}, {"c": []}], "d": {}, "e": [1, "x"]});
        assert_eq!(
            pretty(&value),
            "{\n  \"a\" : [ {\n    \"b\" : 1\n  }, {\n    \"c\" : [ ]\n  } ],\n  \"d\" : { },\n  \"e\" : [ 1, \"x\" ]\n}"
        );
    }
}
