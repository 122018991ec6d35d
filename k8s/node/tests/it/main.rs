//! Whole pods: as scripts in virtual time, and as processes where the machine allows it.

mod autoscaling;
mod limits;
mod network;
mod outside;
mod processes;
mod restarts;
mod rollout;
mod stopping;
mod support;
mod volumes;
