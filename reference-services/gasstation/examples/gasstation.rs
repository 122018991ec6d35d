//! gasstation without the rest: `gasstation order` runs one service, `gasstation` all of them. Events go to `KAFKA_BROKERS`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1) {
        Some(service) => gasstation::SYSTEM.run(&service),
        None => gasstation::SYSTEM
            .run_all(&std::env::var("KAFKA_BROKERS").unwrap_or_else(|_| "none".to_owned())),
    }
}
