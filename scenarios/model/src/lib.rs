//! model — the values a run is made of: what is planned, what was seen, what follows from it.
//!
//! Nothing here has a clock, a socket or dice; everything can be printed, stored and compared.
//!
//! - [`plan`]: what shall happen, resolved to the last default
//! - [`load`]: the traffic of a plan; [`late`]: how a fault that falls into it came
//! - [`fault`]: what hurts, with its undo and its proof; [`strike`]: blows against pods; [`chaos`]: faults without a scenario
//! - [`check`]: what is asked of a timeline
//! - [`objects`]: what containers, pods, Services and Deployments say of themselves; [`cause`]: why something did not hold
//! - [`look`]: what is looked at in containers, logs and objects
//! - [`expected`]: what an answer must be, and what is wrong with one that is not so
//! - [`rows`]: what was read of collections
//! - [`saved`]: what later requests use of earlier answers
//! - [`metric`]: figures, and what they are measured in
//! - [`telemetry`]: what pods say of their own traffic
//! - [`graph`]: who asked whom, and how that went
//! - [`observation`], [`timeline`]: what was seen, on one clock
//! - [`window`]: stretches of time in which requests failed
//! - [`soundness`]: what the harness says of itself
//! - [`siege`]: the summary siege would have printed
//! - [`verdict`], [`report`]: what follows
pub mod cause;
pub mod chaos;
pub mod check;
pub mod expected;
pub mod fault;
pub mod graph;
pub mod late;
pub mod load;
pub mod look;
pub mod metric;
pub mod objects;
pub mod observation;
pub mod plan;
pub mod report;
pub mod rows;
pub mod saved;
pub mod siege;
pub mod soundness;
pub mod strike;
pub mod telemetry;
pub mod time;
pub mod timeline;
pub mod verdict;
pub mod visible;
pub mod window;

pub use cause::Cause;
pub use chaos::{ChaosPlan, EmptyTarget, Safety, Share};
pub use check::{Check, CheckKind, Comparison, Severity, Threshold};
pub use expected::{Difference, Expected};
pub use fault::{Fault, FaultKind};
pub use graph::{Edge, EdgeMetric, Graph};
pub use late::Late;
pub use load::{Connection, Load, LoadModel, Request, Stage};
pub use look::{Execution, ExpectedOutput, Holds, ObjectsOf, PodChoice, PodsOf, Wanted};
pub use metric::{Failure, Metric, WorkloadMetric};
pub use objects::{
    ContainerSpec, ContainerState, DeploymentSpec, Ended, PodSpec, Reason, ServiceSpec,
};
pub use observation::{EMBEDDED, ErrorKind, Fact, Observation, Outcome, PodState, RequestFact};
pub use plan::{Action, Documented, Manifest, Mutant, Plan, Profile, Requirement, Start, Step};
pub use report::{ArmReport, Judgement, Report};
pub use saved::{Save, Saved, Source};
pub use siege::SiegeSummary;
pub use soundness::{CanaryAsk, Doubt, Pressure, Process, Stall, Unsent, Whose};
pub use strike::{Aim, Course, Mode, Rhythm, Selector, Strike};
pub use telemetry::{Breaker, BreakerState, PodCounts};
pub use time::Micros;
pub use timeline::Timeline;
pub use verdict::{ExitCode, Finding, Verdict};
pub use visible::{visible, visible_line};
pub use window::{Window, WindowState};
