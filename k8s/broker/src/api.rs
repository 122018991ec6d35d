//! api — one request in, one response out. What is served in which version is in `dispatch`.

mod groups;
mod offsets;
mod records;
mod topics;

use crate::KafkaError;
use crate::beginners::{Beginners, Who};
use crate::config::Config;
use crate::dispatch::Peers;
use crate::groups::Groups;
use crate::offsets::Offsets;
use crate::producer_ids::ProducerIds;
use crate::topics::Topics;
use kafka_protocol::messages::{
    BrokerId, InitProducerIdRequest, InitProducerIdResponse, ResponseKind,
};
use kafka_protocol::protocol::StrBytes;
use std::io;
use std::sync::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// The only broker there is.
const NODE: BrokerId = BrokerId(1);

/// What is said to who wants a transaction. Librdkafka, the clients of Java and of Go take it as final, and ask again after
/// `INVALID_REQUEST` for ever.
const NO_TRANSACTIONS: KafkaError = KafkaError::TransactionalIdAuthorizationFailed;

/// Everything that requests act on.
#[derive(Debug)]
pub struct State {
    config: Config,
    topics: Topics,
    groups: Groups,
    offsets: Mutex<Offsets>,
    producer_ids: Mutex<ProducerIds>,
    beginners: Mutex<Beginners>,
    /// Wakes every fetch that waits, whichever partition it waits for: there are few of them.
    appended: Notify,
}

/// What a request says besides its body.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The version of the request, and of the response.
    pub version: i16,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it is, and where it found us.
    pub peers: Peers,
}

impl Asked {
    /// Who asks, as far as it can be told apart from others.
    fn client(&self) -> Who {
        (self.peers.client.ip(), self.client_id.clone())
    }
}

impl State {
    /// Opens what is in the folder of this broker.
    pub fn open(config: Config) -> io::Result<State> {
        Ok(State {
            topics: Topics::open(&config.dir, config.fsync, config.max_topic_bytes)?,
            offsets: Mutex::new(Offsets::open(&config.dir.join("offsets"), config.fsync)?),
            producer_ids: Mutex::new(ProducerIds::open(&config.dir.join("producer-ids"))?),
            beginners: Mutex::default(),
            groups: Groups::new(config.initial_rebalance_delay),
            appended: Notify::new(),
            config,
        })
    }

    /// Ends sessions and join phases in time. Runs as long as the broker does.
    pub async fn keep_time(&self) {
        self.groups.keep_time().await;
    }

    /// Everything appended is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.topics.sync()
    }

    /// The address that this client is told to use.
    fn advertised(&self, asked: &Asked) -> (StrBytes, i32) {
        match &self.config.advertised {
            Some((host, port)) => (text(host.clone()), (*port).into()),
            None => (
                text(asked.peers.reached.ip().to_string()),
                asked.peers.reached.port().into(),
            ),
        }
    }

    fn beginners(&self) -> MutexGuard<'_, Beginners> {
        self.beginners.lock().expect("nobody panics while noting")
    }

    fn offsets(&self) -> MutexGuard<'_, Offsets> {
        self.offsets.lock().expect("nobody panics while committing")
    }

    /// A number for an idempotent producer. Transactions are not served, and said so with what clients do not ask again after.
    pub fn init_producer_id(&self, request: &InitProducerIdRequest) -> ResponseKind {
        let response = InitProducerIdResponse::default();
        if request.transactional_id.is_some() {
            return response
                .with_error_code(NO_TRANSACTIONS.code())
                .with_producer_id((-1).into())
                .into();
        }
        let fresh = self
            .producer_ids
            .lock()
            .expect("nobody panics while counting")
            .fresh();
        match fresh {
            Ok(id) => response
                .with_producer_id(id.into())
                .with_producer_epoch(0)
                .into(),
            Err(error) => {
                tracing::error!(%error, "cannot write down producer ids");
                let code = KafkaError::KafkaStorageError.code();
                response
                    .with_error_code(code)
                    .with_producer_id((-1).into())
                    .into()
            }
        }
    }
}

fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// Kafka's number for how something ended; zero is well.
fn code<T>(outcome: &Result<T, KafkaError>) -> i16 {
    outcome.as_ref().err().map_or(0, KafkaError::code)
}
