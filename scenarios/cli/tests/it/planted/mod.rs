//! Runs against a server whose faults are planted, so that what is right is known: no pass over an outage, no fail of a server that
//! never failed, and the reason is the true one.
//!
//! What the server does is in `tests/planted`; each test writes a small scenario of its own, and compares.
mod attribution;
mod busy;
mod content;
mod latency;
mod outages;
mod perfect;
mod proofs;
mod reasons;
mod scene;
mod stood_still;
mod truth;
