//! The same run twice: once as if all had gone well in the time that is in doubt, once as if nothing had.
use super::OfLoad;
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
        if excused {
            answer(&mut better);
        }
        Some(better)
    })
}

fn answer(r: &mut RequestFact) {
    (r.status, r.error) = (Some(200), None);
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
