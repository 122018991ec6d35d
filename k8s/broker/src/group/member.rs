//! member — one member of a group, and what it says of itself.

use super::{Ticket, Time};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;

/// A way to divide partitions, and what the member says for it (its subscription).
#[derive(Debug, Clone, PartialEq)]
pub struct Protocol {
    /// `range`, `roundrobin`, …
    pub name: String,
    /// Understood by the leader only.
    pub metadata: Bytes,
}

/// Who a question comes from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Who {
    /// The name the group gave; empty for newcomers.
    pub member: String,
    /// The static id, if it has one: it outlives restarts of the member.
    pub instance: Option<String>,
    /// The generation it believes to be in.
    pub generation: i32,
}

/// The wish to be a member.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// Who asks; its generation does not matter.
    pub who: Who,
    /// Its name in case it needs one. Unique over all groups and restarts of the broker.
    pub fresh_name: String,
    /// A newcomer must come back with its name first (so that one that never does is soon forgotten).
    pub must_confirm: bool,
    /// A returning leader understands that it shall leave everything as it is.
    pub may_skip: bool,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// It is out after so long a silence.
    pub session: Duration,
    /// How long it may take to join again.
    pub rebalance: Duration,
    /// `consumer`, for consumers.
    pub protocol_type: String,
    /// The ways it knows, the preferred one first.
    pub protocols: Vec<Protocol>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Member {
    pub(super) instance: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance: Duration,
    pub(super) protocols: Vec<Protocol>,
    pub(super) joining: Option<Ticket>,
    pub(super) syncing: Option<Ticket>,
    pub(super) assignment: Bytes,
    session: Duration,
    deadline: Time,
}

impl Member {
    /// Takes what it says of itself now; an older unanswered join of the same member, if any.
    pub(super) fn update(
        &mut self,
        now: Time,
        join: Join,
        joining: Option<Ticket>,
    ) -> Option<Ticket> {
        let unanswered = std::mem::replace(&mut self.joining, joining);
        self.instance = join.who.instance;
        (self.client_id, self.client_host) = (join.client_id, join.client_host);
        (self.session, self.rebalance) = (join.session, join.rebalance);
        self.protocols = join.protocols;
        self.is_alive(now);
        unanswered
    }

    pub(super) fn is_alive(&mut self, now: Time) {
        self.deadline = now + self.session;
    }

    /// When its session ends. Not while it waits for us.
    pub(super) fn expires(&self) -> Option<Time> {
        (self.joining.is_none() && self.syncing.is_none()).then_some(self.deadline)
    }

    /// What it says for this way to divide partitions.
    pub fn subscription(&self, protocol: &str) -> Bytes {
        let chosen = self.protocols.iter().find(|p| p.name == protocol);
        chosen.map(|p| p.metadata.clone()).unwrap_or_default()
    }

    /// Its static id.
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// What its client calls itself, and where it connected from.
    pub fn client(&self) -> (&str, &str) {
        (&self.client_id, &self.client_host)
    }

    /// Its part.
    pub fn assignment(&self) -> Bytes {
        self.assignment.clone()
    }
}

/// How a group is.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// `Empty`, `PreparingRebalance`, `CompletingRebalance` or `Stable`.
    pub state: &'static str,
    /// `consumer`, for consumers.
    pub protocol_type: String,
    /// How partitions are divided.
    pub protocol: String,
    /// By name.
    pub members: BTreeMap<String, Member>,
}
