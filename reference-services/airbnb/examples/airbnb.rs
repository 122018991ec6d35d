//! airbnb without the rest: `airbnb room` runs one service, `airbnb` all of them. Events go to `KAFKA_BROKERS`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1) {
        Some(service) => airbnb::SYSTEM.run(&service),
        None => airbnb::SYSTEM
            .run_all(&std::env::var("KAFKA_BROKERS").unwrap_or_else(|_| "none".to_owned())),
    }
}
