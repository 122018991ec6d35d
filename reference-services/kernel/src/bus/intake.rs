//! intake — brings events from the topic to the service, each handled once, and notes how far it is after that.

use super::Kafka;
use super::client::Consumer;
use crate::core::{Core, Handled, Rejected};
use crate::event::Event;
use crate::telemetry::trace::{self, Kind, Place, Span};
use rdkafka::Message;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio_util::sync::CancellationToken;

/// How often an event is tried before it is left aside, and the pauses in between, as in Spring: 1 s, then 2 s.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// How long to wait when the client could not be made, or stopped working.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads events until told to stop, then leaves the group.
pub(super) async fn run(core: Arc<Core>, kafka: Kafka, stop: CancellationToken) {
    while let Some(started) = stop.run_until_cancelled(subscribed(&kafka)).await {
        let outcome = match started {
            Ok(consumer) => read(&core, consumer, &stop).await,
            Err(why) => Err(why),
        };
        if let Err(why) = outcome {
            tracing::error!("reading again in {PAUSE:?}: {why}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn subscribed(kafka: &Kafka) -> Result<Consumer, KafkaError> {
    let consumer = kafka.consumer().await?;
    consumer.subscribe(&[&kafka.topic])?;
    Ok(consumer)
}

/// One event after the other. What the client gets over by itself is only told.
async fn read(core: &Core, consumer: Consumer, stop: &CancellationToken) -> Result<(), KafkaError> {
    let mut done = None;
    loop {
        let received = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            received = consumer.recv() => received,
        };
        match received {
            Ok(message) => {
                if !take(core, &message, stop).await {
                    break;
                }
                consumer.commit_message(&message, CommitMode::Async)?;
                done = Some(position_after(&message)?);
            }
            Err(why) if why.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) => {
                return Err(why);
            }
            Err(why) => tracing::debug!("librdkafka: {why}"),
        }
    }
    leave(consumer, done).await;
    Ok(())
}

/// Handles an event, tried again after a pause when it fails, and left aside after the last try, unless the service is patient and it
/// is another that fails. False when it has to be read again because the service ends.
async fn take(core: &Core, message: &BorrowedMessage<'_>, stop: &CancellationToken) -> bool {
    let mut pauses = PAUSES.into_iter();
    loop {
        let Err(why) = handle(core, message).await else {
            return true;
        };
        let place = format!(
            "{}/{}@{}",
            message.topic(),
            message.partition(),
            message.offset()
        );
        let is_worth_waiting = core.is_patient && matches!(why, Rejected::CallFailed(_));
        let Some(pause) = pauses.next().or(is_worth_waiting.then_some(PAUSES[1])) else {
            tracing::error!("left the event {place} aside: {why}");
            return true;
        };
        tracing::warn!("cannot handle the event {place}, trying again in {pause:?}: {why}");
        if stop
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_none()
        {
            return false;
        }
    }
}

async fn handle(core: &Core, message: &BorrowedMessage<'_>) -> Result<(), Rejected> {
    let event = Event::from_json(message.payload().unwrap_or_default())?;
    let (place, began, clock) = (place(message), SystemTime::now(), Instant::now());
    let handled = core.handle(&event, place).await;
    let (outcome, said) = match &handled {
        Ok(Handled::Now) => ("handled", Some("handled")),
        Ok(Handled::Before) => ("repeated", Some("had handled")),
        Ok(Handled::NotOurs) => ("ignored", None),
        Err(_) => ("failed", None),
    };
    core.telemetry.metrics.consumed(event.kind(), outcome);
    if outcome != "ignored" {
        core.telemetry.tracer.ended(place, || Span {
            place,
            kind: Kind::Consumer,
            name: format!("process {}", event.kind()),
            began,
            took: clock.elapsed(),
            attributes: vec![
                ("messaging.message.id", event.event_id.clone()),
                ("correlation.id", event.correlation_id.clone()),
                ("brownout.outcome", outcome.to_owned()),
            ],
            is_error: handled.is_err(),
        });
    }
    if let Some(said) = said {
        tracing::info!(
            correlation = event.correlation_id,
            event = event.event_id,
            "{said} {}",
            event.kind()
        );
    }
    handled.map(drop)
}

/// Where its sender was when it published the event, and we are part of that.
fn place(message: &BorrowedMessage<'_>) -> Place {
    let header = message.headers().and_then(|headers| {
        let named = headers.iter().find(|header| header.key == trace::HEADER)?;
        str::from_utf8(named.value?).ok()
    });
    Place::after(header)
}

fn position_after(message: &BorrowedMessage<'_>) -> Result<TopicPartitionList, KafkaError> {
    let mut position = TopicPartitionList::new();
    position.add_partition_offset(
        message.topic(),
        message.partition(),
        Offset::Offset(message.offset() + 1),
    )?;
    Ok(position)
}

/// Leaves the group at once, so that whoever comes next need not wait for the session to end. The broker's word on how far we were is
/// waited for; both block, therefore on another thread.
async fn leave(consumer: Consumer, done: Option<TopicPartitionList>) {
    let leaving = tokio::task::spawn_blocking(move || {
        if let Some(done) = done
            && let Err(why) = consumer.commit(&done, CommitMode::Sync)
        {
            tracing::warn!(
                "the broker did not note how far we were; events will come again: {why}"
            );
        }
    });
    leaving.await.ok();
}
