//! Whether one JSON value contains another.
use serde_json::Value;

/// What of `expected` is not in `actual`, with its path; nothing when it contains it: objects by their members, arrays element by
/// element and of one length, numbers by value, the rest exactly.
pub(crate) fn missing(expected: &Value, actual: &Value) -> Option<String> {
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
}
