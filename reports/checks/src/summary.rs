//! A load in figures: siege's, and honest ones beside them.
use crate::{
    closed,
    sample::{Sample, percentile, tally},
    soundness::{OfLoad, Soundness},
    stretch::{self, Stretch, minus, union},
};
use model::{
    Fact, Load, Micros, RequestFact, Timeline, Window, WindowState, report::LoadSummary, siege,
};

/// Median, 90th, 99th and 99.9th percentile.
const PERCENTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

pub(crate) fn of(
    step: &str,
    load: &Load,
    timeline: &Timeline,
    windows: &[Window],
    sound: &Soundness,
) -> LoadSummary {
    let sample = Sample::of(timeline, step).of_load(load);
    let mut requests: Vec<&RequestFact> = sample.requests.iter().map(|(_, r)| *r).collect();
    requests.sort_by_key(|r| r.done);
    let requests = || requests.iter().copied();
    let elapsed = sample.span().map_or(Micros::ZERO, |(from, to)| to - from);
    let (response, service) = sample.times();
    let (dropped, lag) = end_of(step, timeline);
    let lags = sample
        .requests
        .iter()
        .map(|(due, r)| r.sent.saturating_sub(*due));
    let unknown = sound.load(step).map(OfLoad::unknown).unwrap_or_default();
    let shares = shares(&sample, load, windows, &unknown);
    LoadSummary {
        step: step.into(),
        siege: siege::summary(requests(), elapsed),
        siege_stopped: match load.siege {
            true => siege::stopped(requests(), users(load)),
            false => None,
        },
        dropped,
        held_back: closed::hidden(load, &sample) + sample.waits.len() as u64,
        response: PERCENTILES.map(|p| percentile(&response, p)),
        service: PERCENTILES.map(|p| percentile(&service, p)),
        lag_max: lags.max().unwrap_or_default().max(lag).as_secs_f64(),
        results: tally(requests()),
        up: shares.up,
        degraded: shares.degraded,
        down: shares.down,
    }
}

fn users(load: &Load) -> u32 {
    match &load.model {
        model::LoadModel::Closed { users, .. } => *users,
        model::LoadModel::Open { in_flight_max, .. } => *in_flight_max,
    }
}

fn end_of(step: &str, timeline: &Timeline) -> (u64, Micros) {
    let end = timeline.all().iter().rev().find_map(|o| match &o.fact {
        Fact::LoadEnded {
            step: s,
            dropped,
            lag_max,
            ..
        } if s == step => Some((*dropped, *lag_max)),
        _ => None,
    });
    end.unwrap_or_default()
}

/// Shares of the load's time; what is left to 1 is unknown.
#[derive(Debug, Default, PartialEq)]
struct Shares {
    up: f64,
    degraded: f64,
    down: f64,
}

/// Splits the time from the first request to the end of the load, or to its planned end where it was cut short. A moment is known
/// while a request is under way, and for as long after one was due as a window needs to close.
fn shares(sample: &Sample, load: &Load, windows: &[Window], unknown: &[Stretch]) -> Shares {
    let Some((from, last)) = sample.span() else {
        return Shares::default();
    };
    let planned = load.duration().unwrap_or_default();
    let to = last.max(from + planned);
    let total = (to - from).as_secs_f64();
    if total == 0.0 {
        return Shares::default();
    }
    let mine = || windows.iter().filter(|w| w.step == sample.step);
    let length = |state| {
        let lengths = mine().filter(|w| w.state == state).map(Window::length);
        lengths.sum::<Micros>().as_secs_f64()
    };
    let quiet = sample.quiet();
    let known = sample
        .requests
        .iter()
        .map(|(due, r)| (*due, r.done.max(*due + quiet).min(to)));
    let failing = union(mine().map(|w| (w.from, w.to)).collect());
    let up = minus(&minus(&union(known.collect()), unknown), &failing);
    let share = |state| length(state) / total;
    Shares {
        up: stretch::length(&up).as_secs_f64() / total,
        degraded: share(WindowState::Degraded),
        down: share(WindowState::Down),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixture::Story, windows};

    fn shares_of(story: &Story) -> [u32; 3] {
        let (plan, timeline) = (story.plan(), story.timeline());
        let windows = windows::of_loads(&plan, &timeline);
        let (step, load) = plan.loads().next().unwrap();
        let s = shares(&Sample::of(&timeline, step), load, &windows, &[]);
        [s.up, s.degraded, s.down].map(|share| (share * 1000.0).round() as u32)
    }

    #[test]
    fn the_time_of_a_load_is_up_degraded_down_or_unknown() {
        assert_eq!(shares_of(&Story::rollout()), [1000, 0, 0]);
        let outage = Story::rollout().failing(2300..2500);
        assert_eq!(shares_of(&outage), [800, 0, 200]);
        let patchy = Story::rollout().failing(2300..2400).failing(2450..2500);
        assert_eq!(shares_of(&patchy), [800, 200, 0]);
        // Cut short after half a second: known for as long as a window would need to close.
        let cut = Story::rollout().requests_until(2500);
        assert_eq!(shares_of(&cut), [590, 0, 0]);
    }

    #[test]
    fn a_summary_has_percentiles_of_good_requests_and_counts_of_all() {
        let story = Story::rollout().failing(2300..2500).sent_late(2600, 30);
        let (plan, timeline) = (story.plan(), story.timeline());
        let (step, load) = plan.loads().next().unwrap();
        let sound = Soundness::of(&plan, &timeline);
        let summary = of(step, load, &timeline, &[], &sound);
        assert_eq!(summary.response, [0.002, 0.002, 0.032, 0.032]);
        assert_eq!(summary.service, [0.002; 4]);
        assert_eq!(summary.lag_max, 0.03);
        assert_eq!(
            summary.results,
            [("HTTP 200".into(), 80), ("connectionRefused".into(), 20)]
        );
    }
}
