//! Every request in every version it is served in: the codec refuses fields that a version does not have, and the
//! client would see nothing but a closed connection.

use super::samples::*;
use super::*;
use crate::batch::tests::batch;
use crate::config::Config;
use bytes::BufMut;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;

/// A broker without a network.
struct Table {
    state: State,
    _dir: tempfile::TempDir,
}

impl Table {
    fn new() -> Table {
        let dir = tempfile::tempdir().unwrap();
        let config = Config {
            initial_rebalance_delay: Duration::ZERO,
            ..Config::new(peer(0), dir.path())
        };
        Table {
            state: State::open(config).unwrap(),
            _dir: dir,
        }
    }

    async fn with_a_topic() -> Table {
        let table = Table::new();
        table
            .ask(ApiKey::Metadata, 4, sample(ApiKey::Metadata, 4))
            .await;
        table
    }

    async fn ask(&self, key: ApiKey, version: i16, request: RequestKind) -> ResponseKind {
        let answered = answer(&self.state, PEERS, frame(key, version, &request)).await;
        let mut response = answered
            .unwrap_or_else(|closing| panic!("{key:?} {version}: {closing}"))
            .unwrap()
            .freeze();
        let header =
            ResponseHeader::decode(&mut response, key.response_header_version(version)).unwrap();
        assert_eq!(header.correlation_id, 42);
        let decoded = ResponseKind::decode(key, &mut response, version).unwrap();
        assert!(
            response.is_empty(),
            "{key:?} {version}: {} bytes too many",
            response.len()
        );
        decoded
    }
}

const fn peer(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

const PEERS: Peers = Peers {
    client: peer(50_000),
    reached: peer(9092),
};

fn frame(key: ApiKey, version: i16, request: &RequestKind) -> Bytes {
    let mut out = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version);
    let header = header
        .with_correlation_id(42)
        .with_client_id(Some("rdkafka".into()));
    header
        .encode(&mut out, key.request_header_version(version))
        .unwrap();
    request.encode(&mut out, version).unwrap();
    out.freeze()
}

#[tokio::test]
async fn every_request_is_answered_in_every_version() {
    for &(key, lowest, highest) in SERVED {
        for version in lowest..=highest {
            let table = Table::with_a_topic().await;
            table.ask(ApiKey::Produce, 3, produce(&batch(&["x"]))).await;
            table.ask(key, version, sample(key, version)).await;
        }
    }
}

#[tokio::test]
async fn records_come_back_as_they_were_sent_in_all_versions() {
    let table = Table::with_a_topic().await;
    for version in [3, 9] {
        let ResponseKind::Produce(response) = table
            .ask(ApiKey::Produce, version, produce(&batch(&["x"])))
            .await
        else {
            unreachable!()
        };
        let partition = &response.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, 0);
    }
    for version in [4, 12] {
        let ResponseKind::Fetch(response) = table.ask(ApiKey::Fetch, version, fetch(version)).await
        else {
            unreachable!()
        };
        let partition = &response.responses[0].partitions[0];
        assert_eq!((partition.error_code, partition.high_watermark), (0, 2));
        let both = [
            crate::batch::placed(&batch(&["x"]), 0),
            crate::batch::placed(&batch(&["x"]), 1),
        ]
        .concat();
        assert_eq!(partition.records.as_ref().unwrap(), &both);
    }
    for version in [1, 7] {
        let ResponseKind::ListOffsets(response) = table
            .ask(ApiKey::ListOffsets, version, list_offsets())
            .await
        else {
            unreachable!()
        };
        let offsets: Vec<_> = response.topics[0]
            .partitions
            .iter()
            .map(|p| (p.error_code, p.offset))
            .collect();
        assert_eq!(
            offsets,
            [(0, 2), (0, 0), (0, 0), (0, -1)],
            "end, begin, at a time, after the last"
        );
    }
}

#[tokio::test]
async fn a_fetch_waits_and_is_woken_by_the_first_record() {
    let table = Table::with_a_topic().await;
    let (fetched, ()) = tokio::join!(table.ask(ApiKey::Fetch, 11, fetch(11)), async {
        tokio::task::yield_now().await;
        table.ask(ApiKey::Produce, 9, produce(&batch(&["x"]))).await;
    });
    let ResponseKind::Fetch(response) = fetched else {
        unreachable!()
    };
    assert_eq!(response.responses[0].partitions[0].high_watermark, 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_without_records_ends_with_the_clients_patience() {
    let table = Table::with_a_topic().await;
    let began = tokio::time::Instant::now();
    table.ask(ApiKey::Fetch, 4, fetch(4)).await;
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn a_member_lives_through_a_whole_life_in_the_oldest_and_newest_versions() {
    for newest in [false, true] {
        let pick = |key: ApiKey| {
            let (_, lowest, highest) = SERVED.iter().find(|(served, ..)| *served == key).unwrap();
            if newest { *highest } else { *lowest }
        };
        let table = Table::with_a_topic().await;
        let version = pick(ApiKey::JoinGroup);
        let mut request = join(version, None);
        let ResponseKind::JoinGroup(mut joined) =
            table.ask(ApiKey::JoinGroup, version, request.clone()).await
        else {
            unreachable!()
        };
        if newest {
            assert_eq!(joined.error_code, KafkaError::MemberIdRequired.code());
            if let RequestKind::JoinGroup(request) = &mut request {
                request.member_id = joined.member_id;
            }
            let ResponseKind::JoinGroup(again) =
                table.ask(ApiKey::JoinGroup, version, request).await
            else {
                unreachable!()
            };
            joined = again;
        }
        assert_eq!(
            (
                joined.error_code,
                joined.generation_id,
                joined.members.len()
            ),
            (0, 1, 1)
        );
        let name = joined.member_id;

        let version = pick(ApiKey::SyncGroup);
        let part = SyncGroupRequestAssignment::default()
            .with_member_id(name.clone())
            .with_assignment("part".into());
        let request = SyncGroupRequest::default()
            .with_group_id(GROUP.into())
            .with_member_id(name.clone());
        let request = request.with_generation_id(1).with_assignments(vec![part]);
        let ResponseKind::SyncGroup(synced) =
            table.ask(ApiKey::SyncGroup, version, request.into()).await
        else {
            unreachable!()
        };
        assert_eq!(
            (synced.error_code, &synced.assignment[..]),
            (0, &b"part"[..])
        );

        let version = pick(ApiKey::DescribeGroups);
        let request = DescribeGroupsRequest::default().with_groups(vec![GROUP.into()]);
        let ResponseKind::DescribeGroups(described) = table
            .ask(ApiKey::DescribeGroups, version, request.into())
            .await
        else {
            unreachable!()
        };
        assert_eq!(
            (
                &*described.groups[0].group_state,
                described.groups[0].members.len()
            ),
            ("Stable", 1)
        );
        assert_eq!(&*described.groups[0].members[0].client_host, "127.0.0.1");

        let request = HeartbeatRequest::default()
            .with_group_id(GROUP.into())
            .with_member_id(name.clone());
        let request = request.with_generation_id(1).into();
        let ResponseKind::Heartbeat(alive) = table
            .ask(ApiKey::Heartbeat, pick(ApiKey::Heartbeat), request)
            .await
        else {
            unreachable!()
        };
        assert_eq!(alive.error_code, 0);

        let version = pick(ApiKey::LeaveGroup);
        let request = LeaveGroupRequest::default().with_group_id(GROUP.into());
        let member = MemberIdentity::default().with_member_id(name.clone());
        let request = if newest {
            request.with_members(vec![member])
        } else {
            request.with_member_id(name)
        };
        let ResponseKind::LeaveGroup(left) =
            table.ask(ApiKey::LeaveGroup, version, request.into()).await
        else {
            unreachable!()
        };
        assert_eq!(
            (
                left.error_code,
                left.members.iter().all(|member| member.error_code == 0)
            ),
            (0, true)
        );
    }
}

#[tokio::test]
async fn offsets_are_committed_and_found_in_the_oldest_and_newest_versions() {
    for (commit, fetch) in [(2, 1), (8, 7)] {
        let table = Table::with_a_topic().await;
        let ResponseKind::OffsetCommit(done) = table
            .ask(ApiKey::OffsetCommit, commit, offset_commit(commit))
            .await
        else {
            unreachable!()
        };
        assert_eq!(done.topics[0].partitions[0].error_code, 0);
        let request = sample(ApiKey::OffsetFetch, fetch);
        let ResponseKind::OffsetFetch(found) = table.ask(ApiKey::OffsetFetch, fetch, request).await
        else {
            unreachable!()
        };
        let partitions = &found.topics[0].partitions;
        assert_eq!(
            (
                partitions[0].committed_offset,
                partitions[0].metadata.as_deref()
            ),
            (7, Some("note"))
        );
        assert_eq!(partitions[1].committed_offset, -1);
    }
}

#[tokio::test]
async fn topics_are_made_named_and_deleted_in_the_oldest_and_newest_versions() {
    for (create, metadata, delete) in [(2, 0, 1), (6, 9, 5)] {
        let table = Table::new();
        let request = sample(ApiKey::CreateTopics, create);
        let ResponseKind::CreateTopics(made) = table
            .ask(ApiKey::CreateTopics, create, request.clone())
            .await
        else {
            unreachable!()
        };
        assert_eq!(made.topics[0].error_code, 0);
        let ResponseKind::CreateTopics(twice) =
            table.ask(ApiKey::CreateTopics, create, request).await
        else {
            unreachable!()
        };
        assert_eq!(
            twice.topics[0].error_code,
            KafkaError::TopicAlreadyExists.code()
        );
        let everything = if metadata == 0 { Some(vec![]) } else { None };
        let request = MetadataRequest::default().with_topics(everything).into();
        let ResponseKind::Metadata(known) = table.ask(ApiKey::Metadata, metadata, request).await
        else {
            unreachable!()
        };
        assert_eq!(
            (known.topics.len(), known.topics[0].partitions.len()),
            (1, 2)
        );
        assert_eq!(
            (&*known.brokers[0].host, known.brokers[0].port),
            ("127.0.0.1", 9092)
        );
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![StrBytes::from("made").into()])
            .into();
        let ResponseKind::DeleteTopics(gone) =
            table.ask(ApiKey::DeleteTopics, delete, request).await
        else {
            unreachable!()
        };
        assert_eq!(gone.responses[0].error_code, 0);
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_kafkas_own_error() {
    let table = Table::new();
    let ResponseKind::Produce(response) =
        table.ask(ApiKey::Produce, 9, produce(&batch(&["x"]))).await
    else {
        unreachable!()
    };
    let code = response.responses[0].partition_responses[0].error_code;
    assert_eq!(code, KafkaError::UnknownTopicOrPartition.code());

    let topic = CreatableTopic::default()
        .with_name(TOPIC.into())
        .with_num_partitions(1)
        .with_replication_factor(3);
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .into();
    let ResponseKind::CreateTopics(made) = table.ask(ApiKey::CreateTopics, 6, request).await else {
        unreachable!()
    };
    assert_eq!(
        made.topics[0].error_code,
        KafkaError::InvalidReplicationFactor.code()
    );

    let RequestKind::JoinGroup(request) = join(4, None) else {
        unreachable!()
    };
    let request = request.with_session_timeout_ms(5).into();
    let ResponseKind::JoinGroup(joined) = table.ask(ApiKey::JoinGroup, 4, request).await else {
        unreachable!()
    };
    assert_eq!(joined.error_code, KafkaError::InvalidSessionTimeout.code());

    let request = sample(ApiKey::InitProducerId, 4);
    let ResponseKind::InitProducerId(id) = table.ask(ApiKey::InitProducerId, 4, request).await
    else {
        unreachable!()
    };
    assert_eq!(id.error_code, 0);
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(StrBytes::from("t").into()))
        .into();
    let ResponseKind::InitProducerId(id) = table.ask(ApiKey::InitProducerId, 4, request).await
    else {
        unreachable!()
    };
    assert_eq!(id.error_code, KafkaError::InvalidRequest.code());
}

#[tokio::test]
async fn a_client_from_the_future_is_told_what_is_served() {
    let table = Table::new();
    let frame = [
        &18_i16.to_be_bytes()[..],
        &99_i16.to_be_bytes(),
        &42_i32.to_be_bytes(),
        &[0xff; 9],
    ]
    .concat();
    let mut response = answer(&table.state, PEERS, frame.into())
        .await
        .unwrap()
        .unwrap()
        .freeze();
    ResponseHeader::decode(&mut response, 0).unwrap();
    let response = ApiVersionsResponse::decode(&mut response, 0).unwrap();
    assert_eq!(response.error_code, KafkaError::UnsupportedVersion.code());
    assert_eq!(response.api_keys.len(), SERVED.len());
}

#[tokio::test]
async fn hostile_frames_close_the_connection_and_nothing_else() {
    let table = Table::with_a_topic().await;
    let mut huge = frame(
        ApiKey::Metadata,
        1,
        &MetadataRequest::default().with_topics(Some(vec![])).into(),
    )
    .to_vec();
    let at = huge.len() - 4;
    (&mut huge[at..]).put_i32(i32::MAX);
    let unserved = [&4_i16.to_be_bytes()[..], &[0; 20]].concat();
    for hostile in [
        vec![],
        vec![1, 2, 3],
        vec![0xff; 64],
        vec![0; 8],
        huge,
        unserved,
    ] {
        assert!(answer(&table.state, PEERS, hostile.into()).await.is_err());
    }
    table
        .ask(ApiKey::Metadata, 9, sample(ApiKey::Metadata, 9))
        .await;
}

#[tokio::test]
async fn any_garbage_is_survived() {
    let table = Table::with_a_topic().await;
    let mut dice = 0x2545_f491_4f6c_dd1d_u64;
    for &(key, lowest, highest) in SERVED
        .iter()
        .filter(|(key, ..)| !matches!(key, ApiKey::Fetch | ApiKey::SyncGroup))
    {
        for version in [lowest, highest] {
            let good = frame(key, version, &sample(key, version));
            for _ in 0..200 {
                let mut bad = good.to_vec();
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                let at = 8 + dice as usize % (bad.len() - 8);
                bad[at] = (dice >> 32) as u8;
                let patience = Duration::from_millis(500);
                // Some of it is a good request after all, and may wait for other members.
                let _ =
                    tokio::time::timeout(patience, answer(&table.state, PEERS, bad.into())).await;
            }
        }
    }
    table
        .ask(ApiKey::Metadata, 9, sample(ApiKey::Metadata, 9))
        .await;
}
