//! Every answer of a step is as expected, in order.
use model::{Action, Difference, Expected, Finding, Micros, Plan, RequestFact, Timeline, Verdict};

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
        let wrong = match last_attempt(step, index, timeline) {
            Some((due, request)) => {
                let saved = timeline.saved_until(due);
                expected.with(&saved).differences(due, request)
            }
            None => vec![Difference::Unknown("was not sent".into())],
        };
        as_expected += usize::from(wrong.is_empty());
        for wrong in wrong {
            let name = name(plan, step, index);
            match wrong {
                Difference::Differs(what) => differs.push(format!("{name}: {what}")),
                Difference::Unknown(what) => unknown.push(format!("{name}: {what}")),
            }
        }
    }
    let (verdict, because) = match (differs.first(), unknown.first()) {
        (Some(first), _) => (Verdict::Fail, first.clone()),
        (None, Some(first)) => (Verdict::Inconclusive, first.clone()),
        (None, None) if expected.iter().all(|e| *e == Expected::default()) => (
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

/// A request that was sent again until it was as expected is judged by its last answer.
fn last_attempt<'a>(
    step: &'a str,
    index: usize,
    timeline: &'a Timeline,
) -> Option<(Micros, &'a RequestFact)> {
    let attempts = timeline.requests(step);
    attempts.filter(|(_, r)| r.index as usize == index).last()
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

/// `HTTP 201 with its body and its Location, within 1.00 s`, `dns or connectionRefused`.
fn written(expected: &Expected) -> String {
    let errors: Vec<&str> = expected.error.iter().map(|e| e.word()).collect();
    let head = match (expected.status, errors.is_empty()) {
        (Some(status), _) => format!("HTTP {status}"),
        (None, false) => errors.join(" or "),
        (None, true) => "an answer".into(),
    };
    let has_body =
        expected.json.is_some() || expected.body.is_some() || !expected.contains.is_empty();
    let parts: Vec<String> = [
        expected.bytes.map(|bytes| format!("{bytes} bytes")),
        has_body.then(|| "its body".into()),
        (!expected.headers.is_empty()).then(|| "its headers".into()),
        expected.location.as_ref().map(|_| "its Location".into()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let with = match parts.is_empty() {
        true => String::new(),
        false => format!(" with {}", parts.join(" and ")),
    };
    let within = expected.within.map(|limit| format!(", within {limit}"));
    format!("{head}{with}{}", within.unwrap_or_default())
}

/// `HTTP 201 in 54.0 ms`, of the only request; empty when it was not sent.
fn seen(step: &str, timeline: &Timeline) -> String {
    timeline
        .requests(step)
        .map(|(due, r)| format!("{} in {}", r.result(), r.done.saturating_sub(due)))
        .last()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, answer, ms};
    use model::{ErrorKind, Fact};
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
    fn what_was_asked_again_is_judged_by_its_last_answer_and_with_what_was_saved_before() {
        let expected = vec![Expected {
            status: Some(200),
            json: Some(json!({"roomId": "{{room}}"})),
            ..Expected::default()
        }];
        let attempt = |seq, body: &str| RequestFact {
            seq,
            body: Some(body.into()),
            ..answer("view", 0, Ok(200))
        };
        let story = Story::answers(vec![attempt(1, "{}"), attempt(2, r#"{"roomId": 7}"#)]);
        let saved = |value: u64| Fact::Saved {
            step: "create".into(),
            name: "room".into(),
            value: value.into(),
        };
        let before = story
            .clone()
            .with(ms(1900), saved(7))
            .with(ms(2100), saved(8));
        let found = check("view", &expected, &before.plan(), &before.timeline());
        assert_eq!(
            (found.verdict, &*found.measured),
            (Verdict::Pass, "HTTP 200 in 2.0 ms")
        );
        let other = story.with(ms(1900), saved(9));
        let found = check("view", &expected, &other.plan(), &other.timeline());
        assert_eq!(
            found.because,
            "request 1 of “view”: $.roomId is 7, expected 9"
        );
    }

    #[test]
    fn a_target_reads_like_a_sentence() {
        let refused = Expected {
            status: Some(500),
            within: Some(Micros::from_secs(15)),
            ..Expected::default()
        };
        assert_eq!(written(&refused), "HTTP 500, within 15.00 s");
        let told: Vec<String> = register().iter().map(written).collect();
        assert_eq!(
            told,
            [
                "HTTP 201 with its body and its Location, within 1.00 s",
                "dns or connectionRefused"
            ]
        );
    }

    #[test]
    fn where_nothing_is_expected_nothing_is_shown() {
        let story = Story::answers(vec![created()]);
        let nothing = [Expected::default()];
        let finding = check("register", &nothing, &story.plan(), &story.timeline());
        assert_eq!(finding.verdict, Verdict::Inconclusive);
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
