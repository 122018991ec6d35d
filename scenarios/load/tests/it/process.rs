//! The worker as a process.
use crate::support::{Server, get, siege, timed};
use axum::{Router, routing::any};
use load::{
    LoadJob,
    wire::{self, Line},
};
use model::{ErrorKind, Load, LoadModel, Micros, Stage};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub fn worker(job: &LoadJob) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load-worker"));
    command
        .env("BROWNOUT_LOAD", serde_json::to_string(job).unwrap())
        .stdout(Stdio::piped());
    command
}

/// All lines, none of them anybody else's.
fn lines(child: &mut Child) -> impl Iterator<Item = Line> + use<> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    stdout
        .lines()
        .map(|line| line.unwrap())
        .map(|line| wire::parse(&line).unwrap_or_else(|e| panic!("{line}: {e}")))
}

fn hanging() -> Server {
    Server::start(Router::new().fallback(any(async || {
        tokio::time::sleep(Duration::from_secs(60)).await
    })))
}

fn ends_within_a_moment_of(signal: Signal, load: Load) {
    let mut child = worker(&LoadJob::Load { load, canary: None })
        .spawn()
        .unwrap();
    let mut lines = lines(&mut child);
    assert!(matches!(lines.next(), Some(Line::Began { .. })));
    let asked = Instant::now();
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
    let last = lines.last();
    let status = child.wait().unwrap();
    let took = asked.elapsed();
    assert!(status.success(), "{status}");
    assert!(
        matches!(
            &last,
            Some(Line::Ended {
                cut_short: Some(_),
                ..
            })
        ),
        "{last:?}"
    );
    assert!(took < Duration::from_millis(250), "{took:?}");
}

#[test]
fn a_signal_ends_a_closed_load_within_a_moment() {
    let load = timed(10, Micros::from_secs(30), hanging().url);
    ends_within_a_moment_of(Signal::SIGTERM, load.clone());
    ends_within_a_moment_of(Signal::SIGINT, load);
}

#[test]
fn sigterm_ends_an_open_load_within_a_moment() {
    let model = LoadModel::Open {
        stages: vec![Stage {
            rate: 100.0,
            duration: Micros::from_secs(30),
        }],
        in_flight_max: 1_000,
    };
    let load = Load {
        model,
        ..siege(1, 1, hanging().url)
    };
    ends_within_a_moment_of(Signal::SIGTERM, load);
}

#[test]
fn nothing_but_lines_goes_to_stdout_whatever_fails_and_names_are_those_of_the_hosts_file() {
    let server = Server::start(Router::new().fallback(any(async || "ok")));
    let port = server.url.rsplit(':').next().unwrap();
    let hosts = std::env::temp_dir().join(format!("brownout-load-hosts-{}", std::process::id()));
    fs::write(&hosts, "127.0.0.1 room\n").unwrap();
    let requests = ["room", "nobody"].map(|name| get(format!("http://{name}:{port}/")));
    let load = Load {
        requests: requests.into(),
        ..siege(1, 2, "")
    };
    let mut child = worker(&LoadJob::Load {
        load: load.clone(),
        canary: None,
    })
    .env("BROWNOUT_HOSTS", &hosts)
    .spawn()
    .unwrap();
    let seen: Vec<_> = lines(&mut child)
        .filter_map(|line| match line {
            Line::Request(r) => Some((r.status, r.error)),
            _ => None,
        })
        .collect();
    fs::remove_file(&hosts).unwrap();
    let (good, unknown) = ((Some(200), None), (None, Some(ErrorKind::Dns)));
    assert_eq!(seen, [good, unknown, good, unknown]);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_job_comes_from_the_environment_or_a_file_and_one_that_cannot_be_read_is_named() {
    let file = std::env::temp_dir().join(format!("brownout-load-job-{}", std::process::id()));
    fs::write(&file, "{}").unwrap();
    for job in ["{}".to_owned(), format!("@{}", file.display())] {
        let (code, said) = refused(&job);
        assert_eq!(code, Some(64));
        assert!(
            said.starts_with("load worker: the job: missing field `do`"),
            "{said}"
        );
    }
    fs::remove_file(&file).unwrap();
}

#[test]
fn a_method_that_goose_does_not_know_is_said_before_anything_is_sent() {
    let mut load = siege(1, 1, "http://room:8080/");
    load.requests[0].method = "OPTIONS".into();
    let (code, said) =
        refused(&serde_json::to_string(&LoadJob::Load { load, canary: None }).unwrap());
    assert_eq!(
        (code, &*said),
        (Some(64), "load worker: a closed load cannot send OPTIONS\n")
    );
}

fn refused(job: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_load-worker"))
        .env("BROWNOUT_LOAD", job)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}
