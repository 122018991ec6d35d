//! Which signs lie near the trouble, and in which order they are named.
use super::{Sign, seen::Seen};
use model::{Cause, Fact, Micros};
use std::collections::BTreeMap;

/// What happened so long before requests began to fail may be why.
pub(super) const LEAD: Micros = Micros::from_secs(5);

/// Signs of one thing as one cause, those near the trouble first, of these the surest first.
pub(super) fn sorted(signs: Vec<Sign>, seen: &Seen) -> Vec<Cause> {
    let spans = spans(seen);
    let is_near = |s: &Sign| {
        spans
            .iter()
            .any(|(from, to)| s.from <= *to && s.to >= *from)
    };
    let mut of_one: BTreeMap<String, Vec<Sign>> = BTreeMap::new();
    for sign in signs {
        of_one.entry(sign.key.clone()).or_default().push(sign);
    }
    let mut causes: Vec<(u8, Cause)> = of_one
        .into_values()
        .map(|mut all| {
            all.sort_by_key(|s| (!is_near(s), s.from));
            let times = u32::try_from(all.len()).unwrap_or(u32::MAX);
            let first = all.swap_remove(0);
            let cause = Cause {
                at: first.from,
                is_near: is_near(&first),
                object: first.object,
                what: first.what,
                detail: first.detail,
                times,
            };
            (first.rank, cause)
        })
        .collect();
    causes.sort_by_key(|(rank, cause)| (!cause.is_near, *rank, cause.at));
    causes.into_iter().map(|(_, cause)| cause).collect()
}

/// Where the trouble is: requests that failed, with what came shortly before; a system that did not become steady; else the loads,
/// of which something else is not as it should be.
fn spans(seen: &Seen) -> Vec<(Micros, Micros)> {
    let failed = seen.windows.iter();
    let mut spans: Vec<_> = failed
        .map(|w| (w.from.saturating_sub(LEAD), w.to))
        .collect();
    let mut facts = seen.facts();
    if let Some((at, _)) = facts.find(|(_, f)| matches!(f, Fact::NotSteady { .. })) {
        spans.push((Micros::ZERO, at));
    }
    if spans.is_empty() {
        spans = seen.load_spans();
    }
    match spans.is_empty() {
        true => vec![(Micros::ZERO, seen.end)],
        false => spans,
    }
}

#[cfg(test)]
mod tests {
    use super::super::rank;
    use super::*;
    use crate::{
        fixture::{Story, ms},
        windows,
    };

    fn sorted_in(story: Story, signs: Vec<Sign>) -> Vec<(String, u32, bool)> {
        let (plan, timeline) = (story.plan(), story.timeline());
        let windows = windows::of_loads(&plan, &timeline);
        let causes = sorted(signs, &Seen::of(&plan, &timeline, &windows));
        let short = causes.into_iter();
        short.map(|c| (c.what, c.times, c.is_near)).collect()
    }

    fn sign(at: u64, rank: u8, what: &str) -> Sign {
        Sign::at(ms(at), rank, what, "Pod/a".into(), String::new())
    }

    #[test]
    fn what_lies_near_failed_requests_is_named_first_and_one_thing_once() {
        let signs = vec![
            sign(10, rank::IMAGE, "long before"),
            sign(2900, rank::CRASH, "crashed"),
            sign(2350, rank::CRASH, "crashed"),
            sign(2360, rank::MEMORY, "OOMKilled"),
        ];
        // 5 s before the first failed request is before the run began, so everything before its end is near.
        let story = Story::rollout().failing(2300..2500);
        assert_eq!(
            sorted_in(story, signs.clone()),
            [
                ("long before".to_string(), 1, true),
                ("OOMKilled".into(), 1, true),
                ("crashed".into(), 2, true)
            ]
        );
        let later = signs.into_iter().map(|s| Sign {
            from: s.from + ms(500),
            to: s.to + ms(500),
            ..s
        });
        let story = Story::rollout().failing(2300..2500);
        let found = sorted_in(story, later.skip(1).collect());
        assert!(found.iter().all(|(_, _, near)| !near), "{found:?}");
    }

    #[test]
    fn without_a_failed_request_the_time_of_the_loads_counts() {
        let signs = vec![
            sign(900, rank::IMAGE, "before"),
            sign(2500, rank::CRASH, "in it"),
        ];
        let found = sorted_in(Story::rollout(), signs);
        assert_eq!(
            found,
            [("in it".to_string(), 1, true), ("before".into(), 1, false)]
        );
    }
}
