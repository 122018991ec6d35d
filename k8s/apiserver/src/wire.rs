//! wire — the one binary format that kubectl insists on for `create configmap` and its like: protobuf, read as JSON by a table of field
//! numbers. Answers are always JSON, which every client takes.

use k8s_openapi::{ByteString, jiff::Timestamp};
use serde_json::{Map, Value, json};
use std::{collections::HashMap, sync::LazyLock};

/// What a body in this format is called.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What every such body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Messages by name, their fields by number.
static MESSAGES: LazyLock<HashMap<&str, HashMap<u64, Field>>> = LazyLock::new(|| {
    include_str!("../data/proto.txt")
        .lines()
        .filter_map(message_of_line)
        .collect()
});

/// A field of a message: where it goes in JSON, how often it comes, and the type of each.
struct Field {
    name: &'static str,
    shape: Shape,
    of: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    One,
    List,
    /// By text.
    Map,
    /// A struct whose fields lie in its parent's JSON.
    Flat,
}

fn message_of_line(line: &'static str) -> Option<(&'static str, HashMap<u64, Field>)> {
    let (name, fields) = line.split_once(": ")?;
    let is_comment = name.starts_with('#');
    let fields = fields.split("; ").filter_map(field_of_text);
    (!is_comment).then(|| (name, fields.collect()))
}

/// `3 items *Item`.
fn field_of_text(text: &'static str) -> Option<(u64, Field)> {
    let mut words = text.split(' ');
    let (number, name, of) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
    let (shape, of) = match of.split_at_checked(1)? {
        ("*", of) => (Shape::List, of),
        ("%", of) => (Shape::Map, of),
        ("=", of) => (Shape::Flat, of),
        _ => (Shape::One, of),
    };
    Some((number, Field { name, shape, of }))
}

/// What stands on the wire before its type is known.
enum Raw<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The rest of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Raw<'a>)> {
        let tag = self.number()?;
        let raw = match tag & 7 {
            0 => Raw::Number(self.number()?),
            1 => Raw::Number(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let count = usize::try_from(self.number()?).ok()?;
                Raw::Bytes(self.take(count)?)
            }
            _ => return None,
        };
        Some((tag >> 3, raw))
    }
}

/// All fields of a message in the order in which they come; none if it is malformed.
fn fields(bytes: &[u8]) -> Option<Vec<(u64, Raw<'_>)>> {
    let mut reader = Reader(bytes);
    let mut fields = vec![];
    while !reader.0.is_empty() {
        fields.push(reader.field()?);
    }
    Some(fields)
}

fn text(bytes: &[u8]) -> Option<Value> {
    std::str::from_utf8(bytes).ok().map(|text| json!(text))
}

fn value(of: &str, raw: Raw) -> Option<Value> {
    match (of, raw) {
        ("bool", Raw::Number(number)) => Some(json!(number != 0)),
        ("double", Raw::Number(number)) => Some(json!(f64::from_bits(number))),
        (_, Raw::Number(number)) => Some(json!(number as i64)),
        ("string", Raw::Bytes(bytes)) => text(bytes),
        ("bytes", Raw::Bytes(bytes)) => serde_json::to_value(ByteString(bytes.to_vec())).ok(),
        ("Quantity", Raw::Bytes(bytes)) => first_bytes(bytes).map_or(Some(json!("0")), text),
        ("Raw", Raw::Bytes(bytes)) => {
            first_bytes(bytes).map_or(Some(Value::Null), |json| serde_json::from_slice(json).ok())
        }
        ("Time", Raw::Bytes(bytes)) => time(bytes),
        ("IntOrString", Raw::Bytes(bytes)) => int_or_string(bytes),
        (message_name, Raw::Bytes(bytes)) => message(message_name, bytes),
    }
}

fn first_bytes(bytes: &[u8]) -> Option<&[u8]> {
    match Reader(bytes).field() {
        Some((1, Raw::Bytes(bytes))) => Some(bytes),
        _ => None,
    }
}

/// Seconds since 1970; zero stands for no time at all.
fn time(bytes: &[u8]) -> Option<Value> {
    let seconds = fields(bytes)?.into_iter().find_map(|field| match field {
        (1, Raw::Number(seconds)) => Some(seconds as i64),
        _ => None,
    });
    match seconds.filter(|seconds| *seconds > 0) {
        Some(seconds) => Some(json!(Timestamp::from_second(seconds).ok()?.to_string())),
        None => Some(Value::Null),
    }
}

fn int_or_string(bytes: &[u8]) -> Option<Value> {
    let (mut is_text, mut number, mut string) = (false, 0, Value::Null);
    for field in fields(bytes)? {
        match field {
            (1, Raw::Number(kind)) => is_text = kind == 1,
            (2, Raw::Number(value)) => number = value as i32,
            (3, Raw::Bytes(bytes)) => string = text(bytes)?,
            _ => {}
        }
    }
    Some(if is_text { string } else { json!(number) })
}

fn map_entry(of: &str, bytes: &[u8]) -> Option<(String, Value)> {
    let (mut key, mut entry) = (String::new(), json!(""));
    for field in fields(bytes)? {
        match field {
            (1, Raw::Bytes(bytes)) => key = std::str::from_utf8(bytes).ok()?.into(),
            (_, raw) => entry = value(of, raw)?,
        }
    }
    Some((key, entry))
}

/// A message as JSON. A number that the table does not have is an error: nothing is dropped in silence.
fn message(name: &str, bytes: &[u8]) -> Option<Value> {
    let table = MESSAGES.get(name)?;
    let mut out = Map::new();
    for (number, raw) in fields(bytes)? {
        let field = table.get(&number)?;
        let slot = |otherwise: Value, out: &mut Map<String, Value>| {
            out.entry(field.name).or_insert(otherwise);
        };
        match (field.shape, raw) {
            (Shape::One, raw) => {
                // An empty text is how this format says nothing.
                if let Some(value) = Some(value(field.of, raw)?).filter(|value| *value != "") {
                    out.insert(field.name.into(), value);
                }
            }
            (Shape::List, raw) => {
                slot(json!([]), &mut out);
                out.get_mut(field.name)?
                    .as_array_mut()?
                    .push(value(field.of, raw)?);
            }
            (Shape::Map, Raw::Bytes(bytes)) => {
                slot(json!({}), &mut out);
                let (key, entry) = map_entry(field.of, bytes)?;
                out.get_mut(field.name)?.as_object_mut()?.insert(key, entry);
            }
            (Shape::Flat, Raw::Bytes(bytes)) => {
                let Value::Object(inner) = message(field.of, bytes)? else {
                    return None;
                };
                out.extend(inner);
            }
            (Shape::Map | Shape::Flat, Raw::Number(_)) => return None,
        }
    }
    Some(Value::Object(out))
}

/// A body as JSON; none if it is malformed or of a kind that the table does not have.
pub fn decode(body: &[u8]) -> Option<Value> {
    let (mut api_version, mut kind, mut object) = (json!(""), json!(""), &[][..]);
    for field in fields(body.strip_prefix(MAGIC)?)? {
        match field {
            (1, Raw::Bytes(type_meta)) => {
                for field in fields(type_meta)? {
                    match field {
                        (1, Raw::Bytes(bytes)) => api_version = text(bytes)?,
                        (2, Raw::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (2, Raw::Bytes(bytes)) => object = bytes,
            _ => {}
        }
    }
    let mut decoded = message(kind.as_str()?, object)?;
    decoded["apiVersion"] = api_version;
    decoded["kind"] = kind;
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    fn body(kind: &str, object: &[u8]) -> Vec<u8> {
        let type_meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [MAGIC, &field(1, &type_meta), &field(2, object)].concat()
    }

    #[test]
    fn a_config_map_is_read_by_field_numbers() {
        let metadata = field(1, &[field(1, b"a"), field(3, b"")].concat());
        let entry = field(2, &[field(1, b"text"), field(2, b"x")].concat());
        let empty = field(2, &field(1, b"none"));
        let decoded = decode(&body("ConfigMap", &[metadata, entry, empty].concat()));
        assert_eq!(
            decoded.unwrap(),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"text": "x", "none": ""}})
        );
    }

    #[test]
    fn ports_are_numbers_or_names_and_times_may_be_none() {
        assert_eq!(
            value("IntOrString", Raw::Bytes(&[8, 0, 16, 80])),
            Some(json!(80))
        );
        assert_eq!(
            value("IntOrString", Raw::Bytes(&[8, 1, 26, 1, b'w'])),
            Some(json!("w"))
        );
        assert_eq!(value("Time", Raw::Bytes(&[])), Some(Value::Null));
        assert_eq!(
            value("Time", Raw::Bytes(&[8, 60])),
            Some(json!("1970-01-01T00:01:00Z"))
        );
    }

    #[test]
    fn nothing_is_dropped_in_silence() {
        assert_eq!(decode(&body("ConfigMap", &field(15, b"x"))), None);
        assert_eq!(decode(&body("Gadget", b"")), None);
        assert_eq!(decode(b"k8s\0\x0a\xff"), None);
        assert_eq!(decode(b"{}"), None);
    }

    #[test]
    fn every_type_in_the_table_is_known() {
        const OWN: [&str; 12] = [
            "bool",
            "bytes",
            "double",
            "int32",
            "int64",
            "string",
            "uint32",
            "uint64",
            "IntOrString",
            "Quantity",
            "Raw",
            "Time",
        ];
        for (name, fields) in MESSAGES.iter() {
            for field in fields.values() {
                let known = OWN.contains(&field.of) || MESSAGES.contains_key(field.of);
                assert!(known, "{name}.{} is a {}", field.name, field.of);
            }
        }
    }
}
