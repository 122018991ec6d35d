//! load — the worker that sends a plan's requests and says what became of each.
//!
//! It runs as a pod: the job comes in as JSON, one line per event goes out on stdout. It judges nothing, but
//! compares answers with what their load expects.
//!
//! - [`job`]: what a worker is asked to do
//! - [`wire`]: what it answers, line by line
//! - [`worker`]: does it
//!
//! - [`canary`]: answers at once, for comparison
//! - [`heartbeat`]: when a process stood still, and its machine was busy
//!
//! Users in a loop are driven by goose (`closed`), arrivals at a rate by `open`; `once` sends requests in order,
//! `collect` reads a paged list until it is whole, `scrape` asks pods for their metrics (`exposition`) and `reach` waits until
//! addresses accept connections.
mod answer;
pub mod canary;
mod closed;
mod collect;
mod dns;
mod expect;
mod exposition;
mod failure;
pub mod heartbeat;
mod http;
pub mod job;
mod once;
mod open;
mod output;
mod pace;
mod pressure;
mod reach;
mod save;
mod scrape;
mod template;
mod turn;
pub mod wire;
pub mod worker;

pub use exposition::Counts;
pub use job::{CollectJob, LoadJob, ScrapeJob, Until};
pub use worker::{WorkError, main_worker, work};
