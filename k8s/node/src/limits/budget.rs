//! budget — how much CPU a container may still use, where the node itself counts: so much for every 100 ms, and debts are paid.

use std::time::Duration;

/// Over which CPU is limited, as by the kernel.
pub(super) const PERIOD: Duration = Duration::from_millis(100);

/// CPU time that is left of a period.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Budget {
    /// For each period.
    quota: Duration,
    /// Nanoseconds; below zero it owes.
    left: i128,
    seen: Duration,
}

fn nanos(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).expect("a duration is shorter than ten billion years")
}

impl Budget {
    /// For a limit in thousandths of a CPU; the kernel's least is 10.
    pub fn new(limit: u64) -> Budget {
        let quota = PERIOD * u32::try_from(limit.max(10)).unwrap_or(u32::MAX) / 1000;
        Budget {
            quota,
            left: nanos(quota),
            seen: Duration::ZERO,
        }
    }

    /// Takes note of the CPU time used since the start, and answers what was used since the last look.
    pub fn spend(&mut self, used: Duration) -> Duration {
        let more = used.saturating_sub(self.seen);
        self.seen = self.seen.max(used);
        self.left -= nanos(more);
        more
    }

    /// A period has begun. What was not used is lost.
    pub fn refill(&mut self) {
        self.left = (self.left + nanos(self.quota)).min(nanos(self.quota));
    }

    /// What is left, or none if it may not run.
    pub fn left(&self) -> Option<Duration> {
        let left = u64::try_from(self.left).ok().filter(|left| *left > 0);
        left.map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn what_is_used_up_comes_back_with_the_next_period() {
        let mut budget = Budget::new(200);
        assert_eq!(budget.left(), Some(MS(20)));
        budget.spend(MS(5));
        assert_eq!(budget.left(), Some(MS(15)));
        budget.spend(MS(20));
        assert_eq!(budget.left(), None);
        budget.refill();
        assert_eq!(budget.left(), Some(MS(20)));
    }

    #[test]
    fn debts_are_paid_and_savings_lost() {
        let mut budget = Budget::new(200);
        budget.spend(MS(70));
        budget.refill();
        budget.refill();
        assert_eq!(budget.left(), None);
        budget.refill();
        assert_eq!(budget.left(), Some(MS(10)));
        budget.refill();
        budget.refill();
        assert_eq!(budget.left(), Some(MS(20)));
    }

    #[test]
    fn usage_that_seems_to_fall_costs_nothing() {
        let mut budget = Budget::new(200);
        budget.spend(MS(10));
        assert_eq!(budget.spend(MS(4)), Duration::ZERO);
        assert_eq!(budget.spend(MS(12)), MS(2));
    }

    #[test]
    fn res_4_a_limit_of_5m_behaves_as_10m() {
        assert_eq!(Budget::new(5), Budget::new(10));
    }
}
