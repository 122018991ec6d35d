//! The controllers against the in-process API server in virtual time, with a scripted stand-in for the node.

mod cascade;
mod cronjobs;
mod deployments;
mod disruption;
mod jobs;
mod kubelet;
mod rollouts;
mod services;
mod time;
mod trouble;
mod world;
