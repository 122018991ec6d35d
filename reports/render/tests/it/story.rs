//! Three runs, told in code: what a fast system does to a load when a service is redeployed, or deleted and applied again.
use model::{
    Action, Check, CheckKind, Comparison, Connection, Documented, ErrorKind, Fact, Fault,
    FaultKind, Load, LoadModel, Manifest, Metric, Micros, Mutant, Observation, Plan, PodState,
    Profile, Report, Request, RequestFact, Severity, SiegeSummary, Start, Step, Threshold,
    Timeline, observation::Phase,
};
use std::{collections::BTreeMap, ops::Range};

fn ms(ms: u64) -> Micros {
    Micros::from_millis(ms)
}

/// The redeployment of review without and with probes, under a load of one user at 50 requests a second.
pub fn zero_downtime() -> Report {
    let off = (plan("off", true), redeployed(3320..6710, 3250, 3260));
    let on = (plan("on", true), redeployed(0..0, 6600, 6640));
    checks::report(
        vec![off, on],
        "brownout scenarios mybnb/zero-downtime --profile quick --seed 7",
        "0.1.0",
        "2026-11-20T16:41:00Z",
    )
}

/// The same with the fault replaced by nothing.
pub fn without_fault() -> Report {
    let mut plan = plan("on", false);
    plan.mutant = Some(Mutant::NoFault);
    let mut told = Told::new();
    told.load("siege", 50, 2000..11_000, |_| Ok(200));
    told.ended("roll", 2600);
    let part = (plan, told.timeline(12_000));
    checks::report(
        vec![part],
        "brownout scenarios mybnb/zero-downtime --mutant no-fault",
        "0.1.0",
        "2026-11-20T16:42:00Z",
    )
}

/// The alarm service deleted while rooms are registered, then applied again: every room's alarm arrives.
pub fn async_alarm() -> Report {
    let mut plan = plan("main", false);
    plan.scenario = "mybnb/async-alarm-down".into();
    plan.hypothesis =
        "Rooms are registered while the alarm service is gone, and every alarm arrives after it is back."
            .into();
    let requests = Action::Requests {
        requests: vec![request("alarms", "GET", "http://alarm:8080/alarms")],
    };
    let down = FaultKind::ServiceDown {
        service: "alarm".into(),
        grace_period_seconds: None,
    };
    plan.steps = vec![
        step("alarm-down", after(&[]), fault(down)),
        step("ask", after(&["alarm-down"]), requests),
        step(
            "register",
            after(&["ask"]),
            Action::Load { load: writes(160) },
        ),
        step(
            "restore",
            after(&["register"]),
            Action::Undo {
                fault: "alarm-down".into(),
            },
        ),
        step(
            "collect",
            after(&["restore"]),
            Action::Collect {
                url: "http://alarm:8080/alarms".into(),
                collection: "alarms".into(),
                field: "receiver".into(),
                ledger: "register".into(),
            },
        ),
    ];
    let expected = model::Expected {
        error: vec![ErrorKind::Dns, ErrorKind::ConnectionRefused],
        ..Default::default()
    };
    let (load, collect) = ("register".to_string(), "collect".to_string());
    plan.checks = vec![
        check(
            "the alarm service does not answer",
            CheckKind::Responses {
                step: "ask".into(),
                expected: vec![expected],
            },
        ),
        check(
            "every room is registered",
            metric(Metric::Availability, Comparison::Equal, 1.0, "register"),
        ),
        check(
            "no alarm is lost",
            CheckKind::NoLostAckedWrites {
                load: load.clone(),
                collect: collect.clone(),
                at_least: 100,
            },
        ),
        check(
            "no alarm is there twice",
            CheckKind::NoDuplicates { load, collect },
        ),
    ];
    plan.documented = vec![Documented {
        id: "mybnb/async-alarm-restored".into(),
        claim: "The alarm for the room registered during the outage appears after alarm restarts."
            .into(),
        step: None,
        siege: None,
        differs: "The report shows one room; here 160 are registered.".into(),
    }];
    let part = (plan, alarm_away());
    checks::report(
        vec![part],
        "brownout scenarios mybnb/async-alarm-down",
        "0.1.0",
        "2026-11-20T16:43:00Z",
    )
}

fn alarm_away() -> Timeline {
    let mut told = Told::new();
    let injected = Fact::Injected {
        step: "alarm-down".into(),
        fault: "service-down".into(),
        targets: vec!["Deployment/alarm".into(), "Service/alarm".into()],
    };
    told.begun("alarm-down", 1500);
    told.at(1510, injected);
    told.pod(1520, "alarm", "77cd9d57-96r4k", Life::Terminating);
    told.endpoints(1520, "alarm", 0);
    told.pod(1980, "alarm", "77cd9d57-96r4k", Life::Gone);
    let proof = "no pod of alarm is left, its Service is gone";
    told.proven("alarm-down", 2000, proof);
    told.begun("ask", 2010);
    let ask = RequestFact {
        error: Some(ErrorKind::Dns),
        status: None,
        ..answer("ask", 2020, 2024)
    };
    told.at(2020, Fact::Request(ask));
    told.ended("ask", 2030);
    told.load("register", 40, 2100..6100, |_| Ok(201));
    told.begun("restore", 6200);
    told.pod(6300, "alarm", "77cd9d57-x8b2c", Life::Pending);
    told.pod(6420, "alarm", "77cd9d57-x8b2c", Life::Running);
    told.pod(8400, "alarm", "77cd9d57-x8b2c", Life::Ready);
    told.endpoints(8410, "alarm", 1);
    let undone = Fact::Undone {
        step: "alarm-down".into(),
        evidence: "alarm-77cd9d57-x8b2c is ready, its Service answers".into(),
    };
    told.at(8450, undone);
    told.ended("restore", 8460);
    told.begun("collect", 8470);
    let collected = Fact::Collected {
        step: "collect".into(),
        keys: (0..160).map(|i| format!("host-{i}")).collect(),
        reads: 3,
        complete: true,
    };
    told.at(9200, collected);
    told.ended("collect", 9210);
    told.timeline(9300)
}

/// Review is redeployed at 3 s: the new pod counts as ready at `ready`, the old one ends at `ending`, and requests fail in between.
fn redeployed(failing: Range<u64>, ready: u64, ending: u64) -> Timeline {
    let mut told = Told::new();
    let fails = move |due| match failing.contains(&due) {
        true => Err(ErrorKind::ConnectionRefused),
        false => Ok(200),
    };
    told.load("siege", 50, 2000..11_000, fails);
    told.begun("roll", 3000);
    let injected = Fact::Injected {
        step: "roll".into(),
        fault: "rollout".into(),
        targets: vec!["Deployment/review".into()],
    };
    told.at(3010, injected);
    told.pod(3030, "review", "69957988c6-4sdfd", Life::Pending);
    told.pod(3200, "review", "69957988c6-4sdfd", Life::Running);
    told.pod(ready, "review", "69957988c6-4sdfd", Life::Ready);
    told.endpoints(ready + 5, "review", 2);
    told.pod(ending, "review", "7cfb746cbb-682ks", Life::Terminating);
    told.endpoints(ending + 5, "review", 1);
    told.pod(ending + 40, "review", "7cfb746cbb-682ks", Life::Gone);
    let proof = "review-69957988c6-4sdfd is ready, review-7cfb746cbb-682ks is gone";
    told.proven("roll", ending + 60, proof);
    told.timeline(11_600)
}

enum Life {
    Pending,
    Running,
    Ready,
    Terminating,
    Gone,
}

/// Observations as they are told, with a system of four services that is ready from 900 ms on.
struct Told {
    all: Vec<Observation>,
    dice: u64,
}

impl Told {
    fn new() -> Told {
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

    fn at(&mut self, at: u64, fact: Fact) {
        self.all.push(Observation { at: ms(at), fact });
    }

    fn phase(&mut self, at: u64, phase: Phase) {
        self.at(at, Fact::Phase { phase });
    }

    fn begun(&mut self, step: &str, at: u64) {
        self.at(at, Fact::StepBegan { step: step.into() });
    }

    fn ended(&mut self, step: &str, at: u64) {
        let ended = Fact::StepEnded {
            step: step.into(),
            ok: true,
            detail: "as planned".into(),
        };
        self.at(at, ended);
    }

    fn proven(&mut self, step: &str, at: u64, evidence: &str) {
        let proven = Fact::Proven {
            step: step.into(),
            evidence: evidence.into(),
        };
        self.at(at, proven);
        self.ended(step, at + 1);
    }

    fn pod(&mut self, at: u64, owner: &str, name: &str, life: Life) {
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

    fn endpoints(&mut self, at: u64, service: &str, ready: u32) {
        let service = service.into();
        self.at(at, Fact::Endpoints { service, ready });
    }

    /// Requests at a rate; good ones take 2 to 9 ms, now and then longer.
    fn load(
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

    fn timeline(mut self, end: u64) -> Timeline {
        self.phase(end, Phase::Draining);
        let cleaned = Fact::CleanedUp {
            ok: true,
            detail: "namespace mybnb-7 and everything in it is gone".into(),
        };
        self.at(end + 400, cleaned);
        Timeline::new(self.all)
    }
}

fn answer(step: &str, sent: u64, done: u64) -> RequestFact {
    RequestFact {
        step: step.into(),
        index: 0,
        seq: 0,
        sent: ms(sent),
        done: ms(done),
        status: Some(200),
        bytes: 0,
        error: None,
        key: None,
        location: None,
        body: None,
    }
}

fn request(name: &str, method: &str, url: &str) -> Request {
    Request {
        name: name.into(),
        method: method.into(),
        url: url.into(),
        headers: vec![],
        body: None,
        key: None,
        keep_body: false,
    }
}

fn writes(repetitions: u32) -> Load {
    Load {
        model: LoadModel::Closed {
            users: 1,
            duration: None,
            repetitions: Some(repetitions),
            max_rate: Some(40),
        },
        siege: false,
        requests: vec![request("room", "POST", "http://room:8080/rooms")],
        ..reads()
    }
}

fn reads() -> Load {
    Load {
        model: LoadModel::Closed {
            users: 1,
            duration: Some(ms(9000)),
            repetitions: None,
            max_rate: Some(50),
        },
        connection: Connection::New,
        timeout: ms(30_000),
        siege: true,
        requests: vec![request("reviews", "GET", "http://review:8080/reviews")],
    }
}

fn after(steps: &[&str]) -> Start {
    Start::After {
        steps: steps.iter().map(|s| s.to_string()).collect(),
        delay: Micros::ZERO,
    }
}

fn step(name: &str, start: Start, action: Action) -> Step {
    Step {
        name: name.into(),
        start,
        action,
        timeout: ms(60_000),
    }
}

fn fault(kind: FaultKind) -> Action {
    Action::Fault {
        fault: Fault { kind },
    }
}

fn check(name: &str, kind: CheckKind) -> Check {
    Check {
        name: name.into(),
        severity: Severity::Fail,
        kind,
    }
}

fn metric(metric: Metric, comparison: Comparison, value: f64, step: &str) -> CheckKind {
    CheckKind::Metric {
        metric,
        condition: Threshold { comparison, value },
        step: step.into(),
    }
}

/// The plan of a redeployment; with `faulty`, as planned, else with the fault replaced by nothing.
fn plan(arm: &str, faulty: bool) -> Plan {
    let rollout = FaultKind::Rollout {
        deployment: "review".into(),
        manifest: Manifest {
            file: "k8s/manifests/mybnb/review.yaml".into(),
            objects: vec![],
        },
    };
    let kind = match faulty {
        true => rollout,
        false => FaultKind::None {
            instead_of: Box::new(rollout),
        },
    };
    let during = Start::During {
        load: "siege".into(),
        at: ms(1000),
    };
    let slow = Check {
        severity: Severity::Warn,
        ..check(
            "answers stay fast",
            metric(Metric::LatencyP99, Comparison::LessOrEqual, 0.05, "siege"),
        )
    };
    Plan {
        scenario: "mybnb/zero-downtime".into(),
        arm: arm.into(),
        hypothesis: "A redeployment of review under load loses no request.".into(),
        profile: Profile::Quick,
        mutant: None,
        seed: 7,
        params: BTreeMap::from([
            ("STARTUP_DELAY".into(), "3s".into()),
            ("load".into(), "9s".into()),
        ]),
        namespace: "mybnb-7".into(),
        manifests: vec![Manifest {
            file: "k8s/manifests/mybnb/review.yaml".into(),
            objects: vec![],
        }],
        ready_timeout: ms(30_000),
        steps: vec![
            step("siege", after(&[]), Action::Load { load: reads() }),
            step("roll", during, fault(kind)),
        ],
        checks: vec![
            check(
                "no request is lost",
                metric(Metric::Availability, Comparison::Equal, 1.0, "siege"),
            ),
            check(
                "a pod is replaced under load",
                CheckKind::ReplacementInside {
                    deployment: "review".into(),
                    load: "siege".into(),
                },
            ),
            check(
                "somebody can always answer",
                CheckKind::EndpointsNeverEmpty {
                    service: "review".into(),
                    load: "siege".into(),
                },
            ),
            slow,
        ],
        documented: vec![recorded(arm)],
        deadline: ms(120_000),
    }
}

fn recorded(arm: &str) -> Documented {
    let off = SiegeSummary {
        transactions: 4700,
        availability: 82.11,
        elapsed: 31.22,
        data_transferred: 3.39,
        response_time: 0.01,
        transaction_rate: 150.54,
        throughput: 0.11,
        concurrency: 0.96,
        successful: 4700,
        failed: 1024,
        longest: 0.08,
        shortest: 0.0,
    };
    let on = SiegeSummary {
        transactions: 23_586,
        availability: 100.0,
        elapsed: 98.46,
        data_transferred: 7.85,
        response_time: 0.0,
        transaction_rate: 239.55,
        throughput: 0.08,
        successful: 23_586,
        failed: 0,
        longest: 0.72,
        ..off.clone()
    };
    let (id, claim, siege) = match arm {
        "off" => (
            "mybnb/zero-downtime-off",
            "Without probes, a redeploy under load loses requests.",
            off,
        ),
        _ => (
            "mybnb/zero-downtime",
            "With probes, a redeploy under the same load loses nothing.",
            on,
        ),
    };
    Documented {
        id: id.into(),
        claim: claim.into(),
        step: Some("siege".into()),
        siege: Some(siege),
        differs: "The quick profile sends 50 requests a second for 9 s; the report sent as many as one user could for up to 300 s.".into(),
    }
}
