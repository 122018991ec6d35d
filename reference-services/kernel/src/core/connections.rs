//! connections — the report's pool of database connections: whoever stores something holds one, from its first call to others to its
//! end (semantics.md 8.3). So a slow callee makes others wait here, and only so many calls are on their way.
//!
//! A request that fails at once still keeps its connection for as long as a transaction takes. In the reports that is some milliseconds
//! of a JVM and its database; ours takes a fraction of one, and where it matters `TRANSACTION_TIME` makes up for it: whoever comes next
//! after a call that was given up finds its slot still taken, and how many do before it is free depends on nothing else.

use crate::env::Env;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};

/// HikariCP's `connectionTimeout`.
const WAIT: Duration = Duration::from_secs(30);

/// A pool with a limit, or without.
#[derive(Debug)]
pub(crate) struct Connections {
    free: Semaphore,
    wait: Duration,
    transaction: Duration,
}

/// No connection became free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoneFree;

impl Connections {
    /// `SPRING_DATASOURCE_HIKARI_MAXIMUMPOOLSIZE` (no limit by default; Spring's is 10) and `…_CONNECTIONTIMEOUT` in milliseconds;
    /// `TRANSACTION_TIME` (none by default) is what a transaction takes beside its calls.
    pub fn of(env: &Env) -> Connections {
        let size: Option<NonZeroU32> = env.get("SPRING_DATASOURCE_HIKARI_MAXIMUMPOOLSIZE");
        let wait: Option<u32> = env.get("SPRING_DATASOURCE_HIKARI_CONNECTIONTIMEOUT");
        Connections {
            free: Semaphore::new(size.map_or(Semaphore::MAX_PERMITS, |size| size.get() as usize)),
            wait: wait.map_or(WAIT, |ms| Duration::from_millis(ms.into())),
            transaction: env.or("TRANSACTION_TIME", Duration::ZERO),
        }
    }

    /// A connection for as long as it is kept; first come, first served. What a transaction takes has passed by then.
    pub async fn hold(&self) -> Result<SemaphorePermit<'_>, NoneFree> {
        let waited = timeout(self.wait, self.free.acquire()).await;
        let held = waited.map_err(|_| NoneFree)?;
        if !self.transaction.is_zero() {
            sleep(self.transaction).await;
        }
        Ok(held.expect("the pool is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryFutureExt;
    use tokio::time::Instant;

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

    #[tokio::test(start_paused = true)]
    async fn a_transaction_takes_its_time_while_the_connection_is_held() {
        let env = Env::from_iter([
            ("SPRING_DATASOURCE_HIKARI_MAXIMUMPOOLSIZE", "1"),
            ("TRANSACTION_TIME", "4ms"),
        ]);
        let (pool, began) = (Connections::of(&env), Instant::now());
        for _ in 0..3 {
            drop(pool.hold().await.unwrap());
        }
        assert_eq!(began.elapsed(), Duration::from_millis(12));
        let both = tokio::join!(pool.hold().map_ok(drop), pool.hold().map_ok(drop));
        assert_eq!(both, (Ok(()), Ok(())));
        assert_eq!(began.elapsed(), Duration::from_millis(20));
    }
}
