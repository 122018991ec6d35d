//! counter — from single attempts to what is published. Pure: it is told what happened and when.

use std::time::Duration;

use super::{Attempt, ProbeKind, ProbeSpec};

/// The state of one probe of one container of one pod.
#[derive(Debug)]
pub(super) struct Counter {
    kind: ProbeKind,
    initial_delay: Duration,
    success_threshold: u32,
    failure_threshold: u32,
    /// Which start of the container the published value is about.
    container: Option<u32>,
    /// Equal results in a row: the result, and how often.
    run: Option<(bool, u32)>,
    on_hold: bool,
}

impl Counter {
    pub fn new(spec: &ProbeSpec) -> Counter {
        Counter {
            kind: spec.kind,
            initial_delay: spec.initial_delay,
            success_threshold: spec.success_threshold,
            failure_threshold: spec.failure_threshold,
            container: None,
            run: None,
            on_hold: false,
        }
    }

    /// A container runs, its `number`th start. A new one resumes what was on hold; the run of equal results goes on.
    pub fn observe(&mut self, number: u32) {
        if self.container != Some(number) {
            self.container = Some(number);
            self.on_hold = false;
        }
    }

    /// Whether to ask a running container of this age now. `started`: its startup probe has succeeded, or it has none.
    pub fn is_due(&self, age: Duration, started: bool) -> bool {
        !self.on_hold
            && age.as_secs() >= self.initial_delay.as_secs()
            && started != (self.kind == ProbeKind::Startup)
    }

    /// Counts an attempt. `Some`: the value to publish, though it may be the same as before.
    pub fn record(&mut self, attempt: &Attempt) -> Option<bool> {
        let success = match attempt {
            Attempt::Success | Attempt::Warning(_) => true,
            Attempt::Failure(_) => false,
            Attempt::Discarded(_) => return None,
        };
        let count = match self.run {
            Some((last, count)) if last == success => count.saturating_add(1),
            _ => 1,
        };
        self.run = Some((success, count));
        let threshold = if success {
            self.success_threshold
        } else {
            self.failure_threshold
        };
        if count < threshold {
            return None;
        }
        let ends_container = self.kind == ProbeKind::Liveness && !success;
        if ends_container || self.kind == ProbeKind::Startup {
            self.on_hold = true;
            self.run = self.run.map(|(last, _)| (last, 0));
        }
        Some(success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probes::Check;

    fn counter(kind: ProbeKind, success_threshold: u32, failure_threshold: u32) -> Counter {
        let second = Duration::from_secs(1);
        let mut counter = Counter::new(&ProbeSpec {
            kind,
            check: Check::Exec(vec![]),
            initial_delay: 5 * second,
            timeout: second,
            period: second,
            success_threshold,
            failure_threshold,
            grace: None,
        });
        counter.observe(0);
        counter
    }

    /// What each attempt publishes: `+` success, `-` failure, `.` nothing. Attempts: `+`, `-`, and `?` for discarded.
    fn published(counter: &mut Counter, attempts: &str) -> String {
        let attempt = |c| match c {
            '+' => Attempt::Success,
            '-' => Attempt::Failure(String::new()),
            _ => Attempt::Discarded(String::new()),
        };
        let publish = |value| match value {
            Some(true) => '+',
            Some(false) => '-',
            None => '.',
        };
        attempts
            .chars()
            .map(|c| publish(counter.record(&attempt(c))))
            .collect()
    }

    #[test]
    fn prb_10_four_failures_of_five_do_nothing_and_the_fifth_ends_the_container() {
        let mut liveness = counter(ProbeKind::Liveness, 1, 5);
        assert_eq!(published(&mut liveness, "----+-----"), "....+....-");
    }

    #[test]
    fn prb_11_readiness_is_lost_with_the_third_failure_and_regained_with_one_success() {
        assert_eq!(
            published(&mut counter(ProbeKind::Readiness, 1, 3), "+---+"),
            "+..-+"
        );
    }

    #[test]
    fn prb_12_three_successes_in_a_row_are_needed_and_a_failure_restarts_the_count() {
        assert_eq!(
            published(&mut counter(ProbeKind::Readiness, 3, 3), "++-+++"),
            ".....+"
        );
    }

    #[test]
    fn prb_8_an_attempt_that_could_not_be_made_counts_for_nothing_and_breaks_no_run() {
        assert_eq!(
            published(&mut counter(ProbeKind::Liveness, 1, 3), "-?-?-"),
            "....-"
        );
    }

    #[test]
    fn prb_13_nothing_is_asked_before_the_initial_delay_in_whole_seconds() {
        let readiness = counter(ProbeKind::Readiness, 1, 3);
        assert!(!readiness.is_due(Duration::from_millis(4999), true));
        assert!(readiness.is_due(Duration::from_secs(5), true));
    }

    #[test]
    fn prb_15_only_the_startup_probe_is_asked_until_it_succeeds_and_then_no_more() {
        let age = Duration::from_secs(9);
        for (kind, before, after) in [
            (ProbeKind::Startup, true, false),
            (ProbeKind::Liveness, false, true),
            (ProbeKind::Readiness, false, true),
        ] {
            let counter = counter(kind, 1, 3);
            assert_eq!(
                (counter.is_due(age, false), counter.is_due(age, true)),
                (before, after),
                "{kind}"
            );
        }
    }

    #[test]
    fn prb_16_a_decided_startup_or_liveness_probe_rests_until_the_next_container() {
        let age = Duration::from_secs(9);
        for (kind, started) in [(ProbeKind::Startup, false), (ProbeKind::Liveness, true)] {
            let mut counter = counter(kind, 1, 2);
            assert_eq!(published(&mut counter, "--"), ".-");
            assert!(!counter.is_due(age, started), "{kind}");
            counter.observe(0);
            assert!(!counter.is_due(age, started), "{kind}");
            counter.observe(1);
            assert!(counter.is_due(age, started), "{kind}");
            // The count began again with the kill.
            assert_eq!(published(&mut counter, "--"), ".-");
        }
    }

    #[test]
    fn the_run_of_a_readiness_probe_survives_a_new_container() {
        let mut readiness = counter(ProbeKind::Readiness, 1, 3);
        assert_eq!(published(&mut readiness, "--"), "..");
        readiness.observe(1);
        assert_eq!(published(&mut readiness, "-"), "-");
    }
}
