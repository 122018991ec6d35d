//! `brownout chaos` as it is typed, against a cluster that runs beside it.
use crate::{
    machine,
    support::{Ended, Room, Started, Turn, eventually},
};
use cluster::Cluster;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{fs, time::Duration};

const SOON: Duration = Duration::from_secs(60);

/// An embedded cluster with a broker in it, which needs nobody else.
struct World {
    room: Room,
    cluster: Started,
    _turn: Turn,
}

fn block<T>(doing: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(doing)
}

impl World {
    fn new() -> World {
        let turn = Turn::take();
        let room = Room::new();
        let cluster = Started::new(room.command(&["cluster", "--dir", "runs/cluster"]));
        let file = room.path().join("runs/cluster/kubeconfig");
        eventually("the cluster listens", SOON, || {
            block(async {
                let api = Cluster::connect(Some(&file), None).await.ok()?;
                api.apply("default", &broker()).await.ok()
            })
        });
        let world = World {
            room,
            cluster,
            _turn: turn,
        };
        eventually("the broker is ready", SOON, || {
            world.pods().iter().any(|(_, ready)| *ready).then_some(())
        });
        world
    }

    /// Names of its pods, and whether they are ready.
    fn pods(&self) -> Vec<(String, bool)> {
        let file = self.room.path().join("runs/cluster/kubeconfig");
        let pods = block(async {
            let api = Cluster::connect(Some(&file), None).await.ok()?;
            api.pods("default", "").await.ok()
        });
        let pods = pods.unwrap_or_default().into_iter();
        pods.map(|pod| (pod.name, pod.ready)).collect()
    }

    fn chaos(&self, fault: &str, namespace: &str) {
        let file = format!(
            "apiVersion: brownout/v1alpha1\nkind: Chaos\nmetadata: {{ name: test }}\nspec:\n  target: {{ workloads: [broker] }}\n  \
             fault: {fault}\n  safety: {{ allowNamespaces: [{namespace}] }}\n"
        );
        fs::write(self.room.path().join("runs/chaos.yaml"), file).unwrap();
    }

    fn words<'a>(&self, more: &[&'a str]) -> Vec<&'a str> {
        let words = ["chaos", "run", "runs/chaos.yaml", "--kubeconfig"];
        [&words[..], &["runs/cluster/kubeconfig"], more].concat()
    }

    fn run(&self, more: &[&str]) -> Ended {
        self.room.ask(&self.words(more))
    }

    /// Whether a process of the cluster stands still.
    fn is_held(&self) -> bool {
        let all = machine::descendants(self.cluster.id());
        all.iter().any(|process| {
            let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid));
            stat.is_ok_and(|stat| {
                stat.rsplit_once(") ")
                    .is_some_and(|(_, s)| s.starts_with('t'))
            })
        })
    }

    /// A hang that would last for an hour, in place.
    fn hanging(&self) -> Started {
        self.chaos("{ type: process-hang, for: 1h }", "default");
        let started = Started::new(self.room.command(&self.words(&[])));
        eventually("the broker stands still", SOON, || {
            self.is_held().then_some(())
        });
        started
    }

    fn is_let_go(&self) {
        eventually("the broker runs again", SOON, || {
            (!self.is_held()).then_some(())
        });
        assert_eq!(self.pods().len(), 1);
    }
}

fn broker() -> Value {
    let container = json!({"name": "broker", "image": "brownout:dev", "args": ["broker"],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "readinessProbe": {"tcpSocket": {"port": 9092}, "periodSeconds": 1}});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "broker"}, "spec": {
        "selector": {"matchLabels": {"app": "broker"}},
        "template": {"metadata": {"labels": {"app": "broker"}}, "spec": {"containers": [container]}}}})
}

fn lines(ended: &Ended) -> Vec<Value> {
    let lines = ended.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_dry_run_names_its_targets_and_touches_nothing_and_other_namespaces_are_refused() {
    let world = World::new();
    let before = world.pods();
    world.chaos("{ type: pod-kill }", "default");
    let dry = world.run(&["--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.err);
    let pod = &before[0].0;
    assert!(
        dry.out
            .contains(&format!("would hit broker: {pod} of {pod}")),
        "{}",
        dry.out
    );
    world.chaos("{ type: pod-kill }", "elsewhere");
    let refused = world.run(&[]);
    assert_eq!(refused.code, Some(64), "{}", refused.out);
    assert!(
        refused
            .err
            .contains("namespace default is not in safety.allowNamespaces (elsewhere)"),
        "{}",
        refused.err
    );
    assert_eq!(world.pods(), before);
}

#[test]
fn kills_are_told_line_by_line_and_end_with_everything_ready_again() {
    let world = World::new();
    let before = world.pods();
    world.chaos("{ type: container-kill }", "default");
    let killed = world.run(&[]);
    assert_eq!(killed.code, Some(0), "{}\n{}", killed.out, killed.err);
    let told = lines(&killed);
    let courses: Vec<&str> = told.iter().filter_map(|l| l["course"].as_str()).collect();
    assert_eq!(courses, ["made", "proven", "recovered"]);
    let proof = told[2]["detail"].as_str().unwrap();
    assert!(
        proof.starts_with("container broker (")
            && proof.contains(&format!("of {} ended with exit code 137", before[0].0)),
        "{proof}"
    );
    assert_eq!(world.pods(), before, "it is the same pod");

    world.chaos("{ type: pod-kill, gracePeriodSeconds: 0 }", "default");
    let killed = world.run(&[]);
    assert_eq!(killed.code, Some(0), "{}\n{}", killed.out, killed.err);
    assert_eq!(lines(&killed).last().unwrap()["recovered"], true);
    let now = world.pods();
    assert!(
        now.len() == 1 && now[0].0 != before[0].0 && now[0].1,
        "{now:?}"
    );
}

#[test]
fn a_hang_is_let_go_when_its_job_is_ended_in_order() {
    let world = World::new();
    let mut hanging = world.hanging();
    hanging.send(Signal::SIGTERM);
    let ended = hanging.end_within(SOON);
    assert_eq!(ended.code, Some(3), "{}\n{}", ended.out, ended.err);
    let told = lines(&ended);
    assert_eq!(told.last().unwrap()["ended"], "stopped by SIGTERM");
    world.is_let_go();
}

#[test]
fn a_hang_is_let_go_when_its_job_is_killed() {
    let world = World::new();
    let mut hanging = world.hanging();
    hanging.send(Signal::SIGKILL);
    hanging.end_within(SOON);
    world.is_let_go();
}
