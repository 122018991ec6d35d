//! The kernel's promises, kept by two toy services over real HTTP and a real broker.

mod doors;
mod drain;
mod events;
mod fallback;
mod killed;
mod lending;
mod patience;
mod postgres;
mod rows;
mod saga;
mod store;
mod telemetry;
mod world;
