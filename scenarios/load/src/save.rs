//! What of an answer later requests use.
use crate::answer::Answer;
use jsonpath_rust::JsonPath;
use model::{Save, Source, saved::id_of};
use serde_json::Value;

/// What is asked for and there. Of an answer that was not good nothing is.
pub(crate) fn found(asked: &[Save], answer: &Answer) -> Vec<(String, Value)> {
    if !answer.is_good() {
        return vec![];
    }
    let value = |save: &Save| match &save.from {
        Source::Location => id_of(answer.location.as_deref()?),
        Source::Path(path) => first(path, &serde_json::from_slice(&answer.body).ok()?),
    };
    let found = asked
        .iter()
        .filter_map(|s| Some((s.name.clone(), value(s)?)));
    found.collect()
}

/// The first value that a JSONPath finds.
pub(crate) fn first(path: &str, json: &Value) -> Option<Value> {
    json.query(path).ok()?.first().map(|found| (*found).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn save(name: &str, from: Source) -> Save {
        Save {
            name: name.into(),
            from,
        }
    }

    #[test]
    fn what_is_there_is_found_and_nothing_in_a_bad_answer() {
        let path = |path: &str| Source::Path(path.into());
        let asked = [
            save("id", Source::Location),
            save("first", path("$._embedded.rooms[0].name")),
            save("none", path("$.nothing")),
        ];
        let body = json!({"_embedded": {"rooms": [{"name": "호텔"}]}});
        let mut answer = Answer {
            status: Some(201),
            location: Some("http://room:8080/rooms/3".into()),
            body: body.to_string().into(),
            ..Answer::default()
        };
        let expected = [
            ("id".to_string(), json!(3)),
            ("first".to_string(), json!("호텔")),
        ];
        assert_eq!(found(&asked, &answer), expected);
        answer.status = Some(500);
        assert_eq!(found(&asked, &answer), []);
    }
}
