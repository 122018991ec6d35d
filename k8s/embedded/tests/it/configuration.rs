//! Maps, Secrets and the pod's own data as variables and as files: when they are read, and when they change.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::kinds::*;
use crate::world::{World, conform};

/// A real kubelet looks at a pod's volumes every 60 to 90 s.
const SYNCED: Duration = Duration::from_secs(120);

async fn until_reads(world: &World, pod: &str, script: &str, wanted: &str) {
    let what = format!("{pod} reads {wanted:?}");
    world
        .eventually(&what, SYNCED, async || {
            world.sh(pod, script).await == wanted
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vol_8_and_9_a_changed_map_changes_files_together_but_neither_variables_nor_sub_paths() {
    conform("VOL-8", async |world| {
        world
            .create::<ConfigMap>(json!({"metadata": {"name": "conf"}, "data": {"a": "1", "b": "1"}}))
            .await;
        let more = json!({
            "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "a"}}}],
            "volumeMounts": [{"name": "conf", "mountPath": "/conf"}, {"name": "conf", "mountPath": "/one", "subPath": "a"}]});
        let script = "echo started with $A; while [ ! -e /state/end ]; do sleep 0.1; done; rm /state/end; exit 1";
        let container = world.container("c", &["sh", "-c", script], more);
        let source = json!({"volumes": [{"name": "conf", "configMap": {"name": "conf"}}]});
        world.pod("room", container, source).await;
        world.until_says("room", "started with 1").await;
        // Its output may be there a moment before the container counts as running.
        world.until("room", "running", is_running).await;
        let look = "cat /conf/a /conf/b /one; echo $A";
        assert_eq!(world.sh("room", look).await, "1111\n");
        assert_eq!(world.sh("room", "readlink /conf/a").await, "..data/a\n");
        world
            .patch::<ConfigMap>("conf", json!({"data": {"a": "2", "b": "2", "c": "2"}}))
            .await;
        until_reads(world, "room", "cat /conf/c 2>/dev/null; true", "2").await;
        assert_eq!(world.sh("room", look).await, "2211\n");
        world.sh("room", "touch /state/end").await;
        world
            .until("room", "restarted", |pod| restarts(pod) == 1 && is_running(pod))
            .await;
        world.until_says("room", "started with 2").await;
        assert_eq!(world.sh("room", look).await, "2222\n");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vol_10_a_container_without_its_map_waits_and_starts_when_it_is_there() {
    conform("VOL-10", async |world| {
        let from = |kind: &str, name: &str| json!({"name": "X", "valueFrom": {kind: {"name": name, "key": "x"}}});
        let pods = [
            ("map", from("configMapKeyRef", "conf"), "configmap \"conf\" not found"),
            ("secret", from("secretKeyRef", "key"), "secret \"key\" not found"),
        ];
        for (name, env, _) in &pods {
            let container = world.container("c", &["sh", "-c", "echo $X; sleep 1000"], json!({"env": [env]}));
            world.pod(name, container, json!({})).await;
        }
        for (name, _, why) in &pods {
            let pod: Pod = world
                .until(name, "waiting", |pod| waiting_reason(pod) == Some("CreateContainerConfigError"))
                .await;
            let waiting = containers(&pod)[0].state.as_ref().unwrap().waiting.as_ref().unwrap();
            assert_eq!(waiting.message.as_deref(), Some(*why));
            assert_eq!((phase(&pod), restarts(&pod)), ("Pending", 0));
        }
        world.create::<ConfigMap>(json!({"metadata": {"name": "conf"}, "data": {"x": "from the map"}})).await;
        world.create::<Secret>(json!({"metadata": {"name": "key"}, "stringData": {"y": "1"}})).await;
        world.until_says("map", "from the map").await;
        let namespace = &world.namespace;
        let why = format!("couldn't find key x in Secret {namespace}/key");
        let is_told = |pod: &Pod| {
            let state = containers(pod).first().and_then(|one| one.state.as_ref());
            let waiting = state.and_then(|state| state.waiting.as_ref());
            waiting.and_then(|waiting| waiting.message.as_deref()) == Some(&*why)
        };
        world.until::<Pod>("secret", &why, is_told).await;
        // The recorded secret of a gas station: an accident of encoding, kept to the byte.
        world.patch::<Secret>("key", json!({"data": {"x": "LW4gJ1NLIEltbWUnIA0K"}})).await;
        let pod: Pod = world.until("secret", "running", is_running).await;
        assert_eq!(restarts(&pod), 0);
        let bytes = world.sh("secret", "printf %s \"$X\" | od -An -tx1 | tr -d ' \\n'").await;
        assert_eq!(bytes, "2d6e2027534b20496d6d6527200d0a");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_map_holds_back_a_pod_that_mounts_it_unless_it_is_optional() {
    conform("FailedMount", async |world| {
        let mount = json!({"volumeMounts": [{"name": "conf", "mountPath": "/conf"}]});
        let container = || world.container("c", &["sh", "-c", "sleep 1000"], mount.clone());
        let source = |optional: bool| json!({"volumes": [{"name": "conf", "configMap": {"name": "conf", "optional": optional}}]});
        world.pod("needs", container(), source(false)).await;
        world.pod("may", container(), source(true)).await;
        world.until("may", "running", is_running).await;
        assert_eq!(world.sh("may", "ls /conf").await, "");
        let pod: Pod = world
            .until("needs", "creating", |pod| waiting_reason(pod) == Some("ContainerCreating"))
            .await;
        assert_eq!(phase(&pod), "Pending");
        world.create::<ConfigMap>(json!({"metadata": {"name": "conf"}, "data": {"x": "1"}})).await;
        let running = tokio::time::timeout(SYNCED, async {
            while !is_running(&world.until("needs", "there", |_| true).await) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        running.await.expect("it starts");
        assert_eq!(world.sh("needs", "cat /conf/x").await, "1");
        until_reads(world, "may", "cat /conf/x 2>/dev/null; true", "1").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_reads_about_itself_and_several_sources_in_one_volume() {
    conform("Projected volumes", async |world| {
        world.create::<ConfigMap>(json!({"metadata": {"name": "conf"}, "data": {"x": "map"}})).await;
        world.create::<Secret>(json!({"metadata": {"name": "key"}, "stringData": {"x": "secret"}})).await;
        let field = |path: &str, field: &str| json!({"path": path, "fieldRef": {"fieldPath": field}});
        let all = json!({"sources": [
            {"configMap": {"name": "conf", "items": [{"key": "x", "path": "deep/map"}]}},
            {"secret": {"name": "key", "items": [{"key": "x", "path": "secret", "mode": 0o400}]}},
            {"downwardAPI": {"items": [field("name", "metadata.name"), field("labels", "metadata.labels")]}}]});
        let source = json!({"volumes": [{"name": "all", "projected": all},
            {"name": "self", "downwardAPI": {"items": [field("labels", "metadata.labels")]}}]});
        let more = json!({"env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}], "volumeMounts": [
            {"name": "all", "mountPath": "/all"}, {"name": "self", "mountPath": "/self"},
            {"name": "state", "mountPath": "/mine", "subPathExpr": "of/$(POD)"}]});
        let container = world.container("c", &["sh", "-c", "sleep 1000"], more);
        world.pod("room", container, source).await;
        world.until("room", "running", is_running).await;
        let read = world.sh("room", "cat /all/deep/map; echo; cat /all/secret; echo; cat /all/name; echo; cat /self/labels").await;
        assert_eq!(read, "map\nsecret\nroom\napp=\"room\"");
        assert_eq!(world.sh("room", "stat -L -c %a /all/secret /all/name").await, "400\n644\n");
        world.sh("room", "touch /mine/x; test -e /state/of/room/x").await;
        world.patch::<Pod>("room", json!({"metadata": {"labels": {"zone": "a"}}})).await;
        until_reads(world, "room", "cat /self/labels", "app=\"room\"\nzone=\"a\"").await;
        until_reads(world, "room", "cat /all/labels", "app=\"room\"\nzone=\"a\"").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_immutable_map_cannot_be_edited() {
    conform("Immutable", async |world| {
        world
            .create::<ConfigMap>(json!({"metadata": {"name": "conf"}, "immutable": true, "data": {"x": "1"}}))
            .await;
        let (maps, params) = (world.api::<ConfigMap>(), PatchParams::default());
        let patch = Patch::Merge(json!({"data": {"x": "2"}}));
        let Err(kube::Error::Api(refusal)) = maps.patch("conf", &params, &patch).await else {
            panic!("it was changed")
        };
        let message = "ConfigMap \"conf\" is invalid: data: Forbidden: field is immutable when `immutable` is set";
        assert_eq!((refusal.code, &*refusal.message), (422, message));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sub_path_that_a_link_leads_out_of_its_volume_is_refused() {
    conform("Sub-path", async |world| {
        let mut link = world.container("i", &["ln", "-s", "/etc", "/v/link"], json!({}));
        link["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
        let mount = json!({"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "link"}]});
        let container = world.container("c", &["ls", "/x"], mount);
        let more = json!({"initContainers": [link], "volumes": [{"name": "v", "emptyDir": {}}]});
        world.pod("room", container, more).await;
        let pod: Pod = world
            .until("room", "refused", |pod| {
                waiting_reason(pod) == Some("CreateContainerConfigError")
            })
            .await;
        let state = containers(&pod)[0].state.clone().unwrap();
        let message = state.waiting.unwrap().message.unwrap();
        let said = "failed to prepare subPath for volumeMount \"v\" of container \"c\"";
        assert!(message.starts_with(said), "{message}");
    })
    .await;
}
