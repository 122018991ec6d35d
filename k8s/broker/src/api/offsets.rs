//! offsets — how far a group has come: committing it and asking for it.

use super::groups::who;
use super::{Asked, State, code, text};
use crate::KafkaError;
use crate::group::Question;
use crate::offsets::Committed;
use kafka_protocol::messages::ResponseKind;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition,
};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequest;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use std::collections::BTreeMap;

/// A client's note beside an offset: Kafka's limit.
const METADATA_BYTES_MAX: usize = 4096;

impl State {
    /// Writes down how far a group has come, if whoever says so is a member of its current generation.
    pub async fn offset_commit(&self, request: OffsetCommitRequest) -> ResponseKind {
        let who = who(
            &request.member_id,
            &request.group_instance_id,
            request.generation_id_or_member_epoch,
        );
        let allowed = self
            .groups
            .ask(&request.group_id, Question::Commit(who))
            .await
            .map(drop);
        let mut outcomes = BTreeMap::new();
        let mut commits = vec![];
        for topic in &request.topics {
            for partition in &topic.partitions {
                let place = (topic.name.to_string(), partition.partition_index);
                let checked = allowed.and_then(|()| self.check(&place, partition));
                commits.extend(
                    checked
                        .as_ref()
                        .ok()
                        .map(|committed| (place.clone(), committed.clone())),
                );
                outcomes.insert(place, checked.map(drop));
            }
        }
        if let Err(error) = self.offsets().commit(&request.group_id, commits) {
            tracing::error!(%error, group = %&**request.group_id, "cannot write down committed offsets");
            outcomes
                .values_mut()
                .for_each(|outcome| *outcome = Err(KafkaError::KafkaStorageError));
        }
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let outcome = &outcomes[&(topic.name.to_string(), partition.partition_index)];
                let response =
                    OffsetCommitResponsePartition::default().with_error_code(code(outcome));
                response.with_partition_index(partition.partition_index)
            });
            let partitions = partitions.collect();
            OffsetCommitResponseTopic::default()
                .with_name(topic.name)
                .with_partitions(partitions)
        });
        OffsetCommitResponse::default()
            .with_topics(topics.collect())
            .into()
    }

    fn check(
        &self,
        place: &(String, i32),
        asked: &OffsetCommitRequestPartition,
    ) -> Result<Committed, KafkaError> {
        self.topics.partition(&place.0, place.1)?;
        let metadata = asked.committed_metadata.as_deref().unwrap_or_default();
        if metadata.len() > METADATA_BYTES_MAX {
            return Err(KafkaError::OffsetMetadataTooLarge);
        }
        Ok(Committed {
            offset: asked.committed_offset.max(0),
            metadata: metadata.to_string(),
        })
    }

    /// How far a group has come; −1 where it committed nothing.
    pub fn offset_fetch(&self, asked: &Asked, request: OffsetFetchRequest) -> ResponseKind {
        let client = asked.client();
        let offsets = self.offsets();
        let mut beginners = self.beginners();
        let group = &**request.group_id;
        let wanted: Vec<(String, Vec<i32>)> = match request.topics {
            Some(topics) => topics
                .into_iter()
                .map(|t| (t.name.to_string(), t.partition_indexes))
                .collect(),
            None => offsets.partitions_of(group).into_iter().collect(),
        };
        let topics = wanted.into_iter().map(|(topic, partitions)| {
            let partitions = partitions.into_iter().map(|index| {
                let found = offsets.of(group, &topic, index);
                if found.is_none() {
                    beginners.has_none(&client, (topic.clone(), index), group);
                }
                let response = OffsetFetchResponsePartition::default().with_partition_index(index);
                let metadata = found.map_or("", |committed| &committed.metadata);
                let offset = found.map_or(-1, |committed| committed.offset);
                response
                    .with_committed_offset(offset)
                    .with_metadata(Some(text(metadata)))
            });
            let partitions = partitions.collect();
            OffsetFetchResponseTopic::default()
                .with_name(text(topic).into())
                .with_partitions(partitions)
        });
        OffsetFetchResponse::default()
            .with_topics(topics.collect())
            .into()
    }
}
