//! A rollout does not go on, or leaves nobody to answer.
use super::{Sign, rank, seen::Seen};
use crate::offset;
use model::{DeploymentSpec, Fact, Micros};

/// A rollout that took all pods away is seen in the counts no longer than this before they are gone.
const ROLLOUT_BEFORE: Micros = Micros::from_secs(5);

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let stuck = seen.facts().flat_map(|(at, fact)| match fact {
        Fact::Deployment(spec) => stuck(at, spec),
        _ => vec![],
    });
    let absences = absences(seen).into_iter();
    let absences = absences.map(|absence| absent(seen, &absence));
    stuck.chain(absences).collect()
}

fn stuck(at: Micros, spec: &DeploymentSpec) -> Vec<Sign> {
    let said = spec.troubles.iter().map(|t| {
        let what = match t.word.as_str() {
            "ProgressDeadlineExceeded" => "rollout is stuck",
            _ => "rollout cannot make pods",
        };
        let detail = format!("{}: {}", t.word, t.message);
        let object = format!("Deployment/{}", spec.deployment);
        Sign::at(at, rank::STUCK, what, object, detail)
    });
    said.collect()
}

/// A stretch of time in which a Deployment had been ready and had no ready pod.
pub(super) struct Absence<'a> {
    pub deployment: &'a str,
    desired: u32,
    pub from: Micros,
    pub to: Micros,
}

pub(super) fn absences<'a>(seen: &Seen<'a>) -> Vec<Absence<'a>> {
    let mut found: Vec<Absence> = vec![];
    let mut was_ready = std::collections::BTreeSet::new();
    for (at, fact) in seen.facts() {
        let Fact::Replicas {
            deployment,
            desired,
            ready,
            ..
        } = fact
        else {
            continue;
        };
        let deployment = deployment.as_str();
        if *ready > 0 || *desired == 0 {
            let lasting = found.iter_mut();
            let mut lasting = lasting.filter(|a| a.deployment == deployment && a.to == seen.end);
            if let Some(absence) = lasting.next() {
                absence.to = at;
            }
        }
        match *ready {
            0 if *desired > 0 && was_ready.remove(deployment) => found.push(Absence {
                deployment,
                desired: *desired,
                from: at,
                to: seen.end,
            }),
            0 => {}
            _ => {
                was_ready.insert(deployment);
            }
        }
    }
    found
}

fn absent(seen: &Seen, absence: &Absence) -> Sign {
    let name = absence.deployment;
    let spec = seen.facts().filter_map(|(at, fact)| match fact {
        Fact::Deployment(spec) if spec.deployment == name && at <= absence.to => Some(spec),
        _ => None,
    });
    let spec = spec.last();
    let lets_all_go = spec.is_some_and(|s| s.may_miss >= s.replicas);
    let when = format!(
        "no pod of it was ready from {} to {}",
        offset(absence.from),
        offset(absence.to)
    );
    let (rank, what, detail) = match spec {
        Some(spec) if lets_all_go && is_replaced(seen, absence) => (
            rank::ALL_AT_ONCE,
            "all pods replaced at once",
            format!(
                "its strategy ({}) lets all {} go at the same time; {when}",
                spec.strategy,
                crate::count(spec.replicas.into(), "pod")
            ),
        ),
        _ if absence.desired == 1 => (
            rank::ONE_REPLICA,
            "one replica",
            format!("nobody answers while its only pod is away; {when}"),
        ),
        _ => (
            rank::NO_POD,
            "no ready pod",
            format!("{when}, of {} that it asks for", absence.desired),
        ),
    };
    let object = format!("Deployment/{name}");
    Sign::at(absence.from, rank, what, object, detail).until(absence.to)
}

/// Whether its pods were being replaced by newer ones then.
fn is_replaced(seen: &Seen, absence: &Absence) -> bool {
    seen.facts().any(|(at, fact)| match fact {
        Fact::Replicas {
            deployment,
            desired,
            updated,
            ..
        } => {
            deployment == absence.deployment
                && updated < desired
                && at + ROLLOUT_BEFORE >= absence.from
                && at <= absence.to
        }
        _ => false,
    })
}
