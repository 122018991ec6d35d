//! child — a service that can be killed: this test binary again, running the test at the end.

use crate::world::World;
use std::io::Read;
use std::process::{Child, Command, ExitCode, Stdio};

/// A service as a process of its own, which is killed with its owner.
pub struct Process(Child);

impl Process {
    /// Starts a service on a free port, with the world's broker and database.
    pub fn start(world: &World, name: &str) -> Process {
        let files = world.database();
        let variables = [
            ("CHILD_SERVICE", name),
            ("KAFKA_BROKERS", &world.broker()),
            ("DATABASE_URL", &files),
            ("POD_IP", "127.0.0.1"),
            ("PORT", "0"),
        ];
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["child::a_service", "--exact", "--ignored", "--nocapture"])
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Process(child)
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
#[ignore = "a process of the other tests"]
fn a_service() -> ExitCode {
    // Whatever becomes of the parent, its end closes our standard input.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    healthcenter::run(&std::env::var("CHILD_SERVICE").unwrap())
}
