//! How a load went at its end: the stretch of time that shows that requests succeed again, and go on to.
use crate::{force::Force, moment, offset, sample::Sample};
use model::{Micros, Timeline, Window};

/// A recovery lasts this share of what was left of the load when the last fault was injected, at least.
const SHARE_MIN: u64 = 10;

/// Fewer requests show no recovery: a few answer well by chance.
const REQUESTS_MIN: u64 = 10;

/// One of so many requests may fail by itself in a stretch that counts as good, and one in any: a stray failure is no relapse.
const STRAY: u64 = 100;

/// The last stretch of a load in which at most stray requests failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tail {
    load: String,
    from: Micros,
    /// The load's last answer.
    pub to: Micros,
    requests: u64,
    good: u64,
    /// It counts as a recovery when it is at least so long.
    length_min: Micros,
}

impl Tail {
    /// Whether it is long enough, and of enough requests, to be a recovery.
    pub fn is_good(&self) -> bool {
        self.requests >= REQUESTS_MIN
            && strays(self.requests - self.good, self.requests)
            && self.to.saturating_sub(self.from) >= self.length_min
    }

    /// `good from +8.100 s to the end of “customers” at +12.000 s: 390 of 391 requests`
    pub fn told(&self) -> String {
        format!(
            "good from {} to the end of “{}” at {}: {} of {} requests",
            offset(self.from),
            self.load,
            offset(self.to),
            self.good,
            self.requests
        )
    }

    /// `10 requests in 1.30 s`
    pub fn asked(&self) -> String {
        format!("{REQUESTS_MIN} requests in {}", self.length_min)
    }
}

fn strays(failed: u64, requests: u64) -> bool {
    failed <= (requests / STRAY).max(1)
}

/// The end of a load, of which these are the windows. It begins when the last window closed, those of single stray requests left out.
pub(crate) fn of(
    step: &str,
    windows: &[&Window],
    forces: &[Force],
    timeline: &Timeline,
) -> Option<Tail> {
    let sample = Sample::of(timeline, step);
    let (first, to) = sample.span()?;
    let injected: Vec<Micros> = forces.iter().map(|force| force.from).collect();
    let requests = moment::in_order(&sample, &injected);
    let hurt = injected.into_iter().filter(|at| *at <= to).max();
    let rest = to.saturating_sub(hurt.unwrap_or(first).max(first));
    let length_min = Micros(rest.0 / SHARE_MIN).max(sample.quiet());
    let since = |from: Micros| {
        let those = || requests.iter().filter(|(at, _)| *at >= from);
        let good = those().filter(|(_, request)| request.is_good()).count();
        Tail {
            load: step.into(),
            from,
            to,
            requests: those().count() as u64,
            good: good as u64,
            length_min,
        }
    };
    let single = windows.iter().rev().take_while(|w| w.failed == 1).count();
    let may_begin = (windows.len() - single)..=windows.len();
    let begins = may_begin.map(|i| match i.checked_sub(1) {
        None => first,
        Some(last) => windows[last].to,
    });
    let mut tails: Vec<Tail> = begins.map(since).collect();
    let longest = tails
        .iter()
        .position(|t| strays(t.requests - t.good, t.requests));
    // After the last window nothing fails, so there is one.
    Some(tails.swap_remove(longest.unwrap_or(tails.len() - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Story, ms},
        force, windows,
    };

    fn tail(story: Story) -> (bool, String) {
        let timeline = story.timeline();
        let windows = windows::of_step("siege", &timeline);
        let windows: Vec<&Window> = windows.iter().collect();
        let tail = of("siege", &windows, &force::all(&timeline), &timeline).unwrap();
        (tail.is_good(), tail.told())
    }

    #[test]
    fn a_load_has_recovered_when_it_went_well_for_a_while_at_its_end() {
        assert_eq!(
            tail(Story::rollout().failing(2300..2500)),
            (
                true,
                "good from +2.500 s to the end of “siege” at +2.992 s: 50 of 50 requests".into()
            )
        );
    }

    #[test]
    fn one_good_answer_makes_no_recovery() {
        assert_eq!(
            tail(Story::rollout().failing(2300..2990)),
            (
                false,
                "good from +2.990 s to the end of “siege” at +2.992 s: 1 of 1 requests".into()
            )
        );
    }

    #[test]
    fn one_stray_failure_does_not_undo_a_recovery_not_even_the_last_request() {
        let outage = || Story::rollout().failing(2300..2500);
        assert_eq!(
            tail(outage().failing(2800..2810)),
            (
                true,
                "good from +2.500 s to the end of “siege” at +2.992 s: 49 of 50 requests".into()
            )
        );
        assert!(tail(outage().failing(2990..3000)).0);
        let (good, told) = tail(outage().failing(2700..2710).failing(2850..2860));
        // The second of two in fifty is one too many; after the first of them only one is left.
        assert_eq!(
            (good, &*told),
            (
                true,
                "good from +2.710 s to the end of “siege” at +2.992 s: 28 of 29 requests"
            )
        );
    }

    #[test]
    fn what_fails_now_and_then_to_the_end_has_not_recovered() {
        let every_second = (2300..3000)
            .step_by(20)
            .fold(Story::rollout(), |s, at| s.failing(at..at + 10));
        assert!(!tail(every_second).0);
        let every_twentieth = (2300..6000)
            .step_by(200)
            .fold(Story::rollout().lasting_until(6000), |s, at| {
                s.failing(at..at + 10)
            });
        assert!(!tail(every_twentieth).0);
    }

    #[test]
    fn the_longer_a_load_goes_on_the_longer_it_has_to_go_well() {
        let long = |end| tail(Story::rollout().lasting_until(8000).failing(2300..end)).0;
        assert_eq!((long(7300), long(7500)), (true, false));
        let told = Story::rollout().lasting_until(8000).failing(2300..7500);
        let timeline = told.timeline();
        let windows = windows::of_step("siege", &timeline);
        let windows: Vec<&Window> = windows.iter().collect();
        let tail = of("siege", &windows, &force::all(&timeline), &timeline).unwrap();
        assert_eq!(tail.asked(), "10 requests in 579.2 ms");
        assert_eq!(tail.to, ms(7992));
    }
}
