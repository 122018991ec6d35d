//! chaos — what hurts. A fault knows what it changes, how that is undone and what proves it.
//!
//! - [`prepare`]: a fault and the manifests of a system → the change and its undo
//! - [`proof`]: what is there before and now → whether it took effect, whether it is undone
//! - [`Blows`]: pods struck in a rhythm, each blow proven and followed until its workload has recovered
//! - [`job`]: a chaos file performed by itself, with its guard rails, its dry run and its events
//! - `draw`: chance and guard rails; [`grip`]: what runs inside a struck container
//! - [`journal`]: what was begun, written down before it is done, so that it can be taken back after a crash
mod blows;
mod draw;
pub mod grip;
pub mod job;
pub mod journal;
mod prepare;
mod proof;

pub use blows::{Aftermath, Blows, Dealt};
pub use journal::{Entry, Journal, Left, Place};
pub use prepare::{Change, NoTarget, Prepared, prepare};
pub use proof::{came_to_nothing, took_effect, was_undone, what_is_missing};
