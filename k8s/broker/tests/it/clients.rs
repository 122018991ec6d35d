//! clients — producers and consumers as the services use them.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use std::time::Duration;

/// Session time-out of every consumer here: the shortest that Kafka allows.
pub const SESSION: Duration = Duration::from_secs(6);
/// A member is last heard of at most so long before it is killed.
pub const HEARTBEAT: Duration = Duration::from_millis(500);
/// Longer than anything here should take.
const PATIENCE: Duration = Duration::from_secs(40);

/// acks=all, idempotent, as the services send; lz4, because batches must be kept as sent.
pub fn producer(bootstrap: &str) -> FutureProducer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("linger.ms", "0");
    config
        .set("compression.type", "lz4")
        .set("message.timeout.ms", "30000")
        .create()
        .unwrap()
}

/// Sends these, all under one key, one after the other's acknowledgement was asked for; all are acknowledged.
pub async fn publish(
    producer: &FutureProducer,
    topic: &str,
    values: impl IntoIterator<Item = String>,
) {
    let mut sent = vec![];
    for value in values {
        let record = FutureRecord::to(topic).key("same").payload(&value);
        sent.push(
            producer
                .send_result(record)
                .map_err(|(error, _)| error)
                .unwrap(),
        );
    }
    for acknowledged in sent {
        acknowledged
            .await
            .unwrap()
            .map_err(|(error, _)| error)
            .unwrap();
    }
}

/// `prefix-0`, `prefix-1`, …
pub fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{prefix}-{i}")).collect()
}

/// A member of a group; where nothing was committed it begins at `reset`.
pub fn consumer(bootstrap: &str, group: &str, topic: &str, reset: &str) -> StreamConsumer {
    configured(bootstrap, group, topic, &[("auto.offset.reset", reset)])
}

/// The same with more settings.
pub fn configured(
    bootstrap: &str,
    group: &str,
    topic: &str,
    more: &[(&str, &str)],
) -> StreamConsumer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("enable.auto.commit", "false");
    config.set("session.timeout.ms", SESSION.as_millis().to_string());
    config.set("heartbeat.interval.ms", HEARTBEAT.as_millis().to_string());
    config.set("auto.offset.reset", "earliest");
    for (key, value) in more {
        config.set(*key, *value);
    }
    let consumer: StreamConsumer = config.create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    consumer
}

/// The next `count` records, committed one by one after they were taken.
pub async fn take(consumer: &StreamConsumer, count: usize) -> Vec<String> {
    let mut taken = vec![];
    for _ in 0..count {
        let message = next(consumer).await;
        taken.push(value(&message));
        consumer.commit_message(&message, CommitMode::Sync).unwrap();
    }
    taken
}

/// The next record. That the broker is away for a while is no reason to give up.
pub async fn next(consumer: &StreamConsumer) -> BorrowedMessage<'_> {
    let away = [
        RDKafkaErrorCode::AllBrokersDown,
        RDKafkaErrorCode::BrokerTransportFailure,
    ];
    let record = async {
        loop {
            match consumer.recv().await {
                Err(KafkaError::MessageConsumption(code)) if away.contains(&code) => {}
                received => return received.unwrap(),
            }
        }
    };
    tokio::time::timeout(PATIENCE, record)
        .await
        .expect("a record in time")
}

/// What a record says.
pub fn value(message: &BorrowedMessage<'_>) -> String {
    String::from_utf8(message.payload().unwrap().to_vec()).unwrap()
}

/// Waits until something holds, looking often.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"));
}

/// Waits until a consumer has so many partitions; receives meanwhile, as a consumer must, but expects nothing.
pub async fn assigned(consumer: &StreamConsumer, partitions: usize) {
    until("an assignment", async || {
        let received = tokio::time::timeout(Duration::from_millis(50), consumer.recv()).await;
        assert!(received.is_err(), "nothing was published yet: {received:?}");
        consumer.assignment().unwrap().count() == partitions
    })
    .await;
}

/// Creates and deletes topics.
pub fn admin(bootstrap: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .unwrap()
}

/// Creates a topic, and waits until clients are told of it.
pub async fn create(bootstrap: &str, topic: &str, partitions: i32) {
    let admin = admin(bootstrap);
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    admin
        .create_topics([&new], &AdminOptions::new())
        .await
        .unwrap()[0]
        .as_ref()
        .unwrap();
    let timeout = Timeout::After(PATIENCE);
    until("the topic in the metadata", async || {
        let metadata = admin.inner().fetch_metadata(Some(topic), timeout).unwrap();
        metadata.topics()[0].partitions().len() == partitions as usize
    })
    .await;
}
