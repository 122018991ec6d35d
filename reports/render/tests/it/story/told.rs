//! Observations as they are told: a system of four services that is ready after 900 ms, and what happens to it.
use super::ms;
use model::{
    Breaker, BreakerState, ErrorKind, Fact, Micros, Observation, PodCounts, PodState, RequestFact,
    Timeline,
    observation::Phase,
    telemetry::{Calls, Events},
};
use std::{collections::BTreeMap, ops::Range};

pub enum Life {
    Pending,
    Running,
    Ready,
    Terminating,
    Gone,
}

/// Observations as they are told, with a system of four services that is ready from 900 ms on.
pub struct Told {
    all: Vec<Observation>,
    dice: u64,
}

impl Told {
    pub fn new() -> Told {
        let mut told = Told {
            all: vec![],
            dice: 7,
        };
        let began = Fact::Began {
            wall: "2026-11-20T16:40:00Z".into(),
            cluster: "embedded".into(),
            version: "v1.33.0".into(),
            node: "node-1, sandboxed: own file system, hosts and process ids".into(),
            namespace: "mybnb-7".into(),
        };
        told.at(0, began);
        told.phase(1, Phase::Gating);
        for (service, pod) in [
            ("alarm", "77cd9d57-96r4k"),
            ("pay", "6ddbb7d4dd-c847f"),
            ("review", "7cfb746cbb-682ks"),
            ("room", "6448f765fc-jsbgr"),
        ] {
            told.pod(200, service, pod, Life::Pending);
            told.pod(300, service, pod, Life::Running);
            told.pod(900, service, pod, Life::Ready);
            told.endpoints(910, service, 1);
        }
        told.at(1200, Fact::Steady { took: ms(1200) });
        told.phase(1201, Phase::Running);
        told
    }

    pub fn at(&mut self, at: u64, fact: Fact) {
        self.all.push(Observation { at: ms(at), fact });
    }

    fn phase(&mut self, at: u64, phase: Phase) {
        self.at(at, Fact::Phase { phase });
    }

    pub fn begun(&mut self, step: &str, at: u64) {
        self.at(at, Fact::StepBegan { step: step.into() });
    }

    pub fn ended(&mut self, step: &str, at: u64) {
        let ended = Fact::StepEnded {
            step: step.into(),
            ok: true,
            detail: "as planned".into(),
        };
        self.at(at, ended);
    }

    pub fn proven(&mut self, step: &str, at: u64, evidence: &str) {
        let proven = Fact::Proven {
            step: step.into(),
            evidence: evidence.into(),
        };
        self.at(at, proven);
        self.ended(step, at + 1);
    }

    pub fn pod(&mut self, at: u64, owner: &str, name: &str, life: Life) {
        let pod = PodState {
            name: format!("{owner}-{name}"),
            uid: format!("{owner}-{name}"),
            owner: owner.into(),
            template: name.split('-').next().unwrap_or_default().into(),
            phase: match life {
                Life::Pending => "Pending".into(),
                _ => "Running".into(),
            },
            ready: matches!(life, Life::Ready | Life::Terminating),
            terminating: matches!(life, Life::Terminating | Life::Gone),
            gone: matches!(life, Life::Gone),
            restarts: 0,
            reason: String::new(),
        };
        self.at(at, Fact::Pod(pod));
    }

    pub fn endpoints(&mut self, at: u64, service: &str, ready: u32) {
        let service = service.into();
        self.at(at, Fact::Endpoints { service, ready });
    }

    /// Calls of one service to another, with their mean time.
    pub fn calls(&self, to: &str, endings: &[(&str, u64)], mean: f64) -> BTreeMap<String, Calls> {
        let good = endings.first().map_or(0, |(_, n)| *n);
        let calls = Calls {
            endings: endings.iter().map(|(e, n)| (e.to_string(), *n)).collect(),
            seconds: mean * good as f64,
            buckets: vec![(0.0025, good / 20), (0.005, good * 9 / 10), (0.01, good)],
        };
        [(to.to_string(), calls)].into()
    }

    /// What a pod has counted: its calls, and how many events of a type it published and handled.
    pub fn counts(
        &mut self,
        at: u64,
        pod: &str,
        service: &str,
        calls: BTreeMap<String, Calls>,
        events: &[(&str, u64, u64)],
    ) {
        let events = events.iter().map(|(kind, published, handled)| {
            let events = Events {
                published: *published,
                handled: *handled,
                failed: 0,
            };
            (kind.to_string(), events)
        });
        let counts = PodCounts {
            pod: pod.into(),
            service: service.into(),
            calls,
            events: events.collect(),
        };
        self.at(at, Fact::Counted(counts));
    }

    pub fn breaker(&mut self, at: u64, client: &str, service: &str, state: Breaker) {
        let state = BreakerState {
            client: client.into(),
            side: "caller".into(),
            service: service.into(),
            state,
            requests: 100,
            rejected: 0,
            ejections: 0,
        };
        self.at(at, Fact::Breaker(state));
    }

    /// Requests at a rate; good ones take 2 to 9 ms, now and then longer.
    pub fn load(
        &mut self,
        step: &str,
        rate: u64,
        due: Range<u64>,
        result: impl Fn(u64) -> Result<u16, ErrorKind>,
    ) {
        self.begun(step, due.start - 50);
        let step_name = step.to_string();
        let began = Fact::LoadBegan {
            step: step_name.clone(),
            clock_error: Micros(400),
        };
        self.at(due.start, began);
        let mut finished = 0;
        for at in due.clone().step_by((1000 / rate) as usize) {
            let took = match result(at) {
                Ok(_) => self.good_time(),
                Err(_) => 300,
            };
            let request = RequestFact {
                seq: finished,
                done: ms(at) + Micros(took),
                status: result(at).ok(),
                bytes: if result(at).is_ok() { 349 } else { 0 },
                error: result(at).err(),
                key: (step == "register").then(|| format!("host-{finished}")),
                ..answer(step, at, at)
            };
            self.at(at, Fact::Request(request));
            finished += 1;
        }
        let ended = Fact::LoadEnded {
            step: step_name,
            finished,
            dropped: 0,
            lag_max: Micros(180),
            cut_short: None,
        };
        self.at(due.end, ended);
        self.ended(step, due.end + 20);
    }

    fn good_time(&mut self) -> u64 {
        self.dice = (self.dice * 1_103_515_245 + 12_345) % 2_147_483_648;
        let roll = self.dice >> 16;
        match roll % 61 {
            0 => 40_000 + roll % 60_000,
            _ => 2_000 + roll % 7_000,
        }
    }

    pub fn timeline(mut self, end: u64) -> Timeline {
        self.phase(end, Phase::Draining);
        let cleaned = Fact::CleanedUp {
            ok: true,
            detail: "namespace mybnb-7 and everything in it is gone".into(),
        };
        self.at(end + 400, cleaned);
        Timeline::new(self.all)
    }
}

pub fn answer(step: &str, sent: u64, done: u64) -> RequestFact {
    RequestFact {
        step: step.into(),
        index: 0,
        seq: 0,
        sent: ms(sent),
        done: ms(done),
        status: Some(200),
        bytes: 0,
        ..RequestFact::default()
    }
}
