//! The moment that a request counts at: a good one when it was sent, a failed one when it failed.
//!
//! A connection that was refused or reset, a name that is unknown and what is not HTTP end a request at once: it failed when it was
//! done. A time-out is told long after what caused it, and a bad answer may be: such a request failed when it was sent, or, where a
//! fault was injected while it was in flight, at that injection. What was in flight at a kill was killed.
use crate::sample::Sample;
use model::{ErrorKind, Micros, RequestFact};

/// All requests of a sample in the order of their moments; of those of one moment the failed ones come first.
pub(crate) fn in_order<'a>(
    sample: &Sample<'a>,
    injected: &[Micros],
) -> Vec<(Micros, &'a RequestFact)> {
    let requests = sample.requests.iter().map(|(_, request)| *request);
    let mut all: Vec<_> = requests.map(|r| (of(r, injected), r)).collect();
    all.sort_by_key(|(at, request)| (*at, request.is_good()));
    all
}

/// The moment of one request; `injected` is when each fault and each blow was injected.
pub(crate) fn of(request: &RequestFact, injected: &[Micros]) -> Micros {
    use ErrorKind::Timeout;
    if request.is_good() {
        return request.sent;
    }
    match request.error {
        Some(Timeout) | None => {
            let in_flight = |at: &&Micros| request.sent < **at && **at <= request.done;
            let first = injected.iter().filter(in_flight).min();
            first.copied().unwrap_or(request.sent)
        }
        Some(_) => request.done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{answer, ms};

    /// A request that was sent at 2 s and done at 4 s.
    fn slow(result: Result<u16, ErrorKind>) -> RequestFact {
        RequestFact {
            done: ms(4000),
            ..answer("siege", 0, result)
        }
    }

    #[test]
    fn what_breaks_a_connection_breaks_it_when_the_request_ends() {
        for broken in [
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::Dns,
            ErrorKind::Protocol,
        ] {
            assert_eq!(of(&slow(Err(broken)), &[ms(3000)]), ms(4000));
        }
    }

    #[test]
    fn a_time_out_and_a_bad_answer_belong_to_when_the_request_was_sent() {
        assert_eq!(of(&slow(Err(ErrorKind::Timeout)), &[ms(1000)]), ms(2000));
        assert_eq!(of(&slow(Ok(503)), &[ms(4001)]), ms(2000));
        assert_eq!(of(&slow(Ok(200)), &[ms(3000)]), ms(2000));
    }

    #[test]
    fn what_was_in_flight_at_an_injection_failed_at_the_injection() {
        let injected = [ms(1000), ms(3500), ms(3000)];
        assert_eq!(of(&slow(Err(ErrorKind::Timeout)), &injected), ms(3000));
        assert_eq!(of(&slow(Ok(500)), &injected), ms(3000));
        // Sent at the very moment, it was not in flight before.
        assert_eq!(of(&slow(Ok(500)), &[ms(2000)]), ms(2000));
    }
}
