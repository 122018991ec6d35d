//! How busy the machine was, as its kernel told the processes of the harness.
use crate::stretch::{Stretch, length, minus, overlap, union};
use model::{Fact, Micros, Process, Timeline, observation::Phase};

/// A machine in which tasks waited for a processor for this share of a tenth of a second had no time to spare.
const WAITING_MIN: f64 = 0.5;

/// A control group that was not allowed to run for this share of it, likewise.
const THROTTLED_MIN: f64 = 0.1;

/// A machine without time to spare for this share of a run may have made things late that wait for something.
const BUSY_MIN: f64 = 0.5;

/// A process that stood still for this long may have looked too late for what it waited for.
const STILL_MIN: Micros = Micros::from_millis(100);

pub(crate) struct Machine {
    /// Who stood still for long, from when to when.
    still: Vec<(Process, Stretch)>,
    /// When it had no time to spare.
    pub pressed: Vec<Stretch>,
    /// While steps were performed.
    running: Option<Stretch>,
}

impl Machine {
    pub fn of(timeline: &Timeline) -> Machine {
        let is_embedded = timeline.is_embedded();
        let pressed = timeline.all().iter().filter_map(|o| match &o.fact {
            // On a real cluster the machine that brownout is on is not one of its nodes.
            Fact::Pressed(p) if p.process == Process::Brownout && !is_embedded => None,
            Fact::Pressed(p) if p.waiting >= WAITING_MIN || p.throttled >= THROTTLED_MIN => {
                Some((o.at, p.until))
            }
            _ => None,
        });
        let still = timeline.all().iter().filter_map(|o| match &o.fact {
            Fact::Stalled(stall) if stall.until.saturating_sub(o.at) >= STILL_MIN => {
                Some((stall.process.clone(), (o.at, stall.until)))
            }
            _ => None,
        });
        Machine {
            still: still.collect(),
            pressed: union(pressed.collect()),
            running: running(timeline),
        }
    }

    /// Why what waits for something may have been late; None of a machine with time to spare.
    pub fn busy(&self) -> Option<String> {
        let (from, to) = self.running?;
        let mut still = self.still.iter();
        if let Some((process, (since, until))) =
            still.find(|(_, stretch)| overlap(*stretch, (from, to)) > Micros::ZERO)
        {
            let (length, since) = (*until - *since, crate::offset(*since));
            return Some(format!("{process} stood still for {length} from {since}"));
        }
        let idle = minus(&[(from, to)], &self.pressed);
        let share = 1.0 - length(&idle).as_secs_f64() / (to - from).as_secs_f64().max(1e-6);
        (share >= BUSY_MIN).then(|| {
            format!(
                "the machine had no processor time to spare for {:.0} % of the run",
                100.0 * share
            )
        })
    }
}

fn running(timeline: &Timeline) -> Option<Stretch> {
    let entered = |wanted: &[Phase]| {
        let is = |o: &&model::Observation| matches!(&o.fact, Fact::Phase { phase } if wanted.contains(phase));
        timeline.all().iter().find(is).map(|o| o.at)
    };
    let end = entered(&[Phase::Recovering, Phase::Draining]).unwrap_or_else(|| timeline.end());
    let from = entered(&[Phase::Running])?;
    (from < end).then_some((from, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};
    use model::Pressure;

    fn pressed(process: Process, waiting: f64, until: u64) -> Story {
        let pressure = Pressure {
            process,
            until: ms(until),
            waiting,
            throttled: 0.0,
        };
        let phase = |phase| Fact::Phase { phase };
        Story::rollout()
            .with(ms(2000), phase(Phase::Running))
            .with(ms(2000), Fact::Pressed(pressure))
            .with(ms(3000), phase(Phase::Recovering))
    }

    #[test]
    fn a_machine_is_busy_that_had_no_time_to_spare_for_most_of_the_run() {
        let busy = |story: Story| Machine::of(&story.timeline()).busy();
        assert_eq!(
            busy(pressed(Process::Brownout, 0.9, 2600)).as_deref(),
            Some("the machine had no processor time to spare for 60 % of the run")
        );
        assert_eq!(busy(pressed(Process::Brownout, 0.3, 3000)), None);
        assert_eq!(busy(pressed(Process::Brownout, 0.9, 2300)), None);
    }

    #[test]
    fn a_process_that_stood_still_may_have_looked_too_late() {
        let stall = |until| {
            let process = Process::Worker("walk".into());
            let until = ms(until);
            let fact = Fact::Stalled(model::Stall { process, until });
            let story = pressed(Process::Brownout, 0.0, 3000).with(ms(2500), fact);
            Machine::of(&story.timeline()).busy()
        };
        assert_eq!(
            stall(2800).as_deref(),
            Some("the load worker of “walk” stood still for 300.0 ms from +2.500 s")
        );
        assert_eq!(stall(2550), None);
    }
}
