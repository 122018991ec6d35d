//! demand-response without the rest: `demand_response dr` runs one service, `demand_response` all of them. Events go to `KAFKA_BROKERS`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1) {
        Some(service) => demand_response::run(&service),
        None => demand_response::run_all(
            &std::env::var("KAFKA_BROKERS").unwrap_or_else(|_| "none".to_owned()),
        ),
    }
}
