//! Four runs, told in code: what a fast system does when a service is redeployed under load, or deleted and applied again, and a
//! walk through it.
mod plans;
mod told;

use model::{
    Action, Breaker, CheckKind, Comparison, ContainerSpec, Documented, EdgeMetric, ErrorKind,
    Expected, Fact, FaultKind, Metric, Micros, Mutant, PodSpec, Report, RequestFact, ServiceSpec,
    Threshold, Timeline,
};
use plans::{after, check, fault, metric, plan, request, step, writes};
use serde_json::json;
use std::{collections::BTreeMap, ops::Range};
use told::{Life, Told, answer};

fn ms(ms: u64) -> Micros {
    Micros::from_millis(ms)
}

/// The redeployment of review without and with probes, under a load of one user at 500 requests a second, so that siege would have given up.
pub fn zero_downtime() -> Report {
    let off = (plan("off", true), redeployed(3320..6710, 3250, 3260, false));
    let on = (plan("on", true), redeployed(0..0, 6600, 6640, true));
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
    told.load("siege", 500, 2000..11_000, |_| Ok(200));
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
                field: Some("receiver".into()),
                ledger: Some("register".into()),
                fields: Default::default(),
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
            "auth is asked for every room",
            CheckKind::Edge {
                metric: EdgeMetric::Calls,
                condition: Threshold {
                    comparison: Comparison::GreaterOrEqual,
                    value: 160.0,
                },
                from: Some("room".into()),
                to: "auth".into(),
                event: None,
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
    let asked = told.calls("auth", &[("2xx", 160), ("timeout", 3)], 0.0042);
    told.counts(
        4100,
        "room-6448f765fc-jsbgr",
        "room",
        asked,
        &[("RoomRegistered", 157, 0)],
    );
    told.breaker(4100, "room-6448f765fc-jsbgr", "auth", Breaker::Open);
    told.breaker(5100, "room-6448f765fc-jsbgr", "auth", Breaker::Closed);
    told.counts(
        6100,
        "auth-5d8f9b7c44-q2wkx",
        "auth",
        BTreeMap::new(),
        &[("RoomRegistered", 0, 160), ("AuthApproved", 160, 0)],
    );
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
        rows: vec![],
        reads: 3,
        complete: true,
    };
    told.at(9200, collected);
    told.counts(
        9205,
        "alarm-77cd9d57-x8b2c",
        "alarm",
        BTreeMap::new(),
        &[("AuthApproved", 0, 160)],
    );
    told.ended("collect", 9210);
    let pods = ["room-6448f765fc-jsbgr", "alarm-77cd9d57-x8b2c"]
        .map(String::from)
        .into();
    told.at(9220, Fact::Asked { pods });
    told.timeline(9300)
}

/// Review is redeployed at 3 s: the new pod counts as ready at `ready`, the old one ends at `ending`, and requests fail in between.
fn redeployed(failing: Range<u64>, ready: u64, ending: u64, careful: bool) -> Timeline {
    let mut told = Told::new();
    let labels: BTreeMap<_, _> = [("app".to_string(), "review".to_string())].into();
    let service = ServiceSpec {
        service: "review".into(),
        selector: labels.clone(),
        ports: vec![(8080, "8080".into())],
    };
    told.at(120, Fact::Service(service));
    let container = ContainerSpec {
        name: "review".into(),
        readiness: careful,
        pre_stop: careful,
        ..ContainerSpec::default()
    };
    for (at, pod) in [(130, "7cfb746cbb-682ks"), (3020, "69957988c6-4sdfd")] {
        let made = PodSpec {
            pod: format!("review-{pod}"),
            owner: "review".into(),
            labels: labels.clone(),
            grace: 30,
            containers: vec![container.clone()],
        };
        told.at(at, Fact::PodSpec(made));
    }
    let fails = move |due| match failing.contains(&due) {
        true => Err(ErrorKind::ConnectionRefused),
        false => Ok(200),
    };
    told.load("siege", 500, 2000..11_000, fails);
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

/// Rooms registered and read, of which one answer is wrong; nothing is broken on purpose.
pub fn walk_through() -> Report {
    let mut plan = plan("main", false);
    plan.scenario = "mybnb/preflight".into();
    plan.hypothesis = "The services of mybnb work together.".into();
    let requests = vec![
        request("register 호텔", "POST", "http://room:8080/rooms"),
        request("all rooms are listed", "GET", "http://room:8080/rooms"),
        request("register without auth", "POST", "http://room:8080/rooms"),
        request(
            "open the screen",
            "GET",
            "http://gateway:8080/html/index.html",
        ),
    ];
    plan.steps = vec![step(
        "walk through",
        after(&[]),
        Action::Requests { requests },
    )];
    let status = |status| Expected {
        status: Some(status),
        ..Expected::default()
    };
    let expected = vec![
        Expected {
            location: Some("http://room:8080/rooms/".into()),
            json: Some(json!({"name": "호텔"})),
            ..status(201)
        },
        Expected {
            json: Some(json!({"page": {"totalElements": 2}})),
            ..status(200)
        },
        Expected {
            bytes: Some(247),
            ..status(500)
        },
        status(200),
    ];
    plan.checks = vec![check(
        "every answer is as the report prints it",
        CheckKind::Responses {
            step: "walk through".into(),
            expected,
        },
    )];
    plan.documented = vec![];
    checks::report(
        vec![(plan, walked())],
        "brownout scenarios mybnb/preflight",
        "0.1.0",
        "2026-11-20T16:44:00Z",
    )
}

fn walked() -> Timeline {
    let mut told = Told::new();
    told.begun("walk through", 1300);
    let room =
        r#"{"_links":{"self":{"href":"http://room:8080/rooms/1"}},"name":"호텔","price":1000}"#;
    let page = r#"{"_embedded":{"rooms":[{"name":"호텔"}]},"page":{"size":20,"totalElements":1}}"#;
    let error = r#"{"status":500,"error":"Internal Server Error","path":"/rooms"}"#;
    let answers = [
        (1400, 201, 54, room),
        (1460, 200, 7, page),
        (1500, 500, 610, error),
        (2200, 200, 12, "<html><title>mybnb</title></html>"),
    ];
    for ((at, status, took, body), index) in answers.into_iter().zip(0..) {
        let answered = RequestFact {
            index,
            status: Some(status),
            bytes: body.len() as u64,
            body: Some(body.into()),
            location: (status == 201).then(|| "http://room:8080/rooms/1".into()),
            ..answer("walk through", at, at + took)
        };
        told.at(at, Fact::Request(answered));
    }
    told.ended("walk through", 2300);
    told.timeline(2400)
}
