//! What outlives the end of the broker, however it ends.

use crate::arms::{Arm, on_both, quick};
use crate::bare::{Connection, text};
use crate::child::Process;
use crate::clients::*;
use broker::Broker;
use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::{
    PartitionProduceData, ProduceRequest, TopicProduceData,
};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{ApiKey, InitProducerIdRequest, ResponseKind};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use std::time::Duration;

const ANY: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

#[tokio::test(flavor = "multi_thread")]
async fn kfk_9_nothing_acknowledged_is_lost_and_nothing_is_twice_when_the_broker_is_killed_under_load()
 {
    const RECORDS: usize = 3000;
    let dir = tempfile::tempdir().unwrap();
    let (first, address) = Process::broker(dir.path(), ANY.into());
    let bootstrap = address.to_string();
    let producer = producer(&bootstrap);
    publish(&producer, "bookings", ["warm".to_string()]).await;
    let sending = async {
        for chunk in numbered("event", RECORDS).chunks(30) {
            publish(&producer, "bookings", chunk.to_vec()).await;
        }
    };
    let killing = async {
        let mut process = first;
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            process.kill();
            process = Process::broker(dir.path(), address).0;
        }
        process
    };
    let (_last, ()) = tokio::join!(killing, sending);
    let member = consumer(&bootstrap, "pay", "bookings", "earliest");
    let mut taken = vec![];
    for _ in 0..RECORDS + 1 {
        taken.push(value(&next(&member).await));
    }
    assert_eq!(taken[1..], numbered("event", RECORDS));
    let more = tokio::time::timeout(Duration::from_millis(300), next(&member)).await;
    assert!(more.is_err(), "one too many: {more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_offsets_and_topics_are_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(quick(dir.path())).await.unwrap();
    let bootstrap = broker.local_addr().to_string();
    publish(&producer(&bootstrap), "bookings", numbered("event", 10)).await;
    let member = consumer(&bootstrap, "pay", "bookings", "earliest");
    assert_eq!(take(&member, 4).await, numbered("event", 4));
    drop(member);
    broker.shutdown().await;

    let broker = Broker::start(quick(dir.path())).await.unwrap();
    let member = consumer(
        &broker.local_addr().to_string(),
        "pay",
        "bookings",
        "earliest",
    );
    assert_eq!(take(&member, 6).await, numbered("event", 10)[4..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_goes_on_where_it_was_when_the_broker_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (first, address) = Process::broker(dir.path(), ANY.into());
    let bootstrap = address.to_string();
    let producer = producer(&bootstrap);
    publish(&producer, "bookings", numbered("before", 5)).await;
    let member = consumer(&bootstrap, "pay", "bookings", "earliest");
    assert_eq!(take(&member, 5).await, numbered("before", 5));
    first.kill();
    let (_second, _) = Process::broker(dir.path(), address);
    publish(&producer, "bookings", numbered("after", 5)).await;
    // The group is new to the broker, so the member joins again and begins at what it committed.
    let mut taken = vec![];
    while taken.len() < 5 {
        taken.push(value(&next(&member).await));
    }
    assert_eq!(taken, numbered("after", 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_idempotent_producer_sends_twice_is_there_once() {
    on_both(async |arm| {
        let topic = arm.unique("twice");
        create(&arm.bootstrap, &topic, 1).await;
        let mut connection = Connection::open(arm).await;
        let producer_id = init(&mut connection).await;
        let first = send(&mut connection, &topic, producer_id, 0).await;
        let second = send(&mut connection, &topic, producer_id, 1).await;
        let again = send(&mut connection, &topic, producer_id, 0).await;
        assert_eq!((first.error_code, first.base_offset), (0, 0));
        assert_eq!((second.error_code, second.base_offset), (0, 1));
        assert_eq!(
            (again.error_code, again.base_offset),
            (0, 0),
            "answered as the first time"
        );
        let gap = send(&mut connection, &topic, producer_id, 7).await;
        assert_eq!(
            gap.error_code,
            ResponseError::OutOfOrderSequenceNumber.code()
        );
        let next = send(&mut connection, &topic, producer_id, 2).await;
        assert_eq!((next.error_code, next.base_offset), (0, 2));
    })
    .await;
}

async fn init(connection: &mut Connection) -> i64 {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(1000);
    match connection
        .ask(ApiKey::InitProducerId, 1, request.into())
        .await
    {
        ResponseKind::InitProducerId(response) if response.error_code == 0 => {
            response.producer_id.0
        }
        other => panic!("no producer id: {other:?}"),
    }
}

/// Sends one record under this sequence number.
async fn send(
    connection: &mut Connection,
    topic: &str,
    producer_id: i64,
    sequence: i32,
) -> PartitionProduceResponse {
    let data =
        PartitionProduceData::default().with_records(Some(one_record(producer_id, sequence)));
    let topic = TopicProduceData::default()
        .with_name(text(topic).into())
        .with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(5000)
        .with_topic_data(vec![topic]);
    match connection.ask(ApiKey::Produce, 8, request.into()).await {
        ResponseKind::Produce(response) => response.responses[0].partition_responses[0].clone(),
        other => panic!("not produced: {other:?}"),
    }
}

fn one_record(producer_id: i64, sequence: i32) -> Bytes {
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id,
        producer_epoch: 0,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(Bytes::from_static(b"once")),
        headers: Default::default(),
    };
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    RecordBatchEncoder::encode(&mut batch, [&record], &options).unwrap();
    batch.freeze()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_hears_at_once_that_a_topic_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let config = broker::Config {
        max_topic_bytes: 10_000,
        ..quick(dir.path())
    };
    let broker = Broker::start(config).await.unwrap();
    let arm = Arm {
        bootstrap: broker.local_addr().to_string(),
    };
    let mut connection = Connection::open(&arm).await;
    create(&arm.bootstrap, "bookings", 1).await;
    let mut kept = 0;
    let refused = loop {
        let response = send(&mut connection, "bookings", -1, -1).await;
        match ResponseError::try_from_code(response.error_code) {
            None => kept += 1,
            Some(error) => break error,
        }
    };
    assert_eq!(refused, ResponseError::PolicyViolation);
    let member = consumer(&arm.bootstrap, "pay", "bookings", "earliest");
    assert_eq!(
        take(&member, kept).await,
        vec!["once"; kept],
        "all that was acknowledged"
    );
}
