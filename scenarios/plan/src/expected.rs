//! What an answer must be: of a request that is sent once, or of all that a load sends.
use crate::object::Object;
use crate::words::ERROR_KINDS;
use model::{Expected, Micros};

/// Reads what is expected. What every answer meets, or none, is put down.
pub fn read(e: &Object) -> Expected {
    let status = e
        .whole("status", 100, 599)
        .and_then(|s| u16::try_from(s).ok());
    let words = e.some_of("error");
    let error: Vec<_> = ERROR_KINDS
        .into_iter()
        .filter(|k| words.contains(&k.word()))
        .collect();
    if !words.is_empty() {
        e.refuses(
            &[
                "status", "bytes", "json", "body", "contains", "headers", "location",
            ],
            "beside error: there is no answer",
        );
    }
    let expected = Expected {
        status,
        error,
        bytes: e.whole("bytes", 0, u64::MAX),
        json: e.json("json"),
        body: e.text("body").map(Into::into),
        contains: e.some_texts("contains"),
        headers: e
            .text_map("headers")
            .iter()
            .map(|(name, value)| (name.to_lowercase(), (*value).into()))
            .collect(),
        location: e.text("location").map(Into::into),
        within: e.duration("within"),
    };
    something(e, &expected);
    expected
}

fn something(e: &Object, expected: &Expected) {
    let nothing = |node, message: &str| {
        let way_out =
            "write status, error, bytes, json, body, contains, headers, location or within";
        e.log.bad(node, message, way_out);
    };
    if e.node.entries().iter().all(|entry| entry.node.is_null()) {
        nothing(e.node, "nothing is expected");
    }
    for (field, is_empty) in [
        ("headers", expected.headers.is_empty()),
        ("error", expected.error.is_empty()),
    ] {
        if let Some(node) = e.get(field).filter(|n| n.is_empty() && is_empty) {
            nothing(node, "this expects nothing: every answer is so");
        }
    }
    if let (Some(node), Some(Micros::ZERO)) = (e.get("within"), expected.within) {
        let message = "no answer takes less than no time";
        e.log.bad(node, message, "write a time, as 300ms");
    }
}

/// What a load expects of its answers. A load's good answers are among those with a status below 400: `expect` can take some of them
/// away, and nothing makes a failure good.
pub fn of_load(e: &Object, follows_redirects: bool) -> Expected {
    let expected = read(e);
    e.refuses(
        &["error"],
        "in a load: count it with metric: errors.<kind>, or write type: failures-are",
    );
    let Some((node, status)) = e.get("status").zip(expected.status) else {
        return expected;
    };
    if status >= 400 {
        e.log.bad(
            node,
            format!("a load never takes HTTP {status} for a good answer"),
            format!("count it with metric: status.{status}, or write type: failures-are"),
        );
    }
    if (300..400).contains(&status) && follows_redirects {
        let message = "siege follows redirects: what is expected is expected of the last answer";
        e.log.bad(
            node,
            message,
            "write model: closed and connection: new in place of the profile",
        );
    }
    expected
}
