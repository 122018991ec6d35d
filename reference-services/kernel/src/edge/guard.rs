//! guard — what stands between a service and one that it calls: where that is, how long it may take, and what is done when it is ill.

use super::ending::{Class, Ending};
use super::hystrix::{Command, Settings};
use super::watch::Watch;
use crate::env::Env;
use crate::telemetry::metrics::Metrics;
use failsafe::backoff::Constant;
use failsafe::failure_policy::ConsecutiveFailures;
use failsafe::{StateMachine, backoff, failure_policy};
use std::sync::Arc;
use std::time::Duration;

/// How long a call may take in all: the 10 s after which the report's room gave up **\[S figure\]**.
pub const TIMEOUT: Duration = Duration::from_secs(10);
const BREAKER_WAIT: Duration = Duration::from_secs(10);

/// The guard in front of one callee.
#[derive(Debug)]
pub(super) struct Guard {
    pub callee: &'static str,
    pub asks: bool,
    pub origin: String,
    pub timeout: Duration,
    policy: Policy,
}

#[derive(Debug)]
enum Policy {
    None,
    /// Failures in a row.
    InARow(StateMachine<ConsecutiveFailures<Constant>, Watch>),
    Hystrix(Arc<Command>),
}

impl Guard {
    pub fn new(callee: &'static str, env: &Env, metrics: &Metrics) -> Guard {
        let name = callee.to_ascii_uppercase().replace('-', "_");
        let origin: String = env.or(&format!("{name}_URL"), format!("http://{callee}:8080"));
        let wait = env.or(&format!("EDGE_{name}_BREAKER_WAIT"), BREAKER_WAIT);
        let failures: Option<u32> = env.get(&format!("EDGE_{name}_BREAKER"));
        let watch = || Watch {
            callee,
            state: metrics.breaker(callee),
        };
        let policy = match (Settings::of(callee, env), failures) {
            (Some(settings), _) => Policy::Hystrix(Arc::new(Command::new(settings, watch()))),
            (None, None | Some(0)) => Policy::None,
            (None, Some(failures)) => Policy::InARow(StateMachine::new(
                failure_policy::consecutive_failures(failures, backoff::constant(wait)),
                watch(),
            )),
        };
        Guard {
            callee,
            asks: env.or(&format!("EDGE_{name}_CALL"), true),
            origin: origin.trim_end_matches('/').to_owned(),
            timeout: env.or(&format!("EDGE_{name}_TIMEOUT"), TIMEOUT),
            policy,
        }
    }

    /// Lets the exchange happen, or not.
    pub async fn pass(&self, exchange: impl Future<Output = Ending> + Send + 'static) -> Ending {
        match &self.policy {
            Policy::None => exchange.await,
            Policy::InARow(breaker) if !breaker.is_call_permitted() => {
                Ending::refused(Class::ShortCircuited, "circuit breaker is open")
            }
            Policy::InARow(breaker) => {
                let ending = exchange.await;
                // A refusal by status says that the callee is well; only silence and its own errors count against it.
                if ending.class.is_well() {
                    breaker.on_success();
                } else {
                    breaker.on_error();
                }
                ending
            }
            Policy::Hystrix(command) => command.clone().run_to_its_end(exchange).await,
        }
    }

    /// Whether the callee is called the way Hystrix does, which is what fallbacks belong to.
    pub fn has_fallback(&self) -> bool {
        matches!(self.policy, Policy::Hystrix(_))
    }
}
