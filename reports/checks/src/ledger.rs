//! What a load wrote, as it was answered, beside what was found afterwards.
use model::{Fact, Outcome, Timeline};
use std::collections::{BTreeMap, BTreeSet};

/// Writes of a load by their keys, and the last collection.
pub(crate) struct Ledger<'a> {
    pub acked: BTreeSet<&'a str>,
    /// It may have happened: timeouts, resets, 5xx.
    pub unknown: BTreeSet<&'a str>,
    /// It certainly did not happen.
    pub refused: BTreeSet<&'a str>,
    /// How often each key of this load was found.
    pub found: BTreeMap<&'a str, u64>,
    /// The collection was read to its end; `None` when there was none.
    pub complete: Option<bool>,
}

impl<'a> Ledger<'a> {
    pub fn of(load: &'a str, collect: &str, timeline: &'a Timeline) -> Ledger<'a> {
        let mut ledger = Ledger {
            acked: BTreeSet::new(),
            unknown: BTreeSet::new(),
            refused: BTreeSet::new(),
            found: BTreeMap::new(),
            complete: None,
        };
        for (_, request) in timeline.requests(load) {
            let Some(key) = request.key.as_deref() else {
                continue;
            };
            match request.outcome() {
                Outcome::Ok => ledger.acked.insert(key),
                Outcome::Unknown => ledger.unknown.insert(key),
                Outcome::Refused => ledger.refused.insert(key),
            };
        }
        let last = timeline.all().iter().rev().find_map(|o| match &o.fact {
            Fact::Collected {
                step,
                keys,
                complete,
                ..
            } if step == collect => Some((keys, *complete)),
            _ => None,
        });
        if let Some((keys, complete)) = last {
            ledger.complete = Some(complete);
            for key in keys.iter().map(String::as_str) {
                if ledger.wrote(key) {
                    *ledger.found.entry(key).or_default() += 1;
                }
            }
        }
        ledger
    }

    fn wrote(&self, key: &str) -> bool {
        self.acked.contains(key) || self.unknown.contains(key) || self.refused.contains(key)
    }

    /// Acknowledged and not found.
    pub fn lost(&self) -> Vec<&'a str> {
        let absent = self.acked.iter().filter(|k| !self.found.contains_key(*k));
        absent.copied().collect()
    }

    /// `1003 sent, 1000 acknowledged, 2 unknown, 1 refused, 1000 found`.
    pub fn counts(&self) -> String {
        let (acked, unknown, refused) = (self.acked.len(), self.unknown.len(), self.refused.len());
        format!(
            "{} sent, {acked} acknowledged, {unknown} unknown, {refused} refused, {} found",
            acked + unknown + refused,
            self.found.len()
        )
    }
}
