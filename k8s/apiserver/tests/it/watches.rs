//! Watches: every change once, in order, and an honest end.

use crate::target::{Target, config_map, embedded_only, target};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, WatchEvent, WatchParams},
    runtime::watcher,
};
use serde_json::{Value, json};
use std::time::Duration;

fn maps(target: &Target) -> Api<ConfigMap> {
    Api::namespaced(target.client.clone(), &target.namespace)
}

fn told(event: &WatchEvent<ConfigMap>) -> String {
    match event {
        WatchEvent::Added(map) => format!("added {}", map.name_any()),
        WatchEvent::Modified(map) => format!("modified {}", map.name_any()),
        WatchEvent::Deleted(map) => format!("deleted {}", map.name_any()),
        WatchEvent::Bookmark(_) => "bookmark".into(),
        WatchEvent::Error(status) => format!("error {} {}", status.code, status.reason),
    }
}

async fn label(maps: &Api<ConfigMap>, name: &str, labels: Value) {
    let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
    maps.patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn api_10_every_change_comes_once_and_in_order() {
    let target = target().await;
    let maps = maps(&target);
    target.create("configmaps", config_map("a", "x")).await;
    let version = maps
        .list(&Default::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let events = maps
        .watch(
            &WatchParams::default().fields("metadata.name!=kube-root-ca.crt"),
            &version,
        )
        .await
        .unwrap();
    target.create("configmaps", config_map("b", "x")).await;
    label(&maps, "a", json!({"n": "1"})).await;
    label(&maps, "a", json!({"n": "1"})).await;
    maps.delete("b", &DeleteParams::default()).await.unwrap();
    let events: Vec<_> = events
        .take(3)
        .map_ok(|e| told(&e))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(events, ["added b", "modified a", "deleted b"]);
}

#[tokio::test(start_paused = true)]
async fn api_10_a_forgotten_version_is_expired() {
    let target = target().await;
    let mut events = maps(&target)
        .watch(&WatchParams::default(), "1")
        .await
        .unwrap()
        .boxed();
    let first = events.next().await.unwrap().unwrap();
    assert_eq!(told(&first), "error 410 Expired");
}

#[tokio::test(start_paused = true)]
async fn api_11_leaving_a_selection_is_an_end_and_entering_a_beginning() {
    let target = target().await;
    let maps = maps(&target);
    target.create("configmaps", config_map("a", "x")).await;
    let version = maps
        .list(&Default::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let events = maps
        .watch(&WatchParams::default().labels("in=yes"), &version)
        .await
        .unwrap();
    for labels in [
        json!({"in": "yes"}),
        json!({"other": "x"}),
        json!({"in": "no"}),
    ] {
        label(&maps, "a", labels).await;
    }
    let events: Vec<_> = events
        .take(3)
        .map_ok(|e| told(&e))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(events, ["added a", "modified a", "deleted a"]);
}

#[tokio::test(start_paused = true)]
async fn api_11_streaming_lists_are_refused() {
    let target = target().await;
    let answer = target
        .get("configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan")
        .await;
    assert_eq!(answer.reason(), (422, "Invalid"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_at_its_time_with_a_bookmark() {
    let Some(target) = embedded_only("the length of watches").await else {
        return;
    };
    let began = tokio::time::Instant::now();
    let events = maps(&target)
        .watch(&WatchParams::default().timeout(100), "0")
        .await
        .unwrap();
    let events: Vec<_> = events.map_ok(|e| told(&e)).try_collect().await.unwrap();
    assert_eq!(events, ["bookmark", "bookmark"]);
    assert_eq!(began.elapsed(), Duration::from_secs(100));
}

#[tokio::test(start_paused = true)]
async fn a_watcher_follows_a_namespace_for_an_hour() {
    let Some(target) = embedded_only("an hour of virtual time").await else {
        return;
    };
    let maps = maps(&target);
    let mut events = watcher(maps.clone(), watcher::Config::default()).boxed();
    while !matches!(
        events.next().await.unwrap().unwrap(),
        watcher::Event::InitDone
    ) {}
    let later = tokio::spawn({
        let maps = maps.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            let map = serde_json::from_value(config_map("late", "x")).unwrap();
            maps.create(&Default::default(), &map).await.unwrap();
        }
    });
    let event = events.next().await.unwrap().unwrap();
    assert!(matches!(event, watcher::Event::Apply(map) if map.name_any() == "late"));
    later.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_event_is_news_for_an_hour() {
    let Some(target) = embedded_only("an hour of virtual time").await else {
        return;
    };
    let event =
        |name: &str| json!({"metadata": {"name": name}, "involvedObject": {}, "reason": "Tested"});
    target.create("events", event("old")).await;
    tokio::time::sleep(Duration::from_secs(3500)).await;
    target.create("events", event("recent")).await;
    assert_eq!(target.get("events/old").await.code, 200);
    tokio::time::sleep(Duration::from_secs(200)).await;
    target.create("events", event("new")).await;
    assert_eq!(
        (
            target.get("events/old").await.code,
            target.get("events/recent").await.code
        ),
        (404, 200)
    );
}
