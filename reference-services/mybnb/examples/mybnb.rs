//! mybnb without the rest: `mybnb room` runs one service, `mybnb` all of them. Events go to `KAFKA_BROKERS`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1) {
        Some(service) => mybnb::SYSTEM.run(&service),
        None => mybnb::SYSTEM
            .run_all(&std::env::var("KAFKA_BROKERS").unwrap_or_else(|_| "none".to_owned())),
    }
}
