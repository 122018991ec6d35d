//! Every key that was lost or found more than once, for the file that names them all.
use crate::ledger::Ledger;
use model::{
    CheckKind, Plan, RequestFact, Timeline,
    report::{KeyCount, KeyList, LostKey},
};
use std::collections::BTreeMap;

/// For each check that found some, all of them.
pub fn lists(plan: &Plan, timeline: &Timeline) -> Vec<KeyList> {
    let checks = plan.checks.iter();
    let lists = checks.filter_map(|check| {
        let (load, collect, is_loss) = match &check.kind {
            CheckKind::NoLostAckedWrites { load, collect, .. } => (load, collect, true),
            CheckKind::NoDuplicates { load, collect } => (load, collect, false),
            _ => return None,
        };
        let ledger = Ledger::of(load, collect, timeline);
        let (lost, repeated) = match is_loss {
            true => (lost(load, &ledger, timeline), vec![]),
            false => (vec![], repeated(&ledger)),
        };
        Some(KeyList {
            check: check.name.clone(),
            load: load.clone(),
            collect: collect.clone(),
            lost,
            repeated,
        })
    });
    lists
        .filter(|list| !list.lost.is_empty() || !list.repeated.is_empty())
        .collect()
}

/// The same in numbers.
pub(crate) fn counts(plan: &Plan, timeline: &Timeline) -> Vec<KeyCount> {
    let lists = lists(plan, timeline).into_iter();
    lists
        .map(|list| KeyCount {
            check: list.check,
            lost: list.lost.len() as u64,
            repeated: list.repeated.len() as u64,
        })
        .collect()
}

/// Of a collection that was not read to its end it is not known what is lost.
fn lost(load: &str, ledger: &Ledger, timeline: &Timeline) -> Vec<LostKey> {
    if ledger.complete != Some(true) {
        return vec![];
    }
    let mut acked: BTreeMap<&str, &RequestFact> = BTreeMap::new();
    for (_, request) in timeline.requests(load).filter(|(_, r)| r.is_good()) {
        if let Some(key) = request.key.as_deref() {
            acked.entry(key).or_insert(request);
        }
    }
    let lost = ledger.lost().into_iter();
    lost.filter_map(|key| {
        let request = acked.get(key)?;
        Some(LostKey {
            key: key.into(),
            acknowledged: request.done,
            result: request.result(),
        })
    })
    .collect()
}

fn repeated(ledger: &Ledger) -> Vec<(String, u64)> {
    let found = ledger.found.iter().filter(|(_, n)| **n > 1);
    found.map(|(key, n)| (key.to_string(), *n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms, write};
    use model::{Check, Severity};

    #[test]
    fn every_lost_and_repeated_key_is_listed_and_none_of_a_torn_collection() {
        let (load, collect) = ("siege".to_string(), "alarms".to_string());
        let check = |name: &str, kind| Check {
            name: name.into(),
            severity: Severity::Fail,
            kind,
        };
        let writes = (1..=30).map(|n| write(n, &format!("k{n:02}"), Ok(201)));
        let writes: Vec<_> = writes.collect();
        let story = |complete| {
            let story = Story::answers(writes.clone()).collected(&["k01", "k02", "k02"], complete);
            story.asking(vec![
                check(
                    "nothing lost",
                    CheckKind::NoLostAckedWrites {
                        load: load.clone(),
                        collect: collect.clone(),
                        at_least: 1,
                    },
                ),
                check(
                    "nothing twice",
                    CheckKind::NoDuplicates {
                        load: load.clone(),
                        collect: collect.clone(),
                    },
                ),
            ])
        };
        let all = lists(&story(true).plan(), &story(true).timeline());
        assert_eq!((all.len(), all[0].lost.len()), (2, 28));
        let first = LostKey {
            key: "k03".into(),
            acknowledged: ms(2002),
            result: "HTTP 201".into(),
        };
        assert_eq!(all[0].lost[0], first);
        assert_eq!(all[1].repeated, [("k02".to_string(), 2)]);
        let torn = lists(&story(false).plan(), &story(false).timeline());
        assert!(torn.iter().all(|list| list.lost.is_empty()));
    }
}
