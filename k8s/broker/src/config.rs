//! config — what a broker is told when it starts.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// What a broker is told when it starts. [`Config::new`] gives Apache Kafka's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Host and port that clients are told to use; without it each is told the address it reached.
    pub advertised: Option<(String, u16)>,
    /// Where topics and committed offsets are kept. One broker at a time: the folder is locked.
    pub dir: PathBuf,
    /// Acknowledge only what is on the disk. Without it an acknowledged batch survives the end of the process,
    /// kill -9 included, but not that of the machine.
    pub fsync: bool,
    /// How long the first members of an empty group wait for more; zero hands out partitions at once.
    pub initial_rebalance_delay: Duration,
    /// A topic that holds so many bytes refuses more (`PolicyViolation`); nothing is ever dropped to make room.
    pub max_topic_bytes: u64,
    /// Partitions of a topic that is created by being used.
    pub partitions: i32,
    /// Session time-outs that a member may ask for.
    pub session_timeout: RangeInclusive<Duration>,
}

impl Config {
    /// Apache Kafka's defaults, and 1 GiB for a topic.
    pub fn new(listen: SocketAddr, dir: impl Into<PathBuf>) -> Config {
        Config {
            listen,
            advertised: None,
            dir: dir.into(),
            fsync: false,
            initial_rebalance_delay: Duration::from_secs(3),
            max_topic_bytes: 1 << 30,
            partitions: 1,
            session_timeout: Duration::from_secs(6)..=Duration::from_secs(30 * 60),
        }
    }
}
