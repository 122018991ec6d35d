//! healthcenter over real HTTP and a real broker.

mod child;
mod failures;
mod manifests;
mod postgres;
mod requests;
mod saga;
mod topic;
mod world;
