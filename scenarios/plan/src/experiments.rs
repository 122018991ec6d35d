//! The documented experiments: what the reports tried, whether or not it can be tried again.
use serde::Deserialize;
use std::sync::OnceLock;

const FILE: &str = include_str!("../../experiments.yaml");

/// One experiment, verification or check list of a report.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Experiment {
    /// Its system and its name, e.g. `mybnb/zero-downtime-off`.
    pub id: String,
    /// What it was about.
    pub title: String,
    /// What it shows.
    #[serde(default)]
    pub shows: Vec<Checkpoint>,
    /// Why it cannot be replayed, if it cannot, and what stands in its place.
    pub not_replayed: Option<String>,
}

/// The points by which the reports assess a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checkpoint {
    /// A business transaction over several services, by events, with its way back.
    Saga,
    /// A read model of its own.
    Cqrs,
    /// Which event belongs to which request.
    Correlation,
    /// A synchronous call, and what becomes of it without the callee.
    ReqResp,
    /// One door to all services.
    Gateway,
    /// How it comes into a cluster.
    Deploy,
    /// Calls that are no longer made to who cannot take them.
    CircuitBreaker,
    /// HorizontalPodAutoscaler.
    Hpa,
    /// A redeploy that nobody notices.
    ZeroDowntime,
    /// Configuration, secrets and volumes from outside.
    ConfigmapPv,
    /// Different databases for different services.
    Polyglot,
    /// Liveness probes, and what they lead to.
    SelfHealing,
    /// Who calls whom, how often and how well.
    Monitoring,
}

impl Checkpoint {
    /// All of them, in the order of the reports, with their headings.
    pub const ALL: [(Checkpoint, &'static str); 13] = [
        (Checkpoint::Saga, "Saga"),
        (Checkpoint::Cqrs, "CQRS"),
        (Checkpoint::Correlation, "Correlation"),
        (Checkpoint::ReqResp, "Req/Resp"),
        (Checkpoint::Gateway, "Gateway"),
        (Checkpoint::Deploy, "Deploy"),
        (Checkpoint::CircuitBreaker, "Circuit Breaker"),
        (Checkpoint::Hpa, "HPA"),
        (Checkpoint::ZeroDowntime, "Zero-downtime"),
        (Checkpoint::ConfigmapPv, "ConfigMap/PV"),
        (Checkpoint::Polyglot, "Polyglot"),
        (Checkpoint::SelfHealing, "Self-healing"),
        (Checkpoint::Monitoring, "Monitoring"),
    ];
}

impl Experiment {
    /// What it was tried on: the first part of its id.
    pub fn system(&self) -> &str {
        self.id
            .split_once('/')
            .map_or(&*self.id, |(system, _)| system)
    }
}

/// All of them, in the order of the reports.
///
/// # Panics
/// If the list that was compiled in cannot be read; a test of this crate reads it.
pub fn experiments() -> &'static [Experiment] {
    static ALL: OnceLock<Vec<Experiment>> = OnceLock::new();
    ALL.get_or_init(|| serde_saphyr::from_str(FILE).unwrap_or_else(|e| panic!("{e}")))
}
