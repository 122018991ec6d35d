//! mybnb — an accommodation site: hosts register rooms, guests book them. Nine services, one file each.
//!
//! [`room`] asks [`auth`], and stores nothing without its consent; [`alarm`] hears of it later. [`booking`], [`pay`] and [`mypage`] only
//! hear of each other. [`review`] is on its own, [`gateway`] is the door, [`html`] the screen. What happens is in [`events`].

pub mod alarm;
pub mod auth;
pub mod booking;
pub mod events;
pub mod gateway;
pub mod html;
pub mod mypage;
pub mod pay;
pub mod review;
pub mod room;

use futures::future::{join_all, try_join_all};
use kernel::{Env, Running, Service, StartError, process};
use std::process::ExitCode;

/// The services, in the order of their ports when the whole system runs in one process: the gateway first.
pub const SERVICES: [&str; 9] = [
    "gateway", "html", "room", "booking", "pay", "mypage", "review", "alarm", "auth",
];

const GATEWAY_PORT: u16 = 8080;

/// The definition of a service, if mybnb has one of this name.
pub fn service(name: &str, env: &Env) -> Option<Service> {
    let service = match name {
        "gateway" => gateway::service(),
        "html" => html::service(),
        "room" => room::service(env),
        "booking" => booking::service(),
        "pay" => pay::service(),
        "mypage" => mypage::service(),
        "review" => review::service(),
        "alarm" => alarm::service(),
        "auth" => auth::service(),
        _ => return None,
    };
    Some(service.topic("mybnb"))
}

/// Runs one service, configured by the environment, until SIGTERM or SIGINT. Exit 0 then; 64 for a wrong name or environment, 70 for
/// anything else that keeps it from starting.
pub fn run(name: &str) -> ExitCode {
    let env = Env::of_process();
    match service(name, &env) {
        Some(service) => kernel::run(service, &env),
        None => {
            eprintln!("{name}: no such service; mybnb has {}", SERVICES.join(", "));
            ExitCode::from(process::EXIT_USAGE)
        }
    }
}

/// Runs the whole system in this process, with events through the broker at `brokers` (`none`: they stay where they are). The gateway
/// listens at `PORT` (8080), the others at the ports after it, in the order of [`SERVICES`].
pub fn run_all(brokers: &str) -> ExitCode {
    let env = Env::of_process().with("KAFKA_BROKERS", brokers);
    process::run_until_stopped(start_all(&env), |running| async {
        join_all(running.into_iter().map(Running::stop)).await;
    })
}

/// Starts the whole system on neighbouring ports of one address (`POD_IP`, by default only this machine can reach it).
pub async fn start_all(env: &Env) -> Result<Vec<Running>, StartError> {
    let first = env.or("PORT", GATEWAY_PORT);
    env.check()?;
    let env = SERVICES.iter().zip(first..).fold(
        env.clone().with_default("POD_IP", "127.0.0.1"),
        |env, (name, port)| {
            let host: String = env.or("POD_IP", "127.0.0.1".to_owned());
            env.with(
                &format!("{}_URL", name.to_ascii_uppercase()),
                format!("http://{host}:{port}"),
            )
        },
    );
    let starts = SERVICES.iter().zip(first..).map(|(name, port)| {
        let env = env.clone().with("PORT", port.to_string());
        async move {
            let service = service(name, &env).expect("every name in SERVICES has a service");
            kernel::start(service, &env).await
        }
    });
    try_join_all(starts).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_service_and_no_other_has() {
        let env = Env::default();
        assert!(SERVICES.iter().all(|name| service(name, &env).is_some()));
        assert!(service("siege", &env).is_none());
    }
}
