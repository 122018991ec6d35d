//! What the conformance tests run in pods: a server that can be told to fail, a client that says what it saw, and (in the embedded
//! cluster) the shim.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header::LOCATION};
use tokio::signal::unix::{SignalKind, signal};

/// The client gives up after this: far longer than any answer takes, even on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two requests of a load: 20 requests a second.
const PACE: Duration = Duration::from_millis(50);
/// While this file exists, `/switch` answers 503.
const DOWN: &str = "/state/down";
/// Failures that `/fail/N` has answered so far, a byte for each; there they outlive a restart.
const FAILED: &str = "/state/failed";
/// While this file exists, `burn on-demand` uses all the CPU it gets.
const LOAD: &str = "/state/load";
/// How soon it notices.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How the server ends after SIGTERM: a number nothing else ends with.
const ENDED: u8 = 7;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["api", path] => return ask_api(path),
        ["shim", ..] => return node::shim::main(args[1..].to_vec()),
        ["serve", name] => return serve(name),
        ["get", address, count] => {
            for _ in 0..count.parse().expect("a number") {
                println!("{}", request(address));
            }
        }
        ["siege", address, path, clients, count] => {
            let number = |text: &str| text.parse().expect("a number");
            siege(address, path, number(clients), number(count));
        }
        ["load", address] => loop {
            println!("{}", request(address));
            std::thread::sleep(PACE);
        },
        ["burn", "on-demand"] => loop {
            match Path::new(LOAD).exists() {
                true => drop(burn(Duration::from_millis(10))),
                false => std::thread::sleep(LOOK_EVERY),
            }
        },
        ["burn", millis] => {
            let millis = millis.parse().expect("a number");
            let took = burn(Duration::from_millis(millis));
            println!("{millis} ms of CPU took {} ms", took.as_millis());
        }
        ["hold", mib] => {
            let mib: usize = mib.parse().expect("a number");
            // Not zeros: those would take no memory.
            let held = std::hint::black_box(vec![1_u8; mib << 20]);
            println!("holding {}", held.len());
            loop {
                std::thread::sleep(PATIENCE);
            }
        }
        _ => panic!("unknown arguments {args:?}"),
    }
    ExitCode::SUCCESS
}

/// Asks the cluster's API as any program in a pod does, and says its answer: what it counts, or why it refuses.
#[tokio::main(flavor = "current_thread")]
async fn ask_api(path: &str) -> ExitCode {
    let client = match kube::Client::try_default().await {
        Ok(client) => client,
        Err(error) => {
            println!("no client: {error}");
            return ExitCode::FAILURE;
        }
    };
    let request = axum::http::Request::get(path);
    let request = request.body(vec![]).expect("a path");
    match client.request::<serde_json::Value>(request).await {
        Ok(answer) => {
            let items = answer["items"].as_array().map_or(1, Vec::len);
            println!("{} {items}", answer["kind"].as_str().unwrap_or("?"));
        }
        Err(kube::Error::Api(refusal)) => println!("{} {}", refusal.code, refusal.message),
        Err(error) => println!("no answer: {error}"),
    }
    ExitCode::SUCCESS
}

/// Answers at `POD_IP`, `PORT` (8080), after `LISTEN_AFTER` seconds. With `STOP_AFTER` it hears SIGTERM, says so, and goes on for that
/// many seconds.
#[tokio::main(flavor = "current_thread")]
async fn serve(name: &str) -> ExitCode {
    let number = |key| std::env::var(key).ok().and_then(|text| text.parse().ok());
    if let Some(seconds) = number("STOP_AFTER") {
        let mut asked = signal(SignalKind::terminate()).expect("signals can be caught");
        tokio::spawn(async move {
            asked.recv().await;
            println!("SIGTERM");
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            std::process::exit(ENDED.into());
        });
    }
    tokio::time::sleep(Duration::from_secs(number("LISTEN_AFTER").unwrap_or(0))).await;
    let ip = std::env::var("POD_IP").expect("the manifest sets it");
    let address = format!("{ip}:{}", number("PORT").unwrap_or(8080));
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .expect("a free port");
    println!("listening");
    let app = Router::new().fallback(answer).with_state(Arc::new(Pod {
        name: name.to_owned(),
        asked: Mutex::default(),
    }));
    axum::serve(listener, app).await.expect("it serves");
    ExitCode::SUCCESS
}

struct Pod {
    name: String,
    /// How often each path was asked for.
    asked: Mutex<BTreeMap<String, u32>>,
}

/// So many clients one beside the other, each with so many requests one after the other, on a new connection each. A line for each answer:
/// status, bytes, `server`, `x-envoy-overloaded`, milliseconds; without an answer the status is 0.
fn siege(address: &str, path: &str, clients: usize, count: usize) {
    std::thread::scope(|all| {
        for _ in 0..clients {
            all.spawn(|| {
                for _ in 0..count {
                    println!("{}", reply(address, path));
                }
            });
        }
    });
}

fn reply(address: &str, path: &str) -> String {
    let began = Instant::now();
    let text = exchange(address, path).unwrap_or_default();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let value = lines.find_map(|(own, value)| (own == name).then_some(value));
        value.unwrap_or("-").to_owned()
    };
    let status = head.split(' ').nth(1).unwrap_or("0");
    let (server, overloaded) = (header("server"), header("x-envoy-overloaded"));
    let millis = began.elapsed().as_millis();
    format!("{status} {} {server} {overloaded} {millis}", body.len())
}

async fn answer(State(pod): State<Arc<Pod>>, uri: Uri) -> (StatusCode, HeaderMap, String) {
    let path = uri.path().to_owned();
    let asked = {
        let mut asked = pod.asked.lock().expect("no holder panics");
        let count = asked.entry(path.clone()).or_default();
        *count += 1;
        *count
    };
    if path != "/" {
        println!("{path} {asked}");
    }
    let mut headers = HeaderMap::new();
    let code = match path.split('/').collect::<Vec<_>>()[1..] {
        ["status", "elsewhere"] => {
            headers.insert(LOCATION, "http://elsewhere.invalid/".parse().expect("text"));
            302
        }
        ["status", code] => {
            if code == "301" {
                headers.insert(LOCATION, "/".parse().expect("text"));
            }
            code.parse().expect("a status code")
        }
        ["switch"] if Path::new(DOWN).exists() => 503,
        ["fail", times] => failing(times.parse().expect("a number")),
        ["slow", millis] => {
            tokio::time::sleep(Duration::from_millis(millis.parse().expect("a number"))).await;
            200
        }
        ["once", code] if asked == 1 => code.parse().expect("a status code"),
        // A service that calls another and has no answer of its own without it.
        ["call", address, ref rest @ ..] => {
            let (address, path) = (address.to_owned(), format!("/{}", rest.join("/")));
            let called = tokio::task::spawn_blocking(move || reply(&address, &path));
            let reply = called.await.expect("it does not panic");
            if reply.starts_with("200 ") { 200 } else { 500 }
        }
        _ => 200,
    };
    let code = StatusCode::from_u16(code).expect("three digits");
    (code, headers, pod.name.clone())
}

/// 500 for so many times, over all restarts of the container, then 200.
fn failing(times: usize) -> u16 {
    let failed = std::fs::read(FAILED).unwrap_or_default().len();
    if failed >= times {
        return 200;
    }
    let mut file = std::fs::OpenOptions::new();
    let mut file = file
        .create(true)
        .append(true)
        .open(FAILED)
        .expect("a volume at /state");
    file.write_all(b"x").expect("room for a byte");
    500
}

/// Uses so much CPU time and answers how long that took.
fn burn(wanted: Duration) -> Duration {
    let began = Instant::now();
    let before = ran();
    while ran() - before < wanted {
        std::hint::black_box((0..10_000_u64).sum::<u64>());
    }
    began.elapsed()
}

/// CPU time of this thread.
fn ran() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts");
    let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number comes first"))
}

/// What a new connection to `name:port` met, and how many milliseconds that took.
fn request(address: &str) -> String {
    let began = Instant::now();
    let met = ask(address).unwrap_or_else(|error| match error.kind() {
        ErrorKind::ConnectionRefused => "refused".into(),
        ErrorKind::ConnectionReset => "reset".into(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "timeout".into(),
        _ if error.to_string().contains("Name or service not known") => "unknown-name".into(),
        _ => format!("{error}").replace(' ', "-"),
    });
    format!("{met} {}", began.elapsed().as_millis())
}

fn ask(address: &str) -> std::io::Result<String> {
    let text = exchange(address, "/")?;
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    body.ok_or_else(|| ErrorKind::ConnectionReset.into())
}

/// The whole answer, as it comes.
fn exchange(address: &str, path: &str) -> std::io::Result<String> {
    let (host, port) = address.split_once(':').expect("name:port");
    let ip = names::resolve(host)?[0];
    let to = SocketAddr::new(ip, port.parse().expect("a port"));
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
