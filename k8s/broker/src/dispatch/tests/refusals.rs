//! What cannot be done, and what is no request at all.

use super::*;
use bytes::BufMut;
use kafka_protocol::messages::create_topics_request::CreatableTopic;

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
    assert_eq!(
        id.error_code,
        KafkaError::TransactionalIdAuthorizationFailed.code()
    );
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
