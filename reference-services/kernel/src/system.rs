//! system — services that belong together: one of them as a process of its own, or all of them in one.
//!
//! ```no_run
//! use kernel::{Service, System};
//!
//! const SHOP: System = System {
//!     name: "shop",
//!     members: &[
//!         ("gateway", 8080, |_| Service::new("gateway").route("/orders", "order")),
//!         ("order", 8081, |_| Service::new("order")),
//!     ],
//! };
//!
//! fn main() -> std::process::ExitCode {
//!     SHOP.run("order")
//! }
//! ```

use crate::env::Env;
use crate::process;
use crate::serve::{Running, StartError};
use crate::service::Service;
use futures::future::{join_all, try_join_all};
use std::process::ExitCode;

/// A system's services.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// The system's name, which is also the topic of its events.
    pub name: &'static str,
    /// The services, the gateway first.
    pub members: &'static [Member],
}

/// A service's name, the port it has when the whole system runs in one process, and its definition for an environment.
pub type Member = (&'static str, u16, fn(&Env) -> Service);

impl System {
    /// The names of the services, in their order. There must be as many as the caller takes.
    pub const fn names<const N: usize>(&self) -> [&'static str; N] {
        assert!(N == self.members.len(), "a name for each service");
        let mut names = [""; N];
        let mut n = 0;
        while n < N {
            names[n] = self.members[n].0;
            n += 1;
        }
        names
    }

    /// The definition of a service, if the system has one of this name.
    pub fn service(&self, name: &str, env: &Env) -> Option<Service> {
        let (.., definition) = self.members.iter().find(|(member, ..)| *member == name)?;
        Some(definition(env).topic(self.name))
    }

    /// Runs one service, configured by the environment, until SIGTERM or SIGINT. Exit 0 then; 64 for a wrong name or environment, 70
    /// for anything else that keeps it from starting.
    pub fn run(&self, name: &str) -> ExitCode {
        let env = Env::of_process();
        match self.service(name, &env) {
            Some(service) => process::run(service, &env),
            None => {
                let names: Vec<_> = self.members.iter().map(|(name, ..)| *name).collect();
                eprintln!(
                    "{name}: no such service; {} has {}",
                    self.name,
                    names.join(", ")
                );
                ExitCode::from(process::EXIT_USAGE)
            }
        }
    }

    /// Runs the whole system in this process, with events through the broker at `brokers` (`none`: they stay where they are). With
    /// `PORT` set the first service listens there, and the others as far from it as ever.
    pub fn run_all(&self, brokers: &str) -> ExitCode {
        let env = Env::of_process().with("KAFKA_BROKERS", brokers);
        process::run_until_stopped(self.start_all(&env), |running| async {
            join_all(running.into_iter().map(Running::stop)).await;
        })
    }

    /// Starts the whole system on one address (`POD_IP`, by default only this machine can reach it).
    pub async fn start_all(&self, env: &Env) -> Result<Vec<Running>, StartError> {
        let first = self.members.first().map_or(0, |(_, port, _)| *port);
        let shift = env.or("PORT", first).wrapping_sub(first);
        env.check()?;
        let env = env.clone().with_default("POD_IP", "127.0.0.1");
        let host = env.or("POD_IP", String::new());
        let members = || {
            self.members
                .iter()
                .map(|(name, port, definition)| (*name, port.wrapping_add(shift), definition))
        };
        let env = members().fold(env, |env, (name, port, _)| {
            let variable = format!("{}_URL", name.to_ascii_uppercase().replace('-', "_"));
            env.with(&variable, format!("http://{host}:{port}"))
        });
        let starts = members().map(|(_, port, definition)| {
            let env = env.clone().with("PORT", port.to_string());
            async move { crate::start(definition(&env).topic(self.name), &env).await }
        });
        try_join_all(starts).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: System = System {
        name: "shop",
        members: &[
            ("gateway", 8080, |_| {
                Service::new("gateway").route("/orders", "order")
            }),
            ("order", 8081, |_| Service::new("order")),
        ],
    };

    #[test]
    fn every_name_has_a_service_on_the_topic_of_the_system_and_no_other_has() {
        let env = Env::default();
        assert_eq!(SHOP.names(), ["gateway", "order"]);
        for name in SHOP.names::<2>() {
            assert_eq!(SHOP.service(name, &env).unwrap().topic, "shop");
        }
        assert!(SHOP.service("siege", &env).is_none());
    }
}
