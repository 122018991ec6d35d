//! What a reader gets: the judged arms of a scenario.
use crate::{
    Cause, Doubt, ExitCode, Finding, Graph, Micros, Plan, SiegeSummary, Timeline, Verdict, Window,
};
use serde::{Deserialize, Serialize};

/// What the checks make of one arm: a function of its plan and its timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The worst of everything that counts.
    pub verdict: Verdict,
    /// The one reason for it.
    pub reason: String,
    /// What this run cannot tell, whatever its verdict: outages below the sampling floor, order below the clocks' error, gaps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_shown: Vec<String>,
    /// The seven conditions that a pass is earned by: `BaselineSteady`, `LoadDelivered`, `FaultsEffective`, `Recovered`,
    /// `RollbackVerified`, `EvidenceComplete`, `MeasurementSound`.
    pub conditions: Vec<Finding>,
    /// One for each check of the plan, in its order.
    pub findings: Vec<Finding>,
    /// Why, as an operator would say it: what lies nearest to failed requests first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// Checks that found keys lost or repeated; [`KEYS_FILE`] has the keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyCount>,
    /// Where requests failed.
    pub windows: Vec<Window>,
    /// Time of loads that is unknown, or the machine's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<Doubt>,
    /// Blows against pods, in time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blows: Vec<Blow>,
    /// A summary for each load, by the name of its step.
    pub summaries: Vec<LoadSummary>,
    /// Who asked whom.
    #[serde(default, skip_serializing_if = "Graph::is_empty")]
    pub graph: Graph,
    /// How a process that did only this would end.
    pub exit: ExitCode,
}

/// Name of the file in an arm's folder with every lost and repeated key.
pub const KEYS_FILE: &str = "lost.json";

/// How many keys a check found lost or more than once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyCount {
    /// Name of the check.
    pub check: String,
    /// Keys that were acknowledged and not found.
    pub lost: u64,
    /// Keys that were found more than once.
    pub repeated: u64,
}

/// The keys that a check found lost or more than once: what [`KEYS_FILE`] holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyList {
    /// Name of the check.
    pub check: String,
    /// Name of the step that wrote them.
    pub load: String,
    /// Name of the step that looked for them.
    pub collect: String,
    /// Keys that were acknowledged and not found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostKey>,
    /// Keys that were found more than once, with how often.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeated: Vec<(String, u64)>,
}

/// A key that was acknowledged and not found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LostKey {
    /// The key.
    pub key: String,
    /// When its write was acknowledged.
    pub acknowledged: Micros,
    /// How: `HTTP 201`.
    pub result: String,
}

/// A blow against a pod and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blow {
    /// Name of the step that dealt it.
    pub step: String,
    /// Counted from 1 within the step.
    pub number: u32,
    /// The pod.
    pub pod: String,
    /// The workload it belonged to.
    pub workload: String,
    /// When it was dealt.
    pub at: Micros,
    /// When it was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven: Option<Micros>,
    /// When its workload had as many ready pods as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Micros>,
    /// When it was struck again before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overtaken: Option<Micros>,
    /// The windows that belong to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
}

/// A window in which requests failed, as far as a blow is concerned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outage {
    /// Name of the step with the load.
    pub load: String,
    /// See [`Window::from`].
    pub from: Micros,
    /// See [`Window::to`].
    pub to: Micros,
    /// Failed requests inside it.
    pub failed: u64,
}

/// A load in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadSummary {
    /// Name of the step.
    pub step: String,
    /// What siege would have printed over the whole load.
    pub siege: SiegeSummary,
    /// What siege would have printed had it stopped at its 1024th failure, if it would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub siege_stopped: Option<SiegeSummary>,
    /// Requests that were due and not sent.
    pub dropped: u64,
    /// In a closed load, what its users did not send because they were waiting for answers: instants of its ceiling with no free user,
    /// which count in `response`; without a ceiling the number that a stall has hidden, which count nowhere.
    #[serde(default)]
    pub held_back: u64,
    /// Percentiles of the response time of good requests, from when each was due: p50, p90, p99, p99.9, in seconds.
    pub response: [f64; 4],
    /// The same from when each was sent.
    pub service: [f64; 4],
    /// The worst delay between due and sent, in seconds.
    pub lag_max: f64,
    /// Number of answers by result: `HTTP 200`, `connectionRefused`, most frequent first.
    pub results: Vec<(String, u64)>,
    /// The share of the load's time that was up, degraded and down; the rest is unknown. Each 0 to 1, together at most 1.
    pub up: f64,
    /// See `up`.
    pub degraded: f64,
    /// See `up`.
    pub down: f64,
}

/// One arm with everything about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArmReport {
    /// What was planned.
    pub plan: Plan,
    /// What was seen.
    pub timeline: Timeline,
    /// What follows.
    pub judgement: Judgement,
}

/// A judged scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Name of the scenario.
    pub scenario: String,
    /// What is claimed.
    pub hypothesis: String,
    /// The worst of all arms.
    pub verdict: Verdict,
    /// The one reason, with the arm it comes from.
    pub reason: String,
    /// Its arms, in the order they ran.
    pub arms: Vec<ArmReport>,
    /// The command that does it again.
    pub reproduce: String,
    /// Version of brownout.
    pub version: String,
    /// When it was judged, RFC 3339.
    pub judged: String,
}
