//! demand-response — electricity users are asked to use less for a while, and get points for what they saved. Six services, one file each.
//!
//! [`dr`] starts and ends an order, [`response`] has one answer of each customer to it, [`user`] has the customers and their points,
//! [`kepco`] looks at the meter when an order has ended. [`frontend`] is the screen with its view, [`gateway`] the door. What happens is
//! in [`events`].

pub mod dr;
pub mod events;
pub mod frontend;
pub mod gateway;
pub mod kepco;
pub mod response;
mod rows;
pub mod user;

use kernel::{Env, Running, Service, StartError, System};
use std::process::ExitCode;

/// The services with the ports of the report's default profile **\[S\]**, the gateway first.
pub const SYSTEM: System = System {
    name: "demand-response",
    members: &[
        ("gateway", 8088, |_| gateway::service()),
        ("frontend", 8080, |_| frontend::service()),
        ("dr", 8082, |_| dr::service()),
        ("response", 8083, response::service),
        ("user", 8084, |_| user::service()),
        ("kepco", 8085, kepco::service),
    ],
};

/// The names of the services.
pub const SERVICES: [&str; 6] = SYSTEM.names();

/// The definition of a service, if demand-response has one of this name.
pub fn service(name: &str, env: &Env) -> Option<Service> {
    SYSTEM.service(name, env)
}

/// Runs one service: [`System::run`].
pub fn run(name: &str) -> ExitCode {
    SYSTEM.run(name)
}

/// Runs the whole system in this process: [`System::run_all`].
pub fn run_all(brokers: &str) -> ExitCode {
    SYSTEM.run_all(brokers)
}

/// Starts the whole system on one address: [`System::start_all`].
pub async fn start_all(env: &Env) -> Result<Vec<Running>, StartError> {
    SYSTEM.start_all(env).await
}
