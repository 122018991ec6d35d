//! client — librdkafka, set up for a small process: little memory, quick to come back, its log lines among ours.

use super::{Group, Kafka};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, consumer::StreamConsumer, producer::FutureProducer};
use std::time::Duration;

pub(super) type Producer = FutureProducer<Told>;
pub(super) type Consumer = StreamConsumer<Told>;

/// How long to wait before asking again where the broker is.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Passes what the client has to say on to our log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told;

impl ClientContext for Told {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!("librdkafka: {facility} {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // A topic is made when it is first used; until then it is unknown, and that is no news.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownTopicOrPartition) {
            tracing::debug!("librdkafka: {reason}");
        } else {
            tracing::warn!("librdkafka: {error}: {reason}");
        }
    }
}

impl ConsumerContext for Told {}

impl Kafka {
    /// A producer that loses nothing and keeps the order: every replica acknowledges, copies of its own retries are removed, and it
    /// retries for ever. A key goes to the partition a Java client would choose.
    pub(super) async fn producer(&self) -> Result<Producer, KafkaError> {
        self.client()
            .await
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", "0")
            .set("linger.ms", "1")
            .set("partitioner", "murmur2_random")
            .set("queue.buffering.max.kbytes", "4096")
            .create_with_context(Told)
    }

    /// A consumer that notes how far it is only when told to.
    pub(super) async fn consumer(&self) -> Result<Consumer, KafkaError> {
        let (group, reset) = match &self.group {
            Group::Named(group) => (group.clone(), "earliest"),
            Group::Anonymous => (
                format!("anonymous.{:032x}", rand::random::<u128>()),
                "latest",
            ),
        };
        let heartbeat = (self.session_timeout / 3).min(Duration::from_secs(3));
        self.client()
            .await
            .set("group.id", group)
            .set("auto.offset.reset", reset)
            .set("enable.auto.commit", "false")
            .set(
                "session.timeout.ms",
                self.session_timeout.as_millis().to_string(),
            )
            .set("heartbeat.interval.ms", heartbeat.as_millis().to_string())
            .set("isolation.level", "read_uncommitted")
            .set("allow.auto.create.topics", "true")
            .set("queued.max.messages.kbytes", "1024")
            .set("fetch.message.max.bytes", "262144")
            .set("fetch.error.backoff.ms", "100")
            .create_with_context(Told)
    }

    /// Waits until somebody knows where the broker is.
    async fn client(&self) -> ClientConfig {
        let addresses = self.addresses().await;
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", addresses)
            .set("message.max.bytes", "1000000")
            .set("fetch.max.bytes", "1048576")
            .set("receive.message.max.bytes", "2097152")
            .set("topic.metadata.refresh.interval.ms", "1000")
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "1000")
            .set("log.connection.close", "false");
        config
    }

    async fn addresses(&self) -> String {
        let mut is_told = false;
        loop {
            let brokers = self.brokers.clone();
            let ask = move || {
                brokers
                    .iter()
                    .filter_map(super::Broker::address)
                    .collect::<Vec<_>>()
            };
            let found = tokio::task::spawn_blocking(ask).await.unwrap_or_default();
            if !found.is_empty() {
                return found.join(",");
            }
            if !is_told {
                let hosts: Vec<_> = self
                    .brokers
                    .iter()
                    .map(|broker| broker.host.as_str())
                    .collect();
                tracing::warn!("nobody knows where {} is; events wait", hosts.join(", "));
                is_told = true;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}
