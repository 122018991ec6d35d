//! When acknowledged writes were lost, and who was away meanwhile.
use super::{Sign, rank, rollout, seen::Seen};
use crate::{count, ledger::Ledger, offset};
use model::{CheckKind, Finding, Micros, Plan, Verdict};
use std::collections::BTreeSet;

/// A write may be lost with a pod that ends so long after it was acknowledged.
const AFTER: Micros = Micros::from_secs(5);

/// Writes of a load that were acknowledged and are not in a collection.
pub(super) struct Loss<'a> {
    pub load: &'a str,
    pub collect: &'a str,
    pub keys: BTreeSet<&'a str>,
    /// How many were acknowledged, lost or not.
    pub acked: u64,
    /// When the first lost one was acknowledged.
    pub from: Micros,
    /// When the last one was.
    pub to: Micros,
}

impl<'a> Loss<'a> {
    /// The losses for which a check failed.
    pub fn all(seen: &Seen<'a>, findings: &[Finding]) -> Vec<Loss<'a>> {
        let plan: &'a Plan = seen.plan;
        let checks = plan.checks.iter().zip(findings);
        let failed = checks.filter(|(_, finding)| finding.verdict == Verdict::Fail);
        failed
            .filter_map(|(check, _)| match &check.kind {
                CheckKind::NoLostAckedWrites { load, collect, .. } => Loss::of(seen, load, collect),
                _ => None,
            })
            .collect()
    }

    fn of(seen: &Seen<'a>, load: &'a str, collect: &'a str) -> Option<Loss<'a>> {
        let ledger = Ledger::of(load, collect, seen.timeline);
        let keys: BTreeSet<&str> = ledger.lost().into_iter().collect();
        let acked = seen.timeline.requests(load).filter(|(_, r)| {
            let key = r.key.as_deref();
            r.is_good() && key.is_some_and(|key| keys.contains(key))
        });
        let times: Vec<Micros> = acked.map(|(_, r)| r.done).collect();
        Some(Loss {
            load,
            collect,
            acked: ledger.acked.len() as u64,
            from: *times.iter().min()?,
            to: *times.iter().max()?,
            keys,
        })
    }
}

pub(super) fn signs(seen: &Seen, losses: &[Loss]) -> Vec<Sign> {
    losses.iter().map(|loss| lost(seen, loss)).collect()
}

fn lost(seen: &Seen, loss: &Loss) -> Sign {
    let (from, to) = (loss.from, loss.to);
    let who = absent(seen, from, to);
    let who = who.unwrap_or_else(|| "no pod came or went meanwhile".into());
    let detail = format!(
        "{} acknowledged from {} to {}; {who}",
        count(loss.keys.len() as u64, "lost write"),
        offset(from),
        offset(to)
    );
    let object = format!("load “{}”", loss.load);
    let sign = Sign::at(from, rank::LOST, "acknowledged and lost", object, detail);
    sign.until(to)
}

/// The workload that had no ready pod, or the pod that ended, while writes were acknowledged or right after.
fn absent(seen: &Seen, from: Micros, to: Micros) -> Option<String> {
    let absences = rollout::absences(seen);
    let meanwhile = |a: &&rollout::Absence| a.from <= to + AFTER && a.to >= from;
    if let Some(absence) = absences.iter().find(meanwhile) {
        return Some(format!(
            "{} had no ready pod from {} to {}",
            absence.deployment,
            offset(absence.from),
            offset(absence.to)
        ));
    }
    let mut pods = seen.timeline.pods();
    let ended = pods.find(|(at, p)| {
        (p.terminating || p.gone) && *at + AFTER >= from && *at <= to + AFTER && *at <= seen.end
    });
    let ended = ended.filter(|(_, p)| seen.load_of(&p.owner).is_none());
    ended.map(|(at, p)| format!("pod {} began to end at {}", p.name, offset(at)))
}
