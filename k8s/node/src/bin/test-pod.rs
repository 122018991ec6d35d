//! What tests run in pods and as a harness to be killed: a server, a client, and a node's runtime with one container.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use node::ShimCommand;
use node::limits::{Limits, Resources};
use node::runtime::{ContainerSpec, Log, Plain, Runtime, Sandboxed};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", port, answer] => serve(port, answer),
        ["get", address] => match answer(address) {
            Ok(body) => print!("{body}"),
            Err(error) => print!("error: {error}"),
        },
        ["load", address] => load(address),
        ["hold", tier, folder, ref command @ ..] => hold(tier, folder.into(), command),
        _ => panic!("unknown arguments {args:?}"),
    }
}

/// Answers every request at `POD_IP` with `answer`.
fn serve(port: &str, answer: &str) {
    let ip = std::env::var("POD_IP").expect("the node sets it");
    let listener = TcpListener::bind(format!("{ip}:{port}")).expect("a free port");
    println!("serving {answer} on {ip}:{port}");
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        let lines = BufReader::new(&stream).lines().map_while(Result::ok);
        // Closing before all of the request is read would reset the connection.
        lines.take_while(|line| !line.is_empty()).for_each(drop);
        let length = answer.len();
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{answer}"
        );
    }
}

/// What `name:port` answers.
fn answer(address: &str) -> std::io::Result<String> {
    let (host, port) = address.split_once(':').expect("name:port");
    let ip = names::resolve(host)?[0];
    let mut stream = TcpStream::connect((ip, port.parse().expect("a port")))?;
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text
        .split_once("\r\n\r\n")
        .map_or(String::new(), |(_, body)| body.to_owned()))
}

/// Asks again and again, a line for each answer, until killed.
fn load(address: &str) {
    loop {
        match answer(address) {
            Ok(body) => println!("{body}"),
            Err(error) => println!("error: {error}"),
        }
    }
}

#[tokio::main]
async fn hold(tier: &str, folder: PathBuf, command: &[&str]) {
    let shim = ShimCommand {
        program: std::env::current_exe()
            .expect("a path")
            .with_file_name("pod-shim"),
        args: vec![],
    };
    let file = std::fs::File::create(folder.join("log")).expect("a log");
    let log = Log::new(file, apiserver::Clock::new());
    let spec = ContainerSpec {
        image: "busybox".into(),
        program: "/bin/sh".into(),
        command: command.iter().map(ToString::to_string).collect(),
        env: vec![("PATH".into(), "/bin:/usr/bin".into())],
        working_dir: None,
        hostname: "held".into(),
        address: [127, 1, 0, 1].into(),
        mounts: vec![],
        folder,
        log: Arc::new(log),
        resources: Resources::default(),
    };
    let container = match tier {
        "plain" => Plain::new(shim, Limits::detect()).start(spec).await,
        _ => Sandboxed::new(shim, Limits::detect()).start(spec).await,
    };
    let container = container.expect("a container");
    println!("started");
    let _ = container.wait().wait_for(Option::is_some).await;
}
