//! topics — what there is and where, making and deleting.

use super::{Asked, NODE, State, code, text};
use crate::KafkaError;
use crate::topics::is_valid;
use kafka_protocol::messages::ResponseKind;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicResult, CreateTopicsResponse,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_response::{
    DeletableTopicResult, DeleteTopicsResponse,
};
use kafka_protocol::messages::metadata_request::MetadataRequest;
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

/// How clients recognise that two addresses lead to one cluster.
const CLUSTER_ID: &str = "brownout";

impl State {
    /// Which topics there are, and that everything is here. Asking for a topic can create it.
    pub fn metadata(&self, asked: &Asked, request: MetadataRequest) -> ResponseKind {
        let everything = |names: &[_]| asked.version == 0 && names.is_empty();
        let may_create = asked.version < 4 || request.allow_auto_topic_creation;
        let names = match request.topics.filter(|topics| !everything(topics)) {
            Some(topics) => topics
                .into_iter()
                .filter_map(|topic| topic.name)
                .map(|name| name.to_string())
                .collect(),
            None => self.topics.names(),
        };
        let topics = names
            .into_iter()
            .map(|name| self.topic(name, may_create))
            .collect();
        let (host, port) = self.advertised(asked);
        let here = MetadataResponseBroker::default()
            .with_node_id(NODE)
            .with_host(host)
            .with_port(port);
        let response = MetadataResponse::default()
            .with_brokers(vec![here])
            .with_controller_id(NODE);
        response
            .with_cluster_id(Some(CLUSTER_ID.into()))
            .with_topics(topics)
            .into()
    }

    fn topic(&self, name: String, may_create: bool) -> MetadataResponseTopic {
        let found = self.found_or_made(&name, may_create);
        let partition = |index: usize| {
            let at = MetadataResponsePartition::default()
                .with_partition_index(index as i32)
                .with_leader_id(NODE);
            at.with_leader_epoch(0)
                .with_replica_nodes(vec![NODE])
                .with_isr_nodes(vec![NODE])
        };
        let response = MetadataResponseTopic::default().with_error_code(code(&found));
        let partitions = (0..found.unwrap_or(0)).map(partition).collect();
        response
            .with_name(Some(text(name).into()))
            .with_partitions(partitions)
    }

    fn found_or_made(&self, name: &str, may_create: bool) -> Result<usize, KafkaError> {
        if let Some(count) = self.topics.partitions(name) {
            return Ok(count);
        }
        if !is_valid(name) {
            return Err(KafkaError::InvalidTopicException);
        }
        if may_create {
            match self.topics.create(name, self.config.partitions) {
                // Another client may have been quicker.
                Ok(()) | Err(KafkaError::TopicAlreadyExists) => {}
                Err(error) => return Err(error),
            }
        }
        self.topics
            .partitions(name)
            .ok_or(KafkaError::UnknownTopicOrPartition)
    }

    /// Makes topics.
    pub fn create_topics(&self, request: CreateTopicsRequest) -> ResponseKind {
        let results = request.topics.into_iter().map(|topic| {
            let partitions = self.partitions_of(&topic);
            let made = self.create(&topic, partitions, request.validate_only);
            let why = made.err().map(|error| text(error.to_string()));
            let result = CreatableTopicResult::default()
                .with_error_code(code(&made))
                .with_error_message(why);
            result
                .with_name(topic.name)
                .with_num_partitions(partitions)
                .with_replication_factor(1)
        });
        CreateTopicsResponse::default()
            .with_topics(results.collect())
            .into()
    }

    fn partitions_of(&self, topic: &CreatableTopic) -> i32 {
        match topic.num_partitions {
            -1 if !topic.assignments.is_empty() => topic.assignments.len() as i32,
            -1 => self.config.partitions,
            asked_for => asked_for,
        }
    }

    fn create(
        &self,
        topic: &CreatableTopic,
        partitions: i32,
        only_validate: bool,
    ) -> Result<(), KafkaError> {
        if !matches!(topic.replication_factor, -1 | 1) {
            return Err(KafkaError::InvalidReplicationFactor);
        }
        if !topic.configs.is_empty() {
            // A setting that has no effect would be a promise not kept.
            return Err(KafkaError::InvalidConfig);
        }
        if only_validate {
            return self.topics.may_create(&topic.name, partitions).map(drop);
        }
        self.topics.create(&topic.name, partitions)
    }

    /// Deletes topics, and what groups committed for them.
    pub fn delete_topics(&self, request: DeleteTopicsRequest) -> ResponseKind {
        let results = request.topic_names.into_iter().map(|name| {
            let deleted = self.topics.delete(&name).and_then(|()| {
                self.offsets().forget_topic(&name).map_err(|error| {
                    tracing::error!(%error, topic = %&*name, "cannot forget committed offsets");
                    KafkaError::KafkaStorageError
                })
            });
            DeletableTopicResult::default()
                .with_error_code(code(&deleted))
                .with_name(Some(name))
        });
        let response = DeleteTopicsResponse::default().with_responses(results.collect());
        // Whoever waits for records of a deleted topic hears that it is gone.
        self.appended.notify_waiters();
        response.into()
    }
}
