//! replies — what a side-car answers by itself, byte for byte Envoy's, and the headers it adds to what comes by.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName, HeaderValue, SERVER,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Response, StatusCode};
use mesh::profile::Profile;

use super::lease::Answer;

const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");
const UPSTREAM_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");
const ATTEMPT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Why a side-car answers in place of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The pool was full.
    Overflow,
    /// Every host is left out, or there is none.
    NoHealthyHost,
    /// No connection to the host.
    NotConnected,
    /// The connection broke before the answer.
    Reset,
    /// No answer in time.
    TimedOut,
    /// A rule says so.
    Abort(u16),
    /// No route matches.
    NoRoute,
    /// A route leads to a Service, or a port of one, that there is not.
    NoSuchService,
}

impl Reason {
    fn status(self) -> u16 {
        match self {
            Reason::TimedOut => 504,
            Reason::NoRoute => 404,
            Reason::Abort(status) => status,
            _ => 503,
        }
    }

    fn body(self, profile: Profile) -> &'static str {
        match self {
            Reason::Overflow => {
                "upstream connect error or disconnect/reset before headers. reset reason: overflow"
            }
            Reason::NoHealthyHost => "no healthy upstream",
            Reason::NotConnected if profile.explains_failures() => {
                "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused"
            }
            Reason::NotConnected => {
                "upstream connect error or disconnect/reset before headers. reset reason: connection failure"
            }
            Reason::Reset => {
                "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
            }
            Reason::TimedOut => "upstream request timeout",
            Reason::Abort(_) => "fault filter abort",
            Reason::NoRoute | Reason::NoSuchService => "",
        }
    }

    pub fn answer(self, profile: Profile) -> Response<Answer> {
        let body = self.body(profile);
        let mut answer = Response::new(Either::Left(Full::from(Bytes::from_static(
            body.as_bytes(),
        ))));
        *answer.status_mut() =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let headers = answer.headers_mut();
        headers.insert(CONTENT_LENGTH, body.len().into());
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        if self == Reason::Overflow {
            headers.insert(OVERLOADED, HeaderValue::from_static("true"));
        }
        answer
    }
}

/// Whether an answer says that the other side's pool was full.
pub(super) fn is_overloaded(headers: &HeaderMap) -> bool {
    headers.contains_key(OVERLOADED)
}

/// On its way to a host a request loses what was for this connection alone.
pub(super) fn prepare(headers: &mut HeaderMap) {
    drop_hops(headers);
    headers.remove(EXPECT);
    headers
        .entry(FORWARDED_PROTO)
        .or_insert(HeaderValue::from_static("http"));
}

/// The how-manieth try this is, counted from 1.
pub(super) fn number(headers: &mut HeaderMap, attempt: u32) {
    headers.insert(ATTEMPT, attempt.into());
}

/// On its way back an answer says whose it is and how long the host took.
pub(super) fn sign(headers: &mut HeaderMap, server: &'static str, took: Option<Duration>) {
    drop_hops(headers);
    headers.insert(SERVER, HeaderValue::from_static(server));
    if let Some(took) = took {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        headers.insert(UPSTREAM_TIME, millis.into());
    }
}

fn drop_hops(headers: &mut HeaderMap) {
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ist_4_an_overflow_has_81_bytes_and_says_so() {
        let answer = Reason::Overflow.answer(Profile::default());
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["content-length"], "81");
        assert_eq!(answer.headers()["x-envoy-overloaded"], "true");
    }

    #[test]
    fn ist_18_no_healthy_host_has_19_bytes() {
        let answer = Reason::NoHealthyHost.answer(Profile::default());
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["content-length"], "19");
        assert!(!is_overloaded(answer.headers()));
    }

    #[test]
    fn the_other_answers_are_envoy_s_too() {
        let of = |reason: Reason, release: &str| {
            let answer = reason.answer(release.parse().unwrap());
            let length = answer.headers()["content-length"]
                .to_str()
                .unwrap()
                .to_owned();
            (answer.status().as_u16(), length)
        };
        assert_eq!(of(Reason::NotConnected, "1.7"), (503, "91".into()));
        assert_eq!(of(Reason::Reset, "1.27"), (503, "95".into()));
        assert_eq!(of(Reason::TimedOut, "1.27"), (504, "24".into()));
        assert_eq!(of(Reason::Abort(418), "1.27"), (418, "18".into()));
        assert_eq!(of(Reason::NoRoute, "1.27"), (404, "0".into()));
        assert_eq!(of(Reason::NoSuchService, "1.27"), (503, "0".into()));
    }
}
