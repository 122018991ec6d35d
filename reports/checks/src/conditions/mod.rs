//! The seven conditions that a pass is earned by. None of them can fail a run: what is missing is named, and the run is inconclusive.
mod complete;
mod delivered;
mod effective;
mod met;
mod recovered;
mod rollback;
mod sound;
mod steady;

pub(crate) use rollback::{cleaned, left};

use crate::soundness::{Soundness, Weighed};
use model::{Finding, Plan, Timeline, Verdict, Window};

pub(crate) const STEADY: &str = "BaselineSteady";
pub(crate) const DELIVERED: &str = "LoadDelivered";
pub(crate) const EFFECTIVE: &str = "FaultsEffective";
pub(crate) const RECOVERED: &str = "Recovered";
pub(crate) const ROLLED_BACK: &str = "RollbackVerified";
pub(crate) const COMPLETE: &str = "EvidenceComplete";

pub(crate) const SOUND: &str = "MeasurementSound";

/// So much evidence is kept of one condition.
const EVIDENCE_MAX: usize = 8;

/// All seven, in the order in which a reader asks for them.
pub(crate) fn all(
    plan: &Plan,
    timeline: &Timeline,
    windows: &[Window],
    sound: &Soundness,
    weighed: &[Weighed],
) -> Vec<Finding> {
    vec![
        steady::check(plan, timeline, windows),
        delivered::check(plan, timeline),
        effective::check(plan, timeline),
        recovered::check(plan, timeline, windows),
        rollback::check(plan, timeline),
        complete::check(plan, timeline),
        sound::check(sound, weighed),
    ]
}

/// Met with its evidence, or not met for the first thing that is missing, with all of them as evidence.
fn concluded(name: &str, met: &str, evidence: Vec<String>, missing: Vec<String>) -> Finding {
    let (verdict, because, evidence) = match missing.first() {
        None => (Verdict::Pass, met.to_string(), evidence),
        Some(first) => (Verdict::Inconclusive, first.clone(), missing),
    };
    Finding {
        evidence: evidence.into_iter().take(EVIDENCE_MAX).collect(),
        ..Finding::new(name, verdict, because)
    }
}
