//! Requests, what is expected of their answers, and loads.
use super::{Form, Type, may, must};
use model::ErrorKind;

pub static LOAD: Type = Type {
    name: "load",
    about: "Requests sent by a load worker in the cluster.",
    fields: &[
        may(
            "profile",
            Form::OneOf(&["siege"]),
            "siege: closed, one connection a request, and its summary is computed as well.",
        ),
        may(
            "model",
            Form::OneOf(&["open", "closed"]),
            "open: requests are due at a rate, whatever became of those before; closed: users send, wait and send again. Default: closed with profile siege or with users, else open.",
        ),
        may("users", Form::Whole, "Of a closed load. Default: 1."),
        may(
            "rate",
            Form::Rate,
            "Of an open load, e.g. 200/s, for the duration.",
        ),
        may(
            "stages",
            Form::List(&STAGE),
            "Of an open load: rates one after the other, in place of rate and duration.",
        ),
        may(
            "duration",
            Form::Duration,
            "How long. A closed load may say repetitions instead; with both, time wins, as in siege.",
        ),
        may(
            "repetitions",
            Form::Whole,
            "Rounds through the requests for each user of a closed load.",
        ),
        may(
            "maxRate",
            Form::Rate,
            "A ceiling for a closed load over all its users; one that sends less than half as much, because its users wait for answers, shows nothing (LoadDelivered). Default: none.",
        ),
        may(
            "inFlightMax",
            Form::Whole,
            "So many requests of an open load may be unanswered at once; what is due beyond is recorded as dropped. Default: 1000.",
        ),
        may(
            "connection",
            Form::OneOf(&["new", "reused"]),
            "new: one a request; reused: kept alive. Default: new with profile siege, else reused.",
        ),
        may(
            "timeout",
            Form::Duration,
            "The limit of one request. Default: 30s, siege's.",
        ),
        may(
            "thinkTime",
            Form::Duration,
            "Of a closed load: each user waits so long after each answer. Default: 0s.",
        ),
        may(
            "stress",
            Form::Bool,
            "The load itself is what hurts: the mutant no-fault sends nothing in its place. Default: false.",
        ),
        may(
            "expect",
            Form::Object(&EXPECT),
            "What every answer must be to be a good one; a request may say it for itself. Default: a status below 400, which a good answer always has.",
        ),
        must(
            "requests",
            Form::List(&REQUEST),
            "Sent in this order, over and over.",
        ),
    ],
};

pub static STAGE: Type = Type {
    name: "stage",
    about: "A stretch of constant rate.",
    fields: &[
        must("rate", Form::Rate, "E.g. 200/s."),
        must("duration", Form::Duration, "How long."),
    ],
};

pub static REQUEST: Type = Type {
    name: "request",
    about: "An HTTP request. {{seq}} in url, body and key becomes a number that no other request of the step has, {{name}} in url, headers, body and expect what was saved as name.",
    fields: &[
        may(
            "name",
            Form::Text,
            "How reports call it. Default: method and path.",
        ),
        may("method", Form::Text, "Default: POST with a body, else GET."),
        must(
            "url",
            Form::Text,
            "With the name of a Service, e.g. http://room:8080/rooms.",
        ),
        may(
            "headers",
            Form::TextMap,
            "Default: none; content-type: application/json with a body that is no text.",
        ),
        may(
            "body",
            Form::Json,
            "A text is sent as it is, anything else as JSON.",
        ),
        may(
            "key",
            Form::Text,
            "In a load: under which an acknowledged write can be found again. Needs {{seq}}.",
        ),
        may(
            "expect",
            Form::Object(&EXPECT),
            "What the answer must be; in a load an answer that is not so is a failed request. Default in a load: what the load expects.",
        ),
        may(
            "until",
            Form::Duration,
            "In a step with requests: asked again for so long, until the answer is as expected; the last answer is judged. Default: asked once.",
        ),
        may(
            "save",
            Form::TextMap,
            "Parts of a good answer by name, for what comes later: location (the id at the end of the Location header) or a JSONPath such as $.id. In a closed load each user keeps its own.",
        ),
        may(
            "weight",
            Form::Whole,
            "In a load: so often, one after the other, in each round. Default: 1.",
        ),
    ],
};

pub static EXPECT: Type = Type {
    name: "expect",
    about: "What an answer must be; what is left out is not asked.",
    fields: &[
        may("status", Form::Whole, "The status code."),
        may(
            "error",
            Form::SomeOf(&ERRORS),
            "No answer at all, for one of these reasons.",
        ),
        may("bytes", Form::Whole, "The length of the body."),
        may(
            "json",
            Form::Json,
            "What the body contains: maps by their members, lists item by item, the rest exactly.",
        ),
        may("body", Form::Text, "The whole body, as text."),
        may(
            "contains",
            Form::Texts,
            "Text that the body contains, or several.",
        ),
        may(
            "headers",
            Form::TextMap,
            "Headers with their values, e.g. access-control-allow-origin: \"*\".",
        ),
        may(
            "location",
            Form::Text,
            "What the Location header begins with; a number follows.",
        ),
        may(
            "within",
            Form::Duration,
            "The answer took less than this, from when the request was due.",
        ),
    ],
};

/// The words for requests that were not answered.
pub(super) const ERRORS: [&str; 6] = [
    "dns",
    "connectionRefused",
    "connectionReset",
    "timeout",
    "protocol",
    "other",
];

/// What the words for errors stand for, in the same order.
pub const ERROR_KINDS: [ErrorKind; 6] = [
    ErrorKind::Dns,
    ErrorKind::ConnectionRefused,
    ErrorKind::ConnectionReset,
    ErrorKind::Timeout,
    ErrorKind::Protocol,
    ErrorKind::Other,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_model() {
        assert_eq!(ERRORS, ERROR_KINDS.map(ErrorKind::word));
    }
}
