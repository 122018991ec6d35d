//! The run's clock: microseconds since the run began, and how a wall clock maps onto it.
use model::Micros;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Started once for a run.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    start: Instant,
    wall_us: u64,
}

impl RunClock {
    /// Starts now.
    pub fn start() -> RunClock {
        RunClock {
            start: Instant::now(),
            wall_us: wall_us(),
        }
    }

    /// Time since the start.
    pub fn now(&self) -> Micros {
        self.start.elapsed().into()
    }

    /// An instant on the run's clock; what was before the start becomes the start.
    pub fn of(&self, instant: std::time::Instant) -> Micros {
        let start = self.start.into_std();
        instant.saturating_duration_since(start).into()
    }

    /// The wall clock at the start, in microseconds since the epoch. Load workers stamp with their node's wall clock.
    pub fn started_wall_us(&self) -> u64 {
        self.wall_us
    }

    /// A wall clock's time on the run's clock.
    pub fn of_wall(&self, wall_us: u64) -> Micros {
        Micros(wall_us.saturating_sub(self.wall_us))
    }
}

/// The wall clock in microseconds since the epoch.
pub fn wall_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
