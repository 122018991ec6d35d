//! Time in which a process on the path stood still: its heartbeat was missing, and nothing that it has to do with happened.
use crate::sample::Sample;
use model::{Fact, Micros, Process, Timeline};

/// A heart that misses a beat or two may be the only thread that had to wait; shorter stalls show as gaps between requests, if at all.
const STALL_MIN: Micros = Micros::from_millis(20);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Still {
    pub process: Process,
    pub from: Micros,
    pub to: Micros,
}

/// The stalls that matter to a load: of its worker, and of brownout where the proxies are in it. What went on inside one shows that
/// only the heart was kept waiting; then the pieces between count.
pub(crate) fn of(sample: &Sample, timeline: &Timeline) -> Vec<Still> {
    let moved = Moved::of(sample);
    let is_embedded = timeline.is_embedded();
    let mut found = vec![];
    for observation in timeline.all() {
        let Fact::Stalled(stall) = &observation.fact else {
            continue;
        };
        let events = match &stall.process {
            Process::Worker(step) if step == sample.step => &moved.any,
            Process::Brownout if is_embedded => &moved.done,
            _ => continue,
        };
        let pieces = pieces(observation.at, stall.until, events);
        found.extend(pieces.into_iter().map(|(from, to)| Still {
            process: stall.process.clone(),
            from,
            to,
        }));
    }
    found
}

/// When something of a load happened, in time.
struct Moved {
    /// Something was sent or done: the worker worked.
    any: Vec<Micros>,
    /// Something was answered: the proxies did, too.
    done: Vec<Micros>,
}

impl Moved {
    fn of(sample: &Sample) -> Moved {
        let mut done: Vec<Micros> = sample.requests.iter().map(|(_, r)| r.done).collect();
        let mut any: Vec<Micros> = sample.requests.iter().map(|(_, r)| r.sent).collect();
        any.extend(&done);
        any.sort_unstable();
        done.sort_unstable();
        Moved { any, done }
    }
}

fn pieces(from: Micros, to: Micros, events: &[Micros]) -> Vec<(Micros, Micros)> {
    let first = events.partition_point(|at| *at <= from);
    let inside = events[first..].iter().take_while(|at| **at < to);
    let mut edges = vec![from];
    edges.extend(inside);
    edges.push(to);
    let pairs = edges.windows(2).map(|pair| (pair[0], pair[1]));
    pairs
        .filter(|(from, to)| to.saturating_sub(*from) >= STALL_MIN)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};
    use model::Stall;

    fn stalled(process: Process) -> Story {
        let until = ms(2500);
        let fact = Fact::Stalled(Stall { process, until });
        Story::rollout().with(ms(2300), fact)
    }

    fn found(story: &Story) -> Vec<(u64, u64)> {
        let timeline = story.timeline();
        let stalls = of(&Sample::of(&timeline, "siege"), &timeline);
        stalls
            .iter()
            .map(|s| (s.from.0 / 1000, s.to.0 / 1000))
            .collect()
    }

    #[test]
    fn a_stall_in_which_requests_went_on_was_of_the_heart_alone() {
        assert_eq!(found(&stalled(Process::Worker("siege".into()))), []);
        assert_eq!(found(&stalled(Process::Brownout)), []);
    }

    #[test]
    fn a_stall_in_which_nothing_happened_is_one_of_the_process() {
        let still = |story: Story| {
            (2300..2500)
                .step_by(10)
                .fold(story, |s, due| s.sent_late(due, 2500 - due))
        };
        let worker = still(stalled(Process::Worker("siege".into())));
        assert_eq!(found(&worker), [(2300, 2500)]);
        assert_eq!(found(&still(stalled(Process::Brownout))), [(2300, 2500)]);
        let other = still(stalled(Process::Worker("another".into())));
        assert_eq!(found(&other), []);
    }
}
