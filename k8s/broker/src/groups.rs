//! groups — runs the state machines of all groups: gives them the time, and carries questions in and answers out.

use crate::KafkaError;
use crate::group::{Answer, Described, Effect, Event, Group, Question, Ticket};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// Groups that are kept at once; those without members make room first.
const GROUPS_MAX: usize = 10_000;

/// All groups of a broker.
#[derive(Debug)]
pub struct Groups {
    started: Instant,
    /// Makes the names of this run differ from those of earlier ones.
    run: u128,
    initial_delay: Duration,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    groups: BTreeMap<String, Group>,
    waiting: BTreeMap<Ticket, oneshot::Sender<Answer>>,
    tickets: u64,
    names: u64,
}

impl Groups {
    /// No group yet.
    pub fn new(initial_delay: Duration) -> Groups {
        let run = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        Groups {
            started: Instant::now(),
            run,
            initial_delay,
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a group does not panic")
    }

    /// A name for a member, never given before.
    pub fn fresh_name(&self, client: &str) -> String {
        let mut state = self.state();
        state.names += 1;
        format!("{client}-{:x}-{}", self.run, state.names)
    }

    /// Asks a group; comes back when it has decided, which for joins and syncs can take long.
    pub async fn ask(&self, group: &str, question: Question) -> Answer {
        let (send, receive) = oneshot::channel();
        self.put(group, question, send)?;
        self.changed.notify_one();
        receive
            .await
            .unwrap_or(Err(KafkaError::CoordinatorNotAvailable))
    }

    fn put(
        &self,
        name: &str,
        question: Question,
        to: oneshot::Sender<Answer>,
    ) -> Result<(), KafkaError> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.tickets += 1;
        let ticket = Ticket(state.tickets);
        let now = self.started.elapsed();
        let effects = match state.groups.get_mut(name) {
            Some(group) => group.on(now, Event::Asked(ticket, question)),
            None => {
                let mut group = Group::new(self.initial_delay);
                let effects = group.on(now, Event::Asked(ticket, question));
                if !group.is_vacant() {
                    state.keep(name, group)?;
                }
                effects
            }
        };
        state.waiting.insert(ticket, to);
        state.deliver(effects);
        Ok(())
    }

    /// Tells the groups when their time is up. Runs as long as the broker does.
    pub async fn keep_time(&self) {
        loop {
            let due = self.state().groups.values().filter_map(Group::due).min();
            match due {
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(self.started + due) => self.tick(),
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    fn tick(&self) {
        let now = self.started.elapsed();
        let mut state = self.state();
        let due = state
            .groups
            .values_mut()
            .filter(|group| group.due().is_some_and(|due| due <= now));
        let effects = due.flat_map(|group| group.on(now, Event::Tick)).collect();
        state.deliver(effects);
    }

    /// How a group is; `None` when there is none of that name.
    pub fn describe(&self, name: &str) -> Option<Described> {
        self.state().groups.get(name).map(Group::describe)
    }

    /// All groups that have or had members since the start.
    pub fn all(&self) -> Vec<(String, Described)> {
        self.state()
            .groups
            .iter()
            .map(|(name, group)| (name.clone(), group.describe()))
            .collect()
    }
}

impl State {
    fn keep(&mut self, name: &str, group: Group) -> Result<(), KafkaError> {
        if self.groups.len() >= GROUPS_MAX {
            self.groups.retain(|_, group| !group.is_vacant());
        }
        if self.groups.len() >= GROUPS_MAX {
            return Err(KafkaError::CoordinatorNotAvailable);
        }
        self.groups.insert(name.to_string(), group);
        Ok(())
    }

    fn deliver(&mut self, effects: Vec<Effect>) {
        for Effect { to, answer } in effects {
            if let Some(waiting) = self.waiting.remove(&to) {
                // Whoever asked may be gone; then nobody needs the answer.
                let _ = waiting.send(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{Join, Protocol, Reply, Who};
    use std::sync::Arc;

    fn join(name: &str) -> Question {
        Question::Join(Join {
            who: Who::default(),
            fresh_name: name.to_string(),
            must_confirm: false,
            may_skip: false,
            client_id: String::new(),
            client_host: String::new(),
            session: Duration::from_secs(10),
            rebalance: Duration::from_secs(60),
            protocol_type: "consumer".to_string(),
            protocols: vec![Protocol {
                name: "range".to_string(),
                metadata: bytes::Bytes::new(),
            }],
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_join_is_answered_when_the_delay_is_over_and_a_silent_member_forgotten_after_its_session()
     {
        let groups = Arc::new(Groups::new(Duration::from_secs(3)));
        let keeper = groups.clone();
        let time = tokio::spawn(async move { keeper.keep_time().await });
        let started = Instant::now();
        let answer = groups.ask("g", join("a")).await;
        assert!(matches!(answer, Ok(Reply::Joined(joined)) if joined.generation == 1));
        assert_eq!(started.elapsed().as_secs(), 3);
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(groups.describe("g").unwrap().members.len(), 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(groups.describe("g").unwrap().state, "Empty");
        time.abort();
    }

    #[tokio::test]
    async fn asking_a_group_that_does_not_exist_does_not_make_it() {
        let groups = Groups::new(Duration::ZERO);
        let answer = groups.ask("g", Question::Heartbeat(Who::default())).await;
        assert_eq!(answer, Err(KafkaError::UnknownMemberId));
        assert_eq!(groups.describe("g"), None);
    }

    #[tokio::test]
    async fn names_are_never_the_same() {
        let (one, other) = (Groups::new(Duration::ZERO), Groups::new(Duration::ZERO));
        let names = [
            one.fresh_name("c"),
            one.fresh_name("c"),
            other.fresh_name("c"),
        ];
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2]);
    }
}
