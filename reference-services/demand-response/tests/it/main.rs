//! demand-response over real HTTP and a real broker.

mod chain;
mod conserved;
mod failures;
mod manifests;
mod postgres;
mod requests;
mod screen;
mod world;
