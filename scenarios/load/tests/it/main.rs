//! The worker against servers on loopback.
mod closed;
mod errors;
mod expect;
mod lists;
mod open;
mod process;
mod soundness;
mod support;
