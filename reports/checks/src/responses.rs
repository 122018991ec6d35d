//! Every answer of a step is as expected, in order.
use crate::json;
use model::{Action, Expected, Finding, Micros, Plan, RequestFact, Timeline, Verdict};

/// What is wrong with an answer, or why that cannot be told.
enum Wrong {
    Differs(String),
    Unknown(String),
}

pub(crate) fn check(
    step: &str,
    expected: &[Expected],
    plan: &Plan,
    timeline: &Timeline,
) -> Finding {
    let mut differs = vec![];
    let mut unknown = vec![];
    let mut as_expected = 0;
    for (index, expected) in expected.iter().enumerate() {
        let found = timeline
            .requests(step)
            .find(|(_, r)| r.index as usize == index);
        let wrong = match found {
            Some((due, request)) => compare(expected, due, request),
            None => vec![Wrong::Unknown("was not sent".into())],
        };
        as_expected += usize::from(wrong.is_empty());
        for wrong in wrong {
            let name = name(plan, step, index);
            match wrong {
                Wrong::Differs(what) => differs.push(format!("{name}: {what}")),
                Wrong::Unknown(what) => unknown.push(format!("{name}: {what}")),
            }
        }
    }
    let (verdict, because) = match (differs.first(), unknown.first()) {
        (Some(first), _) => (Verdict::Fail, first.clone()),
        (None, Some(first)) => (Verdict::Inconclusive, first.clone()),
        (None, None) if expected.is_empty() => (
            Verdict::Inconclusive,
            format!("nothing is expected of “{step}”"),
        ),
        (None, None) => (
            Verdict::Pass,
            format!("every answer of “{step}” is as expected"),
        ),
    };
    Finding {
        target: match expected {
            [one] => written(one),
            all => format!("{} answers as expected", all.len()),
        },
        measured: match expected.len() {
            1 => seen(step, timeline),
            n => format!("{as_expected} of {n}"),
        },
        evidence: differs
            .into_iter()
            .chain(unknown)
            .take(EVIDENCE_MAX)
            .collect(),
        ..Finding::new("responses", verdict, because)
    }
}

/// As the plan calls the request.
fn name(plan: &Plan, step: &str, index: usize) -> String {
    match plan.step(step).map(|s| &s.action) {
        Some(Action::Requests { requests }) if index < requests.len() => {
            format!("“{}”", requests[index].name)
        }
        _ => format!("request {} of “{step}”", index + 1),
    }
}

/// So many differences are listed.
const EVIDENCE_MAX: usize = 8;

fn compare(expected: &Expected, due: Micros, request: &RequestFact) -> Vec<Wrong> {
    if !expected.error.is_empty() {
        let asked = request.error.is_some_and(|e| expected.error.contains(&e));
        let within = asked.then(|| too_slow(expected, due, request)).flatten();
        let other = (!asked).then(|| {
            let wanted: Vec<&str> = expected.error.iter().map(|e| e.word()).collect();
            format!("{} instead of {}", request.result(), wanted.join(" or "))
        });
        return other.or(within).map(Wrong::Differs).into_iter().collect();
    }
    if *expected == Expected::default() {
        return vec![];
    }
    if request.error.is_some() || request.status.is_none() {
        return vec![Wrong::Differs(format!(
            "{} instead of an answer",
            request.result()
        ))];
    }
    let differences = [
        expected
            .status
            .filter(|s| request.status != Some(*s))
            .map(|s| format!("{} instead of HTTP {s}", request.result())),
        expected
            .bytes
            .filter(|b| request.bytes != *b)
            .map(|b| format!("{} bytes instead of {b}", request.bytes)),
        expected
            .location
            .as_deref()
            .and_then(|prefix| elsewhere(prefix, request.location.as_deref())),
        too_slow(expected, due, request),
    ];
    let body = expected.json.as_ref().and_then(|json| body(json, request));
    differences
        .into_iter()
        .flatten()
        .map(Wrong::Differs)
        .chain(body)
        .collect()
}

fn too_slow(expected: &Expected, due: Micros, request: &RequestFact) -> Option<String> {
    let took = request.done.saturating_sub(due);
    expected
        .within
        .filter(|limit| took >= *limit)
        .map(|limit| format!("took {took}, not less than {limit}"))
}

fn elsewhere(prefix: &str, location: Option<&str>) -> Option<String> {
    let Some(location) = location else {
        return Some(format!("no Location, expected {prefix}<number>"));
    };
    let number = location.strip_prefix(prefix);
    let numbered = number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    (!numbered).then(|| format!("Location {location}, expected {prefix}<number>"))
}

fn body(expected: &serde_json::Value, request: &RequestFact) -> Option<Wrong> {
    let Some(body) = request.body.as_deref() else {
        return Some(match request.bytes {
            0 => Wrong::Differs("the body is empty, expected JSON".into()),
            _ => Wrong::Unknown("the body was not kept".into()),
        });
    };
    match serde_json::from_str(body) {
        Ok(actual) => json::missing(expected, &actual).map(Wrong::Differs),
        Err(_) if (body.len() as u64) < request.bytes => {
            Some(Wrong::Unknown("only a part of the body was kept".into()))
        }
        Err(_) => Some(Wrong::Differs("the body is not JSON".into())),
    }
}

/// `HTTP 201 with its body with its Location`, `dns or connectionRefused`.
fn written(expected: &Expected) -> String {
    let mut parts: Vec<String> = vec![];
    if let Some(status) = expected.status {
        parts.push(format!("HTTP {status}"));
    }
    if !expected.error.is_empty() {
        let words: Vec<&str> = expected.error.iter().map(|e| e.word()).collect();
        parts.push(words.join(" or "));
    }
    if let Some(bytes) = expected.bytes {
        parts.push(format!("{bytes} bytes"));
    }
    if expected.json.is_some() {
        parts.push("its body".into());
    }
    if expected.location.is_some() {
        parts.push("its Location".into());
    }
    if let Some(within) = expected.within {
        parts.push(format!("within {within}"));
    }
    match parts.is_empty() {
        true => "anything".into(),
        false => parts.join(" with "),
    }
}

/// `HTTP 201 in 54.0 ms`, of the only request; empty when it was not sent.
fn seen(step: &str, timeline: &Timeline) -> String {
    timeline
        .requests(step)
        .map(|(due, r)| format!("{} in {}", r.result(), r.done.saturating_sub(due)))
        .next()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, answer};
    use model::ErrorKind;
    use serde_json::json;

    fn register() -> Vec<Expected> {
        vec![
            Expected {
                status: Some(201),
                location: Some("http://room:8080/rooms/".into()),
                json: Some(json!({"price": 1000})),
                within: Some(Micros::from_secs(1)),
                ..Expected::default()
            },
            Expected {
                error: vec![ErrorKind::Dns, ErrorKind::ConnectionRefused],
                ..Expected::default()
            },
        ]
    }

    fn found(requests: Vec<RequestFact>) -> Finding {
        let story = Story::answers(requests);
        check("register", &register(), &story.plan(), &story.timeline())
    }

    fn created() -> RequestFact {
        RequestFact {
            location: Some("http://room:8080/rooms/11".into()),
            body: Some(r#"{"name":"호텔3","price":1000}"#.into()),
            bytes: 31,
            ..answer("register", 0, Ok(201))
        }
    }

    #[test]
    fn answers_as_expected_pass() {
        let finding = found(vec![created(), answer("register", 1, Err(ErrorKind::Dns))]);
        assert_eq!(finding.verdict, Verdict::Pass);
        assert_eq!(
            (&*finding.measured, &*finding.target),
            ("2 of 2", "2 answers as expected")
        );
    }

    #[test]
    fn every_difference_is_named_and_one_is_enough_to_fail() {
        let elsewhere = RequestFact {
            location: Some("http://room:8080/rooms/x".into()),
            body: Some(r#"{"price":"1000"}"#.into()),
            done: Micros::from_secs(11),
            ..answer("register", 0, Ok(200))
        };
        let finding = found(vec![elsewhere, answer("register", 1, Ok(200))]);
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(
            finding.evidence,
            [
                "request 1 of “register”: HTTP 200 instead of HTTP 201",
                "request 1 of “register”: Location http://room:8080/rooms/x, expected http://room:8080/rooms/<number>",
                "request 1 of “register”: took 9.00 s, not less than 1.00 s",
                "request 1 of “register”: $.price is \"1000\", expected 1000",
                "request 2 of “register”: HTTP 200 instead of dns or connectionRefused",
            ]
        );
    }

    #[test]
    fn a_request_that_was_not_sent_leaves_it_open() {
        let finding = found(vec![created()]);
        assert_eq!(finding.verdict, Verdict::Inconclusive);
        assert_eq!(finding.because, "request 2 of “register”: was not sent");
    }

    #[test]
    fn a_body_of_which_a_part_was_kept_is_not_called_wrong() {
        let cut = RequestFact {
            body: Some(r#"{"name":"호"#.into()),
            bytes: 9000,
            ..created()
        };
        let finding = found(vec![cut, answer("register", 1, Err(ErrorKind::Dns))]);
        assert_eq!(finding.verdict, Verdict::Inconclusive);
    }
}
