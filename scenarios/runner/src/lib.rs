//! runner — performs a plan and writes down what happens. The one part of brownout that touches the world.
//!
//! - [`run`]: a plan, a world → a timeline; every way out undoes every fault
//! - [`Progress`]: the run so far, for whoever watches
//! - [`Stop`]: how a run is asked to end early
//! - [`recover`]: takes away what a killed run left behind
mod blows;
mod clock;
mod faults;
mod gate;
mod look;
mod machine;
mod progress;
mod recorder;
mod recover;
mod run;
mod scrape;
mod steps;
mod stop;
mod traffic;
mod warnings;
mod words;

pub use progress::Progress;
pub use recover::{Recovered, recover};
pub use run::{Error, World, run};
pub use stop::Stop;

/// Name of the plan's file in a run's folder.
pub const PLAN_FILE: &str = "plan.json";
/// Name of the timeline's file in a run's folder.
pub const TIMELINE_FILE: &str = "timeline.jsonl";
