//! dispatch — which requests are served, in which versions, and who answers them.

use crate::api::{Asked, State};
use crate::{KafkaError, shape};
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use kafka_protocol::messages::{ApiKey, RequestHeader, RequestKind, ResponseHeader, ResponseKind};
use kafka_protocol::protocol::{Decodable, Encodable};
use std::net::SocketAddr;

/// Lowest and highest version of every request that is served. Topics have names here, not ids, so versions that
/// know only ids are left out.
pub const SERVED: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 9),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 9),
    (ApiKey::OffsetCommit, 2, 8),
    (ApiKey::OffsetFetch, 1, 7),
    (ApiKey::FindCoordinator, 0, 4),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 5),
    (ApiKey::ListGroups, 0, 4),
    (ApiKey::ApiVersions, 0, 3),
    (ApiKey::CreateTopics, 2, 6),
    (ApiKey::DeleteTopics, 1, 5),
    (ApiKey::InitProducerId, 0, 4),
];

/// Key, version and correlation id.
const HEADER_BYTES_MIN: usize = 8;

/// Why a connection is closed, as Kafka closes it. The message is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Closing {
    /// Shorter than any request.
    #[error("a request of {0} bytes")]
    TooShort(usize),
    /// Not a request that is served.
    #[error("request {key} version {version} is not served")]
    NotServed {
        /// Kafka's number of the request.
        key: i16,
        /// In which version.
        version: i16,
    },
    /// Its bytes make no sense.
    #[error("a malformed {0:?} request: {1}")]
    Malformed(ApiKey, String),
    /// A producer that wants no acknowledgement (acks=0) learns of a failure only in this way.
    #[error("records were refused and acks=0 leaves no other answer")]
    Unacknowledged,
    /// A response that its version cannot express: a mistake of ours.
    #[error("cannot encode a {0:?} response: {1}")]
    Unspeakable(ApiKey, String),
}

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peers {
    /// Where the client connected from.
    pub client: SocketAddr,
    /// The address it reached.
    pub reached: SocketAddr,
}

/// Answers one request, given without its length; `None` when none is due.
pub async fn answer(
    state: &State,
    peers: Peers,
    mut frame: Bytes,
) -> Result<Option<BytesMut>, Closing> {
    if frame.len() < HEADER_BYTES_MIN {
        return Err(Closing::TooShort(frame.len()));
    }
    let (number, version) = ((&frame[..2]).get_i16(), (&frame[2..4]).get_i16());
    let not_served = || Closing::NotServed {
        key: number,
        version,
    };
    let key = ApiKey::try_from(number).map_err(|()| not_served())?;
    let (_, lowest, highest) = SERVED
        .iter()
        .find(|(served, ..)| *served == key)
        .ok_or_else(not_served)?;
    if !(*lowest..=*highest).contains(&version) {
        let correlation = (&frame[4..8]).get_i32();
        // How clients and brokers of different age find common ground: version 0 lists what is served.
        return match key {
            ApiKey::ApiVersions => encode(
                key,
                0,
                correlation,
                &api_versions(Some(KafkaError::UnsupportedVersion)),
            )
            .map(Some),
            _ => Err(not_served()),
        };
    }
    let malformed = |why: String| Closing::Malformed(key, why);
    let header = RequestHeader::decode(&mut frame, key.request_header_version(version));
    let header = header.map_err(|error| malformed(format!("{error:#}")))?;
    shape::check(key, version, &frame)
        .ok_or_else(|| malformed("its lengths do not fit".to_string()))?;
    let request = RequestKind::decode(key, &mut frame, version)
        .map_err(|error| malformed(format!("{error:#}")))?;
    let client_id = header.client_id.as_deref().unwrap_or_default().to_string();
    match respond(
        state,
        Asked {
            version,
            client_id,
            peers,
        },
        request,
    )
    .await?
    {
        Some(response) => encode(key, version, header.correlation_id, &response).map(Some),
        None => Ok(None),
    }
}

async fn respond(
    state: &State,
    asked: Asked,
    request: RequestKind,
) -> Result<Option<ResponseKind>, Closing> {
    Ok(Some(match request {
        RequestKind::ApiVersions(_) => api_versions(None),
        RequestKind::Produce(request) => return state.produce(request),
        RequestKind::Fetch(request) => state.fetch(request).await,
        RequestKind::ListOffsets(request) => state.list_offsets(&asked, request),
        RequestKind::Metadata(request) => state.metadata(&asked, request),
        RequestKind::CreateTopics(request) => state.create_topics(request),
        RequestKind::DeleteTopics(request) => state.delete_topics(request),
        RequestKind::InitProducerId(request) => state.init_producer_id(&request),
        RequestKind::FindCoordinator(request) => state.find_coordinator(&asked, request),
        RequestKind::JoinGroup(request) => state.join_group(asked, request).await,
        RequestKind::SyncGroup(request) => state.sync_group(request).await,
        RequestKind::Heartbeat(request) => state.heartbeat(request).await,
        RequestKind::LeaveGroup(request) => state.leave_group(&asked, request).await,
        RequestKind::OffsetCommit(request) => state.offset_commit(request).await,
        RequestKind::OffsetFetch(request) => state.offset_fetch(&asked, request),
        RequestKind::DescribeGroups(request) => state.describe_groups(request),
        RequestKind::ListGroups(request) => state.list_groups(&request),
        _ => unreachable!("only what SERVED names is decoded"),
    }))
}

fn api_versions(error: Option<KafkaError>) -> ResponseKind {
    let one = |&(key, lowest, highest): &(ApiKey, i16, i16)| {
        ApiVersion::default()
            .with_api_key(key as i16)
            .with_min_version(lowest)
            .with_max_version(highest)
    };
    let response = ApiVersionsResponse::default().with_api_keys(SERVED.iter().map(one).collect());
    response
        .with_error_code(error.map_or(0, |error| error.code()))
        .into()
}

fn encode(
    key: ApiKey,
    version: i16,
    correlation: i32,
    response: &ResponseKind,
) -> Result<BytesMut, Closing> {
    let mut out = BytesMut::new();
    let header = ResponseHeader::default().with_correlation_id(correlation);
    let encoded = header
        .encode(&mut out, key.response_header_version(version))
        .and_then(|()| response.encode(&mut out, version));
    encoded
        .map(|()| out)
        .map_err(|error| Closing::Unspeakable(key, format!("{error:#}")))
}

#[cfg(test)]
pub mod samples;
#[cfg(test)]
mod tests;
