//! Pods of which there are too many for a lane each.
use super::{Bar, Lane, State, joined};
use model::Micros;
use std::collections::{BTreeMap, BTreeSet};

/// One lane for all pods of a Deployment: at each moment it shows the best of them.
pub(super) fn together(lanes: Vec<(&str, Lane)>) -> Vec<(&str, Lane)> {
    let mut owners = BTreeMap::<&str, Vec<Bar>>::new();
    for (owner, lane) in lanes {
        owners.entry(owner).or_default().extend(lane.bars);
    }
    let best = |bars: Vec<Bar>| {
        let ends = bars.iter().flat_map(|bar| [bar.from, bar.to]);
        let moments: BTreeSet<Micros> = ends.collect();
        let changes = moments.iter().map(|at| {
            let there = bars.iter().filter(|bar| bar.from <= *at && *at < bar.to);
            let best = there.min_by_key(|bar| rank(bar.state));
            (*at, best.map(|bar| (bar.state, word(bar.state).into())))
        });
        let end = moments.last().copied().unwrap_or_default();
        joined(changes, end)
    };
    owners
        .into_iter()
        .map(|(owner, bars)| {
            let name = format!("{owner}: its pods");
            let bars = best(bars);
            (owner, Lane { name, bars })
        })
        .collect()
}

/// The best state of a pod is the first.
fn rank(state: State) -> u8 {
    match state {
        State::Ready => 0,
        State::NotReady => 1,
        State::Pending => 2,
        State::Terminating => 3,
        _ => 4,
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Ready => "ready",
        State::NotReady => "not ready",
        State::Pending => "pending",
        State::Terminating => "ending",
        _ => "ended",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_pods_of_a_deployment_share_a_row_that_shows_the_best_of_them() {
        let bar = |from, to, state| Bar {
            from: Micros(from),
            to: Micros(to),
            state,
            text: "it".into(),
        };
        let lane = |bars| {
            let name = "room-1".into();
            ("room", Lane { name, bars })
        };
        let lanes = together(vec![
            lane(vec![
                bar(0, 50, State::Ready),
                bar(50, 60, State::Terminating),
            ]),
            lane(vec![
                bar(52, 55, State::Pending),
                bar(55, 70, State::NotReady),
                bar(70, 100, State::Ready),
            ]),
        ]);
        let [("room", lane)] = &lanes[..] else {
            panic!("{lanes:?}")
        };
        assert_eq!(lane.name, "room: its pods");
        let bars = lane.bars.iter().map(|b| (b.from.0, b.to.0, b.state));
        assert_eq!(
            bars.collect::<Vec<_>>(),
            [
                (0, 50, State::Ready),
                (50, 52, State::Terminating),
                (52, 55, State::Pending),
                (55, 70, State::NotReady),
                (70, 100, State::Ready)
            ]
        );
    }
}
