//! A small scenario with planted servers, and what a run of it left.
use super::truth::{self, Outage};
use crate::{
    machine,
    support::{Ended, Room, Run, Started, Turn, eventually},
};
use model::{Timeline, Verdict, report::Judgement};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{fs, thread, time::Duration};

/// The image of the planted server.
const IMAGE: &str = "planted";

const IMAGE_MAP: &str = concat!("planted=", env!("CARGO_BIN_EXE_planted-server"));

/// A system as small as these is ready, and its worker there, within this time.
const SOON: Duration = Duration::from_secs(60);

/// So often a run is repeated that the machine has spoiled.
const TRIES: usize = 3;

/// A planted server with its Service: a Deployment.
#[derive(Clone)]
pub struct Server {
    name: &'static str,
    image: &'static str,
    command: Vec<&'static str>,
    replicas: u32,
    selected: &'static str,
    env: Vec<(&'static str, String)>,
    limits: Value,
    readiness: Value,
}

/// One that is perfect, called `shop`.
pub fn shop() -> Server {
    server("shop")
}

/// One that is perfect.
pub fn server(name: &'static str) -> Server {
    Server {
        name,
        image: IMAGE,
        command: vec![],
        replicas: 1,
        selected: name,
        env: vec![],
        limits: json!({}),
        readiness: json!({ "httpGet": { "path": "/ready", "port": 8080 }, "periodSeconds": 1 }),
    }
}

impl Server {
    /// With a variable that says what it does wrong.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Server {
        self.env.push((name, value.into()));
        self
    }

    pub fn replicas(self, replicas: u32) -> Server {
        Server { replicas, ..self }
    }

    /// Outages of its own must not take it from its Service.
    pub fn without_probe(self) -> Server {
        Server {
            readiness: Value::Null,
            ..self
        }
    }

    /// Not the planted server, but this command in an image in which there is nothing of brownout's; without a Service.
    pub fn instead(self, command: &[&'static str]) -> Server {
        Server {
            image: "busybox",
            command: command.into(),
            readiness: Value::Null,
            ..self
        }
    }

    /// Its Service selects pods with this label.
    pub fn selected_as(self, selected: &'static str) -> Server {
        Server { selected, ..self }
    }

    pub fn memory(self, limit: &str) -> Server {
        Server {
            limits: json!({ "memory": limit }),
            ..self
        }
    }

    /// As objects of Kubernetes; JSON is YAML.
    fn objects(&self) -> String {
        let mut env = vec![json!({
            "name": "POD_IP",
            "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } },
        })];
        let planted = self.env.iter();
        env.extend(planted.map(|(name, value)| json!({ "name": name, "value": value })));
        let labels = json!({ "app": self.name });
        let mut container = json!({
            "name": self.name,
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "env": env,
            "resources": { "limits": self.limits },
        });
        if !self.command.is_empty() {
            container["command"] = json!(self.command);
        }
        if !self.readiness.is_null() {
            container["readinessProbe"] = self.readiness.clone();
        }
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": self.name },
            "spec": { "selector": { "app": self.selected }, "ports": [{ "port": 8080 }] },
        });
        let deployment = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": self.name },
            "spec": {
                "replicas": self.replicas,
                "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": { "containers": [container] } },
            },
        });
        match self.command.is_empty() {
            true => format!("{service}\n---\n{deployment}\n"),
            false => format!("{deployment}\n"),
        }
    }
}

/// A scenario: servers, and the rest of its `spec` as text.
pub struct Scene {
    servers: Vec<Server>,
    rest: String,
}

impl Scene {
    /// `rest` is the method and what is asked, indented as members of `spec`.
    pub fn new(servers: impl IntoIterator<Item = Server>, rest: &str) -> Scene {
        Scene {
            servers: servers.into_iter().collect(),
            rest: rest.into(),
        }
    }

    fn written(&self) -> Room {
        let room = Room::new();
        let objects: Vec<String> = self.servers.iter().map(Server::objects).collect();
        let scenario = format!(
            "apiVersion: brownout/v1alpha1\nkind: Scenario\nmetadata: {{ name: planted/scene }}\nspec:\n  \
             hypothesis: What is seen is what was so.\n  target: {{ namespace: planted }}\n  manifests: [objects.yaml]\n{}\n",
            self.rest.trim_matches('\n')
        );
        fs::write(room.path().join("objects.yaml"), objects.join("---\n")).unwrap();
        fs::write(room.path().join("scene.yaml"), scenario).unwrap();
        room
    }

    /// What is said of the file alone.
    pub fn validated(&self) -> Ended {
        self.written().ask(&["validate", "scene.yaml"])
    }

    /// Asserts that the file is refused, or, where it does not show what is wrong, that its run cannot tell.
    pub fn is_refused_or_inconclusive(&self) {
        if self.validated().code != Some(64) {
            self.play().is(Verdict::Inconclusive);
        }
    }

    /// Begins to run, with nobody beside it.
    pub fn start(&self) -> Playing {
        let turn = Turn::alone();
        let room = self.written();
        Playing {
            started: room.scenarios(&["scene.yaml", "--image-map", IMAGE_MAP]),
            room,
            turn,
        }
    }

    /// To its end.
    pub fn play(&self) -> Played {
        self.start().end()
    }

    /// Again while the machine is why it could not be told.
    pub fn play_until_seen(&self) -> Played {
        let mut played = self.play();
        for _ in 1..TRIES {
            if !played.is_spoiled() {
                break;
            }
            println!("again, because {}", played.judgement().reason);
            played = self.play();
        }
        played
    }
}

/// A run that goes on.
pub struct Playing {
    started: Started,
    room: Room,
    turn: Turn,
}

impl Playing {
    /// Waits until a load has begun, and so long.
    pub fn until(&self, after_first_request: Duration) {
        eventually("the load has begun", SOON, || {
            let run = self.room.all_runs().into_iter().next()?;
            let file = format!("{}/main/timeline.jsonl", run.path());
            let text = fs::read_to_string(file).ok()?;
            text.contains(r#""fact":"loadBegan""#).then_some(())
        });
        thread::sleep(after_first_request);
    }

    /// The process of brownout.
    pub fn brownout(&self) -> u32 {
        self.started.id()
    }

    /// The process that sends the load.
    pub fn worker(&self) -> u32 {
        let all = machine::descendants(self.brownout()).into_iter();
        let mut workers = all.filter(|process| {
            // One that has just ended has none.
            let read = |file: &str| {
                let text = fs::read(format!("/proc/{}/{file}", process.pid)).unwrap_or_default();
                String::from_utf8_lossy(&text).into_owned()
            };
            let is_worker = read("cmdline").split('\0').nth(1) == Some("load-worker");
            is_worker && read("environ").contains(r#""do":"load""#)
        });
        workers.next().expect("a worker sends the load").pid
    }

    pub fn end(self) -> Played {
        let ended = self.started.end();
        drop(self.turn);
        Played {
            ended,
            room: self.room,
        }
    }
}

/// A process stands still until this is dropped.
pub struct Stopped(Pid);

impl Stopped {
    pub fn process(pid: u32) -> Stopped {
        let pid = Pid::from_raw(pid.cast_signed());
        kill(pid, Signal::SIGSTOP).unwrap();
        Stopped(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // One that has ended needs no more.
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

/// A run that has come to its end.
pub struct Played {
    pub ended: Ended,
    room: Room,
}

impl Played {
    pub fn run(&self) -> Run {
        self.room.run()
    }

    pub fn judgement(&self) -> Judgement {
        let code = self.ended.code;
        assert!(matches!(code, Some(0..=3)), "{code:?}: {}", self.told());
        let result = self.run().result();
        let judgement = result["arms"][0]["judgement"].clone();
        serde_json::from_value(judgement).unwrap()
    }

    pub fn timeline(&self) -> Timeline {
        self.run().timeline("main")
    }

    /// Whether the machine is why nothing could be told.
    fn is_spoiled(&self) -> bool {
        let judgement = self.judgement();
        judgement.verdict == Verdict::Inconclusive && judgement.reason.contains("MeasurementSound")
    }

    /// Asserts how it ended.
    pub fn is(&self, verdict: Verdict) -> Judgement {
        let judgement = self.judgement();
        assert_eq!(judgement.verdict, verdict, "{}", self.told());
        judgement
    }

    /// Asserts that it ended in no other way.
    pub fn is_never(&self, verdict: Verdict) -> Judgement {
        let judgement = self.judgement();
        assert_ne!(judgement.verdict, verdict, "{}", self.told());
        judgement
    }

    /// All it said, for whoever reads why a test has failed. The run is kept for them.
    pub fn told(&self) -> String {
        let kept = std::env::temp_dir().join(self.room.mark());
        let copied = std::process::Command::new("cp")
            .arg("-r")
            .arg(self.run().path())
            .arg(&kept)
            .status();
        let where_to = match copied {
            Ok(status) if status.success() => format!("kept in {}", kept.display()),
            _ => "not kept".into(),
        };
        format!("{}\n{}\n{where_to}", self.ended.out, self.ended.err)
    }

    /// The outages of the planted server called `name`, as they were.
    pub fn outages(&self, name: &str) -> Vec<Outage> {
        truth::outages(self.run().path(), &self.timeline(), name)
    }

    /// What the planted servers called `name` said, line by line.
    pub fn said(&self, name: &str) -> Vec<Value> {
        truth::said(self.run().path(), name)
    }
}
