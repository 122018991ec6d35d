//! A plan in plain words, every default included.
use model::load::Stage;
use model::rows::{Sum, filter_words};
use model::{
    Action, Aim, Check, CheckKind, Connection, Expected, Fault, FaultKind, Load, LoadModel,
    Manifest, Micros, Mutant, Plan, PodChoice, PodsOf, Severity, Source, Start, Step,
};
use std::fmt::Write;

/// What a plan will do and ask, for people.
pub fn explain(plan: &Plan) -> String {
    let mut lines = Lines(String::new());
    lines.put(
        0,
        format!(
            "{}, arm {}, profile {}",
            plan.scenario,
            plan.arm,
            plan.profile.word()
        ),
    );
    lines.put(0, plan.hypothesis.clone());
    if let Some(mutant) = plan.mutant {
        lines.put(0, mutant_words(mutant).into());
    }
    lines.put(0, String::new());
    system(plan, &mut lines);
    lines.put(0, "Then:".into());
    if plan.steps.is_empty() {
        lines.put(1, "nothing".into());
    }
    for (i, one) in plan.steps.iter().enumerate() {
        step(i + 1, one, &mut lines);
    }
    lines.put(0, "Asked:".into());
    for check in &plan.checks {
        self::check(check, plan, &mut lines);
    }
    for documented in &plan.documented {
        lines.put(
            0,
            format!("Recorded as {}: {}", documented.id, documented.claim),
        );
    }
    lines.0
}

struct Lines(String);

impl Lines {
    fn put(&mut self, depth: usize, line: String) {
        let _ = writeln!(self.0, "{}{line}", "  ".repeat(depth));
    }
}

fn mutant_words(mutant: Mutant) -> &'static str {
    match mutant {
        Mutant::NoFault => {
            "This is a test of the scenario: every fault is replaced by nothing. It must be inconclusive."
        }
        Mutant::MechanismOff => {
            "This is a test of the scenario: the mechanism under test is switched off. It must fail."
        }
    }
}

fn system(plan: &Plan, lines: &mut Lines) {
    lines.put(
        0,
        format!("In namespace {}, from seed {}:", plan.namespace, plan.seed),
    );
    for (name, value) in &plan.params {
        lines.put(1, format!("{name} = {value}"));
    }
    for need in &plan.requires {
        lines.put(1, format!("on a cluster with {}", need.written()));
    }
    for manifest in &plan.manifests {
        lines.put(1, format!("apply {}", objects(manifest)));
    }
    lines.put(
        1,
        format!(
            "wait until every Deployment is ready and every Service is reached from a pod, at most {}",
            length(plan.ready_timeout)
        ),
    );
    lines.put(
        1,
        format!("give up and undo after {} in all", length(plan.deadline)),
    );
}

/// `k8s/manifests/mybnb/room.yaml: Service/room, Deployment/room`
fn objects(manifest: &Manifest) -> String {
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_string();
    let names = manifest
        .objects
        .iter()
        .map(|o| format!("{}/{}", text(&o["kind"]), text(&o["metadata"]["name"])));
    format!(
        "{}: {}",
        manifest.file,
        names.collect::<Vec<_>>().join(", ")
    )
}

fn step(number: usize, step: &Step, lines: &mut Lines) {
    let limit = length(step.timeout);
    lines.put(
        1,
        format!(
            "{number}. {}: {}, at most {limit}",
            step.name,
            start(&step.start)
        ),
    );
    match &step.action {
        Action::Load { load } => self::load(load, lines),
        Action::Fault { fault } => lines.put(2, self::fault(fault)),
        Action::Undo { fault } => lines.put(2, format!("undo \"{fault}\" and verify it")),
        Action::Requests { requests } => {
            lines.put(2, "send once, one after the other:".into());
            for request in requests {
                lines.put(3, self::request(request));
            }
        }
        Action::Exec {
            pod,
            command,
            until,
        } => {
            let again = until.map(|t| format!(", again for {} until it is as expected", length(t)));
            let command = command.iter().map(|word| format!("{word:?}"));
            let command = command.collect::<Vec<_>>().join(" ");
            let again = again.unwrap_or_default();
            lines.put(
                2,
                format!("run {command} in {}{again}", container(pod, "the first of")),
            );
        }
        Action::Logs {
            pod,
            contains,
            within,
        } => {
            let texts = contains.iter().map(|text| format!("{text:?}"));
            let texts = texts.collect::<Vec<_>>().join(" and ");
            let whose = container(pod, "any of");
            lines.put(
                2,
                format!(
                    "wait for {texts} in the log of {whose}, at most {}",
                    length(*within)
                ),
            );
        }
        Action::Await { wanted, within } => {
            let wanted = wanted.written();
            lines.put(
                2,
                format!("wait until {wanted}, at most {}", length(*within)),
            );
        }
        Action::Apply { manifest } => lines.put(2, format!("apply {}", objects(manifest))),
        Action::Delete { kind, name, .. } => {
            lines.put(2, format!("delete {kind}/{name} and wait until it is gone"));
        }
        Action::Collect {
            url,
            collection,
            field,
            ledger,
            fields,
        } => {
            let until = match (field, ledger) {
                (Some(field), Some(ledger)) => {
                    format!(
                        "until {field} of its {collection} has every key that \"{ledger}\" wrote"
                    )
                }
                _ => format!("until its {collection} stay as they are"),
            };
            lines.put(2, format!("read {url} page by page {until}"));
            let kept: Vec<String> = fields.iter().map(|(k, v)| format!("{k} ({v})")).collect();
            if !kept.is_empty() {
                lines.put(2, format!("and keep of each {}", kept.join(", ")));
            }
        }
    }
}

/// `the first of the pods of room, container room`
fn container(pod: &PodChoice, which: &str) -> String {
    let pods = match (&pod.of, pod.replica) {
        (PodsOf::Name(_), _) => pod.of.written(),
        (of, Some(n)) => format!("number {n} of the {}", of.written()),
        (of, None) => format!("{which} the {}", of.written()),
    };
    match &pod.container {
        Some(container) => format!("{pods}, container {container}"),
        None => pods,
    }
}

fn start(start: &Start) -> String {
    match start {
        Start::During { load, at } => {
            format!("{} after the first request of \"{load}\"", length(*at))
        }
        Start::After { steps, delay } => {
            let names: Vec<String> = steps.iter().map(|s| format!("\"{s}\"")).collect();
            match (names.is_empty(), *delay) {
                (true, Micros::ZERO) => "at once".into(),
                (true, delay) => format!("{} after the system is ready", length(delay)),
                (false, Micros::ZERO) => format!("after {}", names.join(" and ")),
                (false, delay) => format!("{} after {}", length(delay), names.join(" and ")),
            }
        }
    }
}

fn load(load: &Load, lines: &mut Lines) {
    if load.is_nothing() {
        lines.put(2, "nothing, in place of the load that hurts".into());
        return;
    }
    let who = match &load.model {
        LoadModel::Closed {
            users,
            duration,
            repetitions,
            max_rate,
        } => closed(*users, *duration, *repetitions, *max_rate),
        LoadModel::Open {
            stages,
            in_flight_max,
        } => open(stages, *in_flight_max),
    };
    lines.put(2, who);
    let connection = match load.connection {
        Connection::New => "a connection for each request",
        Connection::Reused => "connections kept alive",
    };
    lines.put(
        2,
        format!("{connection}, {} for each request", length(load.timeout)),
    );
    if let Some(think) = load.think_time {
        lines.put(2, format!("each waits {} after an answer", length(think)));
    }
    if load.stress {
        lines.put(2, "this load is what hurts".into());
    }
    if load.siege {
        lines.put(
            2,
            "as siege: its summary is computed too, as it would have printed it".into(),
        );
    }
    for request in &load.requests {
        lines.put(3, self::request(request));
    }
}

fn closed(
    users: u32,
    duration: Option<Micros>,
    repetitions: Option<u32>,
    max_rate: Option<u32>,
) -> String {
    let until = match (duration, repetitions) {
        (Some(duration), Some(_)) => format!(
            "for {} (repetitions are ignored: time wins)",
            length(duration)
        ),
        (Some(duration), None) => format!("for {}", length(duration)),
        (None, Some(repetitions)) => format!("{repetitions} times each"),
        (None, None) => "without an end".into(),
    };
    let rate = max_rate.map_or("as fast as they are answered".into(), |r| {
        format!("at most {r} requests a second")
    });
    let users = if users == 1 {
        "1 user sends, waits for the answer and sends again".into()
    } else {
        format!("{users} users send, wait for the answer and send again")
    };
    format!("{users}, {until}, {rate}")
}

fn open(stages: &[Stage], in_flight_max: u32) -> String {
    let stages = stages
        .iter()
        .map(|s| format!("{} requests a second for {}", s.rate, length(s.duration)));
    let stages = stages.collect::<Vec<_>>().join(", then ");
    format!("{stages}, whatever becomes of them, at most {in_flight_max} unanswered at once")
}

fn request(request: &model::Request) -> String {
    let mut text = format!("{}: {} {}", request.name, request.method, request.url);
    for (name, value) in &request.headers {
        let _ = write!(text, ", {name}: {value}");
    }
    if let Some(body) = &request.body {
        let _ = write!(text, ", {body}");
    }
    if let Some(key) = &request.key {
        let _ = write!(text, ", found again as {key}");
    }
    if let Some(times) = request.weight.filter(|w| *w != 1) {
        let _ = write!(text, ", {times} times in each round");
    }
    if let Some(until) = request.until {
        let _ = write!(
            text,
            ", again for {} until it is as expected",
            length(until)
        );
    }
    for save in &request.save {
        let from = match &save.from {
            Source::Location => "the id in its Location",
            Source::Path(path) => path,
        };
        let _ = write!(text, ", {{{{{}}}}} is {from} of the answer", save.name);
    }
    text
}

fn container_of(name: Option<&str>) -> String {
    name.map_or("the pod's first container".into(), |name| {
        format!("container {name}")
    })
}

/// `one of room, and of pay, 12 times, every 10s and up to 3s later`
fn blows(aim: &Aim) -> String {
    let whom = match aim.selector {
        Some(_) => format!("{} of the {}", aim.mode.write(), aim.write()),
        None => format!(
            "{} of {}",
            aim.mode.write(),
            aim.workloads.join(", and of ")
        ),
    };
    let rhythm = aim.rhythm;
    let often = match rhythm.times {
        1 => String::new(),
        n => format!(", {n} times, every {}", length(rhythm.every)),
    };
    let late = match rhythm.jitter {
        Micros::ZERO => String::new(),
        jitter => format!(", up to {} late by chance", length(jitter)),
    };
    format!("{whom}{often}{late}")
}

fn fault(fault: &Fault) -> String {
    what(&fault.kind)
}

fn what(kind: &FaultKind) -> String {
    match kind {
        FaultKind::ServiceDown {
            service,
            grace_period_seconds,
        } => {
            let grace = grace_period_seconds
                .map_or("the pods' own grace".into(), |s| format!("{s} s of grace"));
            format!(
                "delete Deployment and Service {service}, with {grace}; proven when no pod of it is left"
            )
        }
        FaultKind::ScaledDown { service } => format!(
            "scale Deployment {service} to 0; proven when no pod of it and no endpoint of its Service is left"
        ),
        FaultKind::PodKill {
            aim,
            grace_period_seconds,
        } => {
            let grace = grace_period_seconds
                .map_or("the pods' own grace".into(), |s| format!("{s} s of grace"));
            format!(
                "delete pods, with {grace}: {}; each proven when it is gone",
                blows(aim)
            )
        }
        FaultKind::ContainerKill { aim, container } => format!(
            "kill -9 the first process of {}: {}; proven when the restart count grew",
            container_of(container.as_deref()),
            blows(aim)
        ),
        FaultKind::ProcessHang {
            aim,
            container,
            held,
        } => format!(
            "stop every thread of the first process of {}, {}: {}; proven by the pod's own /proc",
            container_of(container.as_deref()),
            held.map_or("until it is undone".into(), |held| format!(
                "for {}",
                length(held)
            )),
            blows(aim)
        ),
        FaultKind::ChaosJob { manifest, chaos } => format!(
            "apply {}, whose Job will {}",
            objects(manifest),
            what(&chaos.fault)
        ),
        FaultKind::Rollout {
            deployment,
            manifest,
        } => format!(
            "roll out {deployment} by applying {}; proven when only new pods are left",
            objects(manifest)
        ),
        FaultKind::None { instead_of } => format!(
            "nothing, in place of {} of {}",
            instead_of.word(),
            instead_of.target()
        ),
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Fail => "",
        Severity::Warn => "(only a warning) ",
        Severity::Info => "(only shown) ",
    }
}

fn check(check: &Check, plan: &Plan, lines: &mut Lines) {
    let severity = severity(check.severity);
    lines.put(1, format!("{severity}{}: {}", check.name, asked(check)));
    let CheckKind::Responses { step, expected } = &check.kind else {
        return;
    };
    let requests = match plan.step(step).map(|s| &s.action) {
        Some(Action::Requests { requests }) => requests.as_slice(),
        _ => &[],
    };
    for (i, expected) in expected.iter().enumerate() {
        let name = requests.get(i).map_or("a request", |r| r.name.as_str());
        lines.put(2, format!("{name}: {}", answer(expected)));
    }
}

fn asked(check: &Check) -> String {
    match &check.kind {
        CheckKind::Metric {
            metric,
            condition,
            step,
        } => format!(
            "{} of \"{step}\" {}",
            metric.word(),
            condition.write(metric.unit())
        ),
        CheckKind::Responses { step, .. } => format!("every answer of \"{step}\" is as expected"),
        CheckKind::Workload {
            metric,
            condition,
            workload,
            step,
        } => {
            let during = step.as_ref().map(|s| format!(" during \"{s}\""));
            let (word, condition) = (metric.word(), condition.write(metric.unit()));
            format!(
                "{word} of {workload}{} {condition}",
                during.unwrap_or_default()
            )
        }
        CheckKind::Edge {
            metric,
            condition,
            from,
            to,
            event,
        } => {
            let from = from.as_deref().unwrap_or(model::graph::LOAD_WORKER);
            let edge = model::graph::written(from, to, event.as_deref());
            let condition = condition.write(metric.unit());
            format!("{} of {edge} {condition}", metric.word())
        }
        CheckKind::FailuresAre {
            load,
            one_of,
            at_least,
        } => {
            let ways: Vec<String> = one_of.iter().map(|f| f.written()).collect();
            let ways = ways.join(" or ");
            format!("every failed request of \"{load}\", at least {at_least}, is {ways}")
        }
        CheckKind::Output { step, expected } => {
            format!("the command of \"{step}\" comes to {}", expected.written())
        }
        CheckKind::Logged { step } => format!("\"{step}\" finds its text in time"),
        CheckKind::Awaited { step } => format!("what \"{step}\" waits for comes in time"),
        CheckKind::ReplacementInside { deployment, load } => {
            format!("a pod of {deployment} is replaced during \"{load}\"")
        }
        CheckKind::EndpointsNeverEmpty { service, load } => {
            format!("{service} has a ready endpoint at every moment of \"{load}\"")
        }
        CheckKind::NoLostAckedWrites {
            load,
            collect,
            at_least,
        } => format!(
            "every acknowledged write of \"{load}\", at least {at_least}, is found by \"{collect}\""
        ),
        CheckKind::Conserved { left, right } => {
            format!("{} == {}", Sum::all_written(left), Sum::all_written(right))
        }
        CheckKind::Unique {
            collect,
            fields,
            filter,
        } => format!(
            "no two rows of \"{collect}\"{} have one {}",
            filter_words(filter),
            fields.join(" and ")
        ),
        CheckKind::SagaTerminates {
            collect,
            field,
            outcomes,
            at_least,
        } => format!(
            "{field} of every row of \"{collect}\", at least {at_least}, is {}",
            outcomes.join(" or ")
        ),
        CheckKind::Converges {
            source,
            view,
            key,
            fields,
        } => format!(
            "\"{view}\" has every {key} of \"{source}\" with its {}",
            fields.join(" and ")
        ),
        CheckKind::NoDuplicates { load, collect } => {
            format!("nothing that \"{load}\" wrote is found twice by \"{collect}\"")
        }
    }
}

fn answer(expected: &Expected) -> String {
    let errors: Vec<&str> = expected.error.iter().map(|e| e.word()).collect();
    let parts = [
        expected.status.map(|s| format!("HTTP {s}")),
        (!errors.is_empty()).then(|| format!("no answer ({})", errors.join(" or "))),
        expected.bytes.map(|b| format!("{b} bytes")),
        expected.json.as_ref().map(|j| format!("containing {j}")),
        expected.body.as_ref().map(|b| format!("the body {b:?}")),
        (!expected.contains.is_empty()).then(|| format!("with {:?} in it", expected.contains)),
        (!expected.headers.is_empty()).then(|| headers(&expected.headers)),
        expected
            .location
            .as_ref()
            .map(|l| format!("Location {l}<number>")),
        expected.within.map(|w| format!("within {}", length(w))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => "anything".into(),
        false => parts.join(", "),
    }
}

/// `access-control-allow-origin: *, vary: origin`
fn headers(headers: &[(String, String)]) -> String {
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"));
    lines.collect::<Vec<_>>().join(", ")
}

/// As a person would write it in a scenario: `300ms`, `12s`, `5m`, `1m30s`.
fn length(time: Micros) -> String {
    let us = time.0;
    match us {
        us if us % 1_000 != 0 => format!("{us}us"),
        us if us % 1_000_000 != 0 => format!("{}ms", us / 1_000),
        us if us < 60_000_000 => format!("{}s", us / 1_000_000),
        us if us % 60_000_000 == 0 => format!("{}m", us / 60_000_000),
        us => format!("{}m{}s", us / 60_000_000, us / 1_000_000 % 60),
    }
}
