//! The kernel's promises, kept by two toy services over real HTTP and a real broker.

mod doors;
mod drain;
mod events;
mod fallback;
mod patience;
mod rows;
mod saga;
mod world;
