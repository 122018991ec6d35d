//! samples — a request of every kind, for tests.

use crate::batch::tests::batch;
use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

pub const TOPIC: StrBytes = StrBytes::from_static_str("bookings");
pub const GROUP: StrBytes = StrBytes::from_static_str("pay");
pub const MEMBER: StrBytes = StrBytes::from_static_str("pay-1");

/// `Some` of it from this version on.
fn since(first: i16, version: i16, text: &'static str) -> Option<StrBytes> {
    (version >= first).then(|| text.into())
}

/// A request with something in all of its fields that the version has.
pub fn sample(key: ApiKey, version: i16) -> RequestKind {
    match key {
        ApiKey::Produce => produce(&batch(&["x"])),
        ApiKey::Fetch => fetch(version),
        ApiKey::ListOffsets => list_offsets(),
        ApiKey::Metadata => {
            let topic = MetadataRequestTopic::default().with_name(Some(TOPIC.into()));
            let request = MetadataRequest::default().with_topics(Some(vec![topic]));
            request.with_allow_auto_topic_creation(true).into()
        }
        ApiKey::CreateTopics => {
            let topic = CreatableTopic::default().with_name(StrBytes::from("made").into());
            let topic = topic.with_num_partitions(2).with_replication_factor(1);
            CreateTopicsRequest::default()
                .with_topics(vec![topic])
                .into()
        }
        ApiKey::DeleteTopics => DeleteTopicsRequest::default()
            .with_topic_names(vec![TOPIC.into()])
            .into(),
        ApiKey::InitProducerId => InitProducerIdRequest::default()
            .with_transactional_id(None)
            .into(),
        ApiKey::ApiVersions if version < 3 => ApiVersionsRequest::default().into(),
        ApiKey::ApiVersions => {
            let request = ApiVersionsRequest::default().with_client_software_name("rdkafka".into());
            request.with_client_software_version("2.12".into()).into()
        }
        ApiKey::OffsetCommit => offset_commit(version),
        ApiKey::OffsetFetch => {
            let topic = OffsetFetchRequestTopic::default()
                .with_name(TOPIC.into())
                .with_partition_indexes(vec![0, 1]);
            OffsetFetchRequest::default()
                .with_group_id(GROUP.into())
                .with_topics(Some(vec![topic]))
                .into()
        }
        _ => sample_of_group(key, version),
    }
}

fn sample_of_group(key: ApiKey, version: i16) -> RequestKind {
    match key {
        ApiKey::FindCoordinator if version < 4 => {
            FindCoordinatorRequest::default().with_key(GROUP).into()
        }
        ApiKey::FindCoordinator => FindCoordinatorRequest::default()
            .with_coordinator_keys(vec![GROUP])
            .into(),
        ApiKey::JoinGroup => join(version, since(5, version, "static")),
        ApiKey::SyncGroup => {
            let part = SyncGroupRequestAssignment::default()
                .with_member_id(MEMBER)
                .with_assignment("part".into());
            let request = SyncGroupRequest::default()
                .with_group_id(GROUP.into())
                .with_member_id(MEMBER);
            let request = request.with_protocol_type(since(5, version, "consumer"));
            let request = request
                .with_protocol_name(since(5, version, "range"))
                .with_assignments(vec![part]);
            request
                .with_generation_id(1)
                .with_group_instance_id(since(3, version, "static"))
                .into()
        }
        ApiKey::Heartbeat => {
            let request = HeartbeatRequest::default()
                .with_group_id(GROUP.into())
                .with_member_id(MEMBER);
            request
                .with_generation_id(1)
                .with_group_instance_id(since(3, version, "static"))
                .into()
        }
        ApiKey::LeaveGroup if version < 3 => LeaveGroupRequest::default()
            .with_group_id(GROUP.into())
            .with_member_id(MEMBER)
            .into(),
        ApiKey::LeaveGroup => {
            let member = MemberIdentity::default()
                .with_member_id(MEMBER)
                .with_reason(since(5, version, "done"));
            LeaveGroupRequest::default()
                .with_group_id(GROUP.into())
                .with_members(vec![member])
                .into()
        }
        ApiKey::DescribeGroups => DescribeGroupsRequest::default()
            .with_groups(vec![GROUP.into()])
            .into(),
        ApiKey::ListGroups => {
            let states = since(4, version, "Stable").into_iter().collect();
            ListGroupsRequest::default()
                .with_states_filter(states)
                .into()
        }
        other => panic!("no sample of {other:?}"),
    }
}

pub fn produce(records: &[u8]) -> RequestKind {
    let data = PartitionProduceData::default().with_records(Some(Bytes::copy_from_slice(records)));
    let topic = TopicProduceData::default()
        .with_name(TOPIC.into())
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_acks(-1)
        .with_topic_data(vec![topic])
        .into()
}

pub fn fetch(version: i16) -> RequestKind {
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(TOPIC.into())
        .with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_min_bytes(1)
        .with_topics(vec![topic]);
    let request = request.with_session_epoch(-1).with_max_wait_ms(5000);
    if version >= 11 {
        request.with_rack_id("rack".into()).into()
    } else {
        request.into()
    }
}

pub fn list_offsets() -> RequestKind {
    let at = |timestamp| ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(TOPIC.into());
    let topic = topic.with_partitions([-1, -2, 1000, 5000].map(at).to_vec());
    ListOffsetsRequest::default()
        .with_topics(vec![topic])
        .into()
}

pub fn offset_commit(version: i16) -> RequestKind {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(7);
    let partition = partition.with_committed_metadata(Some("note".into()));
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TOPIC.into())
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(GROUP.into())
        .with_topics(vec![topic]);
    let request = request.with_generation_id_or_member_epoch(-1);
    if version <= 4 {
        request.with_retention_time_ms(-1).into()
    } else {
        request.into()
    }
}

pub fn join(version: i16, instance: Option<StrBytes>) -> RequestKind {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name("range".into())
        .with_metadata("topics".into());
    let request = JoinGroupRequest::default()
        .with_group_id(GROUP.into())
        .with_session_timeout_ms(6000);
    let request = request
        .with_protocol_type("consumer".into())
        .with_protocols(vec![protocol]);
    let request = if version >= 1 {
        request.with_rebalance_timeout_ms(6000)
    } else {
        request
    };
    request
        .with_group_instance_id(instance)
        .with_reason(since(8, version, "started"))
        .into()
}
