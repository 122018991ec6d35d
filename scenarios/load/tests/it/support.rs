//! A server that counts, and a worker whose lines are kept.
use axum::{Router, serve::ListenerExt};
use load::{
    LoadJob,
    wire::{self, Line, WireRequest},
};
use model::{Connection, Load, LoadModel, Micros, Request, RequestFact, SiegeSummary, siege};
use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tokio::{net::TcpListener, runtime};
use tokio_util::sync::CancellationToken;

/// A server on a thread of its own, for as long as the test process lives.
pub struct Server {
    pub url: String,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(app: Router) -> Server {
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener)
                    .unwrap()
                    .tap_io(move |_| _ = count.fetch_add(1, Ordering::SeqCst));
                axum::serve(listener, app).await.unwrap();
            });
        });
        Server { url, accepted }
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// A port nobody listens on.
pub fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

pub fn get(url: impl Into<String>) -> Request {
    Request {
        name: "get".into(),
        method: "GET".into(),
        url: url.into(),
        ..Request::default()
    }
}

/// What `siege -c users -r repetitions url` sends.
pub fn siege(users: u32, repetitions: u32, url: impl Into<String>) -> Load {
    Load {
        model: LoadModel::Closed {
            users,
            duration: None,
            repetitions: Some(repetitions),
            max_rate: None,
        },
        connection: Connection::New,
        timeout: Micros::from_secs(30),
        siege: true,
        requests: vec![get(url)],
        think_time: None,
        stress: false,
    }
}

/// What `siege -c users -t … url` sends.
pub fn timed(users: u32, duration: Micros, url: impl Into<String>) -> Load {
    Load {
        model: LoadModel::Closed {
            users,
            duration: Some(duration),
            repetitions: Some(1),
            max_rate: None,
        },
        ..siege(users, 1, url)
    }
}

/// What a worker printed.
pub struct Printed(pub Vec<Line>);

impl Printed {
    pub fn requests(&self) -> Vec<WireRequest> {
        let requests = self.0.iter().filter_map(|line| match line {
            Line::Request(request) => Some(request.clone()),
            _ => None,
        });
        requests.collect()
    }

    /// As a run sees them, in order of `done`.
    pub fn facts(&self) -> Vec<RequestFact> {
        let Line::Began { wall_us } = self.0[0] else {
            panic!("the first line is {:?}", self.0[0])
        };
        let mut facts: Vec<_> = self
            .requests()
            .into_iter()
            .map(|request| match request.observe("load", wall_us).fact {
                model::Fact::Request(fact) => fact,
                other => panic!("{other:?}"),
            })
            .collect();
        facts.sort_by_key(|fact| fact.done);
        facts
    }

    pub fn summary(&self) -> SiegeSummary {
        let facts = self.facts();
        let elapsed = facts.last().map(|fact| fact.done).unwrap_or_default();
        siege::summary(&facts, elapsed)
    }

    /// finished, dropped, lag_max_us.
    pub fn ended(&self) -> (u64, u64, u64) {
        match self.0.last() {
            Some(Line::Ended {
                finished,
                dropped,
                lag_max_us,
                cut_short: None,
            }) => (*finished, *dropped, *lag_max_us),
            other => panic!("the last line is {other:?}"),
        }
    }
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(data)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub async fn work(job: LoadJob) -> Printed {
    let out = Kept::default();
    load::work(job, out.clone(), CancellationToken::new())
        .await
        .unwrap();
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    Printed(
        text.lines()
            .map(|line| wire::parse(line).unwrap())
            .collect(),
    )
}

pub async fn send(load: Load) -> Printed {
    let printed = work(LoadJob::Load { load, canary: None }).await;
    assert_eq!(printed.ended().0, printed.requests().len() as u64);
    printed
}
