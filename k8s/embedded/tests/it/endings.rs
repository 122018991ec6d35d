//! How containers end and are started again.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::kinds::*;
use crate::world::{World, conform};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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

/// A real kubelet first waits for a look at its containers, taken each second, that is later than the pod's last change: here its
/// start, which was a moment ago.
fn asked_within(world: &World, seconds: f64, expected: RangeInclusive<f64>) {
    within(seconds, expected, if world.is_real { 2.0 } else { 0.5 });
}

/// Another such look sees the end, and a pod's volumes are taken away before the object.
fn gone_within(world: &World, seconds: f64, expected: RangeInclusive<f64>) {
    within(seconds, expected, if world.is_real { 4.0 } else { 0.5 });
}

fn within(seconds: f64, expected: RangeInclusive<f64>, tolerance: f64) {
    let range = *expected.start()..=expected.end() + tolerance;
    assert!(range.contains(&seconds), "{seconds} s is not in {range:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rst_7_a_program_that_obeys_is_gone_when_it_has_ended() {
    conform("RST-7", async |world| {
        let server = world.server("x", json!({"env": [{"name": "STOP_AFTER", "value": "1"}]}));
        let spec = json!({"terminationGracePeriodSeconds": 30});
        world.pod("polite", server, spec).await;
        world.until_says("polite", "listening").await;
        let log = world.follow("polite", "c").await;
        let deleted = Timestamp::now();
        let (seconds, code) = end(world, "polite").await;
        let asked = asked(&log.await.unwrap()).duration_since(deleted);
        let asked = asked.as_secs_f64();
        println!("RST-7: asked after {asked:.2} s, gone after {seconds:.1} s with {code:?}");
        asked_within(world, asked, 0.0..=0.5);
        gone_within(world, seconds, 1.0..=3.0);
        assert_eq!(code, Some(7));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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

/// When the server was asked to end.
fn asked(log: &[(Timestamp, String)]) -> Timestamp {
    let line = log.iter().find(|(_, line)| line == "SIGTERM");
    line.unwrap_or_else(|| panic!("it was not asked: {log:?}"))
        .0
}

/// Seconds from the deletion of `room` until it is asked to end and until it is gone, and its exit code.
async fn end_with_hook(world: &World, hook: Value, grace: u32) -> (f64, f64, Option<i32>) {
    let more =
        json!({"lifecycle": {"preStop": hook}, "env": [{"name": "STOP_AFTER", "value": "100"}]});
    let spec = json!({"terminationGracePeriodSeconds": grace});
    world.pod("room", world.server("x", more), spec).await;
    world.until_says("room", "listening").await;
    let log = world.follow("room", "c").await;
    let deleted = Timestamp::now();
    let (seconds, code) = end(world, "room").await;
    let asked = asked(&log.await.unwrap()).duration_since(deleted);
    let asked = asked.as_secs_f64();
    println!("asked after {asked:.1} s, gone after {seconds:.1} s with {code:?}");
    (asked, seconds, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rst_10_the_hook_comes_first_and_its_time_is_taken_off_the_grace() {
    conform("RST-10", async |world| {
        let hook = json!({"exec": {"command": ["sleep", "4"]}});
        let (asked, seconds, code) = end_with_hook(world, hook, 10).await;
        asked_within(world, asked, 4.0..=5.0);
        gone_within(world, seconds, 10.0..=11.0);
        assert_eq!(code, Some(137));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rst_11_a_hook_that_does_not_end_is_abandoned_and_two_seconds_remain() {
    conform("RST-11", async |world| {
        let hook = json!({"exec": {"command": ["sleep", "60"]}});
        let (asked, seconds, code) = end_with_hook(world, hook, 3).await;
        asked_within(world, asked, 3.0..=4.0);
        gone_within(world, seconds, 5.0..=6.0);
        assert_eq!(code, Some(137));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rst_13_a_probes_own_grace_is_used_but_never_less_than_two_seconds() {
    conform("RST-13", async |world| {
        let mut probe = http_probe("/switch");
        probe["terminationGracePeriodSeconds"] = json!(1);
        let more = json!({"livenessProbe": probe, "env": [{"name": "STOP_AFTER", "value": "100"}]});
        let spec = json!({"terminationGracePeriodSeconds": 30});
        world.pod("room", world.server("x", more), spec).await;
        world.until_says("room", "listening").await;
        let log = world.follow("room", "c").await;
        world.sh("room", "touch /state/down").await;
        let pod = world
            .until("room", "restarted", |pod| restarts(pod) >= 1)
            .await;
        let ended = last_terminated(&pod).or(terminated(&pod)).unwrap();
        let finished = ended.finished_at.clone().unwrap().0;
        let lived = finished.duration_since(asked(&log.await.unwrap()));
        let lived = lived.as_secs_f64();
        println!("RST-13: ended {lived:.1} s after it was asked");
        // The end is told in whole seconds, cut off.
        assert!((1.0..=3.5).contains(&lived), "{lived}");
        assert_eq!(ended.exit_code, 137);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rst_16_containers_of_a_pod_are_asked_to_end_at_the_same_time() {
    conform("RST-16", async |world| {
        let server = |name: &str, port: &str| {
            let env = json!({"env": [{"name": "PORT", "value": port}, {"name": "STOP_AFTER", "value": "1"}]});
            world.container(name, &["conformance-pod", "serve", name], env)
        };
        let containers = vec![server("one", "8080"), server("two", "8081")];
        let spec = pod_spec(containers, json!({"terminationGracePeriodSeconds": 10}));
        world.create::<Pod>(json!({"metadata": {"name": "room"}, "spec": spec})).await;
        let mut logs = vec![];
        for name in ["one", "two"] {
            world.until_container_says("room", name, "listening").await;
            logs.push(world.follow("room", name).await);
        }
        world.delete::<Pod>("room").await;
        let mut times = vec![];
        for log in logs {
            times.push(asked(&log.await.unwrap()));
        }
        let apart = times[1].duration_since(times[0]).unsigned_abs();
        println!("RST-16: {apart:?} apart");
        assert!(apart <= Duration::from_millis(500), "{apart:?}");
    })
    .await;
}
