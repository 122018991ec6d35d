//! bus — events through Kafka: from the outbox to the topic ([`relay`]), and from the topic to the service ([`intake`]). Nothing
//! outside this module names the client.

mod client;
mod intake;
mod relay;

use crate::core::Core;
use crate::env::Env;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// After this time without a word from a consumer the broker gives its partitions to others. The clients' own default is 45 s.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

/// Where the broker is, and how a service speaks to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    /// Names or addresses with ports.
    brokers: Vec<Broker>,
    topic: String,
    group: Group,
    session_timeout: Duration,
}

/// One of the brokers to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Broker {
    host: String,
    port: String,
    /// The cluster's word on its address, for a process that has no names.
    service_host: Option<String>,
}

/// As whom a service reads.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Group {
    /// Reads from where the group stopped; at first from the beginning.
    Named(String),
    /// A new group at every start, which reads only what comes from then on. What is published while the service is down is lost to
    /// it: Spring's default for a binding without a group.
    Anonymous,
}

/// The tasks that carry events for one service.
#[derive(Debug)]
pub(crate) struct Bus {
    intake: Option<Part>,
    relay: Part,
}

#[derive(Debug)]
struct Part {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Kafka {
    /// What the environment says: `KAFKA_BROKERS` (default `my-kafka:9092`; `none` for no broker at all), `KAFKA_TOPIC`, `KAFKA_GROUP`
    /// (the service's name by default, `anonymous` for none), `KAFKA_SESSION_TIMEOUT` (6 s).
    pub fn of(service: &str, topic: &str, env: &Env) -> Option<Kafka> {
        let brokers = env.or("KAFKA_BROKERS", "my-kafka:9092".to_owned());
        let topic = env.or("KAFKA_TOPIC", topic.to_owned());
        let group = match env.or("KAFKA_GROUP", service.to_owned()) {
            group if group == "anonymous" => Group::Anonymous,
            group => Group::Named(group),
        };
        let session_timeout = env.or("KAFKA_SESSION_TIMEOUT", SESSION_TIMEOUT);
        let brokers = brokers
            .split(',')
            .map(|broker| Broker::of(broker.trim(), env))
            .collect();
        let is_none = env.get::<String>("KAFKA_BROKERS").as_deref() == Some("none");
        (!is_none).then_some(Kafka {
            brokers,
            topic,
            group,
            session_timeout,
        })
    }
}

impl Broker {
    fn of(address: &str, env: &Env) -> Broker {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "9092"));
        let variable = format!(
            "{}_SERVICE_HOST",
            host.to_ascii_uppercase().replace(['-', '.'], "_")
        );
        Broker {
            host: host.to_owned(),
            port: port.to_owned(),
            service_host: env.get(&variable),
        }
    }

    /// Where it is now, if anybody knows. Blocks while it asks.
    fn address(&self) -> Option<String> {
        let resolved = names::resolve(&self.host)
            .ok()
            .and_then(|found| found.first().map(ToString::to_string));
        let host = resolved.or_else(|| self.service_host.clone())?;
        Some(if host.contains(':') {
            format!("[{host}]:{}", self.port)
        } else {
            format!("{host}:{}", self.port)
        })
    }
}

impl Bus {
    /// Starts to carry events; reads them only if the service has something to do on them.
    pub fn start(core: &Arc<Core>, kafka: &Kafka) -> Bus {
        let reads = core.listener.is_some();
        let intake =
            reads.then(|| Part::start(|stop| intake::run(core.clone(), kafka.clone(), stop)));
        Bus {
            intake,
            relay: Part::start(|stop| relay::run(core.clone(), kafka.clone(), stop)),
        }
    }

    /// Stops reading, then lets the waiting events leave, until the deadline.
    pub async fn stop(&mut self, deadline: Instant) {
        for part in self.intake.iter_mut().chain([&mut self.relay]) {
            part.stop.cancel();
            if timeout_at(deadline, &mut part.task).await.is_err() {
                tracing::warn!("the broker does not answer; events wait in the database");
            }
        }
    }
}

impl Part {
    fn start<F: Future<Output = ()> + Send + 'static>(
        work: impl FnOnce(CancellationToken) -> F,
    ) -> Part {
        let stop = CancellationToken::new();
        Part {
            task: tokio::spawn(work(stop.clone())),
            stop,
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kafka(variables: &[(&str, &str)]) -> Option<Kafka> {
        Kafka::of("alarm", "mybnb", &variables.iter().copied().collect())
    }

    #[test]
    fn by_default_a_service_reads_as_itself() {
        let kafka = kafka(&[("MY_KAFKA_SERVICE_HOST", "127.2.0.1")]).unwrap();
        let broker = Broker {
            host: "my-kafka".into(),
            port: "9092".into(),
            service_host: Some("127.2.0.1".into()),
        };
        let group = Group::Named("alarm".into());
        assert_eq!(
            kafka,
            Kafka {
                brokers: vec![broker],
                topic: "mybnb".into(),
                group,
                session_timeout: SESSION_TIMEOUT
            }
        );
    }

    #[test]
    fn a_broker_without_a_name_is_where_the_cluster_says() {
        let kafka = kafka(&[
            ("KAFKA_BROKERS", "no-such-host.invalid:9093"),
            ("NO_SUCH_HOST_INVALID_SERVICE_HOST", "127.2.0.1"),
        ]);
        assert_eq!(
            kafka.unwrap().brokers[0].address().unwrap(),
            "127.2.0.1:9093"
        );
    }

    #[test]
    fn there_can_be_no_broker_and_no_group() {
        assert_eq!(kafka(&[("KAFKA_BROKERS", "none")]), None);
        assert_eq!(
            kafka(&[("KAFKA_GROUP", "anonymous")]).unwrap().group,
            Group::Anonymous
        );
    }
}
