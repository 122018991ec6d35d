//! The run so far, folded from its observations: what a person who watches wants to know.
use model::{Action, Course, Fact, Micros, Observation, Plan, Start, observation::Phase};
use std::collections::{BTreeMap, VecDeque};

/// A run at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Name of the scenario and its arm.
    pub title: String,
    /// The phase it is in.
    pub phase: Option<Phase>,
    /// The time of the last observation.
    pub now: Micros,
    /// Steps that have begun and not ended.
    pub running: Vec<String>,
    /// Requests finished.
    pub requests: u64,
    /// Requests that were not answered well.
    pub errors: u64,
    /// Ready and desired replicas by Deployment.
    pub ready: BTreeMap<String, (u32, u32)>,
    /// When the running load ends, where that is planned.
    pub load_ends: Option<Micros>,
    /// The next fault or undo that has a time, with that time.
    pub next: Option<(String, Micros)>,
    /// What has happened to faults so far, newest last: `auth-down proven`.
    pub latest: String,
    recent: VecDeque<Micros>,
    timed: Vec<(String, String, Micros)>,
    durations: BTreeMap<String, Micros>,
}

/// Over so long the rate is averaged.
const RATE_OVER: Micros = Micros::from_secs(1);

impl Progress {
    /// Of a run that has not begun.
    pub fn of(plan: &Plan) -> Progress {
        let timed = plan
            .steps
            .iter()
            .filter_map(|step| match (&step.start, &step.action) {
                (Start::During { load, at }, Action::Fault { .. } | Action::Undo { .. }) => {
                    Some((step.name.clone(), load.clone(), *at))
                }
                _ => None,
            });
        let durations = plan
            .loads()
            .filter_map(|(name, load)| Some((name.into(), load.duration()?)));
        let arm = if plan.arm == "main" {
            String::new()
        } else {
            format!(" ({})", plan.arm)
        };
        Progress {
            title: format!("{}{arm}", plan.scenario),
            timed: timed.collect(),
            durations: durations.collect(),
            ..Progress::default()
        }
    }

    /// Takes up an observation.
    pub fn see(&mut self, seen: &Observation) {
        self.now = self.now.max(seen.at);
        match &seen.fact {
            Fact::Phase { phase } => self.phase = Some(*phase),
            Fact::StepBegan { step } => {
                self.running.push(step.clone());
                self.timed.retain(|(name, ..)| name != step);
                self.next = self.next.take().filter(|(name, _)| name != step);
            }
            Fact::StepEnded { step, .. } => self.running.retain(|s| s != step),
            Fact::LoadBegan { step, .. } => {
                self.load_ends = self.durations.get(step).map(|d| seen.at + *d);
                let due = self.timed.iter().filter(|(_, load, _)| load == step);
                let due = due.map(|(name, _, at)| (name.clone(), seen.at + *at));
                self.next = due.min_by_key(|(_, at)| *at);
            }
            Fact::LoadEnded { .. } => self.load_ends = None,
            Fact::Request(request) => {
                self.now = self.now.max(request.done);
                self.requests += 1;
                self.errors += u64::from(!request.is_good());
                self.recent.push_back(request.done);
            }
            Fact::Injected { step, .. } => self.latest = format!("{step} injected"),
            Fact::Proven { step, .. } => self.latest = format!("{step} proven"),
            Fact::Unproven { step, .. } => self.latest = format!("{step} not proven"),
            Fact::Undone { step, .. } => self.latest = format!("{step} undone"),
            Fact::Strike(strike) if strike.course == Course::Made => {
                self.latest = format!("{} struck {}", strike.step, strike.pod);
            }
            Fact::Replicas {
                deployment,
                desired,
                ready,
                ..
            } => {
                self.ready.insert(deployment.clone(), (*ready, *desired));
                self.ready.retain(|_, (_, desired)| *desired > 0);
            }
            _ => {}
        }
        let since = self.now.saturating_sub(RATE_OVER);
        while self.recent.front().is_some_and(|done| *done < since) {
            self.recent.pop_front();
        }
    }

    /// Requests per second over the last second.
    pub fn rate(&self) -> usize {
        self.recent.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: u64, fact: Fact) -> Observation {
        Observation {
            at: Micros(at),
            fact,
        }
    }

    #[test]
    fn the_next_fault_is_known_once_its_load_runs() {
        let mut progress = Progress {
            timed: vec![("kill".into(), "load".into(), Micros::from_secs(5))],
            durations: [("load".to_string(), Micros::from_secs(20))].into(),
            ..Progress::default()
        };
        let began = Fact::LoadBegan {
            step: "load".into(),
            clock_error: Micros::ZERO,
        };
        progress.see(&seen(1_000_000, began));
        assert_eq!(progress.next, Some(("kill".into(), Micros::from_secs(6))));
        assert_eq!(progress.load_ends, Some(Micros::from_secs(21)));
        progress.see(&seen(
            6_000_000,
            Fact::StepBegan {
                step: "kill".into(),
            },
        ));
        assert_eq!(
            (progress.next, progress.running),
            (None, vec!["kill".to_string()])
        );
    }

    #[test]
    fn a_deployment_that_is_gone_is_not_counted() {
        let mut progress = Progress::default();
        let counts = |desired, ready| Fact::Replicas {
            deployment: "auth".into(),
            desired,
            updated: desired,
            ready,
            available: ready,
        };
        progress.see(&seen(1, counts(1, 1)));
        assert_eq!(progress.ready["auth"], (1, 1));
        progress.see(&seen(2, counts(0, 0)));
        assert!(progress.ready.is_empty());
    }
}
