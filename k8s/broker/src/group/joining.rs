//! joining — who may become a member, under which name, and whether the others are disturbed by it.

use super::{First, Group, Join, Member, Phase, Reply, Ticket, Time};
use crate::KafkaError;

/// Who it is that wants to join.
enum Identity {
    /// A newcomer that must come back with the name it is given.
    ToConfirm,
    /// A member, or a newcomer that may become one, under this name.
    Known(String),
    /// A static member that had this name before.
    Returned(String),
}

impl Group {
    pub(super) fn join(&mut self, now: Time, ticket: Ticket, join: Join) {
        match self.identify(now, &join) {
            Err(refused) => self.answer(ticket, Err(refused)),
            Ok(Identity::ToConfirm) => {
                self.answer(ticket, Ok(Reply::CallYourself(join.fresh_name)))
            }
            Ok(Identity::Known(name)) if self.may_stay_as_it_is(&name, &join) => {
                self.update(now, &name, join, None);
                let joined = self.joined(&name);
                self.answer(ticket, Ok(Reply::Joined(joined)));
            }
            Ok(Identity::Known(name)) => self.rejoin(now, ticket, &name, join),
            Ok(Identity::Returned(old)) => self.come_back(now, ticket, &old, join),
        }
    }

    fn identify(&mut self, now: Time, join: &Join) -> Result<Identity, KafkaError> {
        self.check_protocols(join)?;
        let static_name = join
            .who
            .instance
            .as_deref()
            .and_then(|instance| self.name_of(instance));
        match (&*join.who.member, static_name) {
            ("", Some(old)) => Ok(Identity::Returned(old)),
            ("", None) if join.must_confirm => {
                self.promised
                    .insert(join.fresh_name.clone(), now + join.session);
                Ok(Identity::ToConfirm)
            }
            ("", None) => Ok(Identity::Known(join.fresh_name.clone())),
            (name, Some(current)) if name != current => Err(KafkaError::FencedInstanceId),
            (name, None) if join.who.instance.is_some() && !self.promised.contains_key(name) => {
                Err(KafkaError::UnknownMemberId)
            }
            (name, _)
                if self.members.contains_key(name) || self.promised.remove(name).is_some() =>
            {
                Ok(Identity::Known(name.to_string()))
            }
            _ => Err(KafkaError::UnknownMemberId),
        }
    }

    fn check_protocols(&self, join: &Join) -> Result<(), KafkaError> {
        let others = self
            .members
            .iter()
            .filter(|(name, _)| **name != join.who.member)
            .map(|(_, member)| member);
        let fits = |other: &Member| {
            other
                .protocols
                .iter()
                .any(|p| join.protocols.iter().any(|q| q.name == p.name))
        };
        let same_type = self.members.is_empty() || self.protocol_type == join.protocol_type;
        if join.protocols.is_empty() || !same_type || !others.into_iter().all(fits) {
            return Err(KafkaError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// A member that asks again, having missed the answer, does not disturb the others. But a leader that joins
    /// a stable group again does so because it wants the partitions handed out anew.
    fn may_stay_as_it_is(&self, name: &str, join: &Join) -> bool {
        let same = self
            .members
            .get(name)
            .is_some_and(|member| member.protocols == join.protocols);
        match self.phase {
            Phase::Completing { .. } => same,
            Phase::Stable => same && self.leader != name,
            Phase::Empty | Phase::Preparing { .. } => false,
        }
    }

    fn rejoin(&mut self, now: Time, ticket: Ticket, name: &str, join: Join) {
        if self.members.is_empty() {
            self.protocol_type.clone_from(&join.protocol_type);
        }
        let is_new = !self.members.contains_key(name);
        self.update(now, name, join, Some(ticket));
        match &mut self.phase {
            Phase::Empty => {
                let left = self.members[name]
                    .rebalance
                    .saturating_sub(self.initial_delay);
                let first = Some(First {
                    left,
                    somebody_came: false,
                });
                self.phase = Phase::Preparing {
                    until: now + self.initial_delay,
                    first,
                };
            }
            Phase::Preparing {
                first: Some(first), ..
            } => first.somebody_came |= is_new,
            Phase::Preparing { .. } => {}
            Phase::Completing { .. } | Phase::Stable => self.prepare(now),
        }
    }

    /// A static member was restarted: it takes its old place under a new name, and the old one is fenced.
    fn come_back(&mut self, now: Time, ticket: Ticket, old: &str, join: Join) {
        let Some(mut member) = self.members.remove(old) else {
            return;
        };
        for open in member
            .joining
            .take()
            .into_iter()
            .chain(member.syncing.take())
        {
            self.answer(open, Err(KafkaError::FencedInstanceId));
        }
        let (name, may_skip, leader_before) =
            (join.fresh_name.clone(), join.may_skip, self.leader.clone());
        self.members.insert(name.clone(), member);
        if self.leader == old {
            self.leader.clone_from(&name);
        }
        self.update(now, &name, join, None);
        if self.phase == Phase::Stable && self.choose_protocol() == self.protocol {
            let mut joined = self.joined(&name);
            joined.skip_assignment = may_skip && self.leader == name;
            if !may_skip {
                // An older client told that it leads would hand out everything anew, so it is told that another does.
                (joined.leader, joined.members) = (leader_before, vec![]);
            }
            self.answer(ticket, Ok(Reply::Joined(joined)));
            return;
        }
        if let Some(member) = self.members.get_mut(&name) {
            member.joining = Some(ticket);
        }
        if matches!(self.phase, Phase::Stable | Phase::Completing { .. }) {
            self.prepare(now);
        }
    }

    fn update(&mut self, now: Time, name: &str, join: Join, joining: Option<Ticket>) {
        let member = self.members.entry(name.to_string()).or_default();
        let unanswered = member.update(now, join, joining);
        if let Some(ticket) = unanswered {
            self.answer(ticket, Err(KafkaError::RebalanceInProgress));
        }
    }
}
