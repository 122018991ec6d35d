//! LoadDelivered: every load was sent as planned, and everything it sent is on the timeline.
use super::{DELIVERED, concluded};
use crate::count;
use model::{Action, Fact, Finding, Load, LoadModel, Micros, Plan, Timeline};
use std::collections::BTreeSet;

/// More dropped requests than one in a thousand would show in an availability of 99.9 %, the usual objective.
const DROPPED_MAX: f64 = 0.001;

/// An open load may miss its plan by this share: rounding of stages and the last request of each.
const OPEN_TOLERANCE: f64 = 0.01;

/// A closed load that sent less than this share of what its `maxRate` stands for was held back by answers that took too long, and says
/// nothing of the system under that rate.
const CEILING_SHARE_MIN: f64 = 0.5;

/// A timed run of siege ends up to a second before its time (semantics.md 11.7).
const EARLY_MAX: Micros = Micros::from_secs(1);

pub(super) fn check(plan: &Plan, timeline: &Timeline) -> Finding {
    let mut missing = vec![];
    let mut evidence = vec![];
    let mut sent = 0;
    for step in &plan.steps {
        let (seen, problems) = match &step.action {
            Action::Load { load } => of_load(&step.name, load, timeline),
            Action::Requests { requests } => of_requests(&step.name, requests.len(), timeline),
            _ => continue,
        };
        sent += timeline.requests(&step.name).count() as u64;
        evidence.push(seen);
        missing.extend(problems);
    }
    let met = match sent {
        0 => "no request was planned".into(),
        n => format!("{} sent as planned", count(n, "request")),
    };
    concluded(DELIVERED, &met, evidence, missing)
}

fn of_requests(step: &str, planned: usize, timeline: &Timeline) -> (String, Vec<String>) {
    let attempts = timeline.requests(step).count();
    let seen = format!("{step}: {}", count(attempts as u64, "request"));
    // Some may have been sent several times, until their answer was as expected.
    let sent: BTreeSet<u32> = timeline.requests(step).map(|(_, r)| r.index).collect();
    let why = end_of(step, timeline).and_then(|end| end.cut_short);
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let short = (sent.len() != planned)
        .then(|| format!("“{step}” sent {} of {planned} requests{why}", sent.len()));
    (seen, short.into_iter().collect())
}

/// What the worker said of itself at its end.
struct End<'a> {
    at: Micros,
    finished: u64,
    dropped: u64,
    cut_short: Option<&'a str>,
}

fn of_load(step: &str, load: &Load, timeline: &Timeline) -> (String, Vec<String>) {
    let on_timeline = timeline.requests(step).count() as u64;
    let seen = format!("{step}: {}", count(on_timeline, "request"));
    let Some(end) = end_of(step, timeline) else {
        return (seen, vec![format!("“{step}” did not come to its end")]);
    };
    let due = end.finished + end.dropped;
    let problems = [
        end.cut_short
            .map(|why| format!("“{step}” was cut short: {why}")),
        (end.dropped as f64 > DROPPED_MAX * due as f64).then(|| {
            format!(
                "“{step}” could not send {} of {due} requests in time",
                end.dropped
            )
        }),
        (end.finished != on_timeline).then(|| {
            format!(
                "“{step}” finished {} requests, {on_timeline} are on the timeline",
                end.finished
            )
        }),
        (on_timeline == 0).then(|| format!("“{step}” sent no request")),
        off_plan(load, due)
            .map(|planned| format!("“{step}” sent {due} requests, planned were {planned}")),
        held_back(load, due).map(|ceiling| {
            format!(
                "“{step}” sent {due} requests, less than half of the {ceiling} that its maxRate stands for, because its users were \
                 waiting for answers"
            )
        }),
        too_short(step, load, &end, timeline)
            .map(|(took, planned)| format!("“{step}” lasted {took}, planned were {planned}")),
    ];
    (seen, problems.into_iter().flatten().collect())
}

fn end_of<'a>(step: &str, timeline: &'a Timeline) -> Option<End<'a>> {
    timeline.all().iter().rev().find_map(|o| match &o.fact {
        Fact::LoadEnded {
            step: s,
            finished,
            dropped,
            cut_short,
            ..
        } if s == step => Some(End {
            at: o.at,
            finished: *finished,
            dropped: *dropped,
            cut_short: cut_short.as_deref(),
        }),
        _ => None,
    })
}

fn off_plan(load: &Load, due: u64) -> Option<u64> {
    let planned = load.planned_requests()?;
    let tolerance = match load.model {
        LoadModel::Open { .. } => planned as f64 * OPEN_TOLERANCE,
        LoadModel::Closed { .. } => 0.0,
    };
    (planned.abs_diff(due) as f64 > tolerance).then_some(planned)
}

/// How many requests a closed load with a ceiling was meant to send, where it sent much fewer. What its users' think time does not allow
/// was not meant, and a stress has no other aim than to hold the system up.
fn held_back(load: &Load, due: u64) -> Option<u64> {
    let LoadModel::Closed {
        users,
        duration: Some(duration),
        max_rate: Some(max_rate),
        ..
    } = load.model
    else {
        return None;
    };
    let pause = load.think_time.unwrap_or_default().as_secs_f64();
    let rate = f64::from(max_rate).min(f64::from(users) / pause);
    let meant = rate * duration.as_secs_f64();
    (!load.stress && (due as f64) < meant * CEILING_SHARE_MIN).then_some(meant as u64)
}

fn too_short(step: &str, load: &Load, end: &End, timeline: &Timeline) -> Option<(Micros, Micros)> {
    let planned = load.duration()?;
    let (from, last) = timeline.span(step)?;
    let took = last.max(end.at).saturating_sub(from);
    (took + early(load) < planned).then_some((took, planned))
}

/// After its last request an open load sends nothing for the time between two, and may have had its answer.
fn early(load: &Load) -> Micros {
    let between = match &load.model {
        LoadModel::Open { stages, .. } => stages.last().map(|s| 1.0 / s.rate),
        LoadModel::Closed { .. } => None,
    };
    let between = (between.unwrap_or_default() * 1e6).ceil();
    EARLY_MAX.max(Micros(between as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Story;
    use model::Verdict;

    fn found(story: Story) -> Finding {
        check(&story.plan(), &story.timeline())
    }

    #[test]
    fn a_load_that_was_sent_as_planned_is_delivered() {
        let met = found(Story::rollout());
        assert_eq!(
            (met.verdict, &*met.because),
            (Verdict::Pass, "100 requests sent as planned")
        );
        assert_eq!(met.evidence, ["siege: 100 requests"]);
    }

    #[test]
    fn what_a_load_did_not_deliver_is_named() {
        let because = |story| {
            let finding = found(story);
            assert_eq!(finding.verdict, Verdict::Inconclusive);
            finding.evidence
        };
        assert_eq!(
            because(Story::rollout().without(|f| matches!(f, Fact::LoadEnded { .. }))),
            ["“siege” did not come to its end"]
        );
        assert_eq!(
            because(Story::rollout().requests_until(2500)),
            ["“siege” finished 100 requests, 50 are on the timeline"]
        );
        assert_eq!(
            because(Story::rollout().load_end(|finished, dropped, cut_short| {
                *finished = 100;
                *dropped = 20;
                *cut_short = Some("the pod was evicted".into());
            })),
            [
                "“siege” was cut short: the pod was evicted",
                "“siege” could not send 20 of 120 requests in time",
                "“siege” sent 120 requests, planned were 100"
            ]
        );
    }

    #[test]
    fn a_closed_load_that_stays_far_below_its_ceiling_was_held_back() {
        let plan = Story::rollout().plan();
        let (_, load) = plan.loads().next().unwrap();
        let held = |max_rate, due, edit: &dyn Fn(&mut Load)| {
            let mut load = load.clone();
            load.model = LoadModel::Closed {
                users: 2,
                duration: Some(Micros::from_secs(10)),
                repetitions: None,
                max_rate,
            };
            edit(&mut load);
            held_back(&load, due)
        };
        let as_it_is = |_: &mut Load| {};
        assert_eq!(held(Some(250), 1249, &as_it_is), Some(2500));
        assert_eq!(held(Some(250), 1250, &as_it_is), None);
        assert_eq!(held(None, 1, &as_it_is), None);
        assert_eq!(held(Some(250), 1, &|load| load.stress = true), None);
        // Two users that pause for a second are meant to send 20 requests in 10 s.
        let pausing = |load: &mut Load| load.think_time = Some(Micros::from_secs(1));
        assert_eq!(held(Some(250), 10, &pausing), None);
        assert_eq!(held(Some(250), 9, &pausing), Some(20));
        assert_eq!(held_back(load, 1), None, "an open load");
    }

    #[test]
    fn a_slow_open_load_may_end_one_interval_early() {
        let slow = |rate| {
            let stage = model::Stage {
                rate,
                duration: Micros::from_secs(20),
            };
            let model = LoadModel::Open {
                stages: vec![stage],
                in_flight_max: 1,
            };
            let plan = Story::rollout().plan();
            let (_, load) = plan.loads().next().unwrap();
            early(&Load {
                model,
                ..load.clone()
            })
        };
        assert_eq!(slow(0.2), Micros::from_secs(5));
        assert_eq!(slow(100.0), EARLY_MAX);
    }

    #[test]
    fn a_timed_load_may_end_a_second_early_as_siege_does_and_no_earlier() {
        let timed = |seconds| {
            let story = Story::rollout().closed_for(Micros::from_secs(seconds));
            found(story).verdict
        };
        assert_eq!(timed(2), Verdict::Pass);
        assert_eq!(timed(3), Verdict::Inconclusive);
    }
}
