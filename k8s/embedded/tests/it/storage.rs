//! Volumes that outlive pods: which claim gets which volume, who waits for it, and what becomes of it.

use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::kinds::*;
use crate::world::{World, conform};

fn volumes(world: &World) -> Api<PersistentVolume> {
    Api::all(world.client.clone())
}

/// A volume of this test: a folder of the node. It goes with the test's namespace.
async fn volume(world: &World, name: &str, size: &str, mode: &str) -> String {
    let name = format!("{}-{name}", world.namespace);
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let owner = namespaces.get(&world.namespace).await.unwrap();
    let owner = json!({"apiVersion": "v1", "kind": "Namespace", "name": world.namespace, "uid": owner.uid()});
    let volume = json!({"metadata": {"name": name, "ownerReferences": [owner]}, "spec": {
        "capacity": {"storage": size}, "accessModes": [mode], "storageClassName": world.namespace,
        "hostPath": {"path": format!("/tmp/{name}"), "type": "DirectoryOrCreate"}}});
    let volume = serde_json::from_value(volume).unwrap();
    let made = volumes(world).create(&PostParams::default(), &volume).await;
    made.expect("it is created");
    name
}

/// A claim of a class that is only this test's, for volumes made by hand.
async fn claim(world: &World, name: &str, size: &str, mode: &str) {
    world
        .create::<PersistentVolumeClaim>(
            json!({"metadata": {"name": name}, "spec": {"accessModes": [mode],
            "storageClassName": world.namespace, "resources": {"requests": {"storage": size}}}}),
        )
        .await;
}

fn phase_of(claim: &PersistentVolumeClaim) -> &str {
    let status = claim.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

async fn until_bound(world: &World, name: &str) -> String {
    let claim: PersistentVolumeClaim = world
        .until(name, "bound", |claim| phase_of(claim) == "Bound")
        .await;
    claim.spec.unwrap().volume_name.unwrap()
}

async fn until_phase(world: &World, volume: &str, phase: &'static str) {
    let is_so = move |volume: Option<&PersistentVolume>| {
        let status = volume.and_then(|volume| volume.status.as_ref());
        status.and_then(|status| status.phase.as_deref()) == Some(phase)
    };
    let waiting = await_condition(volumes(world), volume, is_so);
    let done = tokio::time::timeout(std::time::Duration::from_secs(60), waiting).await;
    done.unwrap_or_else(|_| panic!("{volume} is not {phase}"))
        .unwrap();
}

/// A pod that runs a shell with a claim at `/data`.
async fn user(world: &World, name: &str, claim: &str) {
    let mount = json!({"volumeMounts": [{"name": "data", "mountPath": "/data"}]});
    let container = world.container("c", &["sh", "-c", "sleep 1000"], mount);
    let source =
        json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]});
    world.pod(name, container, source).await;
}

async fn until_runs(world: &World, pod: &str) {
    world.until(pod, "running", is_running).await;
}

async fn until_gone<K: crate::world::Kind>(world: &World, name: &str) {
    let gone = await_condition(world.api::<K>(), name, |object: Option<&K>| {
        object.is_none()
    });
    let done = tokio::time::timeout(std::time::Duration::from_secs(60), gone).await;
    done.unwrap_or_else(|_| panic!("{name} is still there"))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vol_1_2_7_and_13_a_claim_is_one_folder_for_all_its_pods_and_outlives_them() {
    conform("VOL-1", async |world| {
        let volume = volume(world, "shared", "1Gi", "ReadWriteMany").await;
        claim(world, "shared", "6Ki", "ReadWriteMany").await;
        assert_eq!(until_bound(world, "shared").await, volume);
        for pod in ["one", "two"] {
            user(world, pod, "shared").await;
        }
        for pod in ["one", "two"] {
            until_runs(world, pod).await;
        }
        world
            .sh(
                "one",
                "touch /data/intensive_course_work; echo one >> /data/both; touch /own",
            )
            .await;
        world
            .sh(
                "two",
                "test -e /data/intensive_course_work; echo two >> /data/both",
            )
            .await;
        assert_eq!(world.sh("one", "sort /data/both").await, "one\ntwo\n");
        world.delete::<Pod>("one").await;
        until_gone::<Pod>(world, "one").await;
        user(world, "one", "shared").await;
        until_runs(world, "one").await;
        assert_eq!(
            world.sh("one", "ls /data").await,
            "both\nintensive_course_work\n"
        );
        world.delete::<PersistentVolumeClaim>("shared").await;
        let kept: PersistentVolumeClaim = world
            .until(
                "shared",
                "waiting for its pods",
                |claim: &PersistentVolumeClaim| claim.metadata.deletion_timestamp.is_some(),
            )
            .await;
        assert_eq!(kept.finalizers(), ["kubernetes.io/pvc-protection"]);
        assert_eq!(
            world.sh("two", "ls /data").await,
            "both\nintensive_course_work\n"
        );
        for pod in ["one", "two"] {
            world.delete::<Pod>(pod).await;
        }
        until_gone::<PersistentVolumeClaim>(world, "shared").await;
        until_phase(world, &volume, "Released").await;
        claim(world, "shared", "6Ki", "ReadWriteMany").await;
        user(world, "late", "shared").await;
        until_waits(
            world,
            "late",
            "pod has unbound immediate PersistentVolumeClaims",
        )
        .await;
        // What is left over on the node goes by another pod.
        let host = json!({"volumes": [{"name": "data", "hostPath": {"path": "/tmp"}}]});
        let mount = json!({"volumeMounts": [{"name": "data", "mountPath": "/host"}]});
        let script = format!("cat /host/{volume}/both && rm -r /host/{volume}");
        let container = world.container("c", &["sh", "-c", &script], mount);
        let never = json!({"restartPolicy": "Never"});
        let mut spec = host;
        merge(&mut spec, never);
        world.pod("sweeper", container, spec).await;
        world
            .until("sweeper", "done", |pod| phase(pod) == "Succeeded")
            .await;
        assert_eq!(world.log("sweeper").await.len(), 2);
    })
    .await;
}

/// Waits until the scheduler says that a pod waits for this.
async fn until_waits(world: &World, pod: &str, why: &str) {
    let message = format!(
        "0/1 nodes are available: {why}. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    );
    let waiting: Pod = world
        .until(pod, &message, |pod: &Pod| scheduled(pod).1 == message)
        .await;
    assert_eq!(phase(&waiting), "Pending");
    assert_eq!(scheduled(&waiting).0, "Unschedulable");
}

fn scheduled(pod: &Pod) -> (String, String) {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    let found = conditions.find(|one| one.type_ == "PodScheduled").cloned();
    let found = found.unwrap_or_default();
    (
        found.reason.unwrap_or_default(),
        found.message.unwrap_or_default(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vol_4_a_pod_waits_for_its_claim_and_the_claim_for_a_volume() {
    conform("VOL-4", async |world| {
        user(world, "room", "data").await;
        until_waits(world, "room", "persistentvolumeclaim \"data\" not found").await;
        claim(world, "data", "1Mi", "ReadWriteOnce").await;
        let why = "pod has unbound immediate PersistentVolumeClaims";
        until_waits(world, "room", why).await;
        let name = volume(world, "late", "1Mi", "ReadWriteOnce").await;
        until_runs(world, "room").await;
        assert_eq!(until_bound(world, "data").await, name);
        world.sh("room", "echo x > /data/x; rm /data/x").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vol_5_and_6_a_claim_gets_the_smallest_volume_that_has_all_it_asks_for() {
    conform("VOL-5", async |world| {
        volume(world, "five", "5Gi", "ReadWriteOnce").await;
        let one = volume(world, "one", "1Gi", "ReadWriteOnce").await;
        for name in ["five", "one"] {
            until_phase(world, &format!("{}-{name}", world.namespace), "Available").await;
        }
        claim(world, "many", "500Mi", "ReadWriteMany").await;
        claim(world, "small", "500Mi", "ReadWriteOnce").await;
        assert_eq!(until_bound(world, "small").await, one);
        let bound: PersistentVolumeClaim = world.until("small", "there", |_| true).await;
        let size = serde_json::to_value(bound.status.unwrap().capacity).unwrap();
        assert_eq!(size, json!({"storage": "1Gi"}));
        let many: PersistentVolumeClaim = world.until("many", "there", |_| true).await;
        assert_eq!(phase_of(&many), "Pending");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_in_use_is_deleted_only_after_its_claim() {
    conform("pv-protection", async |world| {
        let name = volume(world, "held", "1Mi", "ReadWriteOnce").await;
        claim(world, "data", "1Mi", "ReadWriteOnce").await;
        until_bound(world, "data").await;
        until_phase(world, &name, "Bound").await;
        volumes(world)
            .delete(&name, &DeleteParams::default())
            .await
            .unwrap();
        let held = volumes(world).get(&name).await.unwrap();
        assert_eq!(held.finalizers(), ["kubernetes.io/pv-protection"]);
        world.delete::<PersistentVolumeClaim>("data").await;
        let gone = await_condition(volumes(world), &name, |v: Option<&PersistentVolume>| {
            v.is_none()
        });
        let done = tokio::time::timeout(std::time::Duration::from_secs(60), gone).await;
        done.expect("it goes").unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_of_the_default_class_gets_a_volume_when_a_pod_wants_it() {
    conform("Dynamic provisioning", async |world| {
        if world.is_real {
            println!("Dynamic provisioning: skipped, a real cluster may have no class");
            return;
        }
        let made: PersistentVolumeClaim = world
            .create(
                json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": "1Mi"}}}}),
            )
            .await;
        let class = made.spec.as_ref().unwrap().storage_class_name.as_deref();
        assert_eq!((class, phase_of(&made)), (Some("standard"), "Pending"));
        user(world, "room", "data").await;
        until_runs(world, "room").await;
        let name = until_bound(world, "data").await;
        assert_eq!(name, format!("pvc-{}", made.uid().unwrap()));
        let volume = volumes(world).get(&name).await.unwrap();
        let path = volume.spec.unwrap().host_path.unwrap().path;
        world.sh("room", "echo kept > /data/x").await;
        let read = || std::fs::read_to_string(format!("{path}/x")).ok();
        assert_eq!(read().as_deref(), Some("kept\n"));
        world.delete::<Pod>("room").await;
        world.delete::<PersistentVolumeClaim>("data").await;
        let gone = await_condition(volumes(world), &name, |v: Option<&PersistentVolume>| {
            v.is_none()
        });
        gone.await.unwrap();
        assert_eq!(read(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_says_what_it_waits_for() {
    conform("Claims that wait", async |world| {
        claim(world, "data", "1Mi", "ReadWriteOnce").await;
        world
            .create::<PersistentVolumeClaim>(
                json!({"metadata": {"name": "none"}, "spec": {"accessModes": ["ReadWriteOnce"],
                "storageClassName": "", "resources": {"requests": {"storage": "1Mi"}}}}),
            )
            .await;
        let missing = format!(
            "storageclass.storage.k8s.io \"{}\" not found",
            world.namespace
        );
        until_told(world, "data", ["Warning", "ProvisioningFailed", &missing]).await;
        let none = "no persistent volumes available for this claim and no storage class is set";
        until_told(world, "none", ["Normal", "FailedBinding", none]).await;
    })
    .await;
}

async fn until_told(world: &World, object: &str, [kind, reason, message]: [&str; 3]) {
    use k8s_openapi::api::core::v1::Event;
    let wanted = json!([kind, reason, message]);
    let mut told: Vec<Value> = vec![];
    let what = format!("{object} is told {wanted}");
    let within = std::time::Duration::from_secs(30);
    let looking = world.eventually(&what, within, async || {
        let events = world
            .api::<Event>()
            .list(&Default::default())
            .await
            .unwrap();
        let about = events
            .iter()
            .filter(|e| e.involved_object.name.as_deref() == Some(object));
        told = about
            .map(|e| json!([e.type_, e.reason, e.message]))
            .collect();
        told.contains(&wanted)
    });
    looking.await;
}
