//! Starting, stopping, and topics.

use crate::arms::{on_both, quick};
use crate::child::Process;
use crate::clients::*;
use broker::{Broker, Config};
use rdkafka::ClientConfig;
use rdkafka::admin::AdminOptions;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, Producer};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::util::Timeout;
use std::io;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_second_broker_in_the_same_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = Broker::start(quick(dir.path())).await.unwrap();
    let second = Broker::start(quick(dir.path())).await.unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
    first.shutdown().await;
    Broker::start(quick(dir.path())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_a_running_broker_and_its_records_stay() {
    let dir = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let running = Process::running(dir.path(), free);
    publish(
        &producer(&free.to_string()),
        "bookings",
        numbered("event", 5),
    )
    .await;
    assert!(running.terminate());
    let broker = Broker::start(quick(dir.path())).await.unwrap();
    let member = consumer(
        &broker.local_addr().to_string(),
        "pay",
        "bookings",
        "earliest",
    );
    assert_eq!(take(&member, 5).await, numbered("event", 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_transactions_is_told_that_there_are_none_and_does_not_ask_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(quick(dir.path())).await.unwrap();
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", broker.local_addr().to_string())
        .set("transactional.id", "t");
    let producer: FutureProducer = config.create().unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        let refused = producer.init_transactions(Duration::from_secs(60));
        (refused.unwrap_err(), began.elapsed())
    });
    let (refused, took) = asked.await.unwrap();
    let KafkaError::Transaction(why) = &refused else {
        panic!("{refused:?}")
    };
    assert!(why.is_fatal(), "{why}");
    assert_eq!(why.code(), Code::TransactionalIdAuthorizationFailed);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_the_advertised_address() {
    let dir = tempfile::tempdir().unwrap();
    let advertised = Some(("my-kafka".to_string(), 9092));
    let broker = Broker::start(Config {
        advertised,
        ..quick(dir.path())
    })
    .await
    .unwrap();
    let admin = admin(&broker.local_addr().to_string());
    let metadata = admin
        .inner()
        .fetch_metadata(None, Timeout::After(Duration::from_secs(10)))
        .unwrap();
    assert_eq!(
        (metadata.brokers()[0].host(), metadata.brokers()[0].port()),
        ("my-kafka", 9092)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_made_once_and_gone_when_deleted() {
    on_both(async |arm| {
        let topic = arm.unique("made");
        create(&arm.bootstrap, &topic, 3).await;
        let admin = admin(&arm.bootstrap);
        let new =
            rdkafka::admin::NewTopic::new(&topic, 1, rdkafka::admin::TopicReplication::Fixed(1));
        let again = admin
            .create_topics([&new], &AdminOptions::new())
            .await
            .unwrap();
        assert_eq!(
            again[0],
            Err((topic.clone(), RDKafkaErrorCode::TopicAlreadyExists))
        );
        let deleted = admin
            .delete_topics(&[&topic], &AdminOptions::new())
            .await
            .unwrap();
        assert_eq!(deleted[0], Ok(topic.clone()));
        let twice = || async {
            admin
                .delete_topics(&[&topic], &AdminOptions::new())
                .await
                .unwrap()
                .remove(0)
        };
        until("the topic gone", async || {
            twice().await == Err((topic.clone(), Code::UnknownTopicOrPartition))
        })
        .await;
    })
    .await;
}
