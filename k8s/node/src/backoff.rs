//! backoff — how long a container that ended waits before it is started again.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

const FIRST: Duration = Duration::from_secs(10);
const MAX: Duration = Duration::from_secs(300);
/// A container that lasted so long after its last start begins anew: twice the longest delay.
const FORGET_AFTER: SignedDuration = SignedDuration::from_secs(600);

/// The history of one container of one pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Last {
    delay: Duration,
    /// When it was last (re)started under this history.
    updated: Timestamp,
}

/// What to do with a container that is not running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    Now,
    /// Not before then; the delay is what it is measured by.
    Wait {
        delay: Duration,
        until: Timestamp,
    },
}

impl Backoff {
    /// Decides at `now` about a container whose newest *recorded* end was at `finished` (`None`: it never ended). Deciding for
    /// `Now` advances the delay.
    pub fn decide(&mut self, now: Timestamp, finished: Option<Timestamp>) -> Restart {
        let Some(finished) = finished else {
            return Restart::Now;
        };
        let known = self
            .last
            .filter(|last| finished.duration_since(last.updated) <= FORGET_AFTER);
        let delay = match known {
            None => FIRST,
            Some(last) => {
                let until = finished
                    .saturating_add(last.delay)
                    .unwrap_or(Timestamp::MAX);
                if now < until {
                    return Restart::Wait {
                        delay: last.delay,
                        until,
                    };
                }
                (last.delay * 2).min(MAX)
            }
        };
        self.last = Some(Last {
            delay,
            updated: now,
        });
        Restart::Now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    /// Seconds between each end and the next start of a container that ends `life` seconds after each start.
    fn gaps(life: i64, restarts: usize) -> Vec<i64> {
        let (mut backoff, mut ended) = (Backoff::default(), life);
        let mut gaps = vec![];
        for _ in 0..restarts {
            let start = match backoff.decide(at(ended), Some(at(ended))) {
                Restart::Now => at(ended),
                Restart::Wait { until, .. } => {
                    assert_eq!(backoff.decide(until, Some(at(ended))), Restart::Now);
                    until
                }
            };
            gaps.push(start.duration_since(at(ended)).as_secs());
            ended = start.duration_since(at(0)).as_secs() + life;
        }
        gaps
    }

    #[test]
    fn rst_1_delays_double_from_ten_seconds_to_five_minutes_and_the_first_restart_is_immediate() {
        assert_eq!(gaps(0, 9), [0, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn rst_5_a_container_that_lasted_more_than_ten_minutes_begins_anew() {
        assert_eq!(gaps(600, 4), [0, 10, 20, 40]);
        assert_eq!(gaps(601, 4), [0, 0, 0, 0]);
    }

    #[test]
    fn a_container_never_recorded_as_ended_starts_at_once_and_leaves_no_history() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.decide(at(0), None), Restart::Now);
        assert_eq!(backoff, Backoff::default());
    }

    /// Section 2.3: a kill by a probe is judged by the instance before the killed one, so that a container that lives
    /// longer than the current delay is restarted at once.
    #[test]
    fn a_container_killed_by_a_probe_is_judged_by_the_end_before() {
        let mut backoff = Backoff::default();
        let (life, mut start, mut previous, mut immediate) = (45, 0, None, 0);
        while backoff.decide(at(start + life), previous.map(at)) == Restart::Now {
            immediate += 1;
            previous = Some(start + life);
            start += life;
        }
        // Delays 10, 20 and 40 s pass within 45 s; 80 s do not.
        assert_eq!(immediate, 5);
        let own_end = at(start + life);
        let wait = Restart::Wait {
            delay: Duration::from_secs(80),
            until: at(start + life + 80),
        };
        assert_eq!(backoff.decide(own_end, Some(own_end)), wait);
    }
}
