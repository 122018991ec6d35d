//! What of a load's time the harness saw, and what was the machine's doing and not the system's.
//!
//! - *unknown*: a request was due and none was sent ([`gaps`]), or a process on the path stood still ([`stalls`])
//! - *the machine's*: the [`canary`] was slow or silent
//!
//! Both are listed as [`Doubt`]s. [`worlds`] are the same run with that time taken as good and as bad, and [`weigh`] asks whether a check
//! says the same of both.
pub(crate) mod canary;
pub(crate) mod gaps;
mod machine;
mod stalls;
mod weigh;
mod worlds;

pub(crate) use machine::Machine;
pub(crate) use weigh::{Scales, Weighed};

use crate::{
    sample::Sample,
    stretch::{Stretch, length, overlap, union},
};
use canary::Canary;
use gaps::Gap;
use model::{Doubt, ErrorKind, Fact, Micros, Plan, Process, RequestFact, Timeline, Unsent, Whose};
use stalls::Still;

/// An objective is in doubt where nothing was sent for longer than this: with less a load of 50 requests a second would be late by one.
const GAP_MIN: Micros = Micros::from_millis(20);

/// A load that is slower may be late by so many of its own intervals before its objectives are in doubt.
const GAP_INTERVALS: u64 = 2;

/// Services give up on each other after half a second and more; a canary that was delayed by less than this is not the reason.
const GIVEN_UP_MIN: Micros = Micros::from_millis(250);

/// A breaker remembers for about so long what was too slow.
const MEMORY: Micros = Micros::from_secs(10);

/// A request that failed because something took too long can be the machine's doing where the canary took at least this part of it:
/// it passes some ten sockets and processes where the canary passes two.
const PART_MIN: u64 = 10;

/// What is known of all loads of a run.
pub(crate) struct Soundness {
    pub loads: Vec<OfLoad>,
    pub machine: Machine,
}

/// What is known of one load.
pub(crate) struct OfLoad {
    pub step: String,
    span: Option<Stretch>,
    gaps: Vec<Gap>,
    stalls: Vec<Still>,
    canary: Canary,
    unsent: Vec<(Micros, Unsent)>,
    pressed: Vec<Stretch>,
    gap_min: Micros,
    pub longest_gap: Option<Micros>,
}

impl Soundness {
    pub fn of(plan: &Plan, timeline: &Timeline) -> Soundness {
        let machine = Machine::of(timeline);
        let loads = plan
            .loads()
            .map(|(step, _)| OfLoad::of(step, timeline, &machine));
        Soundness {
            loads: loads.collect(),
            machine,
        }
    }

    pub fn load(&self, step: &str) -> Option<&OfLoad> {
        self.loads.iter().find(|load| load.step == step)
    }

    /// All time that is in doubt, load by load, each in time.
    pub fn doubts(&self) -> Vec<Doubt> {
        self.loads.iter().flat_map(OfLoad::doubts).collect()
    }
}

impl OfLoad {
    fn of(step: &str, timeline: &Timeline, machine: &Machine) -> OfLoad {
        let sample = Sample::of(timeline, step);
        let unsent = timeline.all().iter().filter_map(|o| match &o.fact {
            Fact::Unsent(unsent) if unsent.step == step => Some((o.at, unsent.clone())),
            _ => None,
        });
        let interval = sample.floor().unwrap_or_default();
        OfLoad {
            step: step.into(),
            span: sample.span(),
            gaps: gaps::of(&sample),
            stalls: stalls::of(&sample, timeline),
            canary: Canary::of(step, timeline),
            unsent: unsent.collect(),
            pressed: machine.pressed.clone(),
            gap_min: GAP_MIN.max(Micros(interval.0 * GAP_INTERVALS)),
            longest_gap: gaps::longest(&sample),
        }
    }

    /// How often the canary was asked.
    pub fn asked(&self) -> usize {
        self.canary.asks.len()
    }

    /// Time of which nothing is known.
    pub fn unknown(&self) -> Vec<Stretch> {
        let gaps = self.gaps.iter().map(|gap| (gap.from, gap.to));
        let stalls = self.stalls.iter().map(|still| (still.from, still.to));
        let unsent = self
            .unsent
            .iter()
            .map(|(from, u)| (*from, u.until + Micros(1)));
        union(gaps.chain(stalls).chain(unsent).collect())
    }

    /// Requests of which it is not known what would have become of them, had they been sent and passed on in time.
    fn is_unknown(&self, due: Micros, r: &RequestFact) -> bool {
        let of_gap = |gap: &Gap| {
            gap.length() >= self.gap_min && gap.from < due && due < gap.to && r.sent >= gap.to
        };
        let of_stall = |still: &Still| {
            still.process == Process::Brownout && still.from <= r.sent && r.sent < still.to
        };
        self.gaps.iter().any(of_gap) || self.stalls.iter().any(of_stall)
    }

    /// Whether a request may have failed because of the machine or of the harness, whatever the system did.
    fn is_excused(&self, due: Micros, r: &RequestFact) -> bool {
        if r.error == Some(ErrorKind::Exhausted)
            || self.stood_still((r.sent, r.done)) > Micros::ZERO
        {
            return true;
        }
        let fared = self.canary.during((r.sent, r.done));
        let took = r.done.saturating_sub(due);
        let explains = fared.delay >= canary::SLOW_MIN && fared.delay.0 >= took.0 / PART_MIN;
        fared.failed
            || match (r.error, r.status) {
                (Some(ErrorKind::Timeout), _) => explains,
                // Some service or proxy behind the answer gave up, now or, where a breaker is open, a little earlier.
                (None, Some(500..)) => {
                    let before = r.sent.saturating_sub(MEMORY);
                    let slowest = self.canary.during((before, r.done)).delay;
                    slowest >= GIVEN_UP_MIN || explains && took >= canary::SLOW_MIN
                }
                _ => false,
            }
    }

    /// How much of a request's time may have been the machine's or the harness's.
    fn delay(&self, r: &RequestFact) -> Micros {
        let span = (r.sent, r.done);
        let pressed = self.pressed.iter().map(|p| overlap(*p, span));
        let pressed: Micros = pressed.sum();
        let delay = self.canary.during(span).delay;
        delay.max(self.stood_still(span)).max(pressed)
    }

    /// For how much of this time a process on the path stood still.
    fn stood_still(&self, span: Stretch) -> Micros {
        let stalls = self.stalls.iter().map(|still| (still.from, still.to));
        stalls.map(|still| overlap(still, span)).sum()
    }

    fn doubts(&self) -> Vec<Doubt> {
        let doubt = |whose, (from, to): Stretch, because| Doubt {
            step: self.step.clone(),
            from,
            to,
            whose,
            because,
        };
        let unknown = self.unknown().into_iter().map(|span| {
            let because = self.because(span);
            doubt(Whose::Unknown, span, because)
        });
        // The canary is asked before the first request and after the last as well.
        let (begin, end) = self.span.unwrap_or_default();
        let of_load = |(from, to): Stretch| (from.max(begin), to.min(end));
        let slow = self.canary.slow().into_iter().map(of_load);
        let slow = slow.filter(|(from, to)| from < to).map(|span| {
            let fared = self.canary.during(span);
            let because = match fared.failed {
                true => "the canary did not answer".to_string(),
                false => format!("the canary took up to {}", fared.delay),
            };
            doubt(Whose::Machine, span, because)
        });
        let mut all: Vec<Doubt> = unknown.chain(slow).collect();
        all.sort_by_key(|d| (d.from, d.to));
        all
    }

    /// Who kept requests from being sent.
    fn because(&self, span: Stretch) -> String {
        let most = |of: Vec<Stretch>| {
            let shared = of.iter().map(|s| overlap(*s, span)).sum::<Micros>();
            shared.0 * 2 >= (span.1 - span.0).0
        };
        let mut processes: Vec<&Process> = self.stalls.iter().map(|s| &s.process).collect();
        processes.sort_unstable();
        processes.dedup();
        for process in processes {
            let stalls = self.stalls.iter().filter(|s| &s.process == process);
            if most(stalls.map(|s| (s.from, s.to)).collect()) {
                return format!("{process} stood still");
            }
        }
        if self
            .unsent
            .iter()
            .any(|(from, _)| span.0 <= *from && *from < span.1)
        {
            return format!("too many requests of “{}” were unanswered", self.step);
        }
        match most(self.pressed.clone()) {
            true => format!(
                "the machine was busy, and the load worker of “{}” late",
                self.step
            ),
            false => format!("the load worker of “{}” was late", self.step),
        }
    }

    /// `31.0 ms of 8.00 s of “customers” is unknown, the longest stretch from +4.200 s for 12.0 ms, because …`; None where all is known.
    pub fn said(&self, whose: Whose) -> Option<String> {
        let doubts = self.doubts().into_iter().filter(|d| d.whose == whose);
        let doubts: Vec<Doubt> = doubts.collect();
        let longest = doubts.iter().max_by_key(|d| d.to.saturating_sub(d.from))?;
        let all: Vec<Stretch> = doubts.iter().map(|d| (d.from, d.to)).collect();
        let (from, to) = self.span?;
        let kind = match whose {
            Whose::Unknown => "unknown",
            Whose::Machine => "the machine's",
        };
        Some(format!(
            "{} of {} of “{}” is {kind}, the longest stretch from {} for {}, because {}",
            length(&all),
            to - from,
            self.step,
            crate::offset(longest.from),
            longest.to - longest.from,
            longest.because
        ))
    }
}
