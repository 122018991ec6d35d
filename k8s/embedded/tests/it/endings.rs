//! How containers end and are started again.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::LogParams;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::kinds::*;
use crate::world::{World, conform};

#[tokio::test]
async fn rst_2_a_crashing_container_waits_in_crash_loop_back_off_and_its_pod_runs_on_unready() {
    conform("RST-2", async |world| {
        world
            .pod("crashing", world.shell("exit 1"), json!({}))
            .await;
        let pod = world
            .until("crashing", "in back-off", |pod| {
                waiting_reason(pod) == Some("CrashLoopBackOff")
            })
            .await;
        assert_eq!(
            (phase(&pod), condition(&pod, "Ready")),
            ("Running", Some("False"))
        );
        let one = &containers(&pod)[0];
        assert_eq!((one.ready, one.started), (false, Some(false)));
        let ended = last_terminated(&pod).unwrap();
        // The first restart is immediate; it has already failed, too.
        assert_eq!(
            (one.restart_count, ended.exit_code, ended.reason.as_deref()),
            (1, 1, Some("Error"))
        );
    })
    .await;
}

/// Deletes a pod; how long it took to go, and the exit code it went with.
async fn end(world: &World, pod: &str) -> (f64, Option<i32>) {
    let config = watcher::Config::default().fields(&format!("metadata.name={pod}"));
    let mut changes = watcher(world.api::<Pod>(), config).boxed();
    let mut code = None;
    let mut began = None;
    let gone = timeout(Duration::from_secs(60), async {
        while let Some(change) = changes.next().await {
            let seen = match change.expect("it can be watched") {
                Event::InitApply(seen) | Event::Apply(seen) => seen,
                Event::Delete(_) => return,
                Event::Init | Event::InitDone => continue,
            };
            code = terminated(&seen).map(|ended| ended.exit_code).or(code);
            if began.is_none() {
                began = Some(Instant::now());
                world.delete::<Pod>(pod).await;
            }
        }
    });
    gone.await.expect("it goes");
    (began.expect("it was there").elapsed().as_secs_f64(), code)
}

/// A real node sees an end when it looks for it each second, and takes a pod's volumes away before the object.
fn gone_within(world: &World, seconds: f64, expected: RangeInclusive<f64>) {
    let tolerance = if world.is_real { 4.0 } else { 0.5 };
    let range = *expected.start()..=expected.end() + tolerance;
    assert!(range.contains(&seconds), "{seconds} s is not in {range:?}");
}

#[tokio::test]
async fn rst_7_a_program_that_obeys_is_gone_when_it_has_ended() {
    conform("RST-7", async |world| {
        let server = world.server("x", json!({"env": [{"name": "STOP_AFTER", "value": "1"}]}));
        let spec = json!({"terminationGracePeriodSeconds": 30});
        world.pod("polite", server, spec).await;
        world.until_says("polite", "listening").await;
        let (seconds, code) = end(world, "polite").await;
        println!("RST-7: gone after {seconds:.1} s with {code:?}");
        gone_within(world, seconds, 1.0..=3.0);
        assert_eq!(code, Some(7));
    })
    .await;
}

#[tokio::test]
async fn rst_8_a_program_without_a_handler_lives_the_whole_grace_period() {
    conform("RST-8", async |world| {
        let spec = json!({"terminationGracePeriodSeconds": 5});
        world.pod("deaf", world.server("x", json!({})), spec).await;
        world.until_says("deaf", "listening").await;
        let (seconds, code) = end(world, "deaf").await;
        println!("RST-8: gone after {seconds:.1} s with {code:?}");
        gone_within(world, seconds, 5.0..=6.0);
        assert_eq!(code, Some(137));
    })
    .await;
}

/// When the server was asked to end, by its log.
async fn asked_to_end(world: &World, pod: &str) -> Timestamp {
    world.until_says(pod, "SIGTERM").await;
    let with_times = LogParams {
        timestamps: true,
        ..LogParams::default()
    };
    let log = world.log_with(pod, with_times).await;
    let line = log.iter().find(|line| line.ends_with(" SIGTERM")).unwrap();
    line.split_once(' ').unwrap().0.parse().unwrap()
}

#[tokio::test]
async fn rst_10_the_hook_comes_first_and_its_time_is_taken_off_the_grace() {
    conform("RST-10", async |world| {
        let hook: Value = json!({"preStop": {"exec": {"command": ["sleep", "4"]}}});
        let more = json!({"lifecycle": hook, "env": [{"name": "STOP_AFTER", "value": "100"}]});
        let spec = json!({"terminationGracePeriodSeconds": 10});
        world.pod("room", world.server("x", more), spec).await;
        world.until_says("room", "listening").await;
        let deleted = Timestamp::now();
        let (asked, (seconds, code)) =
            tokio::join!(asked_to_end(world, "room"), end(world, "room"));
        let asked = asked.duration_since(deleted).as_secs_f64();
        println!("RST-10: asked after {asked:.1} s, gone after {seconds:.1} s with {code:?}");
        assert!((4.0..=5.5).contains(&asked), "{asked}");
        gone_within(world, seconds, 10.0..=11.0);
        assert_eq!(code, Some(137));
    })
    .await;
}
