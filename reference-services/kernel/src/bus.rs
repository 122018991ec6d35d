//! bus — events through Kafka: from the outbox to the topic, and from the topic to the service. Nothing else names the client.

use crate::core::Core;
use crate::env::Env;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where the broker is and how to speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    brokers: String,
}

impl Kafka {
    /// What the environment says; none with `KAFKA_BROKERS=none`.
    pub fn of(_service: &str, env: &Env) -> Option<Kafka> {
        let brokers = env.or("KAFKA_BROKERS", "my-kafka:9092".to_owned());
        let _ = env.or("KAFKA_SESSION_TIMEOUT", Duration::from_secs(6));
        (brokers != "none").then_some(Kafka { brokers })
    }
}

pub(crate) fn start(
    _core: &Arc<Core>,
    _kafka: &Kafka,
    _stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    vec![]
}
