//! throttle — tells when a container's CPU limit holds it back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::PodEvents;
use crate::runtime::Container;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// The kernel counts in periods of 100 ms.
const PERIODS: u64 = 20;
/// A container that is held back less often than this between two looks has what it needs.
const TOLD_FROM: u64 = 2;

/// Until it is dropped.
pub(super) async fn watch(
    container: Arc<dyn Container>,
    events: PodEvents,
    name: String,
    limit: String,
) {
    let mut before = container.throttled();
    loop {
        sleep(LOOK).await;
        let now = container.throttled();
        if let Some(message) = told(&name, &limit, now.saturating_sub(before)) {
            events.warning(Some(&name), "CPUThrottled", message);
        }
        before = now;
    }
}

fn told(name: &str, limit: &str, periods: u64) -> Option<String> {
    let periods = periods.min(PERIODS);
    (periods >= TOLD_FROM).then(|| {
        format!(
            "container {name} was held back by its CPU limit of {limit} in {periods} of the last {PERIODS} periods of 100 ms"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_is_held_back_once_in_a_while_is_not_worth_a_word() {
        assert_eq!(told("shop", "50m", 1), None);
        assert_eq!(
            told("shop", "50m", 14).unwrap(),
            "container shop was held back by its CPU limit of 50m in 14 of the last 20 periods of 100 ms"
        );
        assert!(
            told("shop", "50m", 90)
                .unwrap()
                .contains("20 of the last 20")
        );
    }
}
