//! bare — a connection on which a test says exactly what it wants, as no client would.

use crate::arms::Arm;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A version of JoinGroup that gives names without asking back, and what goes with it.
const JOIN: i16 = 3;
const SYNC: i16 = 2;
const COMMIT: i16 = 6;
const HEARTBEAT: i16 = 2;

/// A bare connection.
#[derive(Debug)]
pub struct Connection(TcpStream);

impl Connection {
    /// Connects.
    pub async fn open(arm: &Arm) -> Connection {
        Connection(TcpStream::connect(&arm.bootstrap).await.unwrap())
    }

    /// Says these bytes.
    pub async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Whether the broker closes the connection, without having said a word.
    pub async fn is_closed(&mut self) -> bool {
        let read = tokio::time::timeout(std::time::Duration::from_secs(10), self.0.read_u8());
        read.await.is_ok_and(|read| read.is_err())
    }

    /// A request and its response.
    pub async fn ask(&mut self, key: ApiKey, version: i16, request: RequestKind) -> ResponseKind {
        let mut out = BytesMut::new();
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version);
        let header = header.with_client_id(Some("bare".into()));
        header
            .encode(&mut out, key.request_header_version(version))
            .unwrap();
        request.encode(&mut out, version).unwrap();
        let mut frame = BytesMut::new();
        frame.put_u32(out.len() as u32);
        frame.put(out);
        self.say(&frame).await;
        let mut response = vec![0; self.0.read_u32().await.unwrap() as usize];
        self.0.read_exact(&mut response).await.unwrap();
        let mut response = Bytes::from(response);
        ResponseHeader::decode(&mut response, key.response_header_version(version)).unwrap();
        let decoded = ResponseKind::decode(key, &mut response, version).unwrap();
        assert!(!response.has_remaining());
        decoded
    }

    /// Joins a group that knows the way `range`.
    pub async fn join(&mut self, group: &str, member: &str) -> JoinGroupResponse {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name("range".into())
            .with_metadata("all".into());
        let request = JoinGroupRequest::default()
            .with_group_id(text(group).into())
            .with_member_id(text(member));
        let request = request
            .with_session_timeout_ms(6000)
            .with_rebalance_timeout_ms(6000);
        let request = request
            .with_protocol_type("consumer".into())
            .with_protocols(vec![protocol]);
        match self.ask(ApiKey::JoinGroup, JOIN, request.into()).await {
            ResponseKind::JoinGroup(joined) if joined.error_code == 0 => joined,
            other => panic!("not joined: {other:?}"),
        }
    }

    /// Brings everybody's part, if it leads, and gets its own.
    pub async fn sync(&mut self, group: &str, joined: &JoinGroupResponse) {
        let part = |member: &join_group_response::JoinGroupResponseMember| {
            let part =
                SyncGroupRequestAssignment::default().with_member_id(member.member_id.clone());
            part.with_assignment("part".into())
        };
        let request = SyncGroupRequest::default().with_group_id(text(group).into());
        let request = request
            .with_member_id(joined.member_id.clone())
            .with_generation_id(joined.generation_id);
        let request = request.with_assignments(joined.members.iter().map(part).collect());
        match self.ask(ApiKey::SyncGroup, SYNC, request.into()).await {
            ResponseKind::SyncGroup(synced) => {
                assert_eq!((synced.error_code, synced.assignment), (0, "part".into()))
            }
            other => panic!("not synced: {other:?}"),
        }
    }

    /// Says that this member is alive; the error, if any.
    pub async fn heartbeat(
        &mut self,
        group: &str,
        by: &JoinGroupResponse,
    ) -> Option<ResponseError> {
        let request = HeartbeatRequest::default().with_group_id(text(group).into());
        let request = request
            .with_member_id(by.member_id.clone())
            .with_generation_id(by.generation_id);
        match self.ask(ApiKey::Heartbeat, HEARTBEAT, request.into()).await {
            ResponseKind::Heartbeat(response) => ResponseError::try_from_code(response.error_code),
            other => panic!("not a heartbeat: {other:?}"),
        }
    }

    /// Commits an offset of partition 0 as this member; the error, if any.
    pub async fn commit(
        &mut self,
        group: &str,
        by: &JoinGroupResponse,
        topic: &str,
        offset: i64,
    ) -> Option<ResponseError> {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(text(topic).into())
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(text(group).into())
            .with_topics(vec![topic]);
        let request = request
            .with_member_id(by.member_id.clone())
            .with_generation_id_or_member_epoch(by.generation_id);
        match self.ask(ApiKey::OffsetCommit, COMMIT, request.into()).await {
            ResponseKind::OffsetCommit(done) => {
                ResponseError::try_from_code(done.topics[0].partitions[0].error_code)
            }
            other => panic!("not a commit: {other:?}"),
        }
    }
}

/// Text for the protocol.
pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}
