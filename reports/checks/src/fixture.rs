//! A small run for tests: a load of a hundred requests, one every 10 ms, with a rollout of `review` in its middle.
//!
//! | ms | what |
//! |---|---|
//! | 0, 1000 | began, steady |
//! | 2000 | the load `siege` begins: 100 requests of 2 ms |
//! | 2200 | `roll` is injected; `review-new` is ready at 2500, `review-old` ends at 2520; proven at 2600 |
//! | 3000 | the load ends |
//! | 3500 | everything is cleaned up |
use model::{
    Action, Check, Connection, ErrorKind, Fact, Fault, FaultKind, Load, LoadModel, Manifest,
    Micros, Mutant, Observation, Plan, PodState, Profile, Request, RequestFact, Stage, Start, Step,
    Timeline,
};
use std::{collections::BTreeMap, ops::Range};

pub(crate) fn ms(ms: u64) -> Micros {
    Micros::from_millis(ms)
}

#[derive(Clone)]
pub(crate) struct Story {
    plan: Plan,
    facts: Vec<(Micros, Fact)>,
}

/// A request due at 2 s that took 2 ms.
pub(crate) fn answer(step: &str, index: u32, result: Result<u16, ErrorKind>) -> RequestFact {
    RequestFact {
        step: step.into(),
        index,
        seq: u64::from(index),
        sent: ms(2000),
        done: ms(2002),
        status: result.ok(),
        bytes: 0,
        error: result.err(),
        ..RequestFact::default()
    }
}

pub(crate) fn write(seq: u64, key: &str, result: Result<u16, ErrorKind>) -> RequestFact {
    RequestFact {
        seq,
        key: Some(key.into()),
        ..answer("siege", 0, result)
    }
}

impl Story {
    pub fn rollout() -> Story {
        let step = |name: &str| name.to_string();
        let ended = |name: &str| Fact::StepEnded {
            step: name.into(),
            ok: true,
            detail: "done".into(),
        };
        let mut facts = vec![
            (ms(0), began()),
            (ms(900), pod("old", true, false)),
            (ms(900), endpoints(1)),
            (ms(1000), Fact::Steady { took: ms(1000) }),
            (
                ms(1990),
                Fact::StepBegan {
                    step: step("siege"),
                },
            ),
            (
                ms(2000),
                Fact::LoadBegan {
                    step: step("siege"),
                    clock_error: ms(1),
                },
            ),
            (ms(2200), Fact::StepBegan { step: step("roll") }),
            (
                ms(2200),
                Fact::Injected {
                    step: step("roll"),
                    fault: "rollout".into(),
                    targets: vec!["Deployment/review".into()],
                },
            ),
            (ms(2210), pod("new", false, false)),
            (ms(2500), pod("new", true, false)),
            (ms(2500), endpoints(2)),
            (ms(2520), pod("old", false, true)),
            (ms(2520), endpoints(1)),
            (
                ms(2600),
                Fact::Proven {
                    step: step("roll"),
                    evidence: "review-new is ready, review-old is gone".into(),
                },
            ),
            (ms(2600), ended("roll")),
            (
                ms(3000),
                Fact::LoadEnded {
                    step: step("siege"),
                    finished: 100,
                    dropped: 0,
                    lag_max: ms(0),
                    cut_short: None,
                },
            ),
            (ms(3010), ended("siege")),
            (
                ms(3500),
                Fact::CleanedUp {
                    ok: true,
                    detail: "namespace mybnb is gone".into(),
                },
            ),
        ];
        facts.extend((2000..3000).step_by(10).map(|at| {
            let request = RequestFact {
                seq: at,
                sent: ms(at),
                done: ms(at + 2),
                ..answer("siege", 0, Ok(200))
            };
            (ms(at), Fact::Request(request))
        }));
        Story {
            plan: plan(),
            facts,
        }
    }

    /// Only these requests, all due at 2 s.
    pub fn answers(requests: Vec<RequestFact>) -> Story {
        Story {
            plan: plan(),
            facts: requests
                .into_iter()
                .map(|r| (ms(2000), Fact::Request(r)))
                .collect(),
        }
    }

    pub fn plan(&self) -> Plan {
        self.plan.clone()
    }

    pub fn timeline(&self) -> Timeline {
        let facts = self.facts.iter().cloned();
        Timeline::new(facts.map(|(at, fact)| Observation { at, fact }).collect())
    }

    pub fn with(mut self, at: Micros, fact: Fact) -> Story {
        self.facts.push((at, fact));
        self
    }

    pub fn without(mut self, unwanted: impl Fn(&Fact) -> bool) -> Story {
        self.facts.retain(|(_, fact)| !unwanted(fact));
        self
    }

    fn change(mut self, change: impl Fn(Micros, &mut RequestFact)) -> Story {
        for (at, fact) in &mut self.facts {
            if let Fact::Request(request) = fact {
                change(*at, request);
            }
        }
        self
    }

    /// Requests due in these milliseconds are refused.
    pub fn failing(self, due: Range<u64>) -> Story {
        self.failing_with(due, ErrorKind::ConnectionRefused)
    }

    /// Requests due in these milliseconds fail so.
    pub fn failing_with(self, due: Range<u64>, error: ErrorKind) -> Story {
        self.change(|at, request| {
            if (ms(due.start)..ms(due.end)).contains(&at) {
                request.status = None;
                request.error = Some(error);
                request.done = request.sent;
            }
        })
    }

    /// Requests due in these milliseconds are answered with something else than is expected.
    pub fn unexpected(self, due: Range<u64>, what: &str) -> Story {
        self.change(|at, request| {
            if (ms(due.start)..ms(due.end)).contains(&at) {
                request.unmet = Some(what.into());
            }
        })
    }

    /// Requests due in these milliseconds are never answered, and given up after 30 s.
    pub fn hanging(self, due: Range<u64>) -> Story {
        self.change(|at, request| {
            if (ms(due.start)..ms(due.end)).contains(&at) {
                request.status = None;
                request.error = Some(ErrorKind::Timeout);
                request.done = request.sent + ms(30_000);
            }
        })
    }

    /// Each request takes so many milliseconds.
    pub fn taking(self, millis: u64) -> Story {
        self.change(|_, request| request.done = request.sent + ms(millis))
    }

    /// Requests that are in flight then are reset.
    pub fn reset_at(self, at: u64) -> Story {
        self.change(|_, request| {
            if request.sent < ms(at) && request.done > ms(at) {
                request.status = None;
                request.error = Some(ErrorKind::ConnectionReset);
                request.done = ms(at);
            }
        })
    }

    /// The load goes on as it was until then.
    pub fn lasting_until(mut self, end: u64) -> Story {
        self.facts.extend((3000..end).step_by(10).map(|at| {
            let request = RequestFact {
                seq: at,
                sent: ms(at),
                done: ms(at + 2),
                ..answer("siege", 0, Ok(200))
            };
            (ms(at), Fact::Request(request))
        }));
        self
    }

    /// The pod that is replaced is gone.
    pub fn old_pod_gone(self, at: u64) -> Story {
        let mut old = pod("old", false, true);
        if let Fact::Pod(state) = &mut old {
            state.gone = true;
        }
        self.with(ms(at), old)
    }

    /// The request due at that millisecond is sent so much later.
    pub fn sent_late(self, due: u64, late: u64) -> Story {
        self.change(|at, request| {
            if at == ms(due) {
                request.sent = ms(due + late);
                request.done = ms(due + late + 2);
            }
        })
    }

    /// The answer to the request due at that millisecond comes so much later.
    pub fn answered_late(self, due: u64, late: u64) -> Story {
        self.change(|at, request| {
            if at == ms(due) {
                request.done = request.done + ms(late);
            }
        })
    }

    pub fn requests_until(mut self, end: u64) -> Story {
        self.facts
            .retain(|(at, fact)| !matches!(fact, Fact::Request(_)) || *at < ms(end));
        self
    }

    pub fn with_pods_until(mut self, end: u64) -> Story {
        self.facts
            .retain(|(at, fact)| !matches!(fact, Fact::Pod(_)) || *at < ms(end));
        self
    }

    pub fn endpoints(self, at: u64, ready: u32) -> Story {
        self.with(ms(at), endpoints(ready))
    }

    pub fn collected(self, keys: &[&str], complete: bool) -> Story {
        let fact = Fact::Collected {
            step: "alarms".into(),
            keys: keys.iter().map(|k| k.to_string()).collect(),
            rows: vec![],
            reads: 1,
            complete,
        };
        self.with(ms(3100), fact)
    }

    pub fn load_end(mut self, edit: impl Fn(&mut u64, &mut u64, &mut Option<String>)) -> Story {
        for (_, fact) in &mut self.facts {
            if let Fact::LoadEnded {
                finished,
                dropped,
                cut_short,
                ..
            } = fact
            {
                edit(finished, dropped, cut_short);
            }
        }
        self
    }

    /// The load has one user and lasts so long.
    pub fn closed_for(mut self, duration: Micros) -> Story {
        for step in &mut self.plan.steps {
            if let Action::Load { load } = &mut step.action {
                load.model = LoadModel::Closed {
                    users: 1,
                    duration: Some(duration),
                    repetitions: None,
                    max_rate: None,
                };
            }
        }
        self
    }

    /// The mutant: the fault is replaced by nothing.
    pub fn without_fault(mut self) -> Story {
        self.plan.mutant = Some(Mutant::NoFault);
        let nothing = self.with_kind(|kind| FaultKind::None {
            instead_of: Box::new(kind),
        });
        nothing.without(|f| matches!(f, Fact::Proven { .. }))
    }

    /// The fault is another one.
    fn with_kind(mut self, other: impl Fn(FaultKind) -> FaultKind) -> Story {
        let mut word = "";
        for step in &mut self.plan.steps {
            if let Action::Fault { fault } = &mut step.action {
                fault.kind = other(fault.kind.clone());
                word = fault.kind.word();
            }
        }
        for (_, fact) in &mut self.facts {
            if let Fact::Injected { fault, .. } = fact {
                *fault = word.into();
            }
        }
        self
    }

    /// The mutant: the load is replaced by nothing.
    pub fn without_load(mut self) -> Story {
        self.plan.mutant = Some(Mutant::NoFault);
        for step in &mut self.plan.steps {
            if let Action::Load { load } = &mut step.action {
                load.model = LoadModel::Open {
                    stages: vec![],
                    in_flight_max: 1,
                };
            }
        }
        self
    }

    /// The fault was injected then.
    pub fn injected_at(mut self, at: u64) -> Story {
        for (seen, fact) in &mut self.facts {
            if matches!(fact, Fact::Injected { .. }) {
                *seen = ms(at);
            }
        }
        self
    }

    /// The fault is one that has to be undone.
    pub fn service_down(self) -> Story {
        self.with_kind(|_| FaultKind::ServiceDown {
            service: "review".into(),
            grace_period_seconds: None,
        })
    }

    /// The fault is one that strikes pods.
    pub fn pod_kill(self) -> Story {
        self.with_kind(|_| FaultKind::PodKill {
            aim: model::Aim {
                workloads: vec!["review".into()],
                selector: None,
                mode: model::Mode::One,
                rhythm: model::Rhythm::ONCE,
            },
            grace_period_seconds: None,
        })
    }

    pub fn undoing(self, fault: &str) -> Story {
        let fault = fault.into();
        self.doing("undo", after(&["siege"]), Action::Undo { fault })
    }

    /// Its loads are what hurts.
    pub fn hurting(mut self) -> Story {
        for step in &mut self.plan.steps {
            if let Action::Load { load } = &mut step.action {
                load.stress = true;
            }
        }
        self
    }

    /// One more step.
    pub fn doing(mut self, name: &str, start: Start, action: Action) -> Story {
        self.plan.steps.push(Step {
            name: name.into(),
            start,
            action,
            timeout: ms(1000),
        });
        self
    }

    pub fn asking(mut self, checks: Vec<Check>) -> Story {
        self.plan.checks = checks;
        self
    }
}

fn began() -> Fact {
    Fact::Began {
        wall: "2026-11-20T16:00:00Z".into(),
        cluster: "embedded".into(),
        version: "v1.33.0".into(),
        node: "sandboxed".into(),
        namespace: "mybnb".into(),
    }
}

fn pod(name: &str, ready: bool, terminating: bool) -> Fact {
    Fact::Pod(PodState {
        name: format!("review-{name}"),
        uid: name.into(),
        owner: "review".into(),
        template: name.into(),
        phase: "Running".into(),
        ready,
        terminating,
        gone: false,
        restarts: 0,
        reason: String::new(),
    })
}

fn endpoints(ready: u32) -> Fact {
    Fact::Endpoints {
        service: "review".into(),
        ready,
    }
}

pub(crate) fn after(steps: &[&str]) -> Start {
    Start::After {
        steps: steps.iter().map(|s| s.to_string()).collect(),
        delay: Micros::ZERO,
    }
}

fn plan() -> Plan {
    let step = |name: &str, start, action| Step {
        name: name.into(),
        start,
        action,
        timeout: ms(10_000),
    };
    let load = Load {
        model: LoadModel::Open {
            stages: vec![Stage {
                rate: 100.0,
                duration: ms(1000),
            }],
            in_flight_max: 100,
        },
        connection: Connection::New,
        timeout: ms(30_000),
        siege: true,
        requests: vec![Request {
            name: "reviews".into(),
            method: "GET".into(),
            url: "http://review:8080/reviews".into(),
            ..Request::default()
        }],
        think_time: None,
        stress: false,
    };
    let fault = Fault {
        kind: FaultKind::Rollout {
            deployment: "review".into(),
            manifest: Manifest {
                file: "review_na.yaml".into(),
                objects: vec![],
            },
        },
    };
    let during = Start::During {
        load: "siege".into(),
        at: ms(200),
    };
    Plan {
        scenario: "mybnb/zero-downtime".into(),
        arm: "main".into(),
        hypothesis: "A redeploy under load loses nothing.".into(),
        claim: String::new(),
        profile: Profile::Quick,
        mutant: None,
        seed: 1,
        params: BTreeMap::new(),
        requires: vec![],
        namespace: "mybnb".into(),
        manifests: vec![],
        ready_timeout: ms(30_000),
        steps: vec![
            step("siege", after(&[]), Action::Load { load }),
            step("roll", during, Action::Fault { fault }),
        ],
        checks: vec![],
        documented: vec![],
        deadline: ms(60_000),
    }
}
