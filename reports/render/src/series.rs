//! Requests counted in short stretches of time, for plots.
use model::{Micros, RequestFact};

/// Widths a reader can name, in milliseconds.
const WIDTHS: [u64; 13] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000,
];

/// With fewer requests a bucket shows the pattern of arrivals, not of answers.
const PER_BUCKET: f64 = 4.0;

/// What happened to the requests that were due in one stretch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bucket {
    /// In seconds of the run.
    pub from: f64,
    pub good: u32,
    pub failed: u32,
    /// Median response time of the good ones, in seconds.
    pub p50: Option<f64>,
    /// 99th percentile of it.
    pub p99: Option<f64>,
}

/// A width for at most `most` buckets on an axis of `span`, each with a handful of the requests that were due at these times.
pub(crate) fn width(span: Micros, due: &[Micros], most: u64) -> Micros {
    let by_space = span.0 / most.max(1);
    let first_and_last = due.iter().min().zip(due.iter().max());
    let active = first_and_last.map_or(0, |(first, last)| (*last - *first).0);
    let by_rate = active as f64 / due.len().max(1) as f64 * PER_BUCKET;
    let least = by_space.max(by_rate as u64);
    let mut fits = WIDTHS.into_iter().map(Micros::from_millis);
    // However long it was, no more are drawn than fit.
    let last = Micros::from_millis(WIDTHS[WIDTHS.len() - 1]);
    fits.find(|w| w.0 >= least)
        .unwrap_or_else(|| last.times(least.div_ceil(last.0)))
}

/// Counts by the time each request was due, from the first bucket with a request to the last, none left out.
pub(crate) fn buckets<'a>(
    requests: impl Iterator<Item = (Micros, &'a RequestFact)>,
    width: Micros,
) -> Vec<Bucket> {
    let mut grouped = std::collections::BTreeMap::<u64, Vec<(Micros, &RequestFact)>>::new();
    for (due, request) in requests {
        grouped
            .entry(due.0 / width.0)
            .or_default()
            .push((due, request));
    }
    let (first, last) = match (grouped.keys().next(), grouped.keys().last()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => return vec![],
    };
    (first..=last)
        .map(|i| {
            let inside = grouped.get(&i).map(Vec::as_slice).unwrap_or_default();
            bucket(Micros(i * width.0), inside)
        })
        .collect()
}

fn bucket(from: Micros, inside: &[(Micros, &RequestFact)]) -> Bucket {
    let mut times: Vec<Micros> = inside
        .iter()
        .filter(|(_, r)| r.is_good())
        .map(|(due, r)| r.done.saturating_sub(*due))
        .collect();
    times.sort_unstable();
    let at = |p: f64| {
        let rank = (p * times.len() as f64).ceil() as usize;
        times.get(rank.saturating_sub(1)).map(|m| m.as_secs_f64())
    };
    Bucket {
        from: from.as_secs_f64(),
        good: times.len() as u32,
        failed: (inside.len() - times.len()) as u32,
        p50: at(0.5),
        p99: at(0.99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_wide_enough_for_a_handful_of_requests_and_few_enough_fit() {
        let every = |us: u64, n: u64| (0..n).map(|i| Micros(i * us)).collect::<Vec<_>>();
        let ten = Micros::from_secs(10);
        assert_eq!(
            width(ten, &every(25_000, 400), 200),
            Micros::from_millis(100)
        );
        assert_eq!(width(ten, &every(100, 9_000), 200), Micros::from_millis(50));
        // A short load on a long axis is not counted in steps as long as the load.
        assert_eq!(width(ten, &every(5_000, 200), 500), Micros::from_millis(20));
        assert_eq!(width(Micros::ZERO, &[], 0), Micros::from_millis(10));
        // A century is drawn with as many as a minute.
        let century = width(Micros::LONGEST, &every(1, 100), 200);
        assert!(Micros::LONGEST.0 / century.0 <= 200, "{century}");
    }

    #[test]
    fn requests_count_where_they_were_due_and_empty_stretches_are_kept() {
        let request = |status| RequestFact {
            step: "siege".into(),
            index: 0,
            seq: 0,
            sent: Micros::ZERO,
            done: Micros::from_millis(150),
            status: Some(status),
            bytes: 0,
            ..RequestFact::default()
        };
        let (good, bad) = (request(200), request(500));
        let due = |ms, r| (Micros::from_millis(ms), r);
        let counted = buckets(
            [due(10, &bad), due(140, &good), due(310, &good)].into_iter(),
            Micros::from_millis(100),
        );
        let counts: Vec<_> = counted.iter().map(|b| (b.good, b.failed)).collect();
        assert_eq!(counts, [(0, 1), (1, 0), (0, 0), (1, 0)]);
        assert_eq!(counted[1].p99, Some(0.01));
    }
}
