//! While faults are in force: from when each was injected, or each of its blows dealt, to when it was over. What begins to fail
//! outside of that is no fault of ours.
//!
//! A blow is over when its workload had recovered or was struck again; a rollout when the last pod that it replaces is gone; any
//! other fault when it was undone.
use crate::blows;
use model::{Fact, Micros, Timeline, report::Blow};
use std::collections::BTreeSet;

/// Nodes learn of endpoints later than the API does: what begins to fail so soon after a fault was over is still its doing.
pub(crate) const SETTLING: Micros = Micros::from_secs(1);

/// A fault without blows, or one blow, while it was in force.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Force {
    /// Name of the step.
    pub step: String,
    /// When it was injected.
    pub from: Micros,
    /// When it was over, if that was seen.
    pub over: Option<Micros>,
}

impl Force {
    /// Whether something that began then can be its doing. Clocks may be apart by `error`.
    pub fn covers(&self, at: Micros, error: Micros) -> bool {
        self.from <= at + error && self.over.is_none_or(|over| at <= over + SETTLING + error)
    }
}

/// All of a timeline, in the order in which they were injected. What was replaced by nothing, or could not be dealt, is not in it.
pub(crate) fn all(timeline: &Timeline) -> Vec<Force> {
    let dealing = blows::steps(timeline);
    let of_blow = |blow: Blow| Force {
        over: blow.recovered.or(blow.overtaken),
        from: blow.at,
        step: blow.step,
    };
    let mut all: Vec<Force> = blows::dealt(timeline).into_iter().map(of_blow).collect();
    for observation in timeline.all() {
        if let Fact::Injected {
            step,
            fault,
            targets,
        } = &observation.fact
            && fault != "none"
            && !dealing.contains(step.as_str())
        {
            let from = observation.at;
            let over = match fault.as_str() {
                "rollout" => replaced(step, targets, from, timeline),
                _ => undone(step, from, timeline),
            };
            let step = step.clone();
            all.push(Force { step, from, over });
        }
    }
    all.sort_by_key(|force| force.from);
    all
}

/// What a thing that began to fail then is the doing of: the latest that was in force.
pub(crate) fn cause(forces: &[Force], at: Micros, error: Micros) -> Option<&Force> {
    forces.iter().rev().find(|force| force.covers(at, error))
}

fn undone(of: &str, from: Micros, timeline: &Timeline) -> Option<Micros> {
    let after = timeline.all().iter().filter(|o| o.at >= from);
    let mut undone = after.filter(|o| matches!(&o.fact, Fact::Undone { step, .. } if step == of));
    undone.next().map(|o| o.at)
}

/// When a rollout was proven and the last of the pods there had been was gone.
fn replaced(of: &str, targets: &[String], from: Micros, timeline: &Timeline) -> Option<Micros> {
    let is_target = |owner: &str| targets.iter().any(|target| named(target) == Some(owner));
    let mut old = BTreeSet::new();
    let mut last_gone = from;
    for (at, pod) in timeline.pods().filter(|(_, pod)| is_target(&pod.owner)) {
        if pod.gone && old.remove(&pod.uid) && at > from {
            last_gone = at;
        } else if at < from && !pod.gone {
            old.insert(&pod.uid);
        }
    }
    let proven = timeline.all().iter().find_map(|o| match &o.fact {
        Fact::Proven { step, .. } if step == of && o.at >= from => Some(o.at),
        _ => None,
    })?;
    old.is_empty().then_some(proven.max(last_gone))
}

/// The Deployment in `Deployment/review by review.yaml`.
fn named(target: &str) -> Option<&str> {
    target.strip_prefix("Deployment/")?.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};
    use model::{Course, Strike};

    fn strike(course: Course) -> Fact {
        Fact::Strike(Strike {
            step: "roll".into(),
            number: 1,
            pod: "review-old".into(),
            workload: "review".into(),
            course,
            detail: String::new(),
        })
    }

    fn spans(story: Story) -> Vec<(u64, Option<u64>)> {
        let millis = |at: Micros| at.0 / 1000;
        let all = all(&story.timeline());
        all.iter()
            .map(|f| (millis(f.from), f.over.map(millis)))
            .collect()
    }

    #[test]
    fn a_rollout_is_in_force_until_the_pods_it_replaces_are_gone() {
        assert_eq!(spans(Story::rollout()), [(2200, None)]);
        assert_eq!(
            spans(Story::rollout().old_pod_gone(2580)),
            [(2200, Some(2600))]
        );
        assert_eq!(
            spans(Story::rollout().old_pod_gone(2700)),
            [(2200, Some(2700))]
        );
    }

    #[test]
    fn a_service_that_is_down_is_so_until_the_undo_is_verified() {
        let undone = Fact::Undone {
            step: "roll".into(),
            evidence: "ready".into(),
        };
        let down = || Story::rollout().service_down();
        assert_eq!(spans(down()), [(2200, None)]);
        assert_eq!(spans(down().with(ms(2700), undone)), [(2200, Some(2700))]);
    }

    #[test]
    fn of_a_fault_that_strikes_each_blow_that_was_dealt_is_in_force_until_its_workload_recovered() {
        let made = || {
            Story::rollout()
                .pod_kill()
                .with(ms(2210), strike(Course::Made))
        };
        assert_eq!(spans(made()), [(2210, None)]);
        let recovered = made().with(ms(2400), strike(Course::Recovered));
        assert_eq!(spans(recovered), [(2210, Some(2400))]);
        let not_dealt = made().with(ms(2400), strike(Course::Unproven));
        assert_eq!(spans(not_dealt), []);
    }

    #[test]
    fn what_fails_belongs_to_the_latest_fault_in_force_and_to_none_outside_of_all() {
        let force = |step: &str, from, over| Force {
            step: step.into(),
            from: ms(from),
            over: Some(ms(over)),
        };
        let both = [force("first", 1000, 3000), force("second", 9000, 9500)];
        let of = |at| cause(&both, ms(at), ms(1)).map(|f| f.step.as_str());
        assert_eq!(of(500), None);
        // Clocks are a millisecond apart at most.
        assert_eq!(of(999), Some("first"));
        assert_eq!(of(3900), Some("first"));
        assert_eq!(of(8000), None);
        assert_eq!(of(9000), Some("second"));
        assert_eq!(of(10_600), None);
        let nested = [force("long", 1000, 8000), force("short", 2000, 3000)];
        assert_eq!(cause(&nested, ms(2500), ms(0)).unwrap().step, "short");
        assert_eq!(cause(&nested, ms(5000), ms(0)).unwrap().step, "long");
    }
}
