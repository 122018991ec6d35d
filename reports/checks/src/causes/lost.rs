//! When acknowledged writes were lost, and who was away meanwhile.
use super::{Sign, rank, rollout, seen::Seen};
use crate::{count, ledger::Ledger, offset};
use model::{CheckKind, Finding, Micros, Verdict};

/// A write may be lost with a pod that ends so long after it was acknowledged.
const AFTER: Micros = Micros::from_secs(5);

pub(super) fn signs(seen: &Seen, findings: &[Finding]) -> Vec<Sign> {
    let checks = seen.plan.checks.iter().zip(findings);
    let failed = checks.filter(|(_, finding)| finding.verdict == Verdict::Fail);
    failed
        .filter_map(|(check, _)| match &check.kind {
            CheckKind::NoLostAckedWrites { load, collect, .. } => lost(seen, load, collect),
            _ => None,
        })
        .collect()
}

fn lost(seen: &Seen, load: &str, collect: &str) -> Option<Sign> {
    let ledger = Ledger::of(load, collect, seen.timeline);
    let lost: std::collections::BTreeSet<&str> = ledger.lost().into_iter().collect();
    let acked = seen.timeline.requests(load).filter(|(_, r)| {
        let key = r.key.as_deref();
        r.is_good() && key.is_some_and(|key| lost.contains(key))
    });
    let acked: Vec<Micros> = acked.map(|(_, r)| r.done).collect();
    let (from, to) = (*acked.iter().min()?, *acked.iter().max()?);
    let who = absent(seen, from, to);
    let who = who.unwrap_or_else(|| "no pod came or went meanwhile".into());
    let detail = format!(
        "{} acknowledged from {} to {}; {who}",
        count(lost.len() as u64, "lost write"),
        offset(from),
        offset(to)
    );
    let object = format!("load “{load}”");
    let sign = Sign::at(from, rank::LOST, "acknowledged and lost", object, detail);
    Some(sign.until(to))
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
