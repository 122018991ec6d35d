//! What became of pods and endpoints, as bars on the time axis.
mod breakers;
mod together;

use crate::words;
use model::{Fact, Micros, Plan, PodState, RequestFact, Timeline, Window, WindowState};
use std::collections::BTreeMap;

/// More lanes than this make a plot that nobody reads.
pub(crate) const LANES_MAX: usize = 14;

/// What a bar stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Pending,
    NotReady,
    Ready,
    Terminating,
    Ended,
    /// Some endpoints are ready.
    Some,
    /// No endpoint is ready.
    None,
    Down,
    Degraded,
    Good,
    Failed,
}

/// A stretch of one state, in time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub from: Micros,
    pub to: Micros,
    pub state: State,
    /// Written inside, where there is room.
    pub text: String,
}

/// One row of bars.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lane {
    pub name: String,
    pub bars: Vec<Bar>,
}

/// All lanes that show something between `from` and `to`, and what is left out.
pub(crate) fn lanes(
    plan: &Plan,
    timeline: &Timeline,
    windows: &[Window],
    (from, to): (Micros, Micros),
) -> (Vec<Lane>, LeftOut) {
    let targets: Vec<&str> = plan
        .faults()
        .flat_map(|(_, f)| f.kind.workloads())
        .collect();
    let stage = words::stage(timeline);
    let clip = |lane: Lane| Lane {
        bars: clipped(lane.bars, from, to),
        ..lane
    };
    let mut shown = window_lanes(plan, windows);
    shown.extend(request_lanes(plan, timeline));
    let mut of_pods = pod_lanes(timeline, to);
    if of_pods.len() > LANES_MAX {
        of_pods = together::together(of_pods);
    }
    let (pods, idle): (Vec<_>, Vec<_>) = of_pods
        .into_iter()
        .map(|(owner, lane)| (owner, clip(lane)))
        .filter(|(_, lane)| !lane.bars.is_empty())
        .partition(|(owner, lane)| targets.contains(owner) || !is_calm(lane, stage));
    let (first, rest): (Vec<_>, Vec<_>) = pods
        .into_iter()
        .partition(|(owner, _)| targets.contains(owner));
    shown.extend(first.into_iter().map(|(_, lane)| lane));
    let endpoints = endpoint_lanes(timeline, to)
        .into_iter()
        .map(|(service, lane)| (service, clip(lane)))
        .filter(|(service, lane)| {
            let bars = clipped(lane.bars.clone(), stage.0, stage.1);
            targets.contains(service) || bars.len() > 1
        });
    shown.extend(autoscaler_lanes(timeline, to));
    shown.extend(breakers::lanes(timeline, to));
    shown.extend(endpoints.map(|(_, lane)| lane));
    shown.extend(rest.into_iter().map(|(_, lane)| lane));
    let left_out = LeftOut {
        calm: idle.len(),
        crowded: shown.len().saturating_sub(LANES_MAX),
    };
    shown.truncate(LANES_MAX);
    (shown.into_iter().map(clip).collect(), left_out)
}

/// Nothing happened to it: it was ready all the time.
fn is_calm(lane: &Lane, (from, to): (Micros, Micros)) -> bool {
    let bars = clipped(lane.bars.clone(), from, to);
    matches!(bars.as_slice(), [bar] if bar.state == State::Ready)
}

fn clipped(bars: Vec<Bar>, from: Micros, to: Micros) -> Vec<Bar> {
    bars.into_iter()
        .filter(|bar| bar.from < to && (bar.to > from || bar.from >= from))
        .map(|bar| Bar {
            from: bar.from.max(from),
            to: bar.to.min(to),
            ..bar
        })
        .collect()
}

fn window_lanes(plan: &Plan, windows: &[Window]) -> Vec<Lane> {
    let loads: Vec<&str> = plan.loads().map(|(step, _)| step).collect();
    loads
        .iter()
        .map(|load| Lane {
            name: format!("{load}: requests failed"),
            bars: windows
                .iter()
                .filter(|w| w.step == *load)
                .map(window_bar)
                .collect(),
        })
        .filter(|lane| !lane.bars.is_empty())
        .collect()
}

fn window_bar(window: &Window) -> Bar {
    let (state, word) = match window.state {
        WindowState::Down => (State::Down, "down"),
        WindowState::Degraded => (State::Degraded, "degraded"),
    };
    Bar {
        from: window.from,
        to: window.to,
        state,
        text: format!("{word} {}", window.length()),
    }
}

/// Steps that send a few requests once: each request is a bar.
fn request_lanes(plan: &Plan, timeline: &Timeline) -> Vec<Lane> {
    let steps = plan.steps.iter().filter_map(|step| match &step.action {
        model::Action::Requests { .. } => Some(step.name.as_str()),
        _ => None,
    });
    steps
        .map(|step| Lane {
            name: format!("{step}: requests"),
            bars: timeline
                .requests(step)
                .map(|(due, request)| request_bar(due, request))
                .collect(),
        })
        .filter(|lane| !lane.bars.is_empty())
        .collect()
}

fn request_bar(due: Micros, request: &RequestFact) -> Bar {
    Bar {
        from: due,
        to: request.done,
        state: match request.is_good() {
            true => State::Good,
            false => State::Failed,
        },
        text: request.result(),
    }
}

fn pod_lanes(timeline: &Timeline, end: Micros) -> Vec<(&str, Lane)> {
    let mut order: Vec<&str> = vec![];
    let mut lives = BTreeMap::<&str, Vec<(Micros, &PodState)>>::new();
    for (at, pod) in timeline.pods() {
        lives.entry(&pod.uid).or_insert_with(|| {
            order.push(&pod.uid);
            vec![]
        });
        lives.entry(&pod.uid).or_default().push((at, pod));
    }
    let mut lanes: Vec<(&str, Lane)> = order
        .into_iter()
        .filter_map(|uid| {
            let states = lives.get(uid)?;
            let (_, pod) = states.first()?;
            let bars = joined(states.iter().map(|(at, pod)| (*at, state(pod))), end);
            let name = pod.name.clone();
            Some((pod.owner.as_str(), Lane { name, bars }))
        })
        .collect();
    // Pods of one Deployment stand together, in the order in which they came.
    lanes.sort_by_key(|(owner, _)| *owner);
    lanes
}

/// `None` once the pod is gone.
fn state(pod: &PodState) -> Option<(State, String)> {
    let (state, word) = match pod.phase.as_str() {
        _ if pod.gone => return None,
        _ if pod.terminating => (State::Terminating, "ending"),
        "Succeeded" | "Failed" => (State::Ended, pod.phase.as_str()),
        _ if pod.ready => (State::Ready, "ready"),
        "Running" => (State::NotReady, "not ready"),
        _ => (State::Pending, "pending"),
    };
    let text = match pod.reason.is_empty() {
        true => word.to_lowercase(),
        false => pod.reason.clone(),
    };
    let text = match pod.restarts {
        0 => text,
        n => format!("{text}, restarted {n}×"),
    };
    Some((state, text))
}

/// What each autoscaler wants, and why.
fn autoscaler_lanes(timeline: &Timeline, end: Micros) -> Vec<Lane> {
    let mut autoscalers = BTreeMap::<&str, Vec<(Micros, Option<(State, String)>)>>::new();
    for observation in timeline.all() {
        if let Fact::Autoscaler {
            name,
            desired,
            targets,
            conditions,
            ..
        } = &observation.fact
        {
            let is_active = !conditions
                .iter()
                .any(|c| c.starts_with("ScalingActive False"));
            let state = if is_active {
                State::Some
            } else {
                State::Degraded
            };
            let change = (state, format!("{desired} ({targets})"));
            let changes = autoscalers.entry(name).or_default();
            changes.push((observation.at, Some(change)));
        }
    }
    autoscalers
        .into_iter()
        .map(|(name, changes)| Lane {
            name: format!("{name}: replicas wanted by its autoscaler"),
            bars: joined(changes.into_iter(), end),
        })
        .collect()
}

fn endpoint_lanes(timeline: &Timeline, end: Micros) -> Vec<(&str, Lane)> {
    let mut services = BTreeMap::<&str, Vec<(Micros, u32)>>::new();
    for observation in timeline.all() {
        if let Fact::Endpoints { service, ready } = &observation.fact {
            let changes = services.entry(service).or_default();
            changes.push((observation.at, *ready));
        }
    }
    let written = |ready: u32| match ready {
        0 => (State::None, "0".to_string()),
        n => (State::Some, n.to_string()),
    };
    services
        .into_iter()
        .map(|(service, changes)| {
            let states = changes.into_iter().map(|(at, n)| (at, Some(written(n))));
            let bars = joined(states, end);
            let name = format!("{service}: ready endpoints");
            (service, Lane { name, bars })
        })
        .collect()
}

/// Bars from changes: each lasts until the next, equal neighbours become one.
fn joined(
    changes: impl Iterator<Item = (Micros, Option<(State, String)>)>,
    end: Micros,
) -> Vec<Bar> {
    let mut bars: Vec<Bar> = vec![];
    let mut open = false;
    for (at, change) in changes {
        let last = bars.last_mut().filter(|_| open);
        let same = matches!((&last, &change), (Some(bar), Some((state, text))) if bar.state == *state && bar.text == *text);
        if same {
            continue;
        }
        if let Some(bar) = last {
            bar.to = at;
        }
        open = change.is_some();
        bars.extend(change.map(|(state, text)| Bar {
            from: at,
            to: end,
            state,
            text,
        }));
    }
    bars
}

/// What is not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Pods to which nothing happened.
    calm: usize,
    /// Lanes beyond [`LANES_MAX`].
    crowded: usize,
}

impl LeftOut {
    /// A note on it.
    pub fn note(self) -> Option<String> {
        let calm = match self.calm {
            0 => None,
            1 => Some("One pod that was ready all the time is not drawn.".to_string()),
            n => Some(format!(
                "{n} pods that were ready all the time are not drawn."
            )),
        };
        let crowded = match self.crowded {
            0 => None,
            n => Some(format!(
                "{n} more lanes had no room; the timeline has them."
            )),
        };
        let notes: Vec<String> = calm.into_iter().chain(crowded).collect();
        (!notes.is_empty()).then(|| notes.join(" "))
    }
}

/// The stretch that is drawn: the stage with a little air around it.
pub(crate) fn drawn(timeline: &Timeline) -> (Micros, Micros) {
    let (from, to) = words::stage(timeline);
    let air = Micros((to.saturating_sub(from).0 / 50).max(10_000));
    (from.saturating_sub(air), to + air)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(phase: &str, ready: bool, terminating: bool, gone: bool) -> PodState {
        PodState {
            name: "review-1".into(),
            uid: "1".into(),
            owner: "review".into(),
            template: String::new(),
            phase: phase.into(),
            ready,
            terminating,
            gone,
            restarts: 0,
            reason: String::new(),
        }
    }

    #[test]
    fn an_autoscaler_is_a_row_of_what_it_wants_and_why() {
        let wants = |at, desired, targets: &str, condition: &str| model::Observation {
            at: Micros(at),
            fact: Fact::Autoscaler {
                name: "auth".into(),
                current: 1,
                desired,
                targets: targets.into(),
                conditions: vec![condition.into()],
            },
        };
        let timeline = Timeline::new(vec![
            wants(
                0,
                1,
                "<unknown>/15%",
                "ScalingActive False FailedGetResourceMetric",
            ),
            wants(10, 3, "60%/15%", "ScalingActive True ValidMetricFound"),
        ]);
        let lanes = autoscaler_lanes(&timeline, Micros(100));
        let bars = lanes[0]
            .bars
            .iter()
            .map(|b| (b.from.0, b.to.0, b.state, b.text.as_str()));
        assert_eq!(
            bars.collect::<Vec<_>>(),
            [
                (0, 10, State::Degraded, "1 (<unknown>/15%)"),
                (10, 100, State::Some, "3 (60%/15%)")
            ]
        );
    }

    #[test]
    fn a_pod_is_a_row_of_bars_from_pending_to_gone() {
        let states = [
            (0, pod("Pending", false, false, false)),
            (10, pod("Running", false, false, false)),
            (12, pod("Running", false, false, false)),
            (30, pod("Running", true, false, false)),
            (70, pod("Running", true, true, false)),
            (80, pod("Running", false, true, true)),
        ];
        let observations = states.into_iter().map(|(at, pod)| model::Observation {
            at: Micros(at),
            fact: Fact::Pod(pod),
        });
        let timeline = Timeline::new(observations.collect());
        let lanes = pod_lanes(&timeline, Micros(100));
        let bars: Vec<_> = lanes[0]
            .1
            .bars
            .iter()
            .map(|b| (b.from.0, b.to.0, b.state))
            .collect();
        assert_eq!(
            bars,
            [
                (0, 10, State::Pending),
                (10, 30, State::NotReady),
                (30, 70, State::Ready),
                (70, 80, State::Terminating)
            ]
        );
    }
}
