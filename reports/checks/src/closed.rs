//! What a closed load did not send because its users were waiting for answers: the system's silence keeps it from being asked.
use crate::sample::Sample;
use model::{Load, LoadModel, Micros};

/// An answer that takes so many times the median is a stall, and not the usual spread.
const STALL_TIMES: u64 = 10;

/// So many instants without a free user are looked at; more say nothing new.
const SLOTS_MAX: usize = 1_000_000;

/// How long each request would have taken that was due by the ceiling of a load while all its users were waiting: from then until the
/// next request was answered. Empty for other loads.
pub(crate) fn waits(load: &Load, sample: &Sample) -> Vec<Micros> {
    let LoadModel::Closed {
        users,
        max_rate: Some(rate),
        ..
    } = load.model
    else {
        return vec![];
    };
    let interval = Micros(1_000_000 / u64::from(rate.max(1)));
    let mut sends: Vec<(Micros, Micros)> = sample
        .requests
        .iter()
        .map(|(_, r)| (r.sent, r.done))
        .collect();
    sends.sort_unstable();
    let mut dones: Vec<Micros> = sends.iter().map(|(_, done)| *done).collect();
    dones.sort_unstable();
    let all_wait = |at: Micros| {
        let sent = sends.partition_point(|(sent, _)| *sent <= at);
        sent - dones.partition_point(|done| *done <= at) >= users as usize
    };
    let slots = sends.windows(2).flat_map(|pair| {
        let ((before, _), (next, done)) = (pair[0], pair[1]);
        let count = next.saturating_sub(before).0 / interval.0.max(1);
        (1..count).map(move |k| (before + Micros(k * interval.0), done))
    });
    slots
        .filter(|(slot, _)| all_wait(*slot))
        .map(|(slot, done)| done.saturating_sub(slot))
        .take(SLOTS_MAX)
        .collect()
}

/// How many requests the users of a load without a ceiling would have sent while they waited for answers that took much longer than
/// the others, had those come as fast. 0 for other loads.
pub(crate) fn hidden(load: &Load, sample: &Sample) -> u64 {
    if !matches!(load.model, LoadModel::Closed { max_rate: None, .. }) {
        return 0;
    }
    let mut took: Vec<u64> = sample
        .requests
        .iter()
        .map(|(_, r)| r.done.saturating_sub(r.sent).0)
        .collect();
    took.sort_unstable();
    let Some(median) = took.get(took.len() / 2) else {
        return 0;
    };
    let think = load.think_time.unwrap_or_default().0;
    let turn = (median + think).max(1);
    let stalls = took.iter().filter(|t| **t >= STALL_TIMES * turn);
    stalls.map(|t| t / turn - 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};

    fn closed(max_rate: Option<u32>) -> Load {
        let plan = Story::rollout().plan();
        let (_, load) = plan.loads().next().unwrap();
        Load {
            model: LoadModel::Closed {
                users: 1,
                duration: None,
                repetitions: None,
                max_rate,
            },
            ..load.clone()
        }
    }

    /// A request each 10 ms; the one of 2.5 s is answered 200 ms later, and those due meanwhile are not sent.
    fn frozen() -> Story {
        Story::rollout()
            .without(|f| matches!(f, model::Fact::Request(r) if (2_501_000..2_700_000).contains(&r.sent.0)))
            .answered_late(2500, 200)
    }

    fn of<T>(story: &Story, of: impl Fn(&Sample) -> T) -> T {
        of(&Sample::of(&story.timeline(), "siege"))
    }

    #[test]
    fn what_was_due_while_all_users_waited_counts_from_when_it_was_due() {
        let load = closed(Some(100));
        assert_eq!(of(&Story::rollout(), |s| waits(&load, s)), []);
        let waits = of(&frozen(), |s| waits(&load, s));
        assert_eq!(waits.len(), 19);
        assert_eq!((waits[0], waits[18]), (ms(192), ms(12)));
        let p90 = of(&frozen(), |s| {
            let all = Sample::of(&frozen().timeline(), s.step)
                .of_load(&load)
                .times()
                .0;
            all[all.len() * 9 / 10]
        });
        assert_eq!(p90, ms(112), "one in ten waited longer");
    }

    #[test]
    fn without_a_ceiling_it_is_said_how_many_were_not_sent() {
        assert_eq!(of(&Story::rollout(), |s| hidden(&closed(None), s)), 0);
        // 202 ms at 2 ms a turn.
        assert_eq!(of(&frozen(), |s| hidden(&closed(None), s)), 100);
        assert_eq!(of(&frozen(), |s| hidden(&closed(Some(100)), s)), 0);
    }
}
