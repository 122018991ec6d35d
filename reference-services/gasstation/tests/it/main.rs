//! gasstation over real HTTP, its events through a real broker.

mod chain;
mod conserved;
mod demonstration;
mod manifests;
mod postgres;
mod requests;
mod world;
