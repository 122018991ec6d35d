//! plan — turns a scenario file into plans: text in, values out, and every mistake at once with its line.
//!
//! - [`parse`], [`validate`]: a file becomes a [`Scenario`] or its [`Problems`]
//! - [`Scenario::plans`]: a scenario becomes one `model::Plan` for each arm, with nothing left to decide
//! - [`chaos()`]: a file of a fault without a scenario
//! - [`explain()`]: a plan in plain words, every default included
//! - [`schema()`]: the JSON Schema of the files
//! - [`coverage`]: which documented experiments the catalogue replays
//! - [`catalog()`]: the scenarios and manifests that come with the product
mod aim;
mod catalog;
mod change;
mod chaos;
mod check;
pub mod coverage;
mod documented;
mod expected;
mod experiments;
mod explain;
mod fault;
mod heads;
mod keys;
mod kinds;
mod limits;
mod load;
mod look;
mod met;
mod method;
mod object;
mod overlay;
mod params;
mod path;
mod problem;
mod quantity;
mod range;
#[cfg(test)]
mod readme;
mod recorded;
mod request;
mod rows;
mod scenario;
mod schema;
mod system;
mod tree;
mod words;

pub use catalog::{Catalog, Unknown, catalog};
pub use chaos::{chaos, is_chaos};
pub use experiments::{Checkpoint, Experiment, experiments};
pub use explain::explain;
pub use limits::{MANIFEST_MAX, SCENARIO_MAX};
pub use params::Overrides;
pub use problem::{Place, Problem, Problems};
pub use scenario::{Arm, Scenario, parse, validate};
pub use schema::schema;
pub use system::Read;
