//! Every request in every version it is served in: the codec refuses fields that a version does not have, and the
//! client would see nothing but a closed connection.

mod groups;
mod records;
mod refusals;

use super::samples::*;
use super::*;
use crate::batch::tests::batch;
use crate::config::Config;
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
