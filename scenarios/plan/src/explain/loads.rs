//! Loads and requests.
use super::{Lines, length};
use model::{Connection, Load, LoadModel, Micros, Request, Source, load::Stage};
use std::fmt::Write;

pub(super) fn load(load: &Load, lines: &mut Lines) {
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

pub(super) fn request(request: &Request) -> String {
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
    if let Some(expect) = &request.expect {
        let _ = write!(text, "; a good answer: {}", super::checks::answer(expect));
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
