//! Limits on CPU and memory of real processes, at every level that this machine allows.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::Api;
use kube::runtime::wait::await_condition;
use node::limits::{Level, Limits};
use node::runtime::{Plain, Runtime, Sandboxed, Tier, detect};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::support::*;

/// Over this time CPU is measured.
const MEASURED: Duration = Duration::from_secs(4);

/// A runtime for each level; says which it skips.
fn runtimes() -> Vec<(Level, Arc<dyn Runtime>)> {
    let is_sandboxed = detect(&shim()) == Tier::Sandboxed;
    let levels = [Level::CgroupV2, Level::CgroupV1, Level::StopAndGo];
    let allowed = levels.into_iter().filter_map(|level| {
        let limits = Limits::at(level)
            .inspect_err(|error| println!("skipped: {level}: {error}"))
            .ok()?;
        let runtime: Arc<dyn Runtime> = match is_sandboxed {
            true => Arc::new(Sandboxed::new(shim(), limits)),
            false => Arc::new(Plain::new(shim(), limits)),
        };
        Some((level, runtime))
    });
    allowed.collect()
}

async fn runs(cluster: &Cluster, script: &str, limits: Value) {
    let container = json!([{"name": "c", "image": "busybox", "command": ["sh", "-c", script], "resources": {"limits": limits}}]);
    cluster
        .pod(
            "room",
            container,
            json!({"terminationGracePeriodSeconds": 0}),
        )
        .await;
    cluster
        .until("room", |pod| is_running(pod) || restarts(pod) > 0)
        .await;
}

/// Thousandths of a CPU that the one container uses, over a while.
async fn used(cluster: &Cluster) -> u128 {
    let look = || {
        let usage = cluster.node.usage();
        (Instant::now(), usage.first().expect("it runs").1.cpu)
    };
    // The first period may be used up at once.
    sleep(Duration::from_millis(500)).await;
    let (began, before) = look();
    sleep(MEASURED).await;
    let (ended, after) = look();
    (after - before).as_micros() * 1000 / (ended - began).as_micros()
}

#[tokio::test]
async fn res_1_a_busy_loop_uses_its_limit_and_no_more() {
    for (level, runtime) in runtimes() {
        let cluster = Cluster::of_processes(runtime);
        runs(&cluster, "while :; do :; done", json!({"cpu": "200m"})).await;
        let used = used(&cluster).await;
        println!("RES-1 at {level}: {used}m of 200m");
        // How little it gets depends on what else this machine does.
        let most = if level == Level::StopAndGo { 300 } else { 212 };
        assert!((1..=most).contains(&used), "{level}: {used}m");
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn res_2_all_processes_of_a_container_share_its_limit() {
    for (level, runtime) in runtimes() {
        let cluster = Cluster::of_processes(runtime);
        // Many short ones, and two that stay.
        let busy = "(while :; do :; done) & (while :; do /bin/true; done) & while :; do :; done";
        runs(&cluster, busy, json!({"cpu": "200m"})).await;
        let used = used(&cluster).await;
        println!("RES-2 at {level}: {used}m of 200m");
        let most = if level == Level::StopAndGo { 300 } else { 212 };
        assert!((1..=most).contains(&used), "{level}: {used}m");
        cluster.node.shutdown().await;
    }
}

/// Takes memory for ever, slowly enough to be seen by who looks only now and then.
const GREEDY: &str = "tail -n 1 /dev/zero";

#[tokio::test]
async fn res_7_a_program_over_its_memory_is_killed_and_restarted() {
    for (level, runtime) in runtimes() {
        let cluster = Cluster::of_processes(runtime);
        let limits = json!({"memory": "50Mi", "cpu": "100m"});
        runs(&cluster, &format!("exec {GREEDY}"), limits).await;
        let killed = cluster.until("room", |pod| restarts(pod) > 0);
        let pod = timeout(Duration::from_secs(60), killed)
            .await
            .expect("it is killed");
        let last = container(&pod).last_state.clone().unwrap();
        let ended = last.terminated.unwrap();
        let seen = (ended.exit_code, ended.reason.as_deref());
        assert_eq!(seen, (137, Some("OOMKilled")), "{level}");
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn res_8_a_child_over_its_memory_takes_its_parent_along_but_not_in_version_1() {
    for (level, runtime) in runtimes() {
        let cluster = Cluster::of_processes(runtime);
        let script = format!("{GREEDY}; echo child ended $?; sleep 1000");
        let limits = json!({"memory": "50Mi", "cpu": "100m"});
        runs(&cluster, &script, limits).await;
        if level == Level::CgroupV1 {
            let lives = async || {
                let log = cluster.log("room", false);
                log.iter().any(|line| line == "child ended 137")
            };
            let deadline = Instant::now() + Duration::from_secs(60);
            while !lives().await {
                assert!(Instant::now() < deadline, "{level}");
                sleep(Duration::from_millis(50)).await;
            }
            assert_eq!(restarts(&cluster.pods().get("room").await.unwrap()), 0);
        } else {
            let killed = cluster.until("room", |pod| restarts(pod) > 0);
            timeout(Duration::from_secs(60), killed)
                .await
                .expect("it is killed");
        }
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn a_command_run_in_a_container_is_held_by_its_limit() {
    for (level, runtime) in runtimes() {
        let cluster = Cluster::of_processes(runtime);
        runs(&cluster, "sleep 1000", json!({"cpu": "200m"})).await;
        let busy = ["timeout", "8", "sh", "-c", "while :; do :; done"];
        let (used, _) = tokio::join!(used(&cluster), cluster.exec("room", &busy));
        println!("exec at {level}: {used}m of 200m");
        let most = if level == Level::StopAndGo { 300 } else { 212 };
        assert!((1..=most).contains(&used), "{level}: {used}m");
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn box_9_the_node_says_how_limits_are_kept() {
    for (level, runtime) in runtimes() {
        let cluster = Cluster::of_processes(runtime);
        let nodes: Api<NodeObject> = Api::all(cluster.client.clone());
        let there = await_condition(nodes, "node-1", |node: Option<&NodeObject>| node.is_some());
        let node = there.await.unwrap().unwrap();
        let labels = node.metadata.labels.unwrap();
        assert_eq!(labels["brownout.dev/limits"], level.to_string());
        let conditions = node.status.unwrap().conditions.unwrap();
        let exact = conditions.iter().find(|one| one.type_ == "LimitsExact");
        let expected = if level == Level::StopAndGo {
            "False"
        } else {
            "True"
        };
        assert_eq!(exact.unwrap().status, expected);
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn no_control_group_is_left_behind() {
    let Ok(limits) = Limits::at(Level::CgroupV1) else {
        println!("skipped: version 1 is not here");
        return;
    };
    let ours = || {
        let all = std::fs::read_dir("/sys/fs/cgroup/cpu")
            .into_iter()
            .flatten()
            .flatten();
        let names = all.filter_map(|entry| entry.file_name().into_string().ok());
        let ours = format!("brownout-{}-", std::process::id());
        let ours: std::collections::BTreeSet<String> =
            names.filter(|name| name.starts_with(&ours)).collect();
        ours
    };
    let mine = ours();
    let cluster = Cluster::of_processes(Arc::new(Plain::new(shim(), limits)));
    runs(&cluster, "sleep 1000 & sleep 1000", json!({})).await;
    cluster.node.shutdown().await;
    drop(cluster);
    // Tests run side by side: of the groups there were, this test's own is gone.
    let gone = async || mine.iter().any(|name| !ours().contains(name));
    eventually("a group is gone", gone).await;
}
