//! broker — a small Kafka-compatible broker, for clients that speak to one node: rdkafka, Java, kcat.
//!
//! What it acknowledged survives kill -9; what it cannot keep it refuses. It serves topics, idempotent producers
//! and consumer groups, and no transactions, replication or TLS; [`Broker::start`] is the way in.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`config`](Config) | what a broker is told |
//! | `server` | the listener, connections, frames |
//! | `shape` | checks the lengths in a request before the codec trusts them |
//! | `dispatch` | which requests are served in which versions, and by whom |
//! | `api` | one request in, one response out: topics, records, groups, offsets |
//! | `topics`, `log`, `batch`, `producers` | folders of partitions, each a file of record batches |
//! | `group`, `groups` | the state machine of a consumer group, and what runs it |
//! | `offsets`, `producer_ids` | what else must survive a restart |
//! | `beginners` | groups that will never read what is there, of which the log warns |

mod api;
mod batch;
mod beginners;
mod config;
mod dispatch;
mod group;
mod groups;
mod log;
mod offsets;
mod producer_ids;
mod producers;
mod server;
mod shape;
mod topics;

pub use config::Config;
pub use server::{Broker, run};

/// What Kafka's protocol calls an error.
pub(crate) use kafka_protocol::error::ResponseError as KafkaError;
