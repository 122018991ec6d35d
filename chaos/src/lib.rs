//! chaos — what hurts. A fault knows what it changes, how that is undone and what proves it.
//!
//! - [`prepare`]: a fault and the manifests of a system → the change and its undo
//! - [`proof`]: what is there before and now → whether it took effect, whether it is undone
//! - [`journal`]: what was begun, written down before it is done, so that it can be taken back after a crash
pub mod journal;
mod prepare;
mod proof;

pub use journal::{Entry, Journal, Left, Place};
pub use prepare::{Change, NoTarget, Prepared, prepare};
pub use proof::{took_effect, was_undone};
