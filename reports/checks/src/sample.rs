//! The requests of one step, in the order they were due.
use crate::closed;
use model::{Fact, Load, Micros, RequestFact, Timeline};

/// No window closes sooner than this after its last failure: a few lucky answers are not a recovery.
const QUIET_MIN: Micros = Micros::from_millis(100);

/// So many requests must be good in a row before a window closes, as time at the load's own rate.
const QUIET_REQUESTS: f64 = 3.0;

pub(crate) struct Sample<'a> {
    pub step: &'a str,
    /// With the time each was due.
    pub requests: Vec<(Micros, &'a RequestFact)>,
    /// Requests that were due and not sent, and of which the timeline does not say when: what would have become of them nobody knows.
    /// The others are in the time that is in doubt.
    pub dropped: u64,
    /// How long requests of a closed load would have taken that were due by its ceiling while all users waited.
    pub waits: Vec<Micros>,
}

impl<'a> Sample<'a> {
    pub fn of(timeline: &'a Timeline, step: &'a str) -> Sample<'a> {
        Sample {
            step,
            requests: timeline.requests(step).collect(),
            dropped: dropped(timeline, step),
            waits: vec![],
        }
    }

    /// The same with what its load says of when requests were due.
    pub fn of_load(self, load: &Load) -> Sample<'a> {
        let waits = closed::waits(load, &self);
        Sample { waits, ..self }
    }

    pub fn len(&self) -> u64 {
        self.requests.len() as u64
    }

    pub fn good(&self) -> u64 {
        self.requests.iter().filter(|(_, r)| r.is_good()).count() as u64
    }

    /// From when the first was due to when the last was done.
    pub fn span(&self) -> Option<(Micros, Micros)> {
        let (first, _) = self.requests.first()?;
        let last = self.requests.iter().map(|(_, r)| r.done).max()?;
        Some((*first, last.max(*first)))
    }

    /// The mean time between two requests: nothing shorter can be told.
    pub fn floor(&self) -> Option<Micros> {
        let ((first, _), (last, _)) = (self.requests.first()?, self.requests.last()?);
        let gaps = self.len().checked_sub(1).filter(|n| *n > 0)?;
        Some(Micros(last.saturating_sub(*first).0 / gaps))
    }

    /// How long no request may fail until a window is over: max(3/rate, 100 ms).
    pub fn quiet(&self) -> Micros {
        let three = self.floor().map_or(0.0, |f| f.0 as f64 * QUIET_REQUESTS);
        Micros(three as u64).max(QUIET_MIN)
    }

    /// Times of the good requests, shortest first: from when each was due, those included that a ceiling asked for in vain, and from
    /// when it was sent.
    pub fn times(&self) -> (Vec<Micros>, Vec<Micros>) {
        let good = || self.requests.iter().filter(|(_, r)| r.is_good());
        let mut response: Vec<Micros> =
            good().map(|(due, r)| r.done.saturating_sub(*due)).collect();
        let mut service: Vec<Micros> = good().map(|(_, r)| r.done.saturating_sub(r.sent)).collect();
        response.extend(&self.waits);
        response.sort_unstable();
        service.sort_unstable();
        (response, service)
    }
}

fn dropped(timeline: &Timeline, step: &str) -> u64 {
    let ended = timeline.all().iter().rev().find_map(|o| match &o.fact {
        Fact::LoadEnded {
            step: s, dropped, ..
        } if s == step => Some(*dropped),
        _ => None,
    });
    let told = timeline.all().iter().filter_map(|o| match &o.fact {
        Fact::Unsent(unsent) if unsent.step == step => Some(unsent.count),
        _ => None,
    });
    ended.unwrap_or_default().saturating_sub(told.sum())
}

/// The same percentile of `all` requests, of which only those with these times were answered well: the others took for ever.
pub(crate) fn percentile_of_all(sorted: &[Micros], all: u64, p: f64) -> f64 {
    let rank = (p * all as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .map_or(f64::INFINITY, |m| m.as_secs_f64())
}

/// The nearest-rank percentile of sorted times, in seconds; 0 of none.
pub(crate) fn percentile(sorted: &[Micros], p: f64) -> f64 {
    let rank = (p * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .map_or(0.0, |m| m.as_secs_f64())
}

/// How often each result occurred, most frequent first, equal ones by name.
pub(crate) fn tally<'a>(requests: impl Iterator<Item = &'a RequestFact>) -> Vec<(String, u64)> {
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    for request in requests {
        *counts.entry(request.result()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let ms = |n: u64| Micros::from_millis(n);
        let ten: Vec<Micros> = (1..=10).map(ms).collect();
        assert_eq!(percentile(&ten, 0.5), 0.005);
        assert_eq!(percentile(&ten, 0.9), 0.009);
        assert_eq!(percentile(&ten, 0.99), 0.010);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }

    #[test]
    fn a_failed_request_took_for_ever() {
        let ms = |n: u64| Micros::from_millis(n);
        let good: Vec<Micros> = (1..=90).map(ms).collect();
        assert_eq!(percentile_of_all(&good, 100, 0.9), 0.09);
        assert_eq!(percentile_of_all(&good, 100, 0.91), f64::INFINITY);
        assert_eq!(percentile_of_all(&[], 100, 0.5), f64::INFINITY);
    }
}
