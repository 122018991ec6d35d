//! Plans of the stories.
use super::ms;
use model::{
    Action, Check, CheckKind, Comparison, Connection, Documented, Fault, FaultKind, Load,
    LoadModel, Manifest, Metric, Micros, Plan, Profile, Request, Severity, SiegeSummary, Start,
    Step, Threshold,
};
use std::collections::BTreeMap;

pub fn request(name: &str, method: &str, url: &str) -> Request {
    Request {
        name: name.into(),
        method: method.into(),
        url: url.into(),
        ..Request::default()
    }
}

pub fn writes(repetitions: u32) -> Load {
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

pub fn reads() -> Load {
    Load {
        model: LoadModel::Closed {
            users: 1,
            duration: Some(ms(9000)),
            repetitions: None,
            max_rate: Some(500),
        },
        connection: Connection::New,
        timeout: ms(30_000),
        siege: true,
        requests: vec![request("reviews", "GET", "http://review:8080/reviews")],
        think_time: None,
        stress: false,
    }
}

pub fn after(steps: &[&str]) -> Start {
    Start::After {
        steps: steps.iter().map(|s| s.to_string()).collect(),
        delay: Micros::ZERO,
    }
}

pub fn step(name: &str, start: Start, action: Action) -> Step {
    Step {
        name: name.into(),
        start,
        action,
        timeout: ms(60_000),
    }
}

pub fn fault(kind: FaultKind) -> Action {
    Action::Fault {
        fault: Fault { kind },
    }
}

pub fn check(name: &str, kind: CheckKind) -> Check {
    Check {
        name: name.into(),
        severity: Severity::Fail,
        kind,
    }
}

pub fn metric(metric: Metric, comparison: Comparison, value: f64, step: &str) -> CheckKind {
    CheckKind::Metric {
        metric,
        condition: Threshold { comparison, value },
        step: step.into(),
    }
}

/// The plan of a redeployment; with `faulty`, as planned, else with the fault replaced by nothing.
pub fn plan(arm: &str, faulty: bool) -> Plan {
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
        claim:
            "A redeployment of review is invisible exactly when the pods say when they are ready."
                .into(),
        profile: Profile::Quick,
        mutant: None,
        seed: 7,
        params: BTreeMap::from([
            ("STARTUP_DELAY".into(), "3s".into()),
            ("load".into(), "9s".into()),
        ]),
        requires: vec![],
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
        differs: "The quick profile sends 500 requests a second for 9 s; the report sent as many as one user could for up to 300 s.".into(),
    }
}
