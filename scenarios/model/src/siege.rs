//! The twelve lines of a siege summary (semantics.md 11.5), ours and recorded ones.
use crate::{ErrorKind, Micros, RequestFact};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// siege ends a run of its own accord once so many requests have failed, 5xx included (semantics.md 11.6).
pub const FAILURES_MAX: u64 = 1024;

/// Bytes in one of siege's megabytes.
const MEGABYTE: f64 = 1_048_576.0;

/// What siege 4.0.4 prints at the end. Times in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SiegeSummary {
    /// Answered requests that are not failures: everything but 408 and 5xx.
    pub transactions: u64,
    /// 100 × transactions / (transactions + failed); 0 without transactions.
    pub availability: f64,
    /// Wall clock.
    pub elapsed: f64,
    /// Body bytes of all answers, failures included, in units of 1048576.
    pub data_transferred: f64,
    /// Summed time of all answered requests, 5xx included, over transactions.
    pub response_time: f64,
    /// Transactions per second of elapsed time.
    pub transaction_rate: f64,
    /// Data transferred per second of elapsed time.
    pub throughput: f64,
    /// Summed time over elapsed time.
    pub concurrency: f64,
    /// Statuses below 400, 401 and 407.
    pub successful: u64,
    /// 408, 5xx and requests that were not answered.
    pub failed: u64,
    /// The longest answered request.
    pub longest: f64,
    /// The shortest answered request.
    pub shortest: f64,
}

/// What siege 4.0.4 would have printed after these requests of one load. `elapsed` is the load's wall clock.
///
/// Requests that share a `seq` are the hops of one redirected request: each is a transaction, unless the last one fails.
pub fn summary<'a>(
    requests: impl IntoIterator<Item = &'a RequestFact>,
    elapsed: Micros,
) -> SiegeSummary {
    let mut counts = Counts::default();
    for request in requests {
        counts.add(request);
    }
    counts.summary(elapsed.as_secs_f64())
}

/// What siege would have printed had it ended this load at its 1024th failure; `None` when there were fewer.
///
/// The requests must be in order of `done`. Each user looks at the count of failures after its own request, so what was
/// in flight at that moment is still counted: at most one request of each other user.
pub fn stopped<'a>(
    requests: impl IntoIterator<Item = &'a RequestFact>,
    users: u32,
) -> Option<SiegeSummary> {
    let mut counts = Counts::default();
    let (mut began, mut ended) = (None, Micros::ZERO);
    let mut in_flight = u64::from(users.saturating_sub(1));
    let mut last_failure = None;
    for request in requests {
        match last_failure {
            Some(stop) if in_flight == 0 || request.sent >= stop => continue,
            Some(_) => in_flight -= 1,
            None => {}
        }
        began = Some(began.map_or(request.sent, |b: Micros| b.min(request.sent)));
        ended = ended.max(request.done);
        counts.add(request);
        if last_failure.is_none() && counts.failed >= FAILURES_MAX {
            last_failure = Some(request.done);
        }
    }
    last_failure?;
    Some(counts.summary(ended.saturating_sub(began?).as_secs_f64()))
}

/// How siege counts one request (semantics.md 11.4).
struct Counted {
    hit: bool,
    successful: bool,
    failed: bool,
    answered: bool,
}

fn counted(request: &RequestFact) -> Counted {
    let (hit, successful, failed, answered) = match (request.status, request.error) {
        // What is not HTTP becomes status 418 inside siege: a transaction and a failure.
        (_, Some(ErrorKind::Protocol)) => (true, false, true, false),
        (_, Some(_)) | (None, None) => (false, false, true, false),
        (Some(..=399 | 401 | 407), None) => (true, true, false, true),
        (Some(408 | 500..), None) => (false, false, true, true),
        (Some(_), None) => (true, false, false, true),
    };
    Counted {
        hit,
        successful,
        failed,
        answered,
    }
}

#[derive(Default)]
struct Counts {
    hits: u64,
    successful: u64,
    failed: u64,
    bytes: u64,
    time: f64,
    longest: f64,
    shortest: Option<f64>,
    redirected: HashMap<u64, u64>,
}

impl Counts {
    fn add(&mut self, request: &RequestFact) {
        let counted = counted(request);
        self.hits += u64::from(counted.hit);
        self.successful += u64::from(counted.successful);
        self.failed += u64::from(counted.failed);
        if counted.successful && matches!(request.status, Some(300..=399)) {
            *self.redirected.entry(request.seq).or_default() += 1;
        } else if counted.failed {
            // A chain of redirects that ends in a failure is one failure and nothing else.
            self.hits -= self.redirected.remove(&request.seq).unwrap_or(0);
        }
        if counted.answered {
            let time = request.done.saturating_sub(request.sent).as_secs_f64();
            self.bytes = self.bytes.saturating_add(request.bytes);
            self.time += time;
            self.longest = self.longest.max(time);
            self.shortest = Some(self.shortest.map_or(time, |s| s.min(time)));
        }
    }

    fn summary(&self, elapsed: f64) -> SiegeSummary {
        let hits = self.hits as f64;
        let data_transferred = self.bytes as f64 / MEGABYTE;
        SiegeSummary {
            transactions: self.hits,
            availability: 100.0 * ratio(hits, hits + self.failed as f64),
            elapsed,
            data_transferred,
            response_time: ratio(self.time, hits),
            transaction_rate: ratio(hits, elapsed),
            throughput: ratio(data_transferred, elapsed),
            concurrency: ratio(self.time, elapsed),
            successful: self.successful,
            failed: self.failed,
            longest: self.longest,
            shortest: self.shortest.filter(|_| self.hits > 0).unwrap_or(0.0),
        }
    }
}

/// `part / whole`, and zero where there is no whole, as siege prints it.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request sent at `sent` ms that took `took` ms.
    fn request(sent: u64, took: u64, status: u16, bytes: u64) -> RequestFact {
        RequestFact {
            step: "load".into(),
            index: 0,
            seq: sent + 1,
            sent: Micros::from_millis(sent),
            done: Micros::from_millis(sent + took),
            status: Some(status),
            bytes,
            error: None,
            key: None,
            ..RequestFact::default()
        }
    }

    fn unanswered(sent: u64, took: u64, error: ErrorKind) -> RequestFact {
        RequestFact {
            status: None,
            error: Some(error),
            ..request(sent, took, 0, 0)
        }
    }

    /// `users` users that each send one request after the other, `took` ms each; in order of `done`.
    fn closed(users: u64, rounds: u64, took: u64, status: impl Fn(u64) -> u16) -> Vec<RequestFact> {
        (0..rounds * users)
            .map(|k| request(k / users * took, took, status(k), 0))
            .collect()
    }

    /// To two decimals, as siege prints.
    fn printed(value: f64) -> String {
        format!("{value:.2}")
    }

    const SECOND: Micros = Micros::from_secs(1);

    #[test]
    fn sge_1_a_404_is_a_transaction_that_is_neither_successful_nor_failed() {
        let s = summary(&closed(1, 10, 5, |_| 404), SECOND);
        assert_eq!((s.transactions, s.successful, s.failed), (10, 0, 0));
        assert_eq!(s.availability, 100.0);
    }

    #[test]
    fn sge_2_a_500_is_a_failure_and_no_transaction() {
        let s = summary(&closed(1, 10, 5, |_| 500), SECOND);
        assert_eq!((s.transactions, s.successful, s.failed), (0, 0, 10));
        assert_eq!(
            (s.availability, s.response_time, s.shortest),
            (0.0, 0.0, 0.0)
        );
        assert_eq!(
            printed(s.concurrency),
            "0.05",
            "their time counts all the same"
        );
    }

    #[test]
    fn sge_3_availability_is_the_share_of_transactions() {
        let s = summary(&closed(1, 10, 5, |k| if k < 7 { 200 } else { 503 }), SECOND);
        assert_eq!(printed(s.availability), "70.00");
    }

    #[test]
    fn sge_4_the_time_of_failures_is_shared_among_the_transactions() {
        let requests = [
            request(0, 100, 200, 0),
            request(100, 300, 503, 0),
            request(400, 100, 200, 0),
            request(500, 300, 503, 0),
        ];
        let s = summary(&requests, Micros::from_millis(800));
        assert_eq!(printed(s.response_time), "0.40");
        assert_eq!(
            (printed(s.longest), printed(s.shortest)),
            ("0.30".into(), "0.10".into())
        );
        assert_eq!(printed(s.concurrency), "1.00");
    }

    #[test]
    fn sge_5_a_refused_connection_ends_it_and_has_no_time() {
        let refused: Vec<_> = (0..2000)
            .map(|k| unanswered(k / 10, 1, ErrorKind::ConnectionRefused))
            .collect();
        let s = stopped(&refused, 10).unwrap();
        assert_eq!(s.transactions, 0);
        assert!((1024..=1033).contains(&s.failed), "{}", s.failed);
        assert_eq!((s.concurrency, s.longest), (0.0, 0.0));
    }

    #[test]
    fn sge_6_one_user_stops_at_exactly_1024_failures() {
        let s = stopped(&closed(1, 3000, 2, |_| 500), 1).unwrap();
        assert_eq!((s.failed, printed(s.elapsed)), (1024, "2.05".into()));
        assert_eq!(stopped(&closed(1, 1023, 2, |_| 500), 1), None);
    }

    #[test]
    fn sge_7_ten_users_and_every_second_one_failing_stop_in_the_middle() {
        let s = stopped(
            &closed(10, 300, 20, |k| if k % 2 == 0 { 500 } else { 200 }),
            10,
        )
        .unwrap();
        assert!((1024..=1033).contains(&s.failed), "{}", s.failed);
        assert!((49.0..51.0).contains(&s.availability), "{}", s.availability);
        assert_eq!(printed(s.elapsed), "4.10");
    }

    #[test]
    fn what_was_in_flight_at_the_stop_counts_and_what_was_sent_after_it_does_not() {
        let mut requests = closed(1, 1024, 1, |_| 500);
        requests.push(request(1000, 500, 200, 0));
        requests.push(request(1030, 600, 200, 0));
        let s = stopped(&requests, 3).unwrap();
        assert_eq!(
            (s.transactions, s.failed, printed(s.elapsed)),
            (1, 1024, "1.50".into())
        );
    }

    #[test]
    fn sge_19_a_201_with_a_location_is_one_transaction() {
        let created = RequestFact {
            location: Some("http://room:8080/rooms/1".into()),
            ..request(0, 5, 201, 241)
        };
        assert_eq!(summary([&created], SECOND).transactions, 1);
    }

    #[test]
    fn sge_20_each_hop_of_a_redirect_is_a_transaction_unless_the_last_one_fails() {
        let hop = |status| RequestFact {
            seq: 1,
            ..request(0, 5, status, 0)
        };
        let s = summary(&[hop(302), hop(200)], SECOND);
        assert_eq!((s.transactions, s.failed), (2, 0));
        let s = summary(&[hop(302), hop(301), hop(500)], SECOND);
        assert_eq!((s.transactions, s.failed), (0, 1));
    }

    #[test]
    fn sge_21_the_bodies_of_failures_are_data_too() {
        let s = summary(
            &closed_with_bytes(1904, 258, 168, 81),
            Micros::from_millis(9890),
        );
        assert_eq!(printed(s.data_transferred), "0.48");
        assert_eq!(printed(s.throughput), "0.05");
    }

    fn closed_with_bytes(good: u64, size: u64, bad: u64, bad_size: u64) -> Vec<RequestFact> {
        (0..good)
            .map(|k| request(k, 1, 201, size))
            .chain((0..bad).map(|k| request(k, 1, 503, bad_size)))
            .collect()
    }

    #[test]
    fn what_is_not_http_is_a_transaction_and_a_failure() {
        let s = summary(&[unanswered(0, 5, ErrorKind::Protocol)], SECOND);
        assert_eq!((s.transactions, s.successful, s.failed), (1, 0, 1));
    }

    /// experiments.md section 4: users, transactions, failed, elapsed, summed time = concurrency x elapsed; then what was
    /// printed: availability, rate, response time.
    #[test]
    fn recorded_summaries_come_out_of_their_own_counts() {
        let recorded = [
            (634, 1033, 21.48, 213.94, ["38.03", "29.52", "0.34"]),
            (5306, 0, 59.05, 586.37, ["100.00", "89.86", "0.11"]),
            (4700, 1024, 31.22, 29.97, ["82.11", "150.54", "0.01"]),
            (1054, 258, 59.74, 5769.69, ["80.34", "17.64", "5.47"]),
            (1904, 168, 9.89, 19.58, ["91.89", "192.52", "0.01"]),
            (7732, 1123, 17.12, 1390.32, ["87.32", "451.64", "0.18"]),
        ];
        for (hits, failed, elapsed, time, expected) in recorded {
            let s = Counts {
                hits,
                failed,
                time,
                ..Counts::default()
            }
            .summary(elapsed);
            let rate = s.transaction_rate;
            assert_eq!(printed(s.availability), expected[0]);
            assert_eq!(printed(s.response_time), expected[2]);
            // The elapsed time was rounded before it was printed, so the rate's last digit may differ by one.
            assert!(
                (rate - expected[1].parse::<f64>().unwrap()).abs() < 0.011,
                "{rate}"
            );
        }
    }
}
