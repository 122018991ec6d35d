//! How long tasks waited for a processor: from the kernel's pressure stall information, else from the run-queue delays of this process;
//! and how long this control group was throttled.
use std::{fs, time::Duration};

/// Microseconds since the machine was started in which at least one task waited for a processor.
const PRESSURE: &str = "/proc/pressure/cpu";

/// Nanoseconds that this process's first thread has waited for a processor, where there is nothing better.
const DELAY: &str = "/proc/self/schedstat";

/// Where the control group of a container sees itself: version 2, then version 1.
const GROUPS: [&str; 2] = ["/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat"];

/// What was counted at the last look.
pub(crate) struct Gauge {
    last: Counters,
}

/// Microseconds each; what the kernel does not tell is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Counters {
    waiting: Option<u64>,
    throttled: Option<u64>,
}

impl Gauge {
    pub(crate) fn new() -> Gauge {
        Gauge { last: read() }
    }

    /// The shares of the time since the last look, which was so long ago. None where the kernel tells nothing.
    pub(crate) fn look(&mut self, since: Duration) -> Option<(f64, f64)> {
        let now = read();
        let shares = shares(self.last, now, since);
        self.last = now;
        shares
    }
}

fn read() -> Counters {
    let text = |path: &str| fs::read_to_string(path).ok();
    let waiting = text(PRESSURE).and_then(|t| pressure(&t));
    let throttled = GROUPS
        .iter()
        .find_map(|path| text(path).and_then(|t| throttled(&t)));
    Counters {
        waiting: waiting.or_else(|| text(DELAY).and_then(|t| delay(&t))),
        throttled,
    }
}

fn shares(last: Counters, now: Counters, since: Duration) -> Option<(f64, f64)> {
    let share = |last: Option<u64>, now: Option<u64>| -> Option<f64> {
        let grown = now?.saturating_sub(last?) as f64;
        let share = (grown / since.as_micros().max(1) as f64).min(1.0);
        Some((share * 1000.0).round() / 1000.0)
    };
    let waiting = share(last.waiting, now.waiting);
    let throttled = share(last.throttled, now.throttled);
    (waiting.is_some() || throttled.is_some())
        .then(|| (waiting.unwrap_or(0.0), throttled.unwrap_or(0.0)))
}

/// `some avg10=5.00 avg60=5.86 avg300=4.62 total=33263486`
fn pressure(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("some "))?;
    line.split("total=").nth(1)?.trim().parse().ok()
}

/// `1234567 89012 34`: time run, time waited, number of turns.
fn delay(text: &str) -> Option<u64> {
    let waited: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(waited / 1000)
}

/// `throttled_usec 17` of version 2, `throttled_time 17000` (nanoseconds) of version 1.
fn throttled(text: &str) -> Option<u64> {
    let value = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    };
    value("throttled_usec ").or_else(|| value("throttled_time ").map(|ns| ns / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_own_words_are_read() {
        let text = "some avg10=5.00 avg60=5.86 avg300=4.62 total=33263486\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(pressure(text), Some(33_263_486));
        assert_eq!(pressure("nonsense"), None);
        assert_eq!(delay("123456 7000 5\n"), Some(7));
        assert_eq!(throttled("usage_usec 5\nthrottled_usec 17\n"), Some(17));
        assert_eq!(throttled("nr_periods 0\nthrottled_time 17000\n"), Some(17));
        assert_eq!(throttled("usage_usec 5\n"), None);
    }

    #[test]
    fn a_share_is_what_was_added_since_the_last_look() {
        let at = |waiting, throttled| Counters { waiting, throttled };
        let second = Duration::from_secs(1);
        assert_eq!(
            shares(at(Some(100), None), at(Some(500_100), None), second),
            Some((0.5, 0.0))
        );
        assert_eq!(
            shares(at(None, Some(0)), at(None, Some(250_000)), second),
            Some((0.0, 0.25))
        );
        assert_eq!(shares(at(None, None), at(None, None), second), None);
    }
}
