//! The cluster's one clock: wall time where it began, tokio's time from there on.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the time to everything inside one cluster. It starts at the wall time and advances with [`tokio::time`], so a test under
/// paused time sees an hour pass in milliseconds, ages and back-offs included.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Timestamp,
    began: Instant,
}

impl Clock {
    /// A clock that shows the wall time now. Under paused time create it inside the runtime.
    pub fn new() -> Clock {
        Clock::showing(Timestamp::now())
    }

    /// A clock that shows this time now: for tests of what happens at a time of the day.
    pub fn showing(wall: Timestamp) -> Clock {
        Clock {
            wall,
            began: Instant::now(),
        }
    }

    /// The time now. It never goes back, whatever happens to the wall clock.
    pub fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        self.wall.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

/// A time as Kubernetes writes it in metadata: UTC, whole seconds.
pub(crate) fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn virtual_time_moves_the_clock() {
        let clock = Clock::new();
        let before = clock.now();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let passed = clock.now().duration_since(before);
        assert_eq!(passed.as_secs(), 3600);
    }

    #[test]
    fn stamps_are_whole_seconds() {
        let time = "2024-05-01T10:20:30.987Z".parse().unwrap();
        assert_eq!(stamp(time), "2024-05-01T10:20:30Z");
    }
}
