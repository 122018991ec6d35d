//! A cluster of scripts, a plan to perform on it, and words to ask what happened.
use apiserver::{ApiServer, Clock, Config};
use chaos::Place;
use cluster::Cluster;
use load::wire::{self, Line, WireRequest};
use model::{
    Action, Connection, Fact, Fault, FaultKind, Load, LoadModel, Manifest, Micros, Plan, Request,
    Start, Step, Timeline,
};
use node::{
    AddressBlock, ImageEntry, Images, Node, NodeConfig,
    net::ProxyTiming,
    runtime::{Script, Simulated},
};
use runner::{Progress, Stop, TIMELINE_FILE};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::watch, task::JoinSet};

/// Image of the load workers.
pub const WORKER: &str = "worker:1";

pub struct World {
    world: runner::World,
    /// The run so far.
    pub progress: watch::Sender<Progress>,
    folder: tempfile::TempDir,
    _node: Node,
    _controllers: JoinSet<()>,
}

impl World {
    /// Images behave as `scripts` say, all others come at once and go at once.
    pub fn new(scripts: Simulated) -> World {
        let (clock, block) = (Clock::new(), AddressBlock::imaginary());
        let server = ApiServer::new(Config {
            clock,
            service_prefix: block.service_prefix(),
        });
        let client = || server.client("default");
        let folder = tempfile::tempdir().unwrap();
        let images = ["auth", "room", WORKER];
        let images = images.into_iter().fold(Images::new(), |all, image| {
            all.with(image, ImageEntry::default())
        });
        let config = NodeConfig {
            dir: folder.path().join("cluster"),
            block,
            images,
            runtime: Arc::new(scripts),
            clock,
            proxy: ProxyTiming::default(),
            metric_resolution: node::METRIC_RESOLUTION,
        };
        let controllers = controllers::start(client(), clock);
        let node = node::start(client(), config).unwrap();
        server.set_streams(Arc::new(node.clone()));
        let world = runner::World {
            cluster: Cluster::new(client()),
            place: Place::Embedded,
            kind: "embedded".into(),
            namespace: "shop-1".into(),
            image: WORKER.into(),
            dir: folder.path().into(),
            stop: Stop::default(),
        };
        World {
            world,
            progress: watch::Sender::new(Progress::default()),
            folder,
            _node: node,
            _controllers: controllers,
        }
    }

    /// Performs a plan. Whatever became of it: it is on disk, and its namespace is gone.
    pub async fn run(&self, plan: &Plan) -> Seen {
        let timeline = runner::run(plan, &self.world, self.progress.clone())
            .await
            .unwrap();
        let on_disk = std::fs::read_to_string(self.folder.path().join(TIMELINE_FILE)).unwrap();
        assert_eq!(Timeline::parse(&on_disk).unwrap(), timeline);
        let left = self.world.cluster.namespaces_of_runs().await.unwrap();
        assert_eq!(left, []);
        let seen = Seen(timeline);
        seen.after(0, |f| matches!(f, Fact::CleanedUp { ok: true, .. }));
        seen
    }

    pub fn stop(&self) -> Stop {
        self.world.stop.clone()
    }

    /// Waits for something to be told of a fault, as `auth-down proven`.
    pub async fn until(&self, latest: &str) {
        let mut progress = self.progress.subscribe();
        progress.wait_for(|p| p.latest == latest).await.unwrap();
    }
}

/// The timeline of a run.
pub struct Seen(pub Timeline);

impl Seen {
    /// The first fact of this kind that comes after another (counted from 0): where it is.
    pub fn after(&self, earlier: usize, fact: impl Fn(&Fact) -> bool) -> usize {
        let all = self.0.all().iter().enumerate().skip(earlier);
        let found = all.into_iter().find(|(_, seen)| fact(&seen.fact));
        found
            .unwrap_or_else(|| panic!("not in time: {:#?}", self.story()))
            .0
    }

    /// From one fact to another, by their places.
    pub fn between(&self, earlier: usize, later: usize) -> Duration {
        let at = |i: usize| self.0.all()[i].at;
        at(later).saturating_sub(at(earlier)).into()
    }

    pub fn has(&self, fact: impl Fn(&Fact) -> bool) -> bool {
        self.0.all().iter().any(|seen| fact(&seen.fact))
    }

    /// How each step ended, in the order they did.
    pub fn ended(&self) -> Vec<(&str, bool)> {
        let facts = self.0.all().iter();
        let ended = facts.filter_map(|seen| match &seen.fact {
            Fact::StepEnded { step, ok, .. } => Some((step.as_str(), *ok)),
            _ => None,
        });
        ended.collect()
    }

    /// What the end of a step said.
    pub fn detail(&self, of: &str) -> &str {
        let mut details = self.0.all().iter().filter_map(|seen| match &seen.fact {
            Fact::StepEnded { step, detail, .. } if step == of => Some(detail.as_str()),
            _ => None,
        });
        details.next().unwrap_or("the step did not end")
    }

    /// Everything but pods and counts, for a message.
    fn story(&self) -> Vec<String> {
        let facts = self.0.all().iter();
        let told = facts.filter(|seen| {
            !matches!(
                seen.fact,
                Fact::Pod(_)
                    | Fact::Replicas { .. }
                    | Fact::Endpoints { .. }
                    | Fact::Request(_)
                    | Fact::Event { .. }
            )
        });
        told.map(|seen| format!("{} {:?}", seen.at, seen.fact))
            .collect()
    }
}

/// A system of auth and room, each a Deployment with a Service.
pub fn plan(steps: Vec<Step>) -> Plan {
    let mut plan: Plan = serde_json::from_value(json!({
        "scenario": "shop/test", "arm": "main", "hypothesis": "It holds.", "profile": "quick", "seed": 1, "params": {},
        "namespace": "shop", "manifests": [], "readyTimeout": 60_000_000, "steps": [], "checks": [], "documented": [],
        "deadline": 600_000_000,
    }))
    .unwrap();
    plan.manifests = ["auth", "room"].map(manifest).into();
    plan.steps = steps;
    plan
}

fn manifest(name: &str) -> Manifest {
    let container = json!({"name": name, "image": name,
        "readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 1}});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}}});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 8080}]}});
    Manifest {
        file: format!("{name}.yaml"),
        objects: vec![deployment, service],
    }
}

/// Puts something into the pod spec of a manifest's Deployment.
pub fn with_pod_spec(plan: &mut Plan, name: &str, field: &str, value: Value) {
    let file = format!("{name}.yaml");
    let manifest = plan.manifests.iter_mut().find(|m| m.file == file).unwrap();
    manifest.objects[0]["spec"]["template"]["spec"][field] = value;
}

pub fn step(name: &str, start: Start, action: Action) -> Step {
    Step {
        name: name.into(),
        start,
        action,
        timeout: Micros::from_secs(60),
    }
}

pub fn after(steps: &[&str]) -> Start {
    Start::After {
        steps: steps.iter().map(ToString::to_string).collect(),
        delay: Micros::ZERO,
    }
}

pub fn during(load: &str, at: Micros) -> Start {
    Start::During {
        load: load.into(),
        at,
    }
}

pub fn load(name: &str, start: Start) -> Step {
    let load = Load {
        model: LoadModel::Closed {
            users: 1,
            duration: Some(Micros::from_secs(10)),
            repetitions: None,
            max_rate: None,
        },
        connection: Connection::New,
        timeout: Micros::from_secs(1),
        siege: false,
        requests: vec![request()],
        think_time: None,
        stress: false,
    };
    step(name, start, Action::Load { load })
}

pub fn requests(name: &str, start: Start) -> Step {
    let requests = vec![request()];
    step(name, start, Action::Requests { requests })
}

fn request() -> Request {
    Request {
        name: "rooms".into(),
        method: "GET".into(),
        url: "http://room:8080/rooms".into(),
        ..Request::default()
    }
}

pub fn auth_down(name: &str, start: Start) -> Step {
    let kind = FaultKind::ServiceDown {
        service: "auth".into(),
        grace_period_seconds: None,
    };
    step(
        name,
        start,
        Action::Fault {
            fault: Fault { kind },
        },
    )
}

pub fn fault(name: &str, start: Start, kind: FaultKind) -> Step {
    let fault = Fault { kind };
    step(name, start, Action::Fault { fault })
}

pub fn undo(name: &str, start: Start, fault: &str) -> Step {
    step(
        name,
        start,
        Action::Undo {
            fault: fault.into(),
        },
    )
}

fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}

/// Scripts are written before the run: a worker whose wall clock is ahead has sent what it tells just now.
const AHEAD_US: u64 = 3_600_000_000;

/// What a worker prints that sends a request a second, each answered at once, and ends after so many.
pub fn worker(requests: u32) -> Script {
    let began = wall_us() + AHEAD_US;
    let at = |second: u32| Duration::from_secs(second.into());
    let answered = |n: u32| {
        let due_us = began + u64::from(n) * 1_000_000;
        Line::Request(WireRequest {
            index: 0,
            seq: n.into(),
            due_us,
            sent_us: due_us,
            done_us: due_us + 1000,
            status: Some(200),
            bytes: 2,
            error: None,
            key: None,
            location: None,
            headers: Default::default(),
            body: None,
            unmet: None,
        })
    };
    let ended = Line::Ended {
        finished: requests.into(),
        dropped: 0,
        lag_max_us: 0,
        cut_short: None,
    };
    let mut lines = vec![(Duration::ZERO, Line::Began { wall_us: began })];
    lines.extend((1..=requests).map(|n| (at(n), answered(n))));
    lines.push((at(requests), ended));
    Script {
        log: lines
            .iter()
            .map(|(at, line)| (*at, wire::encode(line)))
            .collect(),
        exits: Some((at(requests) + Duration::from_millis(100), 0)),
        ..Script::default()
    }
}
