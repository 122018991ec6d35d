//! healthcenter without the rest: `healthcenter order` runs one service, `healthcenter` all of them. Events go to `KAFKA_BROKERS`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1) {
        Some(service) => healthcenter::run(&service),
        None => healthcenter::run_all(
            &std::env::var("KAFKA_BROKERS").unwrap_or_else(|_| "none".to_owned()),
        ),
    }
}
