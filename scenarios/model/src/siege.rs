//! The twelve lines of a siege summary (semantics.md 11.5), ours and recorded ones.
use serde::{Deserialize, Serialize};

/// What siege 4.0.4 prints at the end. Times in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SiegeSummary {
    /// Answered requests that are not failures: everything but 408 and 5xx.
    pub transactions: u64,
    /// 100 × transactions / (transactions + failed); 0 without transactions.
    pub availability: f64,
    /// Wall clock.
    pub elapsed: f64,
    /// Body bytes of all answers, failures included, in units of 1048576.
    pub data_transferred: f64,
    /// Summed time of all answered requests, 5xx included, over transactions.
    pub response_time: f64,
    /// Transactions per second of elapsed time.
    pub transaction_rate: f64,
    /// Data transferred per second of elapsed time.
    pub throughput: f64,
    /// Summed time over elapsed time.
    pub concurrency: f64,
    /// Statuses below 400, 401 and 407.
    pub successful: u64,
    /// 408, 5xx and requests that were not answered.
    pub failed: u64,
    /// The longest answered request.
    pub longest: f64,
    /// The shortest answered request.
    pub shortest: f64,
}
