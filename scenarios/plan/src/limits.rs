//! What a file may ask for at most. More is a mistake in a unit, or would be more than a machine can do or a report can show.
use model::Micros;

/// So many bytes of a scenario or chaos file are read: a hundred times the longest of the catalogue.
pub const SCENARIO_MAX: u64 = 1 << 20;
/// So many bytes of a manifest are read: bundles of custom resource definitions have some millions.
pub const MANIFEST_MAX: u64 = 8 << 20;

/// So many values a scenario may have, aliases counted as often as they are used: more than any has, and too few for a bomb.
pub(crate) const NODES_MAX: usize = 20_000;
/// So many bytes its texts may have together, aliases counted as often as they are used.
pub(crate) const TEXTS_MAX: usize = 4 << 20;
/// So deep lists and maps may stand in each other; serde and the stack of a thread allow more.
pub(crate) const DEPTH_MAX: usize = 64;
/// So many letters a key may have: every path to what is below it repeats it.
pub(crate) const KEY_MAX: usize = 256;
/// So many letters the value of a param may have: it is repeated wherever the param stands.
pub(crate) const PARAM_MAX: usize = 1024;
/// So many steps a method may have: each is compared with those before it.
pub(crate) const STEPS_MAX: usize = 500;
/// So many arms a scenario may have: every arm is read in both profiles, and with its mechanism switched off.
pub(crate) const ARMS_MAX: usize = 20;

/// The longest duration, 720h: no experiment takes a month.
pub(crate) const DURATION_MAX: Micros = Micros::from_secs(720 * 3600);
/// The highest rate of one load in requests a second: a worker is one process.
pub(crate) const RATE_MAX: f64 = 100_000.0;
/// The lowest: one an hour.
pub(crate) const RATE_MIN: f64 = 1.0 / 3600.0;
/// So many users of a load.
pub(crate) const USERS_MAX: u32 = 10_000;
/// So many rounds of each user.
pub(crate) const REPETITIONS_MAX: u32 = 1_000_000;
/// So many requests of an open load may wait for their answers: each holds a descriptor.
pub(crate) const IN_FLIGHT_MAX: u32 = 50_000;
/// So often a request may be sent in a round.
pub(crate) const WEIGHT_MAX: u32 = 1_000;
/// So many requests one load may plan: each is a line of the timeline and kept in memory.
pub(crate) const REQUESTS_MAX: u64 = 10_000_000;
/// So many rounds of blows.
pub(crate) const ROUNDS_MAX: u64 = 10_000;
/// So many blows of one fault.
pub(crate) const BLOWS_MAX: u64 = 100_000;
/// So many pods of a blow or a choice: twice what a cluster's node limit allows for one workload.
pub(crate) const PODS_MAX: u32 = 10_000;
/// The longest grace of a pod in seconds, a day.
pub(crate) const GRACE_MAX: u32 = 86_400;
