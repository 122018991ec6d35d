//! What a worker tells of itself: that it stood still, how the canary fared, what it could not send, how late it was.
use crate::{
    process::worker,
    support::{Printed, Server, closed_port, send, siege, work},
};
use axum::{Router, routing::any};
use load::{
    LoadJob,
    wire::{self, Line},
};
use model::{Connection, ErrorKind, Load, LoadModel, Micros, Stage};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{BufRead, BufReader},
    thread,
    time::Duration,
};

fn open(rate: f64, ms: u64, in_flight_max: u32, url: &str) -> Load {
    Load {
        model: LoadModel::Open {
            stages: vec![Stage {
                rate,
                duration: Micros::from_millis(ms),
            }],
            in_flight_max,
        },
        connection: Connection::New,
        ..siege(1, 1, url)
    }
}

fn quick() -> Server {
    Server::start(Router::new().fallback(any(async || "ok")))
}

#[test]
fn a_worker_that_was_stopped_says_from_when_to_when() {
    let load = open(100.0, 2_000, 1_000, &quick().url);
    let mut child = worker(&LoadJob::Load { load, canary: None })
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = wire::parse(&lines.next().unwrap().unwrap()).unwrap();
    assert!(matches!(first, Line::Began { .. }), "{first:?}");
    thread::sleep(Duration::from_millis(300));
    let pid = Pid::from_raw(child.id() as i32);
    kill(pid, Signal::SIGSTOP).unwrap();
    thread::sleep(Duration::from_millis(600));
    kill(pid, Signal::SIGCONT).unwrap();
    let all: Vec<Line> = lines
        .map(|line| wire::parse(&line.unwrap()).unwrap())
        .collect();
    child.wait().unwrap();
    let longest = all.iter().filter_map(|line| match line {
        Line::Stalled(from, until) => Some((until - from, *from, *until)),
        _ => None,
    });
    let (length, from, until) = longest.max().unwrap();
    assert!(length >= 590_000, "{length}");
    let late = all.iter().filter(|line| match line {
        Line::Request(r) => {
            r.due_us > from && r.due_us < until - 50_000 && r.sent_us >= until - 50_000
        }
        _ => false,
    });
    assert!(
        late.count() >= 30,
        "what was due meanwhile was sent after it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canary_is_asked_twenty_times_a_second_while_a_load_is_sent() {
    let (server, bird) = (quick(), quick());
    let load = open(50.0, 1_000, 1_000, &server.url);
    let printed = work(LoadJob::Load {
        load: load.clone(),
        canary: Some(bird.url.clone()),
    })
    .await;
    let asks = |printed: &Printed, failed: Option<&str>| {
        let asks = printed
            .0
            .iter()
            .filter(|line| matches!(line, Line::Canary(.., why) if why.as_deref() == failed));
        asks.count()
    };
    assert!(
        (18..=25).contains(&asks(&printed, None)),
        "{}",
        asks(&printed, None)
    );
    assert_eq!(bird.accepted(), asks(&printed, None));
    let silent = work(LoadJob::Load {
        load,
        canary: Some(closed_port()),
    })
    .await;
    assert!(asks(&silent, Some(ErrorKind::ConnectionRefused.word())) >= 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_sent_is_told_with_its_time_and_number() {
    let hanging = Server::start(Router::new().fallback(any(async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        "ok"
    })));
    let printed = send(open(100.0, 1_000, 10, &hanging.url)).await;
    let (_, dropped, _) = printed.ended();
    let told: Vec<(u64, u64)> = printed
        .0
        .iter()
        .filter_map(|line| match line {
            Line::Unsent {
                from_us,
                until_us,
                count,
            } => Some((until_us - from_us, *count)),
            _ => None,
        })
        .collect();
    assert!(dropped >= 70, "{dropped}");
    assert_eq!(told.iter().map(|(_, count)| count).sum::<u64>(), dropped);
    assert!(
        told.iter()
            .all(|(length, count)| *length >= (count - 1) * 9_000),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_a_closed_load_is_due_when_it_has_nothing_left_to_wait_for() {
    let load = Load {
        think_time: Some(Micros::from_millis(20)),
        siege: false,
        ..siege(1, 5, quick().url)
    };
    let requests = send(load).await.requests();
    for pair in requests.windows(2) {
        let thought = pair[1].due_us - pair[0].done_us;
        assert!((20_000..25_000).contains(&thought), "{thought}");
        assert!(pair[1].sent_us >= pair[1].due_us);
    }
}
