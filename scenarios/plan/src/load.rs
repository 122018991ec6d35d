//! Loads: who sends what, and when.
use crate::expected;
use crate::limits::{IN_FLIGHT_MAX, REPETITIONS_MAX, REQUESTS_MAX, USERS_MAX};
use crate::object::Object;
use crate::request::{self, Within};
use crate::system::System;
use crate::tree::Node;
use model::{Connection, Expected, Load, LoadModel, Micros, Request, Stage};

/// The limit of one request where the file says nothing: siege's socket timeout (semantics.md 11.3).
const REQUEST_TIMEOUT: Micros = Micros::from_secs(30);

/// So many requests of an open load may be unanswered at once where the file says nothing: five seconds of silence at 200/s.
const IN_FLIGHT: u32 = 1000;

/// Reads a load. None where something is wrong with it, and that is put down.
pub fn read(l: &Object, saved: &[&str], system: Option<&System>) -> Option<Load> {
    let siege = l.one_of("profile") == Some("siege");
    let closed = match l.one_of("model") {
        Some(model) => model == "closed",
        None => siege || l.get("users").is_some() || l.get("repetitions").is_some(),
    };
    if siege && !closed {
        l.refuses(&["model"], "beside profile siege: siege is closed");
    }
    let model = if closed {
        closed_model(l)
    } else {
        open_model(l)
    };
    let connection = match l.one_of("connection") {
        Some("new") => Connection::New,
        Some(_) => Connection::Reused,
        None if siege => Connection::New,
        None => Connection::Reused,
    };
    let timeout = l.duration("timeout").unwrap_or(REQUEST_TIMEOUT);
    let within = Within::Load {
        follows_redirects: siege,
    };
    let expected = l.object("expect").map(|e| {
        request::placeholders(e.node, saved, e.log);
        expected::of_load(&e, siege)
    });
    let requests = request::read(l, within, saved, system).into_iter();
    let requests = requests.map(|(request, own)| expecting(request, own.or(expected.clone())));
    if !closed {
        let keeping = l.node.get("requests").into_iter().flat_map(Node::items);
        for node in keeping.filter_map(|r| r.get("save")) {
            let message = "in an open load no request waits for the answer of another";
            l.log.bad(
                node,
                message,
                "write users in place of rate, or leave it out",
            );
        }
    }
    let load = Load {
        model: model?,
        connection,
        timeout,
        siege,
        requests: requests.collect(),
        think_time: l.duration("thinkTime"),
        stress: l.flag("stress").unwrap_or(false),
    };
    bounded(l, &load);
    Some(load)
}

/// Puts down a load of more requests than a run can keep.
fn bounded(l: &Object, load: &Load) {
    let planned = load.planned_requests().unwrap_or(0);
    if planned > REQUESTS_MAX {
        let message = format!("this would be {planned} requests");
        let way_out = format!("at most {REQUESTS_MAX} are possible: make it shorter or slower");
        l.log.bad(l.node, message, way_out);
    }
}

/// What a request of a load says itself stands in place of what the load says.
fn expecting(request: Request, expect: Option<Expected>) -> Request {
    Request { expect, ..request }
}

fn closed_model(l: &Object) -> Option<LoadModel> {
    l.refuses(
        &["rate", "stages", "inFlightMax"],
        "in a closed load: write model: open, or maxRate",
    );
    if l.get("repetitions").is_none() {
        l.needs("duration", "a closed load without repetitions");
    }
    let max_rate = l.rate("maxRate").map(|r| r.ceil() as u32);
    Some(LoadModel::Closed {
        users: l.whole32("users", 1, USERS_MAX).unwrap_or(1),
        duration: l.duration("duration"),
        repetitions: l.whole32("repetitions", 1, REPETITIONS_MAX),
        max_rate,
    })
}

fn open_model(l: &Object) -> Option<LoadModel> {
    l.refuses(
        &["users", "repetitions", "maxRate", "thinkTime"],
        "in an open load: write model: closed, or rate",
    );
    let stages = match l.get("stages") {
        Some(_) => {
            l.refuses(
                &["rate", "duration"],
                "beside stages: each stage has its own",
            );
            stages(l)
        }
        None => {
            l.needs("rate", "an open load");
            l.needs("duration", "an open load");
            let (rate, duration) = (l.rate("rate"), l.duration("duration"));
            vec![Stage {
                rate: rate?,
                duration: duration?,
            }]
        }
    };
    Some(LoadModel::Open {
        stages,
        in_flight_max: l
            .whole32("inFlightMax", 1, IN_FLIGHT_MAX)
            .unwrap_or(IN_FLIGHT),
    })
}

fn stages(l: &Object) -> Vec<Stage> {
    let one = |s: &Object| {
        let (rate, duration) = (s.rate("rate"), s.duration("duration"));
        Some(Stage {
            rate: rate?,
            duration: duration?,
        })
    };
    l.list("stages").iter().filter_map(one).collect()
}
