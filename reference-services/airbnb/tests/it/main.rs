//! airbnb over real HTTP and a real broker.

mod failures;
mod holds;
mod postgres;
mod requests;
mod saga;
mod world;
