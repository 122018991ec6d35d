//! What a load expects of its answers: an answer that is not so is a failed request, whatever its status says.
use crate::wire::WireRequest;
use model::{Difference, Expected, Fact, Micros, load::BODY_MAX};

/// So much of a body is read for comparing, in bytes; what is expected must be in it.
pub(crate) const COMPARED_MAX: usize = 1 << 20;

/// So much of the body of an answer that is not as expected is printed, in bytes: at a thousand wrong answers a second every one costs
/// disk.
const UNMET_BODY_MAX: usize = 512;

/// So many letters say what was not as expected.
const UNMET_MAX: usize = 120;

/// How much of a body has to be read to compare it.
pub(crate) fn needed(expected: Option<&Expected>) -> usize {
    let of_body = |e: &Expected| e.json.is_some() || e.body.is_some() || !e.contains.is_empty();
    match expected.is_some_and(of_body) {
        true => COMPARED_MAX,
        false => 0,
    }
}

/// The request with what was not as expected, and without what was read for comparing alone: `print` bytes of a good body stay.
pub(crate) fn judged(
    mut seen: WireRequest,
    expected: Option<&Expected>,
    print: usize,
) -> WireRequest {
    let is_good = seen.error.is_none() && seen.status.is_some_and(|status| status < 400);
    if let Some(expected) = expected.filter(|_| is_good) {
        seen.unmet = first_difference(expected, &seen);
        if seen.unmet.is_none() {
            seen.headers.clear();
        }
    }
    let limit = match (is_good, &seen.unmet) {
        (true, None) => print,
        (true, Some(_)) => print.max(UNMET_BODY_MAX),
        (false, _) => BODY_MAX,
    };
    seen.body = seen
        .body
        .map(|body| beginning(body, limit))
        .filter(|b| !b.is_empty());
    seen
}

fn first_difference(expected: &Expected, seen: &WireRequest) -> Option<String> {
    let due = Micros(seen.due_us);
    let Fact::Request(fact) = seen.clone().observe("", 0).fact else {
        return None;
    };
    let first = expected.differences(due, &fact).into_iter().next()?;
    let (Difference::Differs(what) | Difference::Unknown(what)) = first;
    Some(what.chars().take(UNMET_MAX).collect())
}

/// At most so many bytes of a text, in whole letters.
fn beginning(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn seen(status: u16, body: &str) -> WireRequest {
        WireRequest {
            index: 0,
            seq: 7,
            due_us: 1_000_000,
            sent_us: 1_100_000,
            done_us: 1_150_000,
            status: Some(status),
            bytes: body.len() as u64,
            error: None,
            key: None,
            location: None,
            headers: BTreeMap::from([("vary".into(), "origin".into())]),
            body: Some(body.into()),
            unmet: None,
        }
    }

    fn unmet(expected: Expected, seen: WireRequest) -> Option<String> {
        judged(seen, Some(&expected), 0).unmet
    }

    #[test]
    fn a_wrong_body_a_redirect_and_a_slow_answer_are_not_as_expected() {
        let text = Expected {
            contains: vec!["hello".into()],
            ..Expected::default()
        };
        assert_eq!(unmet(text.clone(), seen(200, "hello world")), None);
        assert_eq!(
            unmet(text, seen(200, "<html>")).as_deref(),
            Some(r#""hello" is not in the body "<html>""#)
        );
        let json = Expected {
            json: Some(json!({"price": 10})),
            ..Expected::default()
        };
        assert_eq!(
            unmet(json, seen(200, r#"{"price": 0}"#)).as_deref(),
            Some("$.price is 0, expected 10")
        );
        let status = |status| Expected {
            status: Some(status),
            ..Expected::default()
        };
        assert_eq!(
            unmet(status(200), seen(302, "")).as_deref(),
            Some("HTTP 302 instead of HTTP 200")
        );
        assert_eq!(unmet(status(302), seen(302, "")), None);
        let within = |ms| Expected {
            within: Some(Micros::from_millis(ms)),
            ..Expected::default()
        };
        // 50 ms after it was sent and 150 ms after it was due.
        assert_eq!(unmet(within(151), seen(200, "")), None);
        assert_eq!(
            unmet(within(100), seen(200, "")).as_deref(),
            Some("took 150.0 ms, not less than 100.0 ms")
        );
    }

    #[test]
    fn what_was_read_for_comparing_alone_is_not_printed_unless_it_is_wrong() {
        let expected = Expected {
            contains: vec!["a".into()],
            headers: vec![("vary".into(), "origin".into())],
            ..Expected::default()
        };
        let good = judged(seen(200, "aaa"), Some(&expected), 0);
        assert_eq!((good.body, good.headers.len()), (None, 0));
        let long = "é".repeat(4000);
        let wrong = judged(seen(200, &long), Some(&expected), 0);
        assert_eq!(wrong.body.map(|b| b.len()), Some(UNMET_BODY_MAX));
        assert!(wrong.unmet.is_some_and(|u| u.chars().count() == UNMET_MAX));
        let failed = judged(seen(500, "because"), Some(&expected), 0);
        assert_eq!(
            (failed.unmet, failed.body.as_deref()),
            (None, Some("because"))
        );
    }
}
