//! arms — the brokers that a behaviour is tested on.

use broker::{Broker, Config};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One broker to test.
#[derive(Debug)]
pub struct Arm {
    /// `host:port`.
    pub bootstrap: String,
}

impl Arm {
    /// A name that no other test and no earlier run used.
    pub fn unique(&self, name: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_millis();
        format!("{name}-{now}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Runs the test on our broker, and on Apache Kafka if there is one.
pub async fn on_both(test: impl AsyncFn(&Arm)) {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(quick(dir.path())).await.unwrap();
    test(&Arm {
        bootstrap: broker.local_addr().to_string(),
    })
    .await;
    broker.shutdown().await;
    if let Ok(bootstrap) = std::env::var("BROWNOUT_KAFKA") {
        test(&Arm { bootstrap }).await;
    }
}

/// A broker on a free port that hands out partitions at once.
pub fn quick(dir: &std::path::Path) -> Config {
    let any = ([127, 0, 0, 1], 0).into();
    Config {
        initial_rebalance_delay: Duration::ZERO,
        ..Config::new(any, dir)
    }
}
