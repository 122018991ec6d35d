//! Stretches of time in which requests failed: from the first that failed, at the moment that it did, to the first good one, by when
//! it was sent, after which none fails within max(3/rate, 100 ms), the rate being the one at which requests were in fact due.
use crate::{
    force::{self, Force},
    moment,
    sample::{Sample, tally},
};
use model::{Fact, Micros, Plan, RequestFact, Timeline, Window, WindowState};

/// The windows of every load of a plan, load by load, each in time.
pub fn of_loads(plan: &Plan, timeline: &Timeline) -> Vec<Window> {
    plan.loads()
        .flat_map(|(step, _)| of_step(step, timeline))
        .collect()
}

/// The windows of one step, in time.
pub fn of_step(step: &str, timeline: &Timeline) -> Vec<Window> {
    let forces = force::all(timeline);
    let injected: Vec<Micros> = forces.iter().map(|force| force.from).collect();
    let sample = Sample::of(timeline, step);
    let requests = moment::in_order(&sample, &injected);
    let error = clock_error(step, timeline);
    stretches(&requests, sample.quiet())
        .into_iter()
        .map(|stretch| describe(step, stretch, &requests, &forces, error))
        .collect()
}

/// So much the clock of the load's worker may be apart from the run's.
pub(crate) fn clock_error(load: &str, timeline: &Timeline) -> Micros {
    let error = timeline.all().iter().find_map(|o| match &o.fact {
        Fact::LoadBegan { step, clock_error } if step == load => Some(*clock_error),
        _ => None,
    });
    error.unwrap_or_default()
}

/// A request with its moment.
type Moment<'a> = (Micros, &'a RequestFact);

/// The first request that failed, and the good one that closed it: their places among all.
struct Stretch {
    first: usize,
    closed_by: Option<usize>,
}

fn stretches(requests: &[Moment], quiet: Micros) -> Vec<Stretch> {
    let mut found = vec![];
    let mut open: Option<usize> = None;
    let mut good: Option<usize> = None;
    for (i, (at, request)) in requests.iter().enumerate() {
        if request.is_good() {
            good = good.or(Some(i));
            continue;
        }
        match (open, good) {
            (Some(first), Some(closed)) if at.saturating_sub(requests[closed].0) > quiet => {
                let closed_by = Some(closed);
                found.push(Stretch { first, closed_by });
                open = Some(i);
            }
            (None, _) => open = Some(i),
            _ => {}
        }
        good = None;
    }
    found.extend(open.map(|first| Stretch {
        first,
        closed_by: good,
    }));
    found
}

fn describe(
    step: &str,
    stretch: Stretch,
    requests: &[Moment],
    forces: &[Force],
    error: Micros,
) -> Window {
    let Stretch { first, closed_by } = stretch;
    let from = requests[first].0;
    let last_answer = || requests.iter().map(|(_, r)| r.done).max();
    let to = match closed_by {
        Some(closed) => requests[closed].0,
        None => last_answer().unwrap_or(from),
    };
    let inside = requests[first..closed_by.unwrap_or(requests.len())].iter();
    let inside: Vec<&RequestFact> = inside.map(|(_, request)| *request).collect();
    let failed = inside.iter().filter(|r| !r.is_good()).count() as u64;
    let good = inside.len() as u64 - failed;
    Window {
        step: step.into(),
        from,
        to,
        state: match good {
            0 => WindowState::Down,
            _ => WindowState::Degraded,
        },
        failed,
        good,
        kinds: tally(inside.into_iter().filter(|r| !r.is_good())),
        open_ended: closed_by.is_none(),
        fault: force::cause(forces, from, error).map(|force| force.step.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};

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
        assert_eq!(spans(&story), [(2900, 2990, WindowState::Down, 10, true)]);
    }

    #[test]
    fn a_window_belongs_to_the_fault_that_was_in_force_when_it_began() {
        let fault = |story: Story| of_step("siege", &story.timeline())[0].fault.clone();
        let undone = Fact::Undone {
            step: "roll".into(),
            evidence: "ready".into(),
        };
        let down = || Story::rollout().service_down();
        assert_eq!(fault(down().failing(2300..2500)), Some("roll".into()));
        assert_eq!(fault(down().failing(2100..2150)), None);
        // One that goes on when a fault is injected did not begin with it.
        assert_eq!(fault(down().failing(2100..2500)), None);
        let over = |at| down().with(ms(at), undone.clone()).failing(2900..2950);
        assert_eq!(fault(over(2850)), Some("roll".into()));
        let long_over = down().with(ms(2300), undone).lasting_until(4000);
        assert_eq!(fault(long_over.failing(3500..3550)), None);
    }

    #[test]
    fn what_was_in_flight_at_a_kill_failed_at_the_kill_and_not_before() {
        // Each takes 500 ms, and whoever is in flight at 2.205 s is reset then.
        let story = Story::rollout().taking(500).reset_at(2205);
        assert_eq!(spans(&story), [(2205, 2210, WindowState::Down, 21, false)]);
        let window = &of_step("siege", &story.timeline())[0];
        assert_eq!(window.fault.as_deref(), Some("roll"));
    }

    #[test]
    fn an_outage_that_hangs_lies_where_its_requests_were_sent_and_not_where_they_were_given_up() {
        let story = Story::rollout().hanging(2300..2500);
        assert_eq!(spans(&story), [(2300, 2500, WindowState::Down, 20, false)]);
        // What was in flight when the fault came hangs because of it.
        let caught = Story::rollout().injected_at(2305).hanging(2300..2500);
        assert_eq!(spans(&caught), [(2305, 2500, WindowState::Down, 20, false)]);
        let window = &of_step("siege", &caught.timeline())[0];
        assert_eq!(window.fault.as_deref(), Some("roll"));
    }
}
