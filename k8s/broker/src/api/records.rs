//! records — produce, fetch, and where to begin.

use super::{Asked, State, code};
use crate::KafkaError;
use crate::dispatch::Closing;
use bytes::Bytes;
use kafka_protocol::messages::ResponseKind;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchRequest};
use kafka_protocol::messages::fetch_response::{
    FetchResponse, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::list_offsets_request::ListOffsetsRequest;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::produce_request::ProduceRequest;
use kafka_protocol::messages::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use std::time::Duration;

/// A fetch answers with at most so many bytes (or one batch, if that is larger), whatever the client would take.
const FETCH_BYTES_MAX: u64 = 8 << 20;
/// A fetch waits at most so long for records, whatever the client would.
const FETCH_WAIT_MAX: Duration = Duration::from_secs(60);

/// Special times in a request for offsets.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

impl State {
    /// Appends to logs. `None` when the producer wants no answer.
    pub fn produce(&self, request: ProduceRequest) -> Result<Option<ResponseKind>, Closing> {
        let acks_known = (-1..=1).contains(&request.acks);
        let mut refused = false;
        let mut responses = vec![];
        for topic in request.topic_data {
            let mut partitions = vec![];
            for data in topic.partition_data {
                let records = data.records.unwrap_or_default();
                let appended = if acks_known {
                    self.append(&topic.name, data.index, &records)
                } else {
                    Err(KafkaError::InvalidRequiredAcks)
                };
                refused |= appended.is_err();
                let response = PartitionProduceResponse::default().with_index(data.index);
                let response = response
                    .with_error_code(code(&appended))
                    .with_log_append_time_ms(-1);
                let start = if appended.is_ok() { 0 } else { -1 };
                partitions.push(
                    response
                        .with_base_offset(appended.unwrap_or(-1))
                        .with_log_start_offset(start),
                );
            }
            responses.push(
                TopicProduceResponse::default()
                    .with_name(topic.name)
                    .with_partition_responses(partitions),
            );
        }
        self.appended.notify_waiters();
        match request.acks {
            0 if refused => Err(Closing::Unacknowledged),
            0 => Ok(None),
            _ => Ok(Some(
                ProduceResponse::default().with_responses(responses).into(),
            )),
        }
    }

    fn append(&self, topic: &str, index: i32, records: &[u8]) -> Result<i64, KafkaError> {
        let partition = self.topics.partition(topic, index)?;
        let appended = partition
            .lock()
            .expect("no panic while appending")
            .append(records);
        appended.map_err(|refusal| {
            tracing::warn!(topic, index, %refusal, "refused a batch");
            KafkaError::from(&refusal)
        })
    }

    /// Reads from logs; waits until there is as much as the client wants, or its patience ends.
    pub async fn fetch(&self, request: FetchRequest) -> ResponseKind {
        if request.session_id != 0 {
            // We never begin a fetch session, so nobody can be in one.
            return FetchResponse::default()
                .with_error_code(KafkaError::FetchSessionIdNotFound.code())
                .into();
        }
        let patience = Duration::from_millis(request.max_wait_ms.max(0) as u64).min(FETCH_WAIT_MAX);
        let until = tokio::time::Instant::now() + patience;
        loop {
            let mut appended = std::pin::pin!(self.appended.notified());
            // From here on no append is missed, so that one right after the reading wakes us.
            appended.as_mut().enable();
            let read = self.read(&request);
            let enough = read.failed || read.bytes >= request.min_bytes.max(0) as u64;
            if enough || tokio::time::timeout_at(until, appended).await.is_err() {
                return FetchResponse::default()
                    .with_responses(read.responses)
                    .into();
            }
        }
    }

    fn read(&self, request: &FetchRequest) -> Read {
        let limit = FETCH_BYTES_MAX.min(request.max_bytes.max(0) as u64);
        let mut read = Read {
            responses: vec![],
            bytes: 0,
            failed: false,
        };
        for topic in &request.topics {
            let mut partitions = vec![];
            for wanted in &topic.partitions {
                let room = (limit.saturating_sub(read.bytes))
                    .min(wanted.partition_max_bytes.max(0) as u64);
                let data = self.read_partition(&topic.topic, wanted, room, read.bytes == 0);
                read.bytes += data.records.as_ref().map_or(0, Bytes::len) as u64;
                read.failed |= data.error_code != 0;
                partitions.push(data);
            }
            let response = FetchableTopicResponse::default().with_topic(topic.topic.clone());
            read.responses.push(response.with_partitions(partitions));
        }
        read
    }

    /// The first batch of a response comes whole however small the limits, so that every client gets on.
    fn read_partition(
        &self,
        topic: &str,
        wanted: &FetchPartition,
        room: u64,
        first: bool,
    ) -> PartitionData {
        let data = PartitionData::default()
            .with_partition_index(wanted.partition)
            .with_records(Some(Bytes::new()));
        let partition = match self.topics.partition(topic, wanted.partition) {
            Ok(partition) => partition,
            Err(error) => {
                return data
                    .with_error_code(error.code())
                    .with_high_watermark(-1)
                    .with_last_stable_offset(-1);
            }
        };
        let log = partition.lock().expect("no panic while appending");
        let data = data
            .with_high_watermark(log.end())
            .with_last_stable_offset(log.end())
            .with_log_start_offset(0);
        match log.read(wanted.fetch_offset, room) {
            Ok(_) if room == 0 && !first => data,
            Ok(records) => data.with_records(Some(records)),
            Err(error) => data.with_error_code(error.code()),
        }
    }

    /// Where a partition begins and ends, or where a time begins in it.
    pub fn list_offsets(&self, asked: &Asked, request: ListOffsetsRequest) -> ResponseKind {
        let client = asked.client();
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|wanted| {
                let found = self.offset_at(&topic.name, wanted.partition_index, wanted.timestamp);
                let response = ListOffsetsPartitionResponse::default()
                    .with_partition_index(wanted.partition_index);
                let response = response.with_error_code(code(&found));
                let (offset, timestamp) = found.unwrap_or((-1, -1));
                let place = (topic.name.to_string(), wanted.partition_index);
                let groups = self.beginners().begin(&client, place);
                if wanted.timestamp == LATEST && offset > 0 && !groups.is_empty() {
                    tracing::warn!(
                        "consumer group {} has committed no offset and begins at the end of partition {} of topic {}: it never reads \
                         the {offset} records that are there",
                        groups.join(" or "),
                        wanted.partition_index,
                        &*topic.name
                    );
                }
                response.with_offset(offset).with_timestamp(timestamp)
            });
            let partitions = partitions.collect();
            ListOffsetsTopicResponse::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        });
        ListOffsetsResponse::default()
            .with_topics(topics.collect())
            .into()
    }

    fn offset_at(&self, topic: &str, index: i32, timestamp: i64) -> Result<(i64, i64), KafkaError> {
        let partition = self.topics.partition(topic, index)?;
        let log = partition.lock().expect("no panic while appending");
        match timestamp {
            LATEST => Ok((log.end(), -1)),
            EARLIEST => Ok((0, -1)),
            time if time < 0 => Err(KafkaError::UnsupportedVersion),
            time => match log.first_since(time) {
                Ok(found) => Ok(found.unwrap_or((-1, -1))),
                Err(error) => {
                    tracing::error!(%error, topic, index, "cannot read a log");
                    Err(KafkaError::KafkaStorageError)
                }
            },
        }
    }
}

struct Read {
    responses: Vec<FetchableTopicResponse>,
    bytes: u64,
    failed: bool,
}
