//! The same run twice: once as if all had gone well in the time that is in doubt, once as if nothing had.
use super::{OfLoad, PART_MIN};
use model::{Fact, Micros, Observation, RequestFact, Timeline};

/// How a request fails of which nothing is known: as what is asked would count it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Failing {
    With(model::ErrorKind),
    Status(u16),
}

/// All went well: what the machine or the harness can have made fail did not, and what it delayed was not delayed. None where that
/// changes nothing.
pub(crate) fn good(loads: &[OfLoad], timeline: &Timeline) -> Option<Timeline> {
    changed(timeline, |at, r| {
        let load = loads.iter().find(|load| load.step == r.step)?;
        let excused = !r.is_good() && load.is_excused(at, r);
        let delay = load.delay(r) + r.sent.saturating_sub(at);
        if !excused && delay == Micros::ZERO {
            return None;
        }
        let took = r.done.saturating_sub(at).saturating_sub(delay);
        let mut better = r.clone();
        (better.sent, better.done) = (at, at + took);
        // Whether it would have been in time cannot be seen any more where much of it was not the system's.
        let late_by_delay = r.is_late() && delay.0 >= r.done.saturating_sub(at).0 / PART_MIN;
        if excused {
            answer(&mut better);
        } else if late_by_delay {
            better.unmet = None;
        }
        Some(better)
    })
}

fn answer(r: &mut RequestFact) {
    (r.status, r.error, r.unmet) = (Some(200), None, None);
}

/// Nothing went well: what was not sent in time would have failed.
pub(crate) fn bad(loads: &[OfLoad], timeline: &Timeline, failing: Failing) -> Option<Timeline> {
    let worse = changed(timeline, |at, r| {
        let load = loads.iter().find(|load| load.step == r.step)?;
        load.is_unknown(at, r)
            .then(|| failed(r.clone(), at, failing))
    });
    let unsent: Vec<Observation> = loads.iter().flat_map(|l| never_sent(l, failing)).collect();
    match (worse, unsent.is_empty()) {
        (worse, true) => worse,
        (worse, false) => {
            let seen = worse.as_ref().unwrap_or(timeline).all().iter().cloned();
            Some(Timeline::new(seen.chain(unsent).collect()))
        }
    }
}

fn failed(mut r: RequestFact, due: Micros, failing: Failing) -> RequestFact {
    (r.sent, r.done) = (due, r.sent.max(due + Micros(1)));
    match failing {
        Failing::With(kind) => (r.status, r.error) = (None, Some(kind)),
        Failing::Status(code) => (r.status, r.error) = (Some(code), None),
    }
    r
}

/// One for each request that was never sent, evenly spaced.
fn never_sent(load: &OfLoad, failing: Failing) -> impl Iterator<Item = Observation> {
    load.unsent.iter().flat_map(move |(from, unsent)| {
        let length = unsent.until.saturating_sub(*from).0;
        let gaps = unsent.count.saturating_sub(1).max(1);
        (0..unsent.count).map(move |n| {
            let at = *from + Micros((length as u128 * n as u128 / gaps as u128) as u64);
            let request = RequestFact {
                step: load.step.clone(),
                sent: at,
                ..RequestFact::default()
            };
            Observation {
                at,
                fact: Fact::Request(failed(request, at, failing)),
            }
        })
    })
}

fn changed(
    timeline: &Timeline,
    change: impl Fn(Micros, &RequestFact) -> Option<RequestFact>,
) -> Option<Timeline> {
    let mut any = false;
    let all = timeline.all().iter().map(|o| {
        let new = match &o.fact {
            Fact::Request(r) => change(o.at, r),
            _ => None,
        };
        match new {
            None => o.clone(),
            Some(r) => {
                any = true;
                let fact = Fact::Request(r);
                Observation { at: o.at, fact }
            }
        }
    });
    let all: Vec<Observation> = all.collect();
    any.then(|| Timeline::new(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{Story, ms},
        soundness::Soundness,
    };

    fn unmet(story: Story) -> Vec<Option<String>> {
        let (plan, timeline) = (story.plan(), story.timeline());
        let sound = Soundness::of(&plan, &timeline);
        let better = good(&sound.loads, &timeline).unwrap_or(timeline);
        let at_2500 = better.requests("siege").filter(|(due, _)| *due == ms(2500));
        at_2500.map(|(_, r)| r.unmet.clone()).collect()
    }

    #[test]
    fn an_answer_that_was_late_because_it_was_sent_late_may_have_been_in_time() {
        let late = |what| {
            Story::rollout()
                .unexpected(2500..2510, what)
                .sent_late(2500, 60)
        };
        assert_eq!(unmet(late("took 62.0 ms, not less than 50.0 ms")), [None]);
        let wrong = "$.price is 0, expected 10";
        assert_eq!(unmet(late(wrong)), [Some(wrong.to_string())]);
    }
}
