//! relay — carries events from the outbox to the topic, in the order they were committed, until the broker has each of them.
//!
//! An event is marked when the broker has acknowledged it. A process that ends in between sends it again: same event id, so that it
//! is handled once.

use super::Kafka;
use super::client::Producer;
use crate::core::Core;
use crate::store::{StoreError, Waiting};
use crate::telemetry::trace;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Events on their way at the same time.
const BATCH: i64 = 100;
/// How long to wait after a failure that the client cannot get over by itself.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("database: {0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Kafka(#[from] KafkaError),
    #[error("the producer was closed")]
    Closed,
}

/// Carries events until told to stop, and then until none is waiting.
pub(super) async fn run(core: Arc<Core>, kafka: Kafka, stop: CancellationToken) {
    let mut producer = None;
    loop {
        match step(&core, &kafka, &mut producer).await {
            Ok(0) if stop.is_cancelled() => return,
            Ok(0) => {
                tokio::select! {
                    () = core.committed.notified() => {}
                    () = stop.cancelled() => {}
                }
            }
            Ok(_) => {}
            Err(why) => {
                tracing::warn!("events wait: {why}");
                producer = None;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Sends what is waiting, at most a batch; says how many events left. The producer is made when it is first needed.
async fn step(
    core: &Core,
    kafka: &Kafka,
    producer: &mut Option<Producer>,
) -> Result<usize, RelayError> {
    let waiting = core.store.waiting(BATCH).await?;
    let Some(last) = waiting.last() else {
        return Ok(0);
    };
    let producer = match producer {
        Some(producer) => producer,
        None => producer.insert(kafka.producer().await?),
    };
    send(producer, &kafka.topic, &waiting).await?;
    for event in &waiting {
        core.telemetry.metrics.published(&event.kind());
    }
    core.store.sent_up_to(last.number).await?;
    Ok(waiting.len())
}

async fn send(producer: &Producer, topic: &str, waiting: &[Waiting]) -> Result<(), RelayError> {
    let mut deliveries = Vec::with_capacity(waiting.len());
    for event in waiting {
        let record = FutureRecord::to(topic)
            .headers(OwnedHeaders::new().insert(Header {
                key: trace::HEADER,
                value: Some(&event.traceparent),
            }))
            .key(&event.key)
            .payload(&event.payload);
        deliveries.push(producer.send_result(record).map_err(|(why, _)| why)?);
    }
    for delivery in deliveries {
        delivery
            .await
            .map_err(|_| RelayError::Closed)?
            .map_err(|(why, _)| why)?;
    }
    Ok(())
}
