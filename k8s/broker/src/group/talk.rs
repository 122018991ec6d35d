//! talk — what members ask of their group, and what they are told.

use super::{Join, Who};
use crate::KafkaError;
use bytes::Bytes;
use std::time::Duration;

/// Since the broker started.
pub type Time = Duration;

/// Names one question, so that its answer finds the way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What members ask.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// May I be a member? Answered with `Joined` or `CallYourself`.
    Join(Join),
    /// What is my part? The leader brings everybody's. Answered with `Assigned`.
    Sync(Who, Vec<(String, Bytes)>),
    /// I am alive. Answered with `Noted`, as are the next two.
    Heartbeat(Who),
    /// I am leaving.
    Leave(Who),
    /// May I commit offsets?
    Commit(Who),
}

/// What goes in.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "handed in one at a time, never stored"
)]
pub enum Event {
    /// A member asks.
    Asked(Ticket, Question),
    /// Time has passed.
    Tick,
}

/// What a member is told when all went well.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It is a member of this generation.
    Joined(Joined),
    /// It must join again under this name.
    CallYourself(String),
    /// Its part.
    Assigned(Bytes),
    /// So be it.
    Noted,
}

/// The answer to one question.
pub type Answer = Result<Reply, KafkaError>;

/// What comes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Whose question this answers.
    pub to: Ticket,
    /// The answer.
    pub answer: Answer,
}

/// What a member learns by joining.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Joined {
    /// Counts the times that the partitions were handed out.
    pub generation: i32,
    /// How the partitions will be divided.
    pub protocol: String,
    /// Who divides them.
    pub leader: String,
    /// The member's own name.
    pub member: String,
    /// Everybody and what they subscribed to: (name, static id, subscription). Empty for followers.
    pub members: Vec<(String, Option<String>, Bytes)>,
    /// The leader came back under a new name and shall leave everything as it is.
    pub skip_assignment: bool,
}
