//! Volumes and variables of real containers.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn vol_8_and_9_a_changed_map_shows_in_its_volume_but_not_in_a_sub_path_nor_in_the_environment()
 {
    let Some(runtime) = sandboxed() else { return };
    let cluster = Cluster::of_processes(runtime);
    cluster
        .create::<ConfigMap>(
            json!({"metadata": {"name": "conf"}, "data": {"x": "old", "y": "old"}}),
        )
        .await;
    cluster
        .create::<Secret>(json!({"metadata": {"name": "key"}, "stringData": {"word": "open"}}))
        .await;
    let containers = json!([{"name": "c", "image": "busybox", "command": ["sh", "-c", "sleep 100"],
        "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "x"}}}],
        "volumeMounts": [
            {"name": "conf", "mountPath": "/etc/room/conf"},
            {"name": "conf", "mountPath": "/one", "subPath": "x"},
            {"name": "key", "mountPath": "/tmp/key"}]}]);
    let volumes = json!({"volumes": [{"name": "conf", "configMap": {"name": "conf"}}, {"name": "key", "secret": {"secretName": "key"}}]});
    cluster.pod("room", containers, volumes).await;
    cluster.until("room", is_running).await;
    let look = "cat /etc/room/conf/x /etc/room/conf/y /one /tmp/key/word; echo $X; touch /etc/room/conf/z 2>/dev/null && echo written";
    assert_eq!(cluster.sh("room", look).await, "oldoldoldopenold\n");
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client.clone());
    let new = Patch::Merge(json!({"data": {"x": "new", "y": "new"}}));
    maps.patch("conf", &PatchParams::default(), &new)
        .await
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(2);
    while cluster.sh("room", look).await != "newnewoldopenold\n" {
        assert!(
            Instant::now() < deadline,
            "{}",
            cluster.sh("room", look).await
        );
    }
}

#[tokio::test]
async fn a_missing_map_holds_the_pod_back_and_an_empty_dir_goes_with_the_pod() {
    let Some(runtime) = sandboxed() else { return };
    let cluster = Cluster::of_processes(runtime);
    let mounts =
        json!([{"name": "conf", "mountPath": "/conf"}, {"name": "data", "mountPath": "/data"}]);
    let containers = json!([{"name": "c", "image": "busybox", "command": ["sh", "-c", "echo 1 > /data/x; sleep 100"], "volumeMounts": mounts}]);
    let volumes = json!({"volumes": [{"name": "conf", "configMap": {"name": "conf"}}, {"name": "data", "emptyDir": {}}],
        "terminationGracePeriodSeconds": 0});
    cluster.pod("room", containers, volumes).await;
    let deadline = Instant::now() + Duration::from_secs(2);
    while cluster.events("FailedMount").await.is_empty() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cluster
        .create::<ConfigMap>(json!({"metadata": {"name": "conf"}, "data": {"x": "1"}}))
        .await;
    cluster.until("room", is_running).await;
    let volumes = || {
        walk(cluster.folder())
            .into_iter()
            .filter(|path| path.contains("/volumes/"))
            .count()
    };
    assert!(volumes() > 0);
    cluster.delete("room", Some(1)).await;
    cluster.until_gone("room").await;
    let deadline = Instant::now() + Duration::from_secs(1);
    while volumes() > 0 {
        assert!(Instant::now() < deadline, "{:?}", walk(cluster.folder()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path()),
            _ => vec![entry.path().display().to_string()],
        })
        .collect()
}

#[tokio::test]
async fn an_empty_dir_survives_a_restart_and_tmp_does_not_in_every_tier() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        let script = "cd ${TMPDIR:-/tmp}; ls kafka one; touch kafka/x one; sleep 0.7; exit 1";
        let containers = json!([{"name": "c", "image": "busybox", "command": ["sh", "-c", script],
            "volumeMounts": [{"name": "data", "mountPath": "/tmp/kafka"}]}]);
        cluster
            .pod(
                "room",
                containers,
                json!({"volumes": [{"name": "data", "emptyDir": {}}]}),
            )
            .await;
        cluster
            .until("room", |pod| restarts(pod) == 1 && is_running(pod))
            .await;
        let deadline = Instant::now() + Duration::from_secs(2);
        let listed = |line: &String| !line.starts_with("ls:");
        while !cluster
            .log("room", false)
            .iter()
            .filter(|line| listed(line))
            .any(|line| line == "x")
        {
            assert!(
                Instant::now() < deadline,
                "{:?}",
                cluster.log("room", false)
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(
            cluster
                .log("room", false)
                .iter()
                .any(|line| line.starts_with("ls:") && line.contains("one"))
        );
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn an_image_has_words_variables_and_volumes_of_its_own_and_the_manifests_mount_wins() {
    let Some(runtime) = sandboxed() else { return };
    let cluster = Cluster::of_processes(runtime);
    let keep = json!(["echo $GREETING >> /var/lib/keeper/data/x; sleep 100"]);
    let env = json!([{"name": "WORD", "value": "hello"}]);
    let mount = json!([{"name": "data", "mountPath": "/var/lib/keeper/data"}]);
    let containers = json!([{"name": "c", "image": "keeper:1", "args": keep, "env": env}]);
    cluster.pod("own", containers, json!({})).await;
    let containers = json!([{"name": "c", "image": "keeper:1", "args": keep, "env": env, "volumeMounts": mount}]);
    let volumes = json!({"volumes": [{"name": "data", "emptyDir": {}}]});
    cluster.pod("mounted", containers, volumes).await;
    for pod in ["own", "mounted"] {
        cluster.until(pod, is_running).await;
        let look = "until [ -s /var/lib/keeper/data/x ]; do sleep 0.1; done; cat /var/lib/keeper/data/x; echo hello from $POD_IP";
        let seen = cluster.sh(pod, look).await;
        let lines: Vec<_> = seen.lines().collect();
        assert!(lines.len() == 2 && lines[0] == lines[1], "{seen}");
    }
    let kept = |volume: &str| {
        let pods = std::fs::read_dir(cluster.folder().join("pods")).unwrap();
        let mut volumes = pods.map(|pod| pod.unwrap().path().join("volumes").join(volume));
        volumes.find(|path| path.exists())
    };
    assert!(kept(".image/c/0/x").is_some());
    assert!(kept("data/x").is_some());
    assert!(!std::path::Path::new("/var/lib/keeper").exists());
}
