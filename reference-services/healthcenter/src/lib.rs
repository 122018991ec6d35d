//! healthcenter — check-ups are applied for, paid for at once, and confirmed by the check-up center. Five services, one file each.
//!
//! [`order`] takes the application and asks [`payment`] for the money. What follows goes by events: [`reservation`], the center, books it
//! and confirms it; [`notification`] shows it on the customer's page and sends an SMS. A cancellation goes the same way. [`gateway`] is
//! the door. What happens is in [`events`].

mod configuration;
pub mod events;
pub mod gateway;
pub mod notification;
pub mod order;
pub mod payment;
pub mod reservation;
#[cfg(test)]
mod rows;

use kernel::{Env, Running, Service, StartError, System};
use std::process::ExitCode;

/// The services, the gateway first, with the ports of the report **\[S\]**.
pub const SYSTEM: System = System {
    name: "healthcenter",
    members: &[
        ("gateway", 8080, |_| gateway::service()),
        ("order", 8081, order::service),
        ("reservation", 8082, reservation::service),
        ("payment", 8083, payment::service),
        ("notification", 8084, notification::service),
    ],
};

/// The names of the services.
pub const SERVICES: [&str; 5] = SYSTEM.names();

/// The definition of a service, if healthcenter has one of this name.
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
