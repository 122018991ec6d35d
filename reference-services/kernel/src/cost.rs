//! cost — what the reports' JVM services cost and these do not, put back on request: processor time per request.

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Others may run after each slice: a busy service is slow to answer its probes, not deaf to them.
const SLICE: Duration = Duration::from_millis(1);

/// Keeps the processor busy for this much processor time (not time on the wall), in slices.
pub async fn burn(cpu: Duration) {
    let mut left = cpu;
    while !left.is_zero() {
        let slice = left.min(SLICE);
        burn_now(slice);
        left -= slice;
        tokio::task::yield_now().await;
    }
}

fn burn_now(slice: Duration) {
    let start = thread_time();
    while thread_time().saturating_sub(start) < slice {
        (0..100).for_each(|_| std::hint::spin_loop());
    }
}

/// Processor time this thread has had so far.
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::MAX, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_asked_processor_time_is_used_and_not_much_more() {
        let start = thread_time();
        burn(Duration::from_millis(20)).await;
        let used = thread_time() - start;
        assert!((20..40).contains(&used.as_millis()), "{used:?}");
    }
}
