//! Breakers that were open at some time.
use super::{Lane, State, joined};
use model::{Breaker, Fact, Micros, PodState, Timeline};
use std::collections::BTreeMap;

/// Who calls, who is called, and on which side it is.
type Which<'t> = (&'t str, &'t str, &'t str);

/// A lane for each, with the pod that calls. It ends with that pod: nobody tells of it any more.
pub(super) fn lanes(timeline: &Timeline, end: Micros) -> Vec<Lane> {
    let mut breakers = BTreeMap::<Which, Vec<(Micros, Option<(State, String)>)>>::new();
    for observation in timeline.all() {
        match &observation.fact {
            Fact::Breaker(now) => {
                let (state, word) = match now.state {
                    Breaker::Closed => (State::Some, "closed"),
                    Breaker::HalfOpen => (State::Degraded, "half open"),
                    Breaker::Open => (State::None, "open"),
                };
                let which = (now.client.as_str(), now.service.as_str(), now.side.as_str());
                let changes = breakers.entry(which).or_default();
                // A last count may come after the pod's end.
                if changes.last().is_none_or(|(_, change)| change.is_some()) {
                    changes.push((observation.at, Some((state, word.into()))));
                }
            }
            Fact::Pod(pod) if has_ended(pod) => {
                let of_pod = breakers.iter_mut().filter(|(which, _)| which.0 == pod.name);
                of_pod.for_each(|(_, changes)| changes.push((observation.at, None)));
            }
            _ => {}
        }
    }
    let opened = |changes: &[(Micros, Option<(State, String)>)]| {
        let mut states = changes.iter().flat_map(|(_, change)| change);
        states.any(|(state, _)| *state == State::None)
    };
    breakers
        .into_iter()
        .filter(|(_, changes)| opened(changes))
        .map(|((client, service, side), changes)| Lane {
            name: format!("{client} → {service}: breaker ({side})"),
            bars: joined(changes.into_iter(), end),
        })
        .collect()
}

fn has_ended(pod: &PodState) -> bool {
    pod.gone || matches!(pod.phase.as_str(), "Succeeded" | "Failed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{BreakerState, Observation};

    fn turned(at: u64, client: &str, state: Breaker) -> Observation {
        Observation {
            at: Micros(at),
            fact: Fact::Breaker(BreakerState {
                client: client.into(),
                side: "caller".into(),
                service: "pay".into(),
                state,
                requests: at,
                rejected: 0,
                ejections: 0,
            }),
        }
    }

    fn bars(lane: &Lane) -> Vec<(u64, u64, &str)> {
        let bars = lane.bars.iter();
        bars.map(|b| (b.from.0, b.to.0, b.text.as_str())).collect()
    }

    #[test]
    fn a_breaker_is_a_row_if_it_was_ever_open() {
        let timeline = Timeline::new(vec![
            turned(10, "room-1", Breaker::Open),
            turned(15, "room-1", Breaker::Open),
            turned(20, "room-2", Breaker::HalfOpen),
            turned(30, "room-1", Breaker::Closed),
        ]);
        let lanes = lanes(&timeline, Micros(100));
        assert_eq!(lanes.len(), 1);
        assert_eq!(bars(&lanes[0]), [(10, 30, "open"), (30, 100, "closed")]);
    }

    #[test]
    fn a_breaker_ends_with_the_pod_it_is_in() {
        let ended = PodState {
            name: "load-1".into(),
            uid: "u".into(),
            owner: "load".into(),
            template: String::new(),
            phase: "Succeeded".into(),
            ready: false,
            terminating: false,
            gone: false,
            restarts: 0,
            reason: "Completed".into(),
        };
        let timeline = Timeline::new(vec![
            turned(10, "load-1", Breaker::Open),
            turned(20, "room-1", Breaker::Open),
            Observation {
                at: Micros(40),
                fact: Fact::Pod(ended),
            },
            turned(50, "load-1", Breaker::Closed),
        ]);
        let lanes = lanes(&timeline, Micros(100));
        assert_eq!(bars(&lanes[0]), [(10, 40, "open")]);
        assert_eq!(bars(&lanes[1]), [(20, 100, "open")]);
    }
}
