//! kill -9 at any moment: nothing that was acknowledged is lost, and nothing is there twice.

use crate::world::{broker, hearer, read, teller};
use bytes::Bytes;
use futures::future::join_all;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kernel::{Env, Service};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const KILLS: usize = 10;
const WRITERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

/// A service in a process of its own: this test binary again, running the test at the end.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(service: &str, address: SocketAddr, database: &str, broker: SocketAddr) -> Process {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["killed::a_service", "--exact", "--ignored"])
            .env("SERVICE", service)
            .env("POD_IP", address.ip().to_string())
            .env("PORT", address.port().to_string())
            .env("DATABASE_URL", database)
            .env("KAFKA_BROKERS", broker.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Process { child, address }
    }

    async fn is_up(&self) {
        let asking = async {
            while tokio::net::TcpStream::connect(self.address).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, asking).await.expect("it listens in time");
    }
}

impl Process {
    /// SIGKILL.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_address() -> SocketAddr {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    port.local_addr().unwrap()
}

/// Posts a note; whether it was acknowledged. If not, nobody knows.
async fn is_noted(to: SocketAddr, text: &str) -> bool {
    let request = Request::post(format!("http://{to}/notes"))
        .body(Full::new(Bytes::from(json!({"text": text}).to_string())));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = timeout(Duration::from_secs(5), client.request(request.unwrap())).await;
    matches!(answer, Ok(Ok(response)) if response.status() == StatusCode::CREATED)
}

/// The texts of all rows of a collection.
async fn texts(of: SocketAddr, collection: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for page in 0.. {
        let (_, list) = read(of, &format!("/{collection}?size=1000&page={page}")).await;
        let list: Value = serde_json::from_str(&list).unwrap();
        let rows = list["_embedded"][collection].as_array().unwrap();
        texts.extend(
            rows.iter()
                .map(|row| row["text"].as_str().unwrap().to_owned()),
        );
        if rows.len() < 1000 {
            break;
        }
    }
    texts.sort();
    texts
}

/// Writers write all the time; now the teller is killed, now the hearer. Whatever the teller acknowledged it has, whatever it has it
/// has once, and the hearer hears each of that once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_ten_times_under_writes_nothing_is_lost_and_nothing_is_there_twice() {
    let (broker, folder) = broker().await;
    let broker_address = broker.local_addr();
    let (told, telling) = (
        databases::lasting(folder.path(), "teller.db"),
        free_address(),
    );
    let (heard_of, hearing) = (
        databases::lasting(folder.path(), "hearer.db"),
        free_address(),
    );
    let new_teller = || Process::start("teller", telling, &told, broker_address);
    let new_hearer = || Process::start("hearer", hearing, &heard_of, broker_address);
    let (mut teller, mut hearer) = (new_teller(), new_hearer());

    let (is_over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let acknowledged = Mutex::new(BTreeSet::new());
    let writing = join_all((0..WRITERS).map(async |_| {
        while !is_over.load(Ordering::Relaxed) {
            let text = format!("note {}", count.fetch_add(1, Ordering::Relaxed));
            if is_noted(telling, &text).await {
                acknowledged.lock().unwrap().insert(text);
            } else {
                sleep(Duration::from_millis(20)).await;
            }
        }
    }));
    let killing = async {
        let mut dice = StdRng::seed_from_u64(9);
        for kill in 0..KILLS {
            teller.is_up().await;
            hearer.is_up().await;
            sleep(Duration::from_millis(dice.random_range(50..400))).await;
            if kill % 2 == 0 {
                teller.kill();
                teller = new_teller();
            } else {
                hearer.kill();
                hearer = new_hearer();
            }
        }
        teller.is_up().await;
        is_over.store(true, Ordering::Relaxed);
    };
    futures::future::join(writing, killing).await;

    let stored = texts(telling, "notes").await;
    let acknowledged = acknowledged.into_inner().unwrap();
    let once: BTreeSet<_> = stored.iter().cloned().collect();
    assert!(
        acknowledged.len() > KILLS,
        "only {} were acknowledged",
        acknowledged.len()
    );
    assert_eq!(once.len(), stored.len(), "something is there twice");
    let lost: Vec<_> = acknowledged.difference(&once).collect();
    assert!(lost.is_empty(), "{lost:?}");

    hearer.is_up().await;
    let mut heard = Vec::new();
    let hearing = async {
        while heard.len() < stored.len() {
            sleep(Duration::from_millis(20)).await;
            heard = texts(hearer.address, "rumours").await;
        }
    };
    timeout(PATIENCE, hearing)
        .await
        .expect("everything is heard in time");
    assert_eq!(heard, stored, "each is heard once");
}

#[tokio::test]
#[ignore = "a process of the other test"]
async fn a_service() {
    let Ok(name) = std::env::var("SERVICE") else {
        return;
    };
    // Whatever becomes of the parent, its end closes our standard input.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let service: Service = match name.as_str() {
        "teller" => teller(),
        _ => hearer(),
    };
    let _running = kernel::start(service, &Env::of_process()).await.unwrap();
    std::future::pending::<()>().await;
}
