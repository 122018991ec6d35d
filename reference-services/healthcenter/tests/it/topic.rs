//! topic — what is told, listened to and spoken by a test.

use crate::world::World;
use rdkafka::Message;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use std::time::Duration;

/// Everything told so far, read until this many events have come.
pub async fn told(world: &World, count: usize) -> Vec<Value> {
    let consumer: StreamConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", world.broker())
        .set("group.id", "witness")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&["healthcenter"]).unwrap();
    let mut events: Vec<Value> = Vec::new();
    while events.len() < count {
        let message = tokio::time::timeout(Duration::from_secs(20), consumer.recv()).await;
        let message = message
            .unwrap_or_else(|_| panic!("only {events:?}"))
            .unwrap();
        events.push(serde_json::from_slice(message.payload().unwrap()).unwrap());
    }
    // A consumer says good-bye to the broker and waits, and the broker is on this thread.
    tokio::task::spawn_blocking(move || drop(consumer))
        .await
        .unwrap();
    events
}

pub fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["eventType"].as_str().unwrap())
        .collect()
}

/// Tells events under the key of order 1.
pub async fn publish(world: &World, events: &[Value]) {
    let producer: FutureProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", world.broker())
        .create()
        .unwrap();
    for event in events {
        let payload = event.to_string();
        let record = FutureRecord::to("healthcenter").key("1").payload(&payload);
        producer
            .send(record, Duration::from_secs(10))
            .await
            .unwrap();
    }
}

pub fn event(id: &str, kind: &str, fields: Value) -> Value {
    let time = "2021-06-21T10:43:12Z";
    let mut event = json!({"eventId": id, "correlationId": "c", "key": "1", "timestamp": time, "eventType": kind});
    let fields = fields.as_object().unwrap().clone();
    event.as_object_mut().unwrap().extend(fields);
    event
}
