//! Time itself: an idle cluster costs nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn tim_1_ten_replicas_roll_and_an_hour_passes_in_seconds() {
    let real = Instant::now();
    let world = World::new().await;
    world.deployed(10, json!({})).await;
    world.roll_to("web:2").await;
    world.complete("web:2").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let settled = world.version().await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.version().await, settled);
    // An unoptimised build took 1.5 s on a busy machine; the bound leaves room for a slower one.
    assert!(
        real.elapsed() < Duration::from_secs(20),
        "{:?}",
        real.elapsed()
    );
}
