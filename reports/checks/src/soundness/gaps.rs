//! Time in which a request was due and none was sent: from one send to the next, where that is longer than planned.
use crate::sample::Sample;
use model::Micros;

/// A gap that is shorter than this is not worth a line: timers are not finer on a machine with other work to do.
const LATE_MIN: Micros = Micros::from_millis(1);

/// Between two sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gap {
    /// The last send before it.
    pub from: Micros,
    /// The next one.
    pub to: Micros,
    /// So many requests were due inside and sent after it.
    pub due: u64,
}

impl Gap {
    pub fn length(&self) -> Micros {
        self.to.saturating_sub(self.from)
    }
}

/// The gaps of a load, in time: some request was due in each, later than the load's own interval before the next was sent.
pub(crate) fn of(sample: &Sample) -> Vec<Gap> {
    let mut sends: Vec<(Micros, Micros)> = sample
        .requests
        .iter()
        .map(|(due, r)| (r.sent.max(*due), *due))
        .collect();
    sends.sort_unstable();
    let earliest = earliest_due(&sends);
    let late_min = sample.floor().unwrap_or_default().max(LATE_MIN);
    let dues = sorted(sends.iter().map(|(_, due)| *due));
    let pairs = sends.windows(2).zip(&earliest[1.min(earliest.len())..]);
    pairs
        .filter_map(|(pair, due)| {
            let (from, to) = (pair[0].0, pair[1].0);
            let late = to.saturating_sub(from.max(*due));
            (late > late_min).then(|| {
                let until = |at: Micros| dues.partition_point(|due| *due <= at) as u64;
                Gap {
                    from,
                    to,
                    due: until(to - Micros(1)) - until(from),
                }
            })
        })
        .collect()
}

/// For each send, when the request was due that had waited longest by then.
fn earliest_due(sends: &[(Micros, Micros)]) -> Vec<Micros> {
    let mut earliest: Vec<Micros> = sends.iter().map(|(_, due)| *due).collect();
    for i in (1..earliest.len()).rev() {
        earliest[i - 1] = earliest[i - 1].min(earliest[i]);
    }
    earliest
}

fn sorted(dues: impl Iterator<Item = Micros>) -> Vec<Micros> {
    let mut dues: Vec<Micros> = dues.collect();
    dues.sort_unstable();
    dues
}

/// The longest time between two sends, planned or not: a shorter outage may have gone unseen.
pub(crate) fn longest(sample: &Sample) -> Option<Micros> {
    let sends = sorted(sample.requests.iter().map(|(due, r)| r.sent.max(*due)));
    sends.windows(2).map(|pair| pair[1] - pair[0]).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};

    fn gaps(story: &Story) -> Vec<Gap> {
        of(&Sample::of(&story.timeline(), "siege"))
    }

    #[test]
    fn a_load_that_was_sent_when_it_was_due_has_no_gap() {
        assert_eq!(gaps(&Story::rollout()), []);
        // One alone that is late hides nothing: others were sent meanwhile.
        assert_eq!(gaps(&Story::rollout().sent_late(2500, 400)), []);
    }

    #[test]
    fn a_worker_that_stood_still_leaves_a_gap_from_its_last_send_to_its_next() {
        let story = (2300..2500)
            .step_by(10)
            .fold(Story::rollout(), |s, due| s.sent_late(due, 2500 - due));
        let gap = Gap {
            from: ms(2290),
            to: ms(2500),
            due: 20,
        };
        assert_eq!(gaps(&story), [gap]);
        assert_eq!(gap.length(), ms(210));
    }

    #[test]
    fn the_longest_time_between_two_sends_is_known_though_nothing_was_due_in_it() {
        let longest = |story: Story| longest(&Sample::of(&story.timeline(), "siege"));
        assert_eq!(longest(Story::rollout()), Some(ms(10)));
        assert_eq!(longest(Story::rollout().sent_late(2500, 3)), Some(ms(13)));
        assert_eq!(longest(Story::rollout().requests_until(2010)), None);
    }
}
