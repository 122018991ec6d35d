//! retry — what the client's side-car tries again, how often and after which pause.

use std::time::Duration;

use crate::profile::Profile;
use crate::rules::{Retries, duration};

/// What one try came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// An answer; `overloaded` if it says that the other side's pool was full.
    Answered {
        /// Its status.
        status: u16,
        /// The header `x-envoy-overloaded`.
        overloaded: bool,
    },
    /// The own pool was full, or no host was left: nothing was sent.
    Refused,
    /// No connection.
    NotConnected,
    /// The connection broke before the answer.
    Reset,
    /// No answer within the time of one try.
    TimedOut,
}

/// What is tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// So many times after the first.
    pub attempts: u32,
    /// Each for so long at most.
    pub per_try: Option<Duration>,
    on: Vec<On>,
    profile: Profile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    FiveXx,
    GatewayError,
    Reset,
    ConnectFailure,
    Conflict,
    Status(u16),
}

/// Istio's own choice.
const ATTEMPTS: u32 = 2;
/// The first pause is at most this, each further one at most double the one before.
const PAUSE: Duration = Duration::from_millis(25);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Conditions of gRPC, and one of HTTP/2, that nothing here can meet; they are written in Istio's own default.
const NEVER_MET: [&str; 6] = [
    "refused-stream",
    "unavailable",
    "cancelled",
    "resource-exhausted",
    "deadline-exceeded",
    "internal",
];

/// One word of `retryOn`; `None` if there is no such word.
fn condition(word: &str) -> Option<Option<On>> {
    Some(Some(match word {
        "5xx" => On::FiveXx,
        "gateway-error" => On::GatewayError,
        "reset" => On::Reset,
        "connect-failure" => On::ConnectFailure,
        "retriable-4xx" => On::Conflict,
        "retriable-status-codes" => return Some(None),
        word if NEVER_MET.contains(&word) => return Some(None),
        number => On::Status(number.parse().ok().filter(|n| (100..600).contains(n))?),
    }))
}

/// The first word of a `retryOn` that means nothing.
pub fn unknown_condition(words: &str) -> Option<&str> {
    let mut words = words.split(',').map(str::trim);
    words.find(|word| condition(word).is_none())
}

impl RetryPolicy {
    /// What a route says, or Istio's default where it says nothing.
    pub fn of(written: Option<&Retries>, profile: Profile) -> RetryPolicy {
        let words = written.and_then(|retries| retries.retry_on.as_deref());
        let on = match words {
            Some(words) => words
                .split(',')
                .filter_map(|w| condition(w.trim())?)
                .collect(),
            None if profile.retries_503() => vec![On::ConnectFailure, On::Status(503)],
            None => vec![On::ConnectFailure],
        };
        RetryPolicy {
            attempts: written.map_or(ATTEMPTS, |retries| retries.attempts.try_into().unwrap_or(0)),
            per_try: written.and_then(|retries| duration(retries.per_try_timeout.as_deref()?)),
            on,
            profile,
        }
    }

    /// Whether this result is a reason to try again.
    pub fn wants(&self, tried: Tried) -> bool {
        match tried {
            Tried::Refused => false,
            Tried::Answered {
                overloaded: true, ..
            } if !self.profile.retries_overload() => false,
            Tried::Answered { status, .. } => self.on.iter().any(|on| match on {
                On::FiveXx => (500..600).contains(&status),
                On::GatewayError => (502..=504).contains(&status),
                On::Conflict => status == 409,
                On::Status(own) => *own == status,
                On::Reset | On::ConnectFailure => false,
            }),
            Tried::NotConnected => self.has(&[On::ConnectFailure, On::Reset, On::GatewayError]),
            Tried::Reset => self.has(&[On::Reset, On::GatewayError]),
            Tried::TimedOut => self.has(&[On::GatewayError]),
        }
    }

    fn has(&self, any: &[On]) -> bool {
        self.on
            .iter()
            .any(|on| *on == On::FiveXx || any.contains(on))
    }

    /// The pause before the `nth` further try, counted from 1; `dice` is from 0 to 1.
    pub fn pause(nth: u32, dice: f64) -> Duration {
        let longest = PAUSE * 2_u32.saturating_pow(nth.saturating_sub(1));
        longest.min(PAUSE_MAX).mul_f64(dice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_default(release: &str) -> RetryPolicy {
        RetryPolicy::of(None, release.parse().unwrap())
    }

    fn status(status: u16) -> Tried {
        Tried::Answered {
            status,
            overloaded: false,
        }
    }

    const OVERLOADED: Tried = Tried::Answered {
        status: 503,
        overloaded: true,
    };

    #[test]
    fn ist_21_and_22_a_503_was_tried_three_times_until_1_24() {
        let wants = |release: &str| by_default(release).wants(status(503));
        assert_eq!(
            ["1.4", "1.7", "1.23", "1.24"].map(wants),
            [true, true, true, false]
        );
        assert_eq!(by_default("1.4").attempts, 2);
    }

    #[test]
    fn ist_23_a_500_is_never_tried_again() {
        assert!(!by_default("1.4").wants(status(500)));
        assert!(!by_default("1.27").wants(status(500)));
    }

    #[test]
    fn ist_24_the_own_overflow_is_never_tried_again() {
        assert!(!by_default("1.7").wants(Tried::Refused));
    }

    #[test]
    fn ist_25_the_other_side_s_overflow_is_tried_again_from_1_7_to_1_23() {
        let wants = |release: &str| by_default(release).wants(OVERLOADED);
        assert_eq!(
            ["1.4", "1.6", "1.7", "1.23", "1.24"].map(wants),
            [false, false, true, true, false]
        );
    }

    #[test]
    fn a_connection_that_cannot_be_made_is_tried_again_and_one_that_breaks_is_not() {
        let policy = by_default("1.27");
        assert!(policy.wants(Tried::NotConnected));
        assert!(!policy.wants(Tried::Reset) && !policy.wants(Tried::TimedOut));
    }

    #[test]
    fn a_route_says_what_is_tried_again() {
        let policy = |attempts, on: &str| {
            let written = Retries {
                attempts,
                per_try_timeout: Some("2s".into()),
                retry_on: Some(on.into()),
            };
            RetryPolicy::of(Some(&written), Profile::default())
        };
        let five = policy(5, "5xx");
        assert_eq!(
            (five.attempts, five.per_try),
            (5, Some(Duration::from_secs(2)))
        );
        assert!(five.wants(status(500)) && five.wants(Tried::Reset) && five.wants(Tried::TimedOut));
        assert!(!five.wants(status(404)));
        let gateway = policy(1, "gateway-error, 429");
        assert!(gateway.wants(status(502)) && gateway.wants(status(429)));
        assert!(!gateway.wants(status(500)) && gateway.wants(OVERLOADED));
        assert_eq!(policy(0, "5xx").attempts, 0);
        assert_eq!(unknown_condition("5xx,reset,503"), None);
        assert_eq!(unknown_condition("5xx, sometimes"), Some("sometimes"));
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_a_second() {
        let pauses = [1, 2, 3, 4, 5, 99].map(|nth| RetryPolicy::pause(nth, 1.0).as_millis());
        assert_eq!(pauses, [25, 50, 100, 200, 250, 250]);
        assert_eq!(RetryPolicy::pause(1, 0.0), Duration::ZERO);
    }
}
