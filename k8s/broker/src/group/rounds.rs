//! rounds — how a generation follows the other: everybody joins again, and what time does to those who do not.

use super::{First, Group, Joined, Member, Phase, Protocol, Reply, Time};
use crate::KafkaError;
use std::collections::BTreeMap;
use std::time::Duration;

impl Group {
    /// Everybody must join again.
    pub(super) fn prepare(&mut self, now: Time) {
        let syncing: Vec<_> = self
            .members
            .values_mut()
            .filter_map(|member| member.syncing.take())
            .collect();
        for ticket in syncing {
            self.answer(ticket, Err(KafkaError::RebalanceInProgress));
        }
        self.phase = Phase::Preparing {
            until: now + self.patience(),
            first: None,
        };
    }

    /// How long members are waited for: as long as the slowest asked for.
    fn patience(&self) -> Duration {
        self.members
            .values()
            .map(|member| member.rebalance)
            .max()
            .unwrap_or_default()
    }

    /// Does what time has brought.
    pub(super) fn advance(&mut self, now: Time) {
        self.promised.retain(|_, until| *until > now);
        let silent = |member: &Member| member.expires().is_some_and(|at| at <= now);
        let late: Vec<_> = self
            .members
            .iter()
            .filter(|(_, m)| silent(m))
            .map(|(name, _)| name.clone())
            .collect();
        for name in late {
            self.remove(now, &name);
        }
        if matches!(self.phase, Phase::Completing { until } if until <= now) {
            self.remove_who_did_not_sync(now);
        }
        self.complete_if_ready(now);
    }

    fn remove_who_did_not_sync(&mut self, now: Time) {
        let waiting = self
            .members
            .iter()
            .filter(|(_, member)| member.syncing.is_none());
        let names: Vec<_> = waiting.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.remove(now, &name);
        }
        self.prepare(now);
    }

    fn complete_if_ready(&mut self, now: Time) {
        let Phase::Preparing { until, first } = &mut self.phase else {
            return;
        };
        let all_joined = self.promised.is_empty()
            && self.members.values().all(|member| member.joining.is_some());
        match first {
            Some(_) if now < *until => {}
            Some(first) if first.somebody_came && !first.left.is_zero() => {
                let more = self.initial_delay.min(first.left);
                *until = now + more;
                *first = First {
                    left: first.left - more,
                    somebody_came: false,
                };
            }
            None if now < *until && !all_joined => {}
            _ => self.complete(now),
        }
    }

    /// Whoever joined is in; who did not is out, unless it has a static id and its session lasts.
    fn complete(&mut self, now: Time) {
        self.members
            .retain(|_, member| member.joining.is_some() || member.instance.is_some());
        let first_joined = self
            .members
            .iter()
            .find(|(_, m)| m.joining.is_some())
            .map(|(name, _)| name.clone());
        let leader_joined = self
            .members
            .get(&self.leader)
            .is_some_and(|member| member.joining.is_some());
        match first_joined {
            None if !self.members.is_empty() => return self.prepare(now),
            None => {
                (self.generation, self.phase) = (self.generation + 1, Phase::Empty);
                return self.leader.clear();
            }
            Some(name) if !leader_joined => self.leader = name,
            Some(_) => {}
        }
        self.generation += 1;
        self.protocol = self.choose_protocol();
        self.phase = Phase::Completing {
            until: now + self.patience(),
        };
        let names: Vec<_> = self.members.keys().cloned().collect();
        for name in names {
            let joined = self.joined(&name);
            let member = self.members.entry(name).or_default();
            if let Some(ticket) = member.joining.take() {
                member.is_alive(now);
                self.answer(ticket, Ok(Reply::Joined(joined)));
            }
        }
    }

    /// Everybody votes for the first of its own protocols that all others know too.
    pub(super) fn choose_protocol(&self) -> String {
        let known_to_all = |p: &&Protocol| {
            self.members
                .values()
                .all(|m| m.protocols.iter().any(|q| q.name == p.name))
        };
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(choice) = member.protocols.iter().find(known_to_all) {
                *votes.entry(&choice.name).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .map(|(name, _)| name.to_string())
            .unwrap_or_default()
    }

    pub(super) fn joined(&self, name: &str) -> Joined {
        let everybody = || {
            let each = self.members.iter();
            each.map(|(name, m)| {
                (
                    name.clone(),
                    m.instance.clone(),
                    m.subscription(&self.protocol),
                )
            })
            .collect()
        };
        Joined {
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member: name.to_string(),
            members: if self.leader == name {
                everybody()
            } else {
                vec![]
            },
            skip_assignment: false,
        }
    }
}
