//! What is still under way after the last blow, and what all of them came to.
use model::Micros;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Notify, task::JoinSet, time::timeout};

/// What is still under way, or still held, after the last blow. Dropping it lets go of everything that is held.
#[derive(Default)]
pub struct Aftermath {
    pub(super) following: JoinSet<()>,
    pub(super) shared: Shared,
}

/// What the followers of all blows share.
#[derive(Clone, Default)]
pub(super) struct Shared {
    /// Ready pods of each workload before a blow was first meant for it.
    pub before: Arc<Mutex<BTreeMap<String, usize>>>,
    /// The workloads that were in fact struck: a blow that could not be dealt leaves nothing to recover from.
    pub struck: Arc<Mutex<BTreeSet<String>>>,
    /// The number of the latest blow against each workload.
    pub latest: Arc<Mutex<BTreeMap<String, u32>>>,
    /// Ends all holding.
    pub let_go: Arc<Notify>,
    pub released: Arc<Mutex<bool>>,
}

/// Lock of plain data.
pub(super) fn of<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared
        .lock()
        .expect("nothing panics while it holds this lock")
}

impl Aftermath {
    /// Lets go of what is held and waits until every workload that was struck has as many ready pods as before; what shows it.
    ///
    /// # Errors
    /// What had not recovered within `limit`.
    pub async fn end(&mut self, limit: Duration) -> Result<String, String> {
        *of(&self.shared.released) = true;
        self.shared.let_go.notify_waiters();
        self.settled(limit).await
    }

    /// The same without letting go: what is held is let go when its time is over.
    ///
    /// # Errors
    /// What had not recovered within `limit`.
    pub async fn settled(&mut self, limit: Duration) -> Result<String, String> {
        let all = async { while self.following.join_next().await.is_some() {} };
        let done = timeout(limit, all).await;
        let struck = of(&self.shared.struck).clone();
        let before = of(&self.shared.before).clone();
        let told = struck.iter().map(|name| {
            let ready = before.get(name).copied().unwrap_or(1);
            format!("{name} {ready}")
        });
        let told = told.collect::<Vec<_>>().join(", ");
        match done {
            Ok(()) if struck.is_empty() => Ok("nothing was struck".into()),
            Ok(()) => Ok(format!("as many ready as before: {told}")),
            Err(_) => Err(format!(
                "not as many pods were ready again as before within {} ({told})",
                Micros::from(limit)
            )),
        }
    }

    /// Names of the workloads that were struck.
    pub fn struck(&self) -> Vec<String> {
        of(&self.shared.struck).iter().cloned().collect()
    }
}

impl fmt::Debug for Aftermath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aftermath").finish_non_exhaustive()
    }
}

/// What all blows together came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dealt {
    /// Pods that were struck, with proof.
    pub proven: Vec<String>,
    /// What was missing of those that could not be proven.
    pub unproven: Vec<String>,
    /// Why blows were withheld.
    pub withheld: Vec<String>,
    /// By how much the latest of them fell later than it was due.
    pub late: Micros,
}

/// What is later than this is said: less is the time it takes to choose.
pub(super) const LATE_MIN: Micros = Micros::from_millis(100);

impl Dealt {
    /// For people: `3 blows proven: room-1, room-2, pay-1`.
    pub fn summary(&self) -> String {
        let mut said = match self.proven.len() {
            0 => "no blow was dealt".to_string(),
            1 => format!("1 blow proven: {}", self.proven[0]),
            n => format!("{n} blows proven: {}", shortened(&self.proven)),
        };
        if self.late > LATE_MIN {
            said += &format!("; one fell {} later than planned", self.late);
        }
        if !self.withheld.is_empty() {
            said += &format!("; {} withheld: {}", self.withheld.len(), self.withheld[0]);
        }
        said
    }
}

/// More names than this make a line that nobody reads; every one is on the timeline.
const NAMED_MAX: usize = 6;

fn shortened(names: &[String]) -> String {
    match names.len() > NAMED_MAX {
        true => format!(
            "{} and {} more",
            names[..NAMED_MAX].join(", "),
            names.len() - NAMED_MAX
        ),
        false => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blows_that_fell_late_are_told_with_the_worst_of_them() {
        let dealt = |late| Dealt {
            proven: vec!["room-1".into(), "pay-1".into()],
            late: Micros::from_millis(late),
            ..Dealt::default()
        };
        assert_eq!(dealt(90).summary(), "2 blows proven: room-1, pay-1");
        assert_eq!(
            dealt(1200).summary(),
            "2 blows proven: room-1, pay-1; one fell 1.20 s later than planned"
        );
    }

    #[tokio::test]
    async fn what_was_meant_and_not_struck_is_not_waited_for() {
        let mut aftermath = Aftermath::default();
        of(&aftermath.shared.before).insert("room".into(), 2);
        let limit = Duration::from_secs(1);
        assert_eq!(aftermath.end(limit).await.unwrap(), "nothing was struck");
        of(&aftermath.shared.struck).insert("room".into());
        let told = aftermath.end(limit).await.unwrap();
        assert_eq!(told, "as many ready as before: room 2");
        assert_eq!(aftermath.struck(), ["room"]);
    }
}
