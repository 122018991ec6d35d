//! Ways out of a volume, tried by real containers.

use std::fs;
use std::path::Path;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use serde_json::{Value, json};

use crate::support::*;

/// A pod whose first container makes the link `/v/link` and whose second wants to see part of that volume.
async fn with_link(cluster: &Cluster, name: &str, target: &str, mount: Value) {
    let mut seen = json!({"name": "v", "mountPath": "/x"});
    let fields = mount.as_object().unwrap().clone();
    seen.as_object_mut().unwrap().extend(fields);
    let first = json!([{"name": "i", "image": "busybox", "command": ["ln", "-s", target, "/v/link"],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]);
    let second =
        json!([{"name": "a", "image": "busybox", "command": ["ls", "/x"], "volumeMounts": [seen]}]);
    let more = json!({"initContainers": first, "restartPolicy": "Never",
        "volumes": [{"name": "v", "emptyDir": {}}]});
    cluster.pod(name, second, more).await;
}

fn why(pod: &Pod) -> String {
    let state = container(pod).state.clone().unwrap();
    state.waiting.unwrap().message.unwrap()
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn a_sub_path_does_not_follow_a_link_out_of_its_volume_in_any_tier() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        let cases = [
            ("to-etc", "/etc", "link"),
            ("up", "../../../../..", "link"),
            ("makes", target, "link/made"),
            ("deep", target, "link/made/deeper"),
        ];
        for (name, target, sub) in cases {
            with_link(&cluster, name, target, json!({"subPath": sub})).await;
            let refused = is_waiting_for("CreateContainerConfigError");
            let pod = cluster.until(name, refused).await;
            assert_eq!(
                why(&pod),
                format!(
                    "failed to prepare subPath for volumeMount \"v\" of container \"a\": “{sub}” leads out of the volume"
                )
            );
        }
        with_link(
            &cluster,
            "by-name",
            "/etc",
            json!({"subPathExpr": "$(WHERE)"}),
        )
        .await;
        let pod = cluster
            .until("by-name", is_waiting_for("CreateContainerConfigError"))
            .await;
        assert!(why(&pod).contains("a variable is not set"), "{}", why(&pod));
        assert_eq!(entries(outside.path()), 0);
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn a_variable_does_not_lead_out_of_a_volume_either() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        for (name, value, why_not) in [
            ("up", "../../..", "must not contain '..'"),
            ("root", "/etc", "must not be an absolute path"),
        ] {
            let containers = json!([{"name": "a", "image": "busybox", "command": ["ls", "/x"],
                "env": [{"name": "WHERE", "value": value}],
                "volumeMounts": [{"name": "v", "mountPath": "/x", "subPathExpr": "$(WHERE)"}]}]);
            let volumes = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
            cluster.pod(name, containers, volumes).await;
            let refused = is_waiting_for("CreateContainerConfigError");
            let pod = cluster.until(name, refused).await;
            assert!(why(&pod).ends_with(why_not), "{}", why(&pod));
        }
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn a_link_within_a_volume_leads_where_it_says() {
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        with_link(&cluster, "inside", "data/deep", json!({"subPath": "link"})).await;
        let pod = cluster
            .until("inside", |pod| phase(pod) == "Succeeded")
            .await;
        assert_eq!(exit_code(&pod), Some(0));
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn nothing_is_mounted_or_linked_above_the_place_for_it() {
    // Not below `/tmp`, where a sandboxed container sees nothing of the machine.
    let outside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let target = outside.path().to_str().unwrap();
    for runtime in tiers() {
        let cluster = Cluster::of_processes(runtime);
        let up = "../".repeat(20);
        // Below `/tmp`, which a plain container has as a folder of the node's; and beside what does not exist.
        let paths = [
            format!("/tmp/{up}{target}/link"),
            format!("/no-such-folder/..{target}/made"),
        ];
        for (number, path) in paths.iter().enumerate() {
            let name = format!("room-{number}");
            let containers = json!([{"name": "c", "image": "busybox", "command": ["true"],
                "volumeMounts": [{"name": "v", "mountPath": path}]}]);
            let more =
                json!({"restartPolicy": "Never", "volumes": [{"name": "v", "emptyDir": {}}]});
            cluster.pod(&name, containers, more).await;
            let pod = cluster.until(&name, |pod| phase(pod) == "Succeeded").await;
            assert_eq!(exit_code(&pod), Some(0));
            assert_eq!(entries(outside.path()), 0, "{path}");
        }
        cluster.node.shutdown().await;
    }
}

#[tokio::test]
async fn a_changed_map_is_not_written_by_way_of_a_link_that_a_container_made() {
    for runtime in tiers() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "1").unwrap();
        let cluster = Cluster::of_processes(runtime);
        let map = json!({"metadata": {"name": "conf"}, "data": {"x": "old"}});
        cluster.create::<ConfigMap>(map).await;
        let containers = json!([{"name": "c", "image": "busybox", "command": ["sleep", "100"],
            "volumeMounts": [{"name": "v", "mountPath": "/conf"}]}]);
        let more = json!({"terminationGracePeriodSeconds": 0,
            "volumes": [{"name": "v", "configMap": {"name": "conf"}}]});
        cluster.pod("room", containers, more).await;
        cluster.until("room", is_running).await;
        let pods = fs::read_dir(cluster.folder().join("pods")).unwrap();
        let volume = pods.last().unwrap().unwrap().path().join("volumes/v");
        // What a process of this user can do on the machine.
        fs::remove_file(volume.join("..data")).unwrap();
        std::os::unix::fs::symlink(outside.path(), volume.join("..data")).unwrap();
        let maps: kube::Api<ConfigMap> = kube::Api::default_namespaced(cluster.client.clone());
        let new = kube::api::Patch::Merge(json!({"data": {"x": "new"}}));
        maps.patch("conf", &Default::default(), &new).await.unwrap();
        eventually("the new text is there", async || {
            fs::read_to_string(volume.join("x")).is_ok_and(|text| text == "new")
        })
        .await;
        assert_eq!(entries(outside.path()), 1);
        cluster.node.shutdown().await;
    }
}
