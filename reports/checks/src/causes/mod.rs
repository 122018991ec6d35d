//! causes — why something did not hold, as an operator would say it: from states, events and counters on the timeline.
//!
//! - `seen`: what several of them look up; [`Sign`]: one thing that was seen
//! - `relevance`: which of them lie near the trouble, and several of one kind as one
//! - one file a cause: `memory`, `probes`, `crash`, `image`, `config`, `placing`, `selector`, `ports`, `listening`, `throttled`,
//!   `rollout`, `ending`, `worker`, `messages`, `lost`, `waiting`
mod config;
mod crash;
mod ending;
mod image;
mod listening;
mod lost;
mod memory;
mod messages;
mod placing;
mod ports;
mod probes;
mod relevance;
mod rollout;
mod seen;
mod selector;
mod throttled;
mod waiting;
mod worker;

use model::{Cause, Finding, Micros, Plan, Timeline, Window};
use seen::Seen;

/// Something that was seen and may be why.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sign {
    /// Signs with the same are one cause.
    pub key: String,
    /// See [`Cause::what`].
    pub what: String,
    /// See [`Cause::object`].
    pub object: String,
    /// See [`Cause::detail`].
    pub detail: String,
    /// From when it was so.
    pub from: Micros,
    /// Until when.
    pub to: Micros,
    /// The smaller, the surer and the nearer to the root: of two that were seen together this one is named first.
    pub rank: u8,
}

impl Sign {
    /// Something that was so for a moment. Of one `object` and one `what` it is one cause.
    pub fn at(at: Micros, rank: u8, what: &str, object: String, detail: String) -> Sign {
        Sign {
            key: format!("{what} {object}"),
            what: what.into(),
            object,
            detail,
            from: at,
            to: at,
            rank,
        }
    }

    /// The same of all pods of a workload is one cause.
    pub fn of(self, owner: &str, pod: &str, more: &str) -> Sign {
        let owner = if owner.is_empty() { pod } else { owner };
        Sign {
            key: format!("{} {owner} {more}", self.what),
            ..self
        }
    }

    pub fn until(self, to: Micros) -> Sign {
        Sign { to, ..self }
    }
}

/// The order in which causes that were seen together are named.
mod rank {
    pub const IMAGE: u8 = 10;
    pub const CONFIG: u8 = 11;
    pub const PLACING: u8 = 12;
    pub const SELECTOR: u8 = 13;
    pub const NAMED_PORT: u8 = 14;
    pub const MEMORY: u8 = 20;
    pub const PORT_IN_USE: u8 = 21;
    pub const WORKER: u8 = 22;
    pub const PROBE_KILL: u8 = 25;
    pub const CRASH: u8 = 30;
    pub const EVICTED: u8 = 31;
    pub const EVERYWHERE: u8 = 35;
    pub const NO_READINESS: u8 = 40;
    pub const ALL_AT_ONCE: u8 = 41;
    pub const KILLED: u8 = 42;
    pub const CUT_OFF: u8 = 43;
    pub const ONE_REPLICA: u8 = 44;
    pub const THROTTLED: u8 = 45;
    pub const STUCK: u8 = 46;
    pub const UNREAD: u8 = 47;
    pub const UNPUBLISHED: u8 = 48;
    pub const LOST: u8 = 49;
    pub const UNREADY: u8 = 50;
    pub const NUMBERED_PORT: u8 = 52;
    pub const WAITING: u8 = 55;
    pub const NOBODY_LISTENS: u8 = 60;
    pub const NO_POD: u8 = 61;
    pub const UNASKED: u8 = 70;
}

/// All causes, what lies nearest to the trouble first.
pub(crate) fn all(
    plan: &Plan,
    timeline: &Timeline,
    windows: &[Window],
    findings: &[Finding],
) -> Vec<Cause> {
    let seen = Seen::of(plan, timeline, windows);
    let losses = lost::Loss::all(&seen, findings);
    let signs = [
        image::signs(&seen),
        config::signs(&seen),
        placing::signs(&seen),
        selector::signs(&seen),
        ports::signs(&seen),
        memory::signs(&seen),
        listening::signs(&seen),
        worker::signs(&seen),
        probes::signs(&seen),
        crash::signs(&seen),
        ending::signs(&seen),
        rollout::signs(&seen),
        throttled::signs(&seen),
        messages::signs(&seen, &losses),
        lost::signs(&seen, &losses),
        waiting::signs(&seen),
    ];
    relevance::sorted(signs.concat(), &seen)
}

#[cfg(test)]
mod tests;

/// A line of a system's own output, quoted.
fn words(lines: &[String]) -> String {
    format!("“{}”", lines.join(" / "))
}
