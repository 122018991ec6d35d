//! What an answer must be, and what is wrong with one that is not so.
use crate::{ErrorKind, Micros, RequestFact, Saved};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What one answer must be. What is absent is not asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    /// The status code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// No HTTP answer at all, for this reason: `dns`, `connectionRefused`, `connectionReset`, `timeout`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error: Vec<ErrorKind>,
    /// Length of the body in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// A JSON value that the body must contain: objects by their members, arrays element by element, the rest exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The whole body, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Texts that the body contains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    /// Headers with their values, the names in small letters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The `Location` header starts with this and goes on with a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The answer took less than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Micros>,
}

/// What is wrong with an answer, or why that cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It is otherwise.
    Differs(String),
    /// What was kept of it is not enough.
    Unknown(String),
}

use Difference::{Differs, Unknown};

impl Expected {
    /// The same with what was saved in place of its name.
    pub fn with(&self, saved: &Saved) -> Expected {
        Expected {
            json: self.json.as_ref().map(|json| saved.fill_json(json)),
            body: self.body.as_ref().map(|body| saved.fill(body)),
            contains: self.contains.iter().map(|text| saved.fill(text)).collect(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), saved.fill(value)))
                .collect(),
            location: self.location.as_ref().map(|at| saved.fill(at)),
            ..self.clone()
        }
    }

    /// What is not as it must be in the answer to a request that was due at `due`; nothing, if all of it is.
    pub fn differences(&self, due: Micros, request: &RequestFact) -> Vec<Difference> {
        if !self.error.is_empty() {
            return self
                .no_answer(due, request)
                .map(Differs)
                .into_iter()
                .collect();
        }
        if *self == Expected::default() {
            return vec![];
        }
        if request.error.is_some() || request.status.is_none() {
            return vec![Differs(format!(
                "{} instead of an answer",
                request.result()
            ))];
        }
        let status = self.status.filter(|s| request.status != Some(*s));
        let bytes = self.bytes.filter(|b| request.bytes != *b);
        let location = self.location.as_deref();
        let told = [
            status.map(|s| format!("{} instead of HTTP {s}", request.result())),
            bytes.map(|b| format!("{} bytes instead of {b}", request.bytes)),
            location.and_then(|prefix| elsewhere(prefix, request.location.as_deref())),
            self.too_slow(due, request),
        ];
        let headers = self.headers.iter().filter_map(|h| header(h, request));
        let told = told.into_iter().flatten().chain(headers).map(Differs);
        told.chain(self.json.as_ref().and_then(|json| in_json(json, request)))
            .chain(self.body.as_ref().and_then(|text| whole(text, request)))
            .chain(
                self.contains
                    .iter()
                    .filter_map(|text| within(text, request)),
            )
            .collect()
    }

    fn no_answer(&self, due: Micros, request: &RequestFact) -> Option<String> {
        if request.error.is_some_and(|e| self.error.contains(&e)) {
            return self.too_slow(due, request);
        }
        let wanted: Vec<&str> = self.error.iter().map(|e| e.word()).collect();
        Some(format!(
            "{} instead of {}",
            request.result(),
            wanted.join(" or ")
        ))
    }

    fn too_slow(&self, due: Micros, request: &RequestFact) -> Option<String> {
        let took = request.done.saturating_sub(due);
        self.within
            .filter(|limit| took >= *limit)
            .map(|limit| format!("{LATE} {took}, not less than {limit}"))
    }
}

/// How the difference of an answer that came too late begins.
const LATE: &str = "took";

impl RequestFact {
    /// Whether it was answered as its load expects, but too late.
    pub fn is_late(&self) -> bool {
        let unmet = self
            .unmet
            .as_deref()
            .and_then(|what| what.strip_prefix(LATE));
        unmet.is_some_and(|rest| rest.starts_with(' '))
    }
}

fn elsewhere(prefix: &str, location: Option<&str>) -> Option<String> {
    let Some(location) = location else {
        return Some(format!("no Location, expected {prefix}<number>"));
    };
    let number = location.strip_prefix(prefix);
    let numbered = number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    (!numbered).then(|| format!("Location {location}, expected {prefix}<number>"))
}

fn header((name, value): &(String, String), request: &RequestFact) -> Option<String> {
    match request.headers.get(name) {
        Some(has) if has == value => None,
        Some(has) => Some(format!("{name}: {has}, expected {value}")),
        None => Some(format!("no {name}, expected {value}")),
    }
}

/// What was kept of the body. The error is why nothing can be said of it.
fn kept(request: &RequestFact) -> Result<&str, Difference> {
    match request.body.as_deref() {
        Some(body) => Ok(body),
        None if request.bytes == 0 => Ok(""),
        None => Err(Unknown("the body was not kept".into())),
    }
}

fn is_cut(body: &str, request: &RequestFact) -> bool {
    (body.len() as u64) < request.bytes
}

const CUT: &str = "only a part of the body was kept";

fn in_json(expected: &Value, request: &RequestFact) -> Option<Difference> {
    let body = match kept(request) {
        Ok("") => return Some(Differs("the body is empty, expected JSON".into())),
        Ok(body) => body,
        Err(unknown) => return Some(unknown),
    };
    match serde_json::from_str(body) {
        Ok(actual) => missing(expected, &actual).map(Differs),
        Err(_) if is_cut(body, request) => Some(Unknown(CUT.into())),
        Err(_) => Some(Differs("the body is not JSON".into())),
    }
}

fn whole(text: &str, request: &RequestFact) -> Option<Difference> {
    match kept(request) {
        Ok(body) if body == text => None,
        Ok(body) if is_cut(body, request) && text.starts_with(body) => Some(Unknown(CUT.into())),
        Ok(body) => Some(Differs(format!(
            "the body is {}, expected {}",
            quoted(body),
            quoted(text)
        ))),
        Err(unknown) => Some(unknown),
    }
}

fn within(text: &str, request: &RequestFact) -> Option<Difference> {
    match kept(request) {
        Ok(body) if body.contains(text) => None,
        Ok(body) if is_cut(body, request) => Some(Unknown(CUT.into())),
        Ok(body) => Some(Differs(format!(
            "{} is not in the body {}",
            quoted(text),
            quoted(body)
        ))),
        Err(unknown) => Some(unknown),
    }
}

/// So many letters of a text stand in a message.
const QUOTED_MAX: usize = 200;

/// A text as messages quote it: with escapes, and no longer than a line or two.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

/// What of `expected` is not in `actual`, with its path; nothing when it contains it: objects by their members, arrays element by
/// element and of one length, numbers by value, the rest exactly.
pub fn missing(expected: &Value, actual: &Value) -> Option<String> {
    differs("$", expected, actual)
}

fn differs(path: &str, expected: &Value, actual: &Value) -> Option<String> {
    match (expected, actual) {
        (Value::Object(want), Value::Object(have)) => want.iter().find_map(|(name, value)| {
            let path = format!("{path}.{name}");
            match have.get(name) {
                Some(found) => differs(&path, value, found),
                None => Some(format!("{path} is absent, expected {value}")),
            }
        }),
        (Value::Array(want), Value::Array(have)) if want.len() == have.len() => want
            .iter()
            .zip(have)
            .enumerate()
            .find_map(|(i, (want, have))| differs(&format!("{path}[{i}]"), want, have)),
        (Value::Array(want), Value::Array(have)) => Some(format!(
            "{path} has {} elements, expected {}",
            have.len(),
            want.len()
        )),
        (Value::Number(want), Value::Number(have)) if want.as_f64() == have.as_f64() => None,
        _ if expected == actual => None,
        _ => Some(format!("{path} is {actual}, expected {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_contains_what_is_asked_and_may_hold_more() {
        let page = json!({"_embedded": {"rooms": [{"name": "호텔", "price": 1000}]}, "page": {"size": 20}});
        assert_eq!(missing(&json!({"page": {"size": 20.0}}), &page), None);
        let rooms = |list: Value| json!({"_embedded": {"rooms": list}});
        assert_eq!(missing(&rooms(json!([{"price": 1000}])), &page), None);
        assert_eq!(
            missing(&rooms(json!([{"price": "1000"}])), &page).unwrap(),
            "$._embedded.rooms[0].price is 1000, expected \"1000\""
        );
        assert_eq!(
            missing(&rooms(json!([])), &page).unwrap(),
            "$._embedded.rooms has 1 elements, expected 0"
        );
        assert_eq!(
            missing(&json!({"status": 500}), &page).unwrap(),
            "$.status is absent, expected 500"
        );
    }

    fn answer(body: &str, bytes: u64) -> RequestFact {
        RequestFact {
            status: Some(200),
            bytes,
            body: Some(body.into()),
            headers: [("access-control-allow-origin".to_string(), "*".to_string())].into(),
            ..RequestFact::default()
        }
    }

    fn told(expected: &Expected, request: &RequestFact) -> Vec<String> {
        let told = expected.differences(Micros::ZERO, request).into_iter();
        told.map(|difference| match difference {
            Differs(what) => what,
            Unknown(what) => format!("? {what}"),
        })
        .collect()
    }

    #[test]
    fn an_answer_that_came_too_late_is_told_from_one_that_is_wrong() {
        let within = Expected {
            within: Some(Micros::from_millis(50)),
            ..Expected::default()
        };
        let slow = RequestFact {
            done: Micros::from_millis(80),
            ..answer("slow", 4)
        };
        let unmet = |what: &str| RequestFact {
            unmet: Some(what.into()),
            ..answer("", 0)
        };
        assert!(unmet(&told(&within, &slow)[0]).is_late());
        assert!(!unmet("HTTP 302 instead of HTTP 200").is_late() && !answer("", 0).is_late());
    }

    #[test]
    fn headers_and_texts_are_compared_to_the_letter() {
        let header = |name: &str, value: &str| (name.to_string(), value.to_string());
        let good = Expected {
            body: Some("-n 'SK Imme' \r\n, ST0001".into()),
            contains: vec!["ST0001".into()],
            headers: vec![header("access-control-allow-origin", "*")],
            ..Expected::default()
        };
        let request = answer("-n 'SK Imme' \r\n, ST0001", 23);
        assert_eq!(told(&good, &request), [""; 0]);
        let bad = Expected {
            body: Some("SK Imme, ST0001".into()),
            contains: vec!["ST0002".into()],
            headers: vec![
                header("access-control-allow-origin", "me"),
                header("vary", "a"),
            ],
            ..Expected::default()
        };
        assert_eq!(
            told(&bad, &request),
            [
                "access-control-allow-origin: *, expected me",
                "no vary, expected a",
                r#"the body is "-n 'SK Imme' \r\n, ST0001", expected "SK Imme, ST0001""#,
                r#""ST0002" is not in the body "-n 'SK Imme' \r\n, ST0001""#,
            ]
        );
    }

    #[test]
    fn of_a_body_that_was_kept_in_part_only_what_is_there_is_said() {
        let expected = Expected {
            contains: vec!["far behind".into()],
            ..Expected::default()
        };
        let cut = answer("the beginning", 9000);
        assert_eq!(
            told(&expected, &cut),
            ["? only a part of the body was kept"]
        );
    }

    #[test]
    fn what_was_saved_is_expected_with_its_type() {
        let saved = Saved::from([("room".to_string(), json!(7))]);
        let expected = Expected {
            json: Some(json!({"roomId": "{{room}}", "text": "room {{room}}"})),
            ..Expected::default()
        };
        let filled = expected.with(&saved).json.unwrap();
        assert_eq!(filled, json!({"roomId": 7, "text": "room 7"}));
    }
}
