//! When requests may be sent, and when they must be: a ceiling for users in a loop, a schedule for arrivals.
use model::Stage;
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// A ceiling in requests per second over all users. What was not used is not saved up: there are no bursts.
pub(crate) struct Ceiling {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Ceiling {
    pub(crate) fn per_second(rate: u32) -> Ceiling {
        Ceiling {
            interval: Duration::from_secs(1) / rate.max(1),
            next: Mutex::new(None),
        }
    }

    /// Takes the next free instant, `now` or later. Instants are an interval apart however late their takers wake up.
    pub(crate) fn take(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().expect("nothing panics while it is held");
        let instant = next.map_or(now, |free| free.max(now));
        *next = Some(instant + self.interval);
        instant
    }
}

/// The offsets at which requests are due: evenly spaced in each stage, which begins with one.
pub(crate) fn schedule(stages: &[Stage]) -> impl Iterator<Item = Duration> {
    let mut begin = Duration::ZERO;
    stages.iter().cloned().flat_map(move |stage| {
        let offset = begin;
        let length = Duration::from(stage.duration);
        begin += length;
        let count = (stage.rate * length.as_secs_f64()).round() as u64;
        (0..count).map(move |k| offset + Duration::from_secs_f64(k as f64 / stage.rate))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Micros;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_ceiling_spaces_evenly_and_saves_nothing_up() {
        let ceiling = Ceiling::per_second(250);
        let start = Instant::now();
        let taken =
            [0, 1, 5, 100, 100].map(|now| (ceiling.take(start + now * MS) - start).as_millis());
        assert_eq!(taken, [0, 4, 8, 100, 104]);
    }

    #[test]
    fn stages_follow_each_other_each_with_its_rate() {
        let stage = |rate, ms| Stage {
            rate,
            duration: Micros::from_millis(ms),
        };
        let due: Vec<u128> = schedule(&[stage(10.0, 300), stage(0.0, 200), stage(4.0, 500)])
            .map(|offset| offset.as_millis())
            .collect();
        assert_eq!(due, [0, 100, 200, 500, 750]);
    }
}
