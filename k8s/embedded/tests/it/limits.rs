//! Limits on CPU and memory.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use crate::kinds::*;
use crate::world::{World, conform};

/// Until a pod has been measured.
const MEASURED: Duration = Duration::from_secs(120);

fn program(world: &World, words: &[&str], limits: Value) -> Value {
    let command = [&["conformance-pod"], words].concat();
    let resources = json!({"resources": {"limits": limits}});
    world.container("c", &command, resources)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn res_1_9_a_busy_pod_uses_its_limit_and_is_measured_so() {
    conform("RES-9", async |world| {
        let busy = program(world, &["burn", "1000000"], json!({"cpu": "200m"}));
        world.pod("busy", busy, json!({})).await;
        let kind = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
        let resource = ApiResource::from_gvk_with_plural(&kind, "pods");
        let api: Api<DynamicObject> =
            Api::namespaced_with(world.client.clone(), &world.namespace, &resource);
        let nanos = async || {
            let measured = api.get_opt("busy").await.unwrap()?;
            let cpu = measured.data["containers"][0]["usage"]["cpu"]
                .as_str()?
                .to_owned();
            let digits = cpu.trim_end_matches(char::is_alphabetic);
            let unit = match &cpu[digits.len()..] {
                "n" => 1,
                "u" => 1_000,
                "m" => 1_000_000,
                _ => 1_000_000_000,
            };
            Some(digits.parse::<u64>().unwrap() * unit)
        };
        let is_known = async || nanos().await.is_some();
        world.eventually("it is measured", MEASURED, is_known).await;
        let millis = nanos().await.unwrap() / 1_000_000;
        println!("RES-9: {millis}m of 200m");
        // How little it gets depends on what else the machine does.
        assert!((1..=215).contains(&millis), "{millis}m");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn res_6_work_takes_as_many_periods_as_its_limit_makes_of_it() {
    conform("RES-6", async |world| {
        // The start of the program costs some of the first period, too.
        let work = program(world, &["burn", "50"], json!({"cpu": "100m"}));
        let once = json!({"restartPolicy": "Never"});
        world.pod("work", work, once).await;
        world.until("work", "done", has_ended).await;
        let said = world.log("work").await;
        let millis: u64 = said[0].split(' ').nth(5).unwrap().parse().unwrap();
        println!("RES-6: {millis} ms");
        assert!(millis >= 350, "{said:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn res_7_a_program_over_its_memory_is_killed_and_backs_off() {
    conform("RES-7", async |world| {
        let greedy = program(world, &["hold", "200"], json!({"memory": "50Mi"}));
        world.pod("greedy", greedy, json!({})).await;
        let killed =
            |pod: &Pod| restarts(pod) > 0 && waiting_reason(pod) == Some("CrashLoopBackOff");
        let pod = world.until("greedy", "killed twice", killed).await;
        let ended = last_terminated(&pod).unwrap();
        let seen = (ended.exit_code, ended.reason.as_deref());
        assert_eq!(seen, (137, Some("OOMKilled")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn res_7_a_program_within_its_memory_lives() {
    conform("RES-7", async |world| {
        let modest = program(world, &["hold", "20"], json!({"memory": "50Mi"}));
        world.pod("modest", modest, json!({})).await;
        world
            .until_says("modest", &format!("holding {}", 20 << 20))
            .await;
        let pod = world.until("modest", "running", is_running).await;
        assert_eq!(restarts(&pod), 0);
    })
    .await;
}
