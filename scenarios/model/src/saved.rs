//! What later requests use of earlier answers: values by name, which stand as `{{name}}`.
use crate::Request;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A name for a part of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Save {
    /// It stands as `{{name}}` from then on.
    pub name: String,
    /// Where it is in the answer.
    pub from: Source,
}

/// Where in an answer a value is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The last segment of the `Location` header: the id of what was created.
    Location,
    /// A JSONPath (RFC 9535) into the body; the first value it finds.
    Path(String),
}

/// Values by their names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Saved(BTreeMap<String, Value>);

impl<const N: usize> From<[(String, Value); N]> for Saved {
    fn from(all: [(String, Value); N]) -> Saved {
        Saved(all.into())
    }
}

impl Extend<(String, Value)> for Saved {
    fn extend<I: IntoIterator<Item = (String, Value)>>(&mut self, more: I) {
        self.0.extend(more);
    }
}

impl Saved {
    /// Takes up a value; a later one of the same name replaces it.
    pub fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.into(), value);
    }

    /// A text with each `{{name}}` that was saved replaced by its value. What was not saved stays.
    pub fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_string(), |text, (name, value)| {
            text.replace(&placeholder(name), &plain(value))
        })
    }

    /// The same of all texts in a JSON value. A text that is nothing but `{{name}}` becomes the value with its type.
    pub fn fill_json(&self, json: &Value) -> Value {
        match json {
            Value::String(text) => {
                let whole = self.0.iter().find(|(name, _)| *text == placeholder(name));
                whole.map_or_else(|| self.fill(text).into(), |(_, value)| value.clone())
            }
            Value::Array(items) => items.iter().map(|item| self.fill_json(item)).collect(),
            Value::Object(members) => {
                let members = members.iter();
                members
                    .map(|(k, v)| (k.clone(), self.fill_json(v)))
                    .collect()
            }
            other => other.clone(),
        }
    }

    /// A request with what was saved in its address, headers and body. A body that is JSON is filled as JSON.
    pub fn fill_request(&self, request: &Request) -> Request {
        if self.0.is_empty() {
            return request.clone();
        }
        let headers = request.headers.iter();
        Request {
            url: self.fill(&request.url),
            headers: headers.map(|(k, v)| (k.clone(), self.fill(v))).collect(),
            body: request.body.as_ref().map(|body| self.fill_body(body)),
            key: request.key.as_ref().map(|key| self.fill(key)),
            expect: request.expect.as_ref().map(|expect| expect.with(self)),
            ..request.clone()
        }
    }

    fn fill_body(&self, body: &str) -> String {
        match serde_json::from_str(body) {
            Ok(json @ (Value::Object(_) | Value::Array(_))) => self.fill_json(&json).to_string(),
            _ => self.fill(body),
        }
    }
}

fn placeholder(name: &str) -> String {
    format!("{{{{{name}}}}}")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first `{{name}}` of a text, `{{seq}}` aside.
pub fn unfilled(text: &str) -> Option<&str> {
    let names = text
        .split("{{")
        .skip(1)
        .filter_map(|rest| rest.split_once("}}"));
    names.map(|(name, _)| name).find(|name| *name != "seq")
}

/// The last segment of an address, as a number if it is one: the id of what was created there.
pub fn id_of(location: &str) -> Option<Value> {
    let path = location.split(['?', '#', '{']).next().unwrap_or(location);
    let last = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .filter(|s| !s.is_empty())?;
    Some(
        last.parse::<u64>()
            .map_or_else(|_| last.into(), Value::from),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_filled_with_what_was_saved_and_keeps_what_was_not() {
        let saved = Saved::from([
            ("room".into(), json!(7)),
            ("host".into(), json!("Super\"man")),
        ]);
        let request = Request {
            url: "http://room:8080/rooms/{{room}}/{{other}}".into(),
            headers: vec![("x-host".into(), "{{host}}".into())],
            body: Some(r#"{"roomId":"{{room}}","host":"{{host}} {{seq}}"}"#.into()),
            ..Request::default()
        };
        let filled = saved.fill_request(&request);
        assert_eq!(filled.url, "http://room:8080/rooms/7/{{other}}");
        assert_eq!(filled.headers[0].1, "Super\"man");
        assert_eq!(
            filled.body.as_deref(),
            Some(r#"{"roomId":7,"host":"Super\"man {{seq}}"}"#)
        );
        assert_eq!(unfilled(&filled.url), Some("other"));
        assert_eq!(unfilled("{{seq}} {{seq}"), None);
    }

    #[test]
    fn the_id_of_what_was_created_is_the_end_of_its_address() {
        assert_eq!(id_of("http://room:8080/rooms/10"), Some(json!(10)));
        assert_eq!(id_of("/rooms/a-1/"), Some(json!("a-1")));
        assert_eq!(id_of("http://room/rooms/3{?projection}"), Some(json!(3)));
        assert_eq!(id_of(""), None);
    }
}
