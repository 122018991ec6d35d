//! What probes ask, count and decide.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Pod, Service};
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::kinds::*;
use crate::world::{World, conform};

const SUCCESSES: [&str; 5] = ["200", "204", "301", "elsewhere", "399"];
const FAILURES: [&str; 4] = ["400", "404", "500", "503"];

fn ready_containers(pod: &Pod) -> BTreeSet<String> {
    let ready = containers(pod).iter().filter(|one| one.ready);
    ready.map(|one| one.name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prb_4_200_to_399_is_success_and_redirects_are_followed_on_the_same_host_only() {
    conform("PRB-4", async |world| {
        let mut all =
            vec![world.container("server", &["conformance-pod", "serve", "x"], json!({}))];
        for status in SUCCESSES.iter().chain(&FAILURES) {
            let probe = json!({"readinessProbe": http_probe(&format!("/status/{status}"))});
            all.push(world.container(&format!("s-{status}"), &["sleep", "1000"], probe));
        }
        let pod = json!({"metadata": {"name": "table"}, "spec": pod_spec(all, json!({}))});
        world.create::<Pod>(pod).await;
        let expected = SUCCESSES.map(|status| format!("s-{status}"));
        let expected: BTreeSet<_> = expected.into_iter().chain(["server".into()]).collect();
        world
            .until("table", "as the table says", move |pod| {
                ready_containers(pod) == expected
            })
            .await;
        let params = kube::api::LogParams {
            container: Some("server".into()),
            ..Default::default()
        };
        for status in FAILURES {
            let asked_often = format!("/status/{status} 3");
            world
                .eventually(&asked_often, Duration::from_secs(10), async || {
                    world
                        .log_with("table", params.clone())
                        .await
                        .contains(&asked_often)
                })
                .await;
        }
        let pod = world.api().get("table").await.unwrap();
        let ready = ready_containers(&pod);
        let failed = FAILURES.map(|status| format!("s-{status}"));
        assert!(failed.iter().all(|name| !ready.contains(name)), "{ready:?}");
    })
    .await;
}

fn alive_if(world: &World, path: &str, failures: u32) -> Value {
    let probe = json!({"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1, "failureThreshold": failures});
    world.server("x", json!({"livenessProbe": probe}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prb_10_four_failures_of_five_do_nothing_and_five_restart_once() {
    conform("PRB-10", async |world| {
        for (name, path) in [("four", "/fail/4"), ("five", "/fail/5")] {
            world.pod(name, alive_if(world, path, 5), json!({})).await;
        }
        world
            .until("five", "restarted", |pod| {
                restarts(pod) == 1 && is_running(pod)
            })
            .await;
        world.until_says("five", "/fail/5 4").await;
        world.until_says("four", "/fail/4 9").await;
        let pods = [
            world.api::<Pod>().get("four").await,
            world.api().get("five").await,
        ];
        let restarts = pods.map(|pod| restarts(&pod.unwrap()));
        assert_eq!(restarts, [0, 1]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prb_11_a_pod_turns_unready_with_the_third_failure() {
    conform("PRB-11", async |world| {
        let probe = json!({"httpGet": {"path": "/switch", "port": 8080}, "periodSeconds": 2, "failureThreshold": 3});
        let server = world.server("x", json!({"readinessProbe": probe}));
        world.pod("room", server, json!({})).await;
        world.until("room", "ready", is_ready).await;
        let before = Instant::now();
        world.sh("room", "touch /state/down").await;
        let after = Instant::now();
        world.until("room", "unready", is_not_ready).await;
        let (most, least) = (before.elapsed().as_secs_f64(), after.elapsed().as_secs_f64());
        println!("PRB-11: unready after {least:.1} s");
        assert!(most >= 4.0 && least <= 7.5, "{least} to {most} s");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prb_17_a_liveness_failure_replaces_the_container_and_not_the_pod() {
    conform("PRB-17", async |world| {
        world
            .pod("room", alive_if(world, "/fail/1", 1), json!({}))
            .await;
        let first = world
            .until("room", "with an address", |pod: &Pod| {
                pod.status
                    .as_ref()
                    .is_some_and(|status| status.pod_ip.is_some())
            })
            .await;
        let again = world
            .until("room", "restarted", |pod| {
                restarts(pod) == 1 && is_running(pod)
            })
            .await;
        let identity = |pod: &Pod| (pod.metadata.uid.clone(), pod.status.clone().unwrap().pod_ip);
        assert_eq!(identity(&first), identity(&again));
        let code = last_terminated(&again).map(|ended| ended.exit_code);
        assert!(matches!(code, Some(137 | 143)), "{code:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prb_19_a_container_that_liveness_ends_is_called_until_it_has_ended() {
    conform("PRB-19", async |world| {
        let more = json!({"livenessProbe": http_probe("/switch"), "readinessProbe": http_probe("/"),
            "env": [{"name": "STOP_AFTER", "value": "7"}]});
        let spec = json!({"terminationGracePeriodSeconds": 15});
        world.pod("room", world.server("room", more), spec).await;
        world.create::<Service>(service("room")).await;
        world.caller().await;
        world.until("room", "ready", is_ready).await;
        world
            .until_answer("room:8080", "room", Duration::from_secs(5))
            .await;
        world.sh("room", "touch /state/down").await;
        world.until_says("room", "SIGTERM").await;
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(4) {
            let met = world.get("room:8080", 10).await;
            assert!(met.iter().all(|met| met.what == "room"), "{met:?}");
        }
        let pod = world.api().get("room").await.unwrap();
        assert!(is_ready(&pod) && restarts(&pod) == 0, "{:?}", pod.status);
        let ended = world
            .until("room", "restarted", |pod| restarts(pod) >= 1)
            .await;
        let ended = last_terminated(&ended).or(terminated(&ended));
        assert_eq!(ended.map(|ended| ended.exit_code), Some(7));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prb_21_without_a_readiness_probe_a_pod_is_ready_when_its_process_runs() {
    conform("PRB-21", async |world| {
        world
            .pod("idle", world.shell("sleep 1000"), json!({}))
            .await;
        let pod = world.until("idle", "ready", is_ready).await;
        let status = pod.status.unwrap();
        let state = status.container_statuses.unwrap().remove(0).state.unwrap();
        let started: Timestamp = state.running.unwrap().started_at.unwrap().0;
        let ready = status.conditions.unwrap();
        let ready = ready.iter().find(|one| one.type_ == "Ready").unwrap();
        let ready = ready.last_transition_time.clone().unwrap().0;
        let seconds = ready.duration_since(started).as_secs();
        assert!((0..=2).contains(&seconds), "{seconds}");
    })
    .await;
}

/// How often events about a pod have begun so. A real runtime names each attempt, so that each has an event of its own.
async fn told(world: &World, pod: &str, text: &str) -> i32 {
    let about = ListParams::default().fields(&format!("involvedObject.name={pod}"));
    let events = world.api::<Event>().list(&about).await.unwrap().items;
    let same = events.iter().filter(|event| {
        let message = event.message.as_deref().unwrap_or_default();
        message.starts_with(text)
    });
    same.map(|event| event.count.unwrap_or(1)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prb_7_and_8_only_exit_code_0_is_success_and_a_missing_program_is_not_counted() {
    conform("PRB-7, PRB-8", async |world| {
        let probed = |kind: &str, command: Value| {
            let probe =
                json!({"exec": {"command": command}, "periodSeconds": 1, "failureThreshold": 1});
            world.container("c", &["sleep", "1000"], json!({kind: probe}))
        };
        for (name, kind, command) in [
            ("well", "readinessProbe", json!(["true"])),
            (
                "ill",
                "readinessProbe",
                json!(["sh", "-c", "echo no; exit 2"]),
            ),
            (
                "lost",
                "readinessProbe",
                json!(["sh", "-c", "does-not-exist 2>/dev/null"]),
            ),
            ("missing", "livenessProbe", json!(["/does/not/exist"])),
        ] {
            world.pod(name, probed(kind, command), json!({})).await;
        }
        world.until("well", "ready", is_ready).await;
        for (pod, text) in [
            ("ill", "Readiness probe failed: no\n"),
            ("lost", "Readiness probe failed: "),
            (
                "missing",
                "Liveness probe errored and resulted in unknown state: ",
            ),
        ] {
            let what = format!("{pod}: three times {text:?}");
            world
                .eventually(&what, Duration::from_secs(20), async || {
                    told(world, pod, text).await >= 3
                })
                .await;
        }
        for pod in ["ill", "lost"] {
            assert!(is_not_ready(&world.api().get(pod).await.unwrap()), "{pod}");
        }
        assert_eq!(restarts(&world.api().get("missing").await.unwrap()), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prb_14_readiness_is_first_asked_soon_after_the_start_whatever_its_period() {
    conform("PRB-14", async |world| {
        let probe = json!({"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 30});
        let server = world.server("x", json!({"readinessProbe": probe}));
        world.pod("room", server, json!({})).await;
        let pod = world.until("room", "running", is_running).await;
        let state = containers(&pod)[0].state.clone().unwrap();
        let started = state.running.unwrap().started_at.unwrap().0;
        world.until_says("room", "/ready 1").await;
        let asked = Timestamp::now().duration_since(started).as_secs_f64();
        println!("PRB-14: asked at most {asked:.1} s after the start");
        // The start is told in whole seconds.
        assert!(asked <= 4.5, "{asked}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prb_15_only_the_startup_probe_is_asked_until_it_succeeds_and_then_no_more() {
    conform("PRB-15", async |world| {
        let probe = |path: &str, failures: u32| {
            json!({"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1, "failureThreshold": failures})
        };
        let server = world.server(
            "x",
            json!({"startupProbe": probe("/fail/3", 30), "livenessProbe": probe("/live", 3), "readinessProbe": probe("/ready", 3)}),
        );
        world.pod("room", server, json!({})).await;
        world.until_says("room", "/live 3").await;
        let log = world.log("room").await;
        let asked: Vec<&str> = log.iter().filter_map(|line| line.split_once(' ')).map(|(path, _)| path).collect();
        let (startup, others) = asked.split_at(4);
        println!("PRB-15: {asked:?}");
        assert_eq!(startup, ["/fail/3"; 4]);
        assert!(others.contains(&"/ready") && !others.contains(&"/fail/3"), "{asked:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prb_20_readiness_goes_on_while_a_deleted_pod_drains_and_liveness_does_not() {
    conform("PRB-20", async |world| {
        let probe =
            |path: &str| json!({"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1});
        let more = json!({"livenessProbe": probe("/live"), "readinessProbe": probe("/ready"),
            "env": [{"name": "STOP_AFTER", "value": "5"}]});
        let spec = json!({"terminationGracePeriodSeconds": 10});
        world.pod("room", world.server("x", more), spec).await;
        world.until_says("room", "/live 2").await;
        let log = world.follow("room", "c").await;
        world.delete::<Pod>("room").await;
        let log = log.await.unwrap();
        let draining = log.iter().skip_while(|(_, line)| line != "SIGTERM");
        let draining: Vec<&str> = draining.map(|(_, line)| &**line).collect();
        let asked = |path| {
            draining
                .iter()
                .filter(|line| line.starts_with(path))
                .count()
        };
        println!("PRB-20: {draining:?}");
        // One may have been under way.
        assert!(asked("/ready") >= 3 && asked("/live") <= 1, "{draining:?}");
    })
    .await;
}
