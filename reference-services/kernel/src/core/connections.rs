//! connections — the report's pool of database connections: whoever stores something holds one, from its first call to others to its
//! end (semantics.md 8.3). So a slow callee makes others wait here, and only so many calls are on their way.

use crate::env::Env;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// HikariCP's `connectionTimeout`.
const WAIT: Duration = Duration::from_secs(30);

/// A pool with a limit, or without.
#[derive(Debug)]
pub(crate) struct Connections {
    free: Semaphore,
    wait: Duration,
}

/// No connection became free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoneFree;

impl Connections {
    /// `SPRING_DATASOURCE_HIKARI_MAXIMUMPOOLSIZE` (no limit by default; Spring's is 10) and `…_CONNECTIONTIMEOUT` in milliseconds.
    pub fn of(env: &Env) -> Connections {
        let size: Option<NonZeroU32> = env.get("SPRING_DATASOURCE_HIKARI_MAXIMUMPOOLSIZE");
        let wait: Option<u32> = env.get("SPRING_DATASOURCE_HIKARI_CONNECTIONTIMEOUT");
        Connections {
            free: Semaphore::new(size.map_or(Semaphore::MAX_PERMITS, |size| size.get() as usize)),
            wait: wait.map_or(WAIT, |ms| Duration::from_millis(ms.into())),
        }
    }

    /// A connection for as long as it is kept; first come, first served.
    pub async fn hold(&self) -> Result<SemaphorePermit<'_>, NoneFree> {
        match timeout(self.wait, self.free.acquire()).await {
            Ok(held) => Ok(held.expect("the pool is never closed")),
            Err(_) => Err(NoneFree),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_none_free_waits_and_then_gives_up() {
        let env = Env::from_iter([
            ("SPRING_DATASOURCE_HIKARI_MAXIMUMPOOLSIZE", "2"),
            ("SPRING_DATASOURCE_HIKARI_CONNECTIONTIMEOUT", "1000"),
        ]);
        let pool = Connections::of(&env);
        let (first, _second) = (pool.hold().await.unwrap(), pool.hold().await.unwrap());
        assert_eq!(pool.hold().await.map(drop), Err(NoneFree));
        drop(first);
        assert!(pool.hold().await.is_ok());
    }
}
