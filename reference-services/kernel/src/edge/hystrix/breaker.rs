//! breaker — Hystrix's circuit breaker on failsafe's traits (semantics.md 8.2).
//!
//! failsafe's own parts do not add up to it (semantics.md 8.4): its window is a moving average that weighs calls by the time between
//! them and trips nothing before it is a whole window old; its state machine asks the policy only when a call fails, lets everybody
//! through when it is half open, forgets a success that arrives while it is open, and reads a clock that tests cannot move. So here
//! [`Window`] is a [`FailurePolicy`] that counts calls in buckets, [`Breaker`] is the state machine that goes with it, and it tells an
//! [`Instrument`] what failsafe's would. Nothing here reads a clock: the time of every call is an argument.

use failsafe::{FailurePolicy, Instrument};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// When a breaker opens, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `metrics.rollingStats.timeInMilliseconds`: how far back calls count.
    pub window: Duration,
    /// `metrics.healthSnapshot.intervalInMilliseconds`: calls count when the bucket they fell into is full.
    pub bucket: Duration,
    /// `circuitBreaker.requestVolumeThreshold`: with fewer calls in the window it stays closed.
    pub volume: u32,
    /// `circuitBreaker.errorThresholdPercentage`: at this many of a hundred failed calls it opens.
    pub error_percentage: u32,
    /// `circuitBreaker.sleepWindowInMilliseconds`: how long nobody is let through.
    pub sleep: Duration,
    /// Which Hystrix it is.
    pub generation: Generation,
}

/// Two of Hystrix's releases with breakers that differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Looks at the window when somebody asks to call. Any success that arrives while it is open closes it, also one of a call begun
    /// before it opened; the moment of a trial begins the next sleep.
    V1_5_18,
    /// Looks at the window whenever a bucket is full. Only the trial's result counts; its failure begins the next sleep.
    V1_5_12,
}

/// How a call ended that counts. Calls that a breaker refused do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered well.
    Success,
    /// It failed, took too long, or found no free slot.
    Error,
}

/// Leave to make a call; [`Breaker::record`] takes it back with the outcome.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    is_trial: bool,
}

/// The calls of the last while, counted in buckets. The current bucket cannot be seen until it is full.
#[derive(Debug)]
pub struct Window {
    rule: Rule,
    full: VecDeque<Counts>,
    current: Counts,
    current_ends: Instant,
}

/// A circuit breaker for one kind of call in one process.
#[derive(Debug)]
pub struct Breaker<I> {
    window: Window,
    state: State,
    instrument: I,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    total: u32,
    errors: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Nobody is let through before this.
    Open(Instant),
    /// A trial is on its way (only [`Generation::V1_5_12`] waits for it).
    HalfOpen,
}

impl Default for Rule {
    /// Hystrix's defaults (semantics.md 8.1).
    fn default() -> Rule {
        Rule {
            window: Duration::from_secs(10),
            bucket: Duration::from_millis(500),
            volume: 20,
            error_percentage: 50,
            sleep: Duration::from_secs(5),
            generation: Generation::V1_5_18,
        }
    }
}

impl Window {
    /// A window without calls, which begins now.
    pub fn new(rule: Rule, now: Instant) -> Window {
        let current_ends = now + rule.bucket;
        Window {
            rule,
            full: VecDeque::new(),
            current: Counts::default(),
            current_ends,
        }
    }

    /// The window at a later time: buckets that are full by then can be seen, old ones cannot any more. Tells when the rule was first
    /// broken on the way.
    fn advance(&mut self, now: Instant) -> Option<Instant> {
        let mut broken = None;
        while now >= self.current_ends {
            if self.is_empty() {
                let empty = now.duration_since(self.current_ends).as_nanos()
                    / self.rule.bucket.as_nanos().max(1);
                self.current_ends += self.rule.bucket * u32::try_from(empty).unwrap_or(u32::MAX);
            }
            let at = self.current_ends;
            self.fill();
            broken = broken.or(self.is_broken().then_some(at));
        }
        broken
    }

    fn fill(&mut self) {
        self.full.push_back(std::mem::take(&mut self.current));
        if self.full.len() > self.rule.buckets() {
            self.full.pop_front();
        }
        self.current_ends += self.rule.bucket;
    }

    fn is_empty(&self) -> bool {
        self.full
            .iter()
            .chain([&self.current])
            .all(|counts| counts.total == 0)
    }

    /// Enough calls, and enough of them failed: the integer part of the percentage is compared.
    fn is_broken(&self) -> bool {
        let sum = |of: fn(&Counts) -> u32| self.full.iter().map(of).map(u64::from).sum::<u64>();
        let (total, errors) = (sum(|counts| counts.total), sum(|counts| counts.errors));
        let percentage = (100 * errors).checked_div(total).unwrap_or(0);
        total >= u64::from(self.rule.volume) && percentage >= u64::from(self.rule.error_percentage)
    }
}

impl FailurePolicy for Window {
    fn record_success(&mut self) {
        self.current.total += 1;
    }

    /// Says dead only for what can be seen: the failure itself is in a bucket that is not full.
    fn mark_dead_on_failure(&mut self) -> Option<Duration> {
        self.current.total += 1;
        self.current.errors += 1;
        self.is_broken().then_some(self.rule.sleep)
    }

    fn revived(&mut self) {
        self.full.clear();
        self.current = Counts::default();
    }
}

impl Rule {
    fn buckets(&self) -> usize {
        let buckets = self.window.as_nanos() / self.bucket.as_nanos().max(1);
        usize::try_from(buckets).unwrap_or(usize::MAX).max(1)
    }
}

impl<I: Instrument> Breaker<I> {
    /// A closed breaker.
    pub fn new(rule: Rule, now: Instant, instrument: I) -> Breaker<I> {
        instrument.on_closed();
        Breaker {
            window: Window::new(rule, now),
            state: State::Closed,
            instrument,
        }
    }

    /// Leave to make a call, or none while it is open.
    pub fn permit(&mut self, now: Instant) -> Option<Permit> {
        self.look(now);
        let permit = match self.state {
            State::Closed => Some(Permit { is_trial: false }),
            // Later than the sleep, not at its end: Hystrix compares with `>`.
            State::Open(until) if now > until => {
                self.state = match self.generation() {
                    Generation::V1_5_18 => State::Open(now + self.window.rule.sleep),
                    Generation::V1_5_12 => State::HalfOpen,
                };
                self.instrument.on_half_open();
                Some(Permit { is_trial: true })
            }
            State::Open(_) | State::HalfOpen => None,
        };
        if permit.is_none() {
            self.instrument.on_call_rejected();
        }
        permit
    }

    /// Counts how a permitted call ended.
    pub fn record(&mut self, now: Instant, permit: Permit, outcome: Outcome) {
        if self.generation() == Generation::V1_5_12 {
            self.look(now);
        } else {
            self.window.advance(now);
        }
        match outcome {
            Outcome::Success => self.window.record_success(),
            // It opens when the next call is asked for: `look`.
            Outcome::Error => _ = self.window.mark_dead_on_failure(),
        }
        let is_heard = permit.is_trial || self.generation() == Generation::V1_5_18;
        match (self.state, outcome) {
            (State::Open(_) | State::HalfOpen, Outcome::Success) if is_heard => self.close(now),
            (State::HalfOpen, Outcome::Error) if is_heard => self.open(now),
            (State::Open(_), Outcome::Error) if permit.is_trial => self.instrument.on_open(),
            _ => {}
        }
    }

    /// Opens if the rule is broken.
    fn look(&mut self, now: Instant) {
        let broken = self.window.advance(now);
        let opens_at = match self.generation() {
            Generation::V1_5_18 => self.window.is_broken().then_some(now),
            Generation::V1_5_12 => broken,
        };
        if let (State::Closed, Some(at)) = (self.state, opens_at) {
            self.open(at);
        }
    }

    fn open(&mut self, at: Instant) {
        self.state = State::Open(at + self.window.rule.sleep);
        self.instrument.on_open();
    }

    fn close(&mut self, now: Instant) {
        self.state = State::Closed;
        self.window.revived();
        self.window.current_ends = now + self.window.rule.bucket;
        self.instrument.on_closed();
    }

    fn generation(&self) -> Generation {
        self.window.rule.generation
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Error, Success};
    use super::*;

    /// A breaker with a clock that is moved by hand.
    struct Clocked {
        breaker: Breaker<()>,
        now: Instant,
    }

    impl Clocked {
        fn new(generation: Generation) -> Clocked {
            let now = Instant::now();
            let rule = Rule {
                generation,
                ..Rule::default()
            };
            Clocked {
                breaker: Breaker::new(rule, now, ()),
                now,
            }
        }

        fn pause(&mut self, ms: u64) -> &mut Clocked {
            self.now += Duration::from_millis(ms);
            self
        }

        fn permit(&mut self) -> Option<Permit> {
            self.breaker.permit(self.now)
        }

        fn record(&mut self, permit: Permit, outcome: Outcome) -> &mut Clocked {
            self.breaker.record(self.now, permit, outcome);
            self
        }

        fn calls(&mut self, count: usize, outcome: Outcome) -> &mut Clocked {
            for _ in 0..count {
                let permit = self.permit().expect("closed");
                self.record(permit, outcome);
            }
            self
        }

        fn is_open(&self) -> bool {
            self.breaker.state != State::Closed
        }

        /// Half a second later somebody wants to call.
        fn opens(&mut self) -> bool {
            self.pause(500).permit();
            self.is_open()
        }
    }

    const BOTH: [Generation; 2] = [Generation::V1_5_18, Generation::V1_5_12];

    fn with_both(test: impl Fn(Clocked)) {
        BOTH.into_iter().map(Clocked::new).for_each(test);
    }

    #[test]
    fn hyx_1_nineteen_failures_leave_it_closed_and_twenty_open_it() {
        with_both(|mut breaker| assert!(!breaker.calls(19, Error).opens()));
        with_both(|mut breaker| {
            breaker.calls(20, Error);
            assert!(!breaker.is_open(), "the bucket is not full");
            assert!(breaker.opens());
        });
    }

    #[test]
    fn hyx_2_half_of_the_calls_have_to_fail_in_whole_per_cent() {
        with_both(|mut breaker| assert!(breaker.calls(10, Error).calls(10, Success).opens()));
        with_both(|mut breaker| assert!(!breaker.calls(9, Error).calls(11, Success).opens()));
        with_both(|mut breaker| assert!(!breaker.calls(101, Success).calls(100, Error).opens()));
    }

    #[test]
    fn hyx_3_what_is_older_than_the_window_does_not_count() {
        with_both(|mut breaker| {
            breaker.calls(10, Error).pause(11_000).calls(10, Error);
            assert!(!breaker.opens());
        });
        with_both(|mut breaker| {
            breaker.calls(10, Error).pause(9_000).calls(10, Error);
            assert!(breaker.opens());
        });
    }

    #[test]
    fn hyx_4_open_it_refuses_for_five_seconds() {
        with_both(|mut breaker| {
            assert!(breaker.calls(20, Error).opens());
            for _ in 0..49 {
                assert_eq!(breaker.pause(100).permit(), None);
            }
            assert_eq!(breaker.pause(101).permit(), Some(Permit { is_trial: true }));
        });
    }

    #[test]
    fn hyx_5_after_the_sleep_one_of_twenty_is_let_through() {
        with_both(|mut breaker| {
            assert!(breaker.calls(20, Error).opens());
            breaker.pause(5_001);
            let permitted = (0..20).filter_map(|_| breaker.permit()).count();
            assert_eq!(permitted, 1);
        });
    }

    #[test]
    fn hyx_6_a_trial_that_succeeds_closes_it_with_an_empty_window() {
        with_both(|mut breaker| {
            assert!(breaker.calls(20, Error).opens());
            let trial = breaker.pause(5_001).permit().unwrap();
            assert!(!breaker.record(trial, Success).is_open());
            assert!(!breaker.calls(19, Error).opens());
        });
    }

    /// A trial that fails after 600 ms: let through again 5 s after its start, or after its end.
    #[test]
    fn hyx_7_a_trial_that_fails_begins_the_next_sleep() {
        for (generation, sleeps_ms) in [(BOTH[0], 4_400), (BOTH[1], 5_000)] {
            let mut breaker = Clocked::new(generation);
            assert!(breaker.calls(20, Error).opens());
            let trial = breaker.pause(5_001).permit().unwrap();
            breaker.pause(600).record(trial, Error);
            assert_eq!(breaker.pause(sleeps_ms).permit(), None);
            assert!(breaker.pause(1).permit().is_some());
        }
    }

    #[test]
    fn hyx_11_calls_that_were_refused_do_not_count() {
        with_both(|mut breaker| {
            assert!(breaker.calls(20, Error).opens());
            (0..1000).for_each(|_| assert_eq!(breaker.permit(), None));
            let trial = breaker.pause(5_001).permit().unwrap();
            breaker.record(trial, Success).calls(20, Success);
            assert!(!breaker.opens());
        });
    }

    #[test]
    fn hyx_16_a_late_success_closes_the_newer_and_not_the_older() {
        for (generation, is_open) in [(BOTH[0], false), (BOTH[1], true)] {
            let mut breaker = Clocked::new(generation);
            let early = breaker.permit().unwrap();
            assert!(breaker.calls(20, Error).opens());
            assert_eq!(breaker.record(early, Success).is_open(), is_open);
        }
    }

    #[test]
    fn nobody_asking_for_long_only_the_older_has_noticed() {
        for (generation, is_open) in [(BOTH[0], false), (BOTH[1], true)] {
            let mut breaker = Clocked::new(generation);
            breaker.calls(20, Error).pause(60_000).permit();
            assert_eq!(breaker.is_open(), is_open);
        }
    }
}
