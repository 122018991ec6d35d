//! group — one consumer group as Kafka's coordinator runs it (the classic protocol), as a state machine.
//!
//! Questions of members and the passing of time go in, answers come out; there is no clock, socket or dice here.
//! Some questions are answered later: a join when the group is complete, a sync when the leader has decided.
//!
//! ```text
//! Empty ─join─▶ Preparing ─all joined, or time is up─▶ Completing ─leader syncs─▶ Stable
//!   ▲               ▲  │                                   │ join, leave, expiry      │
//!   └── nobody left ┘  └────────────────◀──────────────────┴──────────◀───────────────┘
//! ```

mod joining;
mod member;
mod rounds;
mod talk;
#[cfg(test)]
mod tests;

use crate::KafkaError;
use bytes::Bytes;
pub use member::{Described, Join, Member, Protocol, Who};
use std::collections::BTreeMap;
use std::time::Duration;
pub use talk::{Answer, Effect, Event, Joined, Question, Reply, Ticket, Time};

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Empty,
    Preparing { until: Time, first: Option<First> },
    Completing { until: Time },
    Stable,
}

/// The first members of an empty group wait a little for more, and again when more came.
#[derive(Debug, Clone, PartialEq)]
struct First {
    left: Duration,
    somebody_came: bool,
}

/// One group.
#[derive(Debug)]
pub struct Group {
    initial_delay: Duration,
    phase: Phase,
    generation: i32,
    protocol_type: String,
    protocol: String,
    leader: String,
    members: BTreeMap<String, Member>,
    /// Names given to members that have not come back with them yet, and until when they may.
    promised: BTreeMap<String, Time>,
    effects: Vec<Effect>,
}

impl Group {
    /// An empty group, whose first members wait `initial_delay` for more.
    pub fn new(initial_delay: Duration) -> Group {
        Group {
            initial_delay,
            phase: Phase::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: String::new(),
            leader: String::new(),
            members: BTreeMap::new(),
            promised: BTreeMap::new(),
            effects: vec![],
        }
    }

    /// Takes one event; the answers that it sets free.
    pub fn on(&mut self, now: Time, event: Event) -> Vec<Effect> {
        if let Event::Asked(ticket, question) = event {
            match question {
                Question::Join(join) => self.join(now, ticket, join),
                Question::Sync(who, parts) => self.sync(now, ticket, &who, parts),
                Question::Heartbeat(who) => {
                    let answer = self.heartbeat(now, &who);
                    self.answer(ticket, answer);
                }
                Question::Leave(who) => {
                    let answer = self.leave(now, &who);
                    self.answer(ticket, answer);
                }
                Question::Commit(who) => {
                    let answer = self.may_commit(now, &who);
                    self.answer(ticket, answer);
                }
            }
        }
        self.advance(now);
        std::mem::take(&mut self.effects)
    }

    /// When a `Tick` has something to do, if nothing else happens before.
    pub fn due(&self) -> Option<Time> {
        let phase = match self.phase {
            Phase::Preparing { until, .. } | Phase::Completing { until } => Some(until),
            Phase::Empty | Phase::Stable => None,
        };
        let sessions = self.members.values().filter_map(Member::expires);
        sessions
            .chain(self.promised.values().copied())
            .chain(phase)
            .min()
    }

    /// Nobody is in it and nobody is on the way.
    pub fn is_vacant(&self) -> bool {
        self.members.is_empty() && self.promised.is_empty()
    }

    /// How the group is, in Kafka's words.
    pub fn describe(&self) -> Described {
        let state = match self.phase {
            Phase::Empty => "Empty",
            Phase::Preparing { .. } => "PreparingRebalance",
            Phase::Completing { .. } => "CompletingRebalance",
            Phase::Stable => "Stable",
        };
        let (protocol_type, protocol) = (self.protocol_type.clone(), self.protocol.clone());
        Described {
            state,
            protocol_type,
            protocol,
            members: self.members.clone(),
        }
    }

    fn answer(&mut self, to: Ticket, answer: Answer) {
        self.effects.push(Effect { to, answer });
    }

    fn sync(&mut self, now: Time, ticket: Ticket, who: &Who, parts: Vec<(String, Bytes)>) {
        if let Err(refused) = self.check(who) {
            return self.answer(ticket, Err(refused));
        }
        match self.phase {
            Phase::Empty | Phase::Preparing { .. } => {
                self.answer(ticket, Err(KafkaError::RebalanceInProgress))
            }
            Phase::Stable => {
                let member = self.members.entry(who.member.clone()).or_default();
                member.is_alive(now);
                let part = member.assignment.clone();
                self.answer(ticket, Ok(Reply::Assigned(part)));
            }
            Phase::Completing { .. } => {
                let missed = self
                    .members
                    .entry(who.member.clone())
                    .or_default()
                    .syncing
                    .replace(ticket);
                if let Some(ticket) = missed {
                    self.answer(ticket, Err(KafkaError::RebalanceInProgress));
                }
                if self.leader == who.member {
                    self.hand_out(now, parts);
                }
            }
        }
    }

    fn hand_out(&mut self, now: Time, parts: Vec<(String, Bytes)>) {
        let mut parts: BTreeMap<_, _> = parts.into_iter().collect();
        self.phase = Phase::Stable;
        for (name, member) in &mut self.members {
            member.assignment = parts.remove(name).unwrap_or_default();
            if let Some(to) = member.syncing.take() {
                member.is_alive(now);
                self.effects.push(Effect {
                    to,
                    answer: Ok(Reply::Assigned(member.assignment.clone())),
                });
            }
        }
    }

    fn heartbeat(&mut self, now: Time, who: &Who) -> Answer {
        self.check(who)?;
        self.members
            .entry(who.member.clone())
            .or_default()
            .is_alive(now);
        if matches!(self.phase, Phase::Preparing { .. }) {
            Err(KafkaError::RebalanceInProgress)
        } else {
            Ok(Reply::Noted)
        }
    }

    /// A negative generation is a consumer outside group management: it may while nobody is a member.
    fn may_commit(&mut self, now: Time, who: &Who) -> Answer {
        if who.generation < 0 && self.members.is_empty() {
            return Ok(Reply::Noted);
        }
        self.check(who)?;
        self.members
            .entry(who.member.clone())
            .or_default()
            .is_alive(now);
        if matches!(self.phase, Phase::Completing { .. }) {
            Err(KafkaError::RebalanceInProgress)
        } else {
            Ok(Reply::Noted)
        }
    }

    fn leave(&mut self, now: Time, who: &Who) -> Answer {
        if self.promised.remove(&who.member).is_some() {
            return Ok(Reply::Noted);
        }
        let name = match who
            .instance
            .as_deref()
            .map(|instance| self.name_of(instance))
        {
            None => who.member.clone(),
            Some(None) => return Err(KafkaError::UnknownMemberId),
            Some(Some(name)) if who.member.is_empty() || who.member == name => name,
            Some(Some(_)) => return Err(KafkaError::FencedInstanceId),
        };
        if !self.members.contains_key(&name) {
            return Err(KafkaError::UnknownMemberId);
        }
        self.remove(now, &name);
        Ok(Reply::Noted)
    }

    fn name_of(&self, instance: &str) -> Option<String> {
        let is_it = |member: &Member| member.instance.as_deref() == Some(instance);
        self.members
            .iter()
            .find(|(_, member)| is_it(member))
            .map(|(name, _)| name.clone())
    }

    /// Is this a member of the current generation, and not one whose place was taken?
    fn check(&self, who: &Who) -> Result<(), KafkaError> {
        match who
            .instance
            .as_deref()
            .map(|instance| self.name_of(instance))
        {
            Some(None) => return Err(KafkaError::UnknownMemberId),
            Some(Some(name)) if name != who.member => return Err(KafkaError::FencedInstanceId),
            _ => {}
        }
        if !self.members.contains_key(&who.member) {
            return Err(KafkaError::UnknownMemberId);
        }
        if who.generation == self.generation {
            Ok(())
        } else {
            Err(KafkaError::IllegalGeneration)
        }
    }

    fn remove(&mut self, now: Time, name: &str) {
        let Some(member) = self.members.remove(name) else {
            return;
        };
        for open in member.joining.into_iter().chain(member.syncing) {
            self.answer(open, Err(KafkaError::UnknownMemberId));
        }
        if matches!(self.phase, Phase::Stable | Phase::Completing { .. }) {
            self.prepare(now);
        }
    }
}
