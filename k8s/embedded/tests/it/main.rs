//! What pods, Services and Deployments do, said once for every cluster: run against the embedded cluster, or against a real one when
//! `BROWNOUT_KUBECONFIG` names its kubeconfig. Statement ids (`net_1_…`) are those of the conformance list in `CONFORMANCE.md`.
//!
//! A real cluster needs an image with busybox and the program `conformance-pod` in `/bin`; `BROWNOUT_TEST_IMAGE` names it. The
//! program is built with these tests; it is linked to glibc, which must be in the image too.
//!
//! Each test has threads of its own besides the one it runs on, as the product has: Services are proxied in this process.

mod access;
mod autoscaling;
mod configuration;
mod cronjobs;
mod disruption;
mod endings;
mod jobs;
mod kinds;
mod limits;
mod mesh;
mod network;
mod probes;
mod processes;
mod rollouts;
mod services;
mod storage;
mod streams;
mod world;
