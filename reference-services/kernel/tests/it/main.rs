//! The kernel's promises, kept by two toy services over real HTTP and a real broker.

mod drain;
mod events;
mod saga;
mod world;
