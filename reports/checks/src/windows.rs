//! Stretches of time in which requests failed: from the first failed request, by the time it was due, to the first good one after
//! which none fails within max(3/rate, 100 ms), the rate being the one at which requests were in fact due.
use crate::sample::{Sample, tally};
use model::{Fact, Micros, Plan, RequestFact, Timeline, Window, WindowState};

/// The windows of every load of a plan, load by load, each in time.
pub fn of_loads(plan: &Plan, timeline: &Timeline) -> Vec<Window> {
    plan.loads()
        .flat_map(|(step, _)| of_step(step, timeline))
        .collect()
}

/// The windows of one step, in time.
pub fn of_step(step: &str, timeline: &Timeline) -> Vec<Window> {
    let injected: Vec<(Micros, &str)> = timeline
        .all()
        .iter()
        .filter_map(|o| match &o.fact {
            // What was replaced by nothing causes nothing.
            Fact::Injected { step, fault, .. } if fault != "none" => Some((o.at, step.as_str())),
            _ => None,
        })
        .collect();
    let sample = Sample::of(timeline, step);
    stretches(&sample)
        .into_iter()
        .map(|stretch| describe(stretch, &sample, &injected))
        .collect()
}

/// From, to, and whether a good request closed it.
struct Stretch {
    from: Micros,
    to: Micros,
    closed: bool,
}

fn stretches(sample: &Sample) -> Vec<Stretch> {
    let quiet = sample.quiet();
    let mut found = vec![];
    let mut open: Option<Micros> = None;
    let mut recovered: Option<Micros> = None;
    for (due, request) in &sample.requests {
        if request.is_good() {
            recovered = recovered.or(Some(*due));
            continue;
        }
        match (open, recovered) {
            (Some(from), Some(to)) if due.saturating_sub(to) > quiet => {
                let closed = true;
                found.push(Stretch { from, to, closed });
                open = Some(*due);
            }
            (None, _) => open = Some(*due),
            _ => {}
        }
        recovered = None;
    }
    if let Some(from) = open {
        let last = sample.requests.iter().map(|(_, r)| r.done).max();
        let to = recovered.or(last).unwrap_or(from);
        let closed = recovered.is_some();
        found.push(Stretch { from, to, closed });
    }
    found
}

fn describe(stretch: Stretch, sample: &Sample, injected: &[(Micros, &str)]) -> Window {
    let Stretch { from, to, closed } = stretch;
    let inside: Vec<&RequestFact> = sample
        .requests
        .iter()
        .filter(|(due, _)| *due >= from && (*due < to || !closed))
        .map(|(_, request)| *request)
        .collect();
    let failed = inside.iter().filter(|r| !r.is_good()).count() as u64;
    let good = inside.len() as u64 - failed;
    Window {
        step: sample.step.into(),
        from,
        to,
        state: match good {
            0 => WindowState::Down,
            _ => WindowState::Degraded,
        },
        failed,
        good,
        kinds: tally(inside.into_iter().filter(|r| !r.is_good())),
        open_ended: !closed,
        fault: injected
            .iter()
            .rev()
            .find(|(at, _)| *at <= to)
            .map(|(_, step)| (*step).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Story;

    fn spans(story: &Story) -> Vec<(u64, u64, WindowState, u64, bool)> {
        of_step("siege", &story.timeline())
            .iter()
            .map(|w| {
                (
                    w.from.0 / 1000,
                    w.to.0 / 1000,
                    w.state,
                    w.failed,
                    w.open_ended,
                )
            })
            .collect()
    }

    #[test]
    fn nothing_failed_so_there_is_no_window() {
        assert_eq!(spans(&Story::rollout()), []);
    }

    #[test]
    fn an_outage_is_one_window_from_the_first_failure_to_the_first_good_request() {
        let story = Story::rollout().failing(2300..2500);
        assert_eq!(spans(&story), [(2300, 2500, WindowState::Down, 20, false)]);
    }

    #[test]
    fn a_few_good_requests_in_an_outage_make_it_degraded_and_do_not_end_it() {
        let story = Story::rollout().failing(2300..2400).failing(2450..2500);
        assert_eq!(
            spans(&story),
            [(2300, 2500, WindowState::Degraded, 15, false)]
        );
    }

    #[test]
    fn two_outages_with_more_than_a_hundred_milliseconds_of_good_requests_between_are_two() {
        let story = Story::rollout().failing(2300..2330).failing(2500..2520);
        assert_eq!(
            spans(&story),
            [
                (2300, 2330, WindowState::Down, 3, false),
                (2500, 2520, WindowState::Down, 2, false)
            ]
        );
    }

    #[test]
    fn an_outage_at_the_end_of_the_load_is_open_ended() {
        let story = Story::rollout().failing(2900..3000);
        assert_eq!(spans(&story), [(2900, 2992, WindowState::Down, 10, true)]);
    }

    #[test]
    fn a_window_belongs_to_the_fault_that_was_last_injected_before_its_end() {
        let fault = |story: Story| of_step("siege", &story.timeline())[0].fault.clone();
        assert_eq!(
            fault(Story::rollout().failing(2300..2500)),
            Some("roll".into())
        );
        assert_eq!(fault(Story::rollout().failing(2100..2150)), None);
    }
}
