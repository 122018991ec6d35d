//! What clients see of the broker, through rdkafka and on bare connections.
//!
//! A test of a behaviour has two arms: our broker always, and Apache Kafka as well when `BROWNOUT_KAFKA=host:port`
//! is set. KFK-… are the numbered statements of the semantics reference.

mod arms;
mod bare;
mod child;
mod clients;
mod delivery;
mod durability;
mod hostile;
mod membership;
mod service;
