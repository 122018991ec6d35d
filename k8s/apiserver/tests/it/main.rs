//! The API as its clients see it. Statement ids (`api_4_…`) are those of the conformance list.

mod access;
mod autoscaling;
mod deletes;
mod door;
mod escalation;
mod mesh;
mod objects;
mod outside;
mod patches;
mod refusals;
mod robot;
mod streams;
mod target;
mod watches;
mod wire;
