//! A Deployment that is replaced while it is called.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::ResourceExt;
use kube::api::{ListParams, LogParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::kinds::*;
use crate::world::{Met, World, conform, dated};

/// Starts, ends, and what endpoints take, on a busy machine.
const WHILE_STARTING: Duration = Duration::from_secs(30);

/// How callers fared from the first answer on.
#[derive(Debug)]
struct Calls {
    all: usize,
    failed: BTreeSet<String>,
    /// From the first failure to the last.
    outage: Duration,
}

impl Calls {
    fn of(log: &str) -> Calls {
        let calls = dated(log).into_iter();
        let calls = calls.map(|(at, met)| (at, Met::read(&met).what));
        let is_answer = |what: &str| ["one", "two"].contains(&what);
        let calls: Vec<_> = calls.skip_while(|(_, what)| !is_answer(what)).collect();
        let failures: Vec<_> = calls.iter().filter(|(_, what)| !is_answer(what)).collect();
        let outage = match (failures.first(), failures.last()) {
            (Some((first, _)), Some((last, _))) => last.duration_since(*first).unsigned_abs(),
            _ => Duration::ZERO,
        };
        Calls {
            all: calls.len(),
            failed: failures.iter().map(|(_, what)| what.clone()).collect(),
            outage,
        }
    }
}

async fn replace(world: &World, name: &str, pods: Value) {
    world
        .patch::<Deployment>(name, json!({"spec": {"template": {"spec": pods}}}))
        .await;
}

/// What callers meet while `first` is replaced by `second`; these answer `one` and `two`.
async fn called_while_replaced(
    world: &World,
    name: &str,
    replicas: u32,
    first: Value,
    second: Value,
) -> Calls {
    world.create::<Service>(service(name)).await;
    world
        .create::<Deployment>(deployment(name, replicas, first))
        .await;
    world.until(name, "rolled out", is_rolled_out).await;
    let load = format!("load-{name}");
    let address = format!("{name}:8080");
    let command = ["conformance-pod", "load", &address];
    world
        .pod(&load, world.container("c", &command, json!({})), json!({}))
        .await;
    world.until(&load, "running", is_running).await;
    let says = async |word: &str, times: usize| {
        let log = world.log(&load).await;
        log.len() >= times
            && log
                .iter()
                .rev()
                .take(times)
                .all(|line| line.starts_with(word))
    };
    world
        .eventually("the first answers", WHILE_STARTING, async || {
            says("one", 5).await
        })
        .await;
    replace(world, name, second).await;
    world.until(name, "rolled out", is_rolled_out).await;
    world
        .eventually("only the second answers", WHILE_STARTING, async || {
            says("two", 10).await
        })
        .await;
    world
        .eventually("the first is gone", WHILE_STARTING, async || {
            let own = ListParams::default().labels(&format!("app={name}"));
            let pods = world.api::<Pod>().list(&own).await;
            pods.unwrap().items.len() == replicas as usize
        })
        .await;
    let with_times = LogParams {
        timestamps: true,
        ..LogParams::default()
    };
    Calls::of(&world.log_with(&load, with_times).await.join("\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn net_3_a_rolling_update_with_readiness_and_a_pre_stop_delay_loses_no_request() {
    conform("NET-3", async |world| {
        let room = |version| {
            let server = world.server(
                version,
                json!({"readinessProbe": http_probe("/"), "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
                    "env": [{"name": "STOP_AFTER", "value": "0"}]}),
            );
            pod_spec(vec![server], json!({"terminationGracePeriodSeconds": 5}))
        };
        let calls = called_while_replaced(world, "room", 2, room("one"), room("two")).await;
        println!("NET-3: {calls:?}");
        assert!(calls.failed.is_empty() && calls.all > 50, "{calls:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dep_13_a_slow_starter_is_missed_for_its_start_unless_a_readiness_probe_waits_for_it() {
    conform("DEP-13", async |world| {
        let room = |version, listen_after: &str, more| {
            let mut server = world.server(version, more);
            merge(
                &mut server,
                json!({"env": [{"name": "LISTEN_AFTER", "value": listen_after}]}),
            );
            pod_spec(vec![server], json!({}))
        };
        let ready = json!({"readinessProbe": http_probe("/")});
        let (without, with) = tokio::join!(
            called_while_replaced(
                world,
                "without",
                1,
                room("one", "0", json!({})),
                room("two", "5", json!({}))
            ),
            called_while_replaced(
                world,
                "with",
                1,
                room("one", "0", ready.clone()),
                room("two", "5", ready.clone())
            ),
        );
        println!("DEP-13: without a probe {without:?}, with one {with:?}");
        let outage = without.outage.as_secs_f64();
        // Three to seven on a machine at rest; a busy one takes its time to see that the new pod runs and to end the old one.
        assert!((1.0..=7.0).contains(&outage), "{without:?}");
        let expected = if world.is_real { "refused" } else { "reset" };
        assert_eq!(without.failed, BTreeSet::from([expected.to_owned()]));
        // What is left is the race between the end of a pod and those who call it.
        assert!(with.outage < Duration::from_millis(1500), "{with:?}");
    })
    .await;
}

/// A pod that heeds no request to end.
fn stubborn(world: &World, version: &str, grace: u32) -> Value {
    let container = world.shell(&format!("trap '' TERM; echo {version}; sleep 1000"));
    pod_spec(
        vec![container],
        json!({"terminationGracePeriodSeconds": grace}),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dep_2_and_9_the_new_pod_is_there_before_the_old_one_goes_and_the_rollout_is_done_while_it_still_ends()
 {
    conform("DEP-2, DEP-9", async |world| {
        let room = deployment("room", 1, stubborn(world, "one", 10));
        world.create::<Deployment>(room).await;
        world.until("room", "rolled out", is_rolled_out).await;
        let before = world.api::<Pod>().list(&ListParams::default()).await;
        let old = before.unwrap().items[0].name_any();
        let mut pods = watcher(world.api::<Pod>(), watcher::Config::default())
            .applied_objects()
            .boxed();
        replace(world, "room", stubborn(world, "two", 10)).await;
        let mut seen = BTreeSet::new();
        let marked = timeout(Duration::from_secs(20), async {
            while let Some(pod) = pods.next().await {
                let pod = pod.expect("pods can be watched");
                if pod.metadata.deletion_timestamp.is_some() {
                    return pod.name_any();
                }
                seen.insert(pod.name_any());
            }
            unreachable!("a watch does not end")
        });
        let marked = marked.await.expect("the old pod is deleted in time");
        assert_eq!((&marked, seen.len()), (&old, 2), "{seen:?}");
        world.until("room", "rolled out", is_rolled_out).await;
        let ending = world.api::<Pod>().get(&old).await;
        let ending = ending.expect("the old pod still ends");
        assert!(ending.metadata.deletion_timestamp.is_some() && is_running(&ending));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rst_15_the_replacement_of_a_deleted_pod_does_not_wait_for_its_end() {
    conform("RST-15", async |world| {
        let room = deployment("room", 1, stubborn(world, "one", 20));
        world.create::<Deployment>(room).await;
        world.until("room", "rolled out", is_rolled_out).await;
        let before = world.api::<Pod>().list(&ListParams::default()).await;
        let old = before.unwrap().items[0].name_any();
        let deleted = Instant::now();
        world.delete::<Pod>(&old).await;
        let two = Duration::from_secs(2);
        world
            .eventually("a replacement is created", two, async || {
                let pods = world.api::<Pod>().list(&ListParams::default()).await;
                pods.unwrap().items.len() == 2
            })
            .await;
        println!("RST-15: replaced after {:?}", deleted.elapsed());
        // What follows need not wait 20 s for it.
        let now = kube::api::DeleteParams::default().grace_period(0);
        world.api::<Pod>().delete(&old, &now).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dep_4_a_rollout_without_progress_is_told_after_its_deadline_and_changes_nothing() {
    conform("DEP-4", async |world| {
        let stuck = world.server("x", json!({"readinessProbe": http_probe("/status/503")}));
        let mut room = deployment("room", 2, pod_spec(vec![stuck], json!({})));
        room["spec"]["progressDeadlineSeconds"] = json!(5);
        let began = Instant::now();
        world.create::<Deployment>(room).await;
        let room = world
            .until("room", "past its deadline", |room: &Deployment| {
                let status = room.status.as_ref();
                let all = status.and_then(|status| status.conditions.as_deref());
                all.unwrap_or_default().iter().any(|one| {
                    let told = (&*one.type_, &*one.status, one.reason.as_deref());
                    told == ("Progressing", "False", Some("ProgressDeadlineExceeded"))
                })
            })
            .await;
        let seconds = began.elapsed().as_secs_f64();
        println!("DEP-4: told after {seconds:.1} s");
        assert!((5.0..=9.0).contains(&seconds), "{seconds}");
        let status = room.status.unwrap();
        assert_eq!(
            (status.replicas, status.unavailable_replicas),
            (Some(2), Some(2))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dep_8_recreate_starts_nothing_new_before_the_last_old_pod_is_gone() {
    conform("DEP-8", async |world| {
        let mut room = deployment("room", 2, stubborn(world, "one", 3));
        room["spec"]["strategy"] = json!({"type": "Recreate"});
        world.create::<Deployment>(room).await;
        world.until("room", "rolled out", is_rolled_out).await;
        let mut pods = watcher(world.api::<Pod>(), watcher::Config::default()).boxed();
        let mut old = BTreeSet::new();
        let watched = timeout(Duration::from_secs(30), async {
            loop {
                match pods.next().await.unwrap().expect("pods can be watched") {
                    watcher::Event::InitApply(pod) => drop(old.insert(pod.name_any())),
                    watcher::Event::InitDone => {
                        replace(world, "room", stubborn(world, "two", 3)).await;
                    }
                    watcher::Event::Delete(pod) => drop(old.remove(&pod.name_any())),
                    watcher::Event::Apply(pod) if !old.contains(&pod.name_any()) => {
                        return old.len();
                    }
                    _ => {}
                }
            }
        });
        assert_eq!(watched.await.expect("a new pod comes in time"), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dep_10_scaling_down_takes_the_pod_that_is_not_ready() {
    conform("DEP-10", async |world| {
        let server = world.server("x", json!({"readinessProbe": http_probe("/switch")}));
        let pods = pod_spec(vec![server], json!({}));
        world
            .create::<Deployment>(deployment("room", 3, pods))
            .await;
        world.until("room", "rolled out", is_rolled_out).await;
        let all = world
            .api::<Pod>()
            .list(&ListParams::default())
            .await
            .unwrap();
        let mut names: BTreeSet<_> = all.items.iter().map(|pod| pod.name_any()).collect();
        let ill = names.pop_first().unwrap();
        world.sh(&ill, "touch /state/down").await;
        world.until(&ill, "unready", is_not_ready).await;
        world
            .patch::<Deployment>("room", json!({"spec": {"replicas": 2}}))
            .await;
        world.until("room", "scaled", is_rolled_out).await;
        let all = world
            .api::<Pod>()
            .list(&ListParams::default())
            .await
            .unwrap();
        let stay = all
            .items
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none());
        assert_eq!(
            stay.map(|pod| pod.name_any()).collect::<BTreeSet<_>>(),
            names
        );
    })
    .await;
}
