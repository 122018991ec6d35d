//! child — processes that can be killed: this test binary again, running one of the tests at the end.

use crate::arms::quick;
use crate::clients::{configured, next, value};
use rdkafka::consumer::{CommitMode, Consumer};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A process that is killed with its owner.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(test: &str, settings: &[(&str, &str)]) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([test, "--exact", "--ignored", "--nocapture"])
            .envs(settings.iter().copied());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let said = line.split_once("child: ").map(|(_, said)| said.to_string());
                said.map(|said| send.send(said));
            }
        });
        Process { child, lines }
    }

    /// A consumer that says every value it takes.
    pub fn consumer(bootstrap: &str, group: &str, topic: &str, commits: bool) -> Process {
        let commits = if commits { "yes" } else { "no" };
        let settings = [
            ("CHILD_BOOTSTRAP", bootstrap),
            ("CHILD_GROUP", group),
            ("CHILD_TOPIC", topic),
        ];
        Process::start(
            "child::consumer",
            &[&settings[..], &[("CHILD_COMMITS", commits)]].concat(),
        )
    }

    /// A broker, and where it listens.
    pub fn broker(dir: &Path, listen: SocketAddr) -> (Process, SocketAddr) {
        let settings = [
            ("CHILD_DIR", dir.to_str().unwrap()),
            ("CHILD_LISTEN", &listen.to_string()),
        ];
        let process = Process::start("child::broker", &settings);
        let address = process.says().parse().unwrap();
        (process, address)
    }

    /// A broker as the product runs it.
    pub fn running(dir: &Path, listen: SocketAddr) -> Process {
        let settings = [
            ("CHILD_DIR", dir.to_str().unwrap()),
            ("CHILD_LISTEN", &listen.to_string()),
        ];
        Process::start("child::run", &settings)
    }

    /// The next thing it says.
    pub fn says(&self) -> String {
        self.lines
            .recv_timeout(Duration::from_secs(40))
            .expect("the child says something in time")
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM; whether it then ends well.
    pub fn terminate(mut self) -> bool {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        self.child.wait().unwrap().success()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    // A new line first: the test harness may have begun one.
    writeln!(out, "\nchild: {what}")
        .and_then(|()| out.flush())
        .expect("the parent listens");
}

/// Whatever becomes of the parent, its end closes our standard input.
fn end_with_the_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

#[tokio::test]
#[ignore = "a process of other tests"]
async fn consumer() {
    let setting = |name: &str| std::env::var(name);
    let Ok(bootstrap) = setting("CHILD_BOOTSTRAP") else {
        return;
    };
    end_with_the_parent();
    let (group, topic) = (
        setting("CHILD_GROUP").unwrap(),
        setting("CHILD_TOPIC").unwrap(),
    );
    let member = configured(&bootstrap, &group, &topic, &[("client.id", "child")]);
    loop {
        let message = next(&member).await;
        if setting("CHILD_COMMITS").unwrap() == "yes" {
            member.commit_message(&message, CommitMode::Sync).unwrap();
        }
        say(&value(&message));
    }
}

#[tokio::test]
#[ignore = "a process of other tests"]
async fn broker() {
    let Some(config) = config() else { return };
    let broker = broker::Broker::start(config).await.unwrap();
    say(&broker.local_addr().to_string());
    std::future::pending::<()>().await;
}

#[tokio::test]
#[ignore = "a process of other tests"]
async fn run() {
    let Some(config) = config() else { return };
    broker::run(config).await.unwrap();
}

fn config() -> Option<broker::Config> {
    let dir = std::env::var("CHILD_DIR").ok()?;
    end_with_the_parent();
    let listen = std::env::var("CHILD_LISTEN").unwrap().parse().unwrap();
    Some(broker::Config {
        listen,
        ..quick(Path::new(&dir))
    })
}
