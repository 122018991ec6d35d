//! What became of each blow against a pod, and which windows belong to it: of those of its fault, the ones that began when it was the
//! latest. One that could not be dealt is not among them.
use crate::force::SETTLING;
use model::{
    Course, Fact, Micros, Strike, Timeline, Window,
    report::{Blow, Outage},
};
use std::collections::BTreeSet;

/// The names of the steps that dealt blows, or tried to.
pub(crate) fn steps(timeline: &Timeline) -> BTreeSet<&str> {
    let facts = timeline.all().iter();
    let tried = facts.filter_map(|o| match &o.fact {
        Fact::Strike(strike) => Some(strike.step.as_str()),
        _ => None,
    });
    tried.collect()
}

/// All blows that were dealt, in time, without the windows they caused.
pub(crate) fn dealt(timeline: &Timeline) -> Vec<Blow> {
    let mut blows: Vec<Blow> = vec![];
    for observation in timeline.all() {
        let Fact::Strike(strike) = &observation.fact else {
            continue;
        };
        let at = observation.at;
        if strike.course == Course::Made {
            blows.push(begun(at, strike));
            continue;
        }
        let same = |b: &Blow| {
            (b.step.as_str(), b.number, b.pod.as_str())
                == (strike.step.as_str(), strike.number, strike.pod.as_str())
        };
        if strike.course == Course::Unproven {
            blows.retain(|b| !same(b));
        }
        let Some(blow) = blows.iter_mut().find(|b| same(b)) else {
            continue;
        };
        match strike.course {
            Course::Proven => blow.proven = Some(at),
            Course::Recovered => blow.recovered = Some(at),
            Course::Overtaken => blow.overtaken = Some(at),
            Course::Made | Course::Unproven | Course::Withheld => {}
        }
    }
    blows
}

fn begun(at: Micros, strike: &Strike) -> Blow {
    Blow {
        step: strike.step.clone(),
        number: strike.number,
        pod: strike.pod.clone(),
        workload: strike.workload.clone(),
        at,
        proven: None,
        recovered: None,
        overtaken: None,
        outages: vec![],
    }
}

/// Gives each window to its blow.
pub(crate) fn with_outages(mut blows: Vec<Blow>, windows: &[Window]) -> Vec<Blow> {
    for window in windows {
        if let Some(i) = cause(&blows, window) {
            blows[i].outages.push(Outage {
                load: window.step.clone(),
                from: window.from,
                to: window.to,
                failed: window.failed,
            });
        }
    }
    blows
}

/// The latest blow of the window's fault that had been dealt when it began, and was in force. Clocks may be a little apart.
fn cause(blows: &[Blow], window: &Window) -> Option<usize> {
    let in_force = |b: &Blow| {
        let over = b.recovered.or(b.overtaken);
        window.fault.as_ref() == Some(&b.step)
            && over.is_none_or(|over| window.from <= over + SETTLING)
    };
    let those = || blows.iter().enumerate().filter(|(_, b)| in_force(b));
    let before = those().filter(|(_, b)| b.at <= window.from);
    let latest = before.max_by_key(|(_, b)| b.at);
    let nearest = latest.or_else(|| those().min_by_key(|(_, b)| b.at));
    nearest.map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::ms;
    use model::{Observation, WindowState};

    fn seen(at: u64, number: u32, pod: &str, course: Course) -> Observation {
        let fact = Fact::Strike(Strike {
            step: "kill".into(),
            number,
            pod: pod.into(),
            workload: pod.split('-').next().unwrap().into(),
            course,
            detail: String::new(),
        });
        Observation { at: ms(at), fact }
    }

    fn window(from: u64, to: u64) -> Window {
        Window {
            step: "siege".into(),
            from: ms(from),
            to: ms(to),
            state: WindowState::Down,
            failed: 3,
            good: 0,
            kinds: vec![],
            open_ended: false,
            fault: Some("kill".into()),
        }
    }

    fn timeline() -> Timeline {
        Timeline::new(vec![
            seen(1000, 1, "message-a", Course::Made),
            seen(1100, 1, "message-a", Course::Proven),
            seen(2000, 2, "room-a", Course::Made),
            seen(2100, 2, "room-a", Course::Proven),
            seen(5000, 1, "message-a", Course::Recovered),
            seen(6000, 3, "room-b", Course::Made),
            seen(6000, 2, "room-a", Course::Overtaken),
            seen(9000, 3, "room-b", Course::Recovered),
        ])
    }

    #[test]
    fn a_blow_is_told_from_when_it_was_dealt_to_when_its_workload_was_ready_again() {
        let blows = dealt(&timeline());
        let told: Vec<_> = blows
            .iter()
            .map(|b| (b.pod.as_str(), b.at, b.proven, b.recovered, b.overtaken))
            .collect();
        assert_eq!(
            told,
            [
                ("message-a", ms(1000), Some(ms(1100)), Some(ms(5000)), None),
                ("room-a", ms(2000), Some(ms(2100)), None, Some(ms(6000))),
                ("room-b", ms(6000), None, Some(ms(9000)), None),
            ]
        );
    }

    #[test]
    fn a_window_belongs_to_the_latest_blow_of_its_fault_that_had_been_dealt_and_was_in_force() {
        let of = |from, to| {
            let blows = with_outages(dealt(&timeline()), &[window(from, to)]);
            let hit = blows.iter().find(|b| !b.outages.is_empty());
            hit.map(|b| b.pod.clone())
        };
        assert_eq!(of(1990, 3000).as_deref(), Some("message-a"));
        assert_eq!(of(2200, 3000).as_deref(), Some("room-a"));
        assert_eq!(of(5500, 8000).as_deref(), Some("room-a"));
        assert_eq!(of(6500, 8000).as_deref(), Some("room-b"));
        // The clock of a worker may be a little behind.
        assert_eq!(of(999, 1100).as_deref(), Some("message-a"));
        assert_eq!(of(10_500, 11_000), None);
        let other = Window {
            fault: None,
            ..window(2200, 3000)
        };
        let none = with_outages(dealt(&timeline()), &[other]);
        assert!(none.iter().all(|b| b.outages.is_empty()));
    }

    #[test]
    fn a_blow_that_could_not_be_dealt_is_not_dealt() {
        let tried = Timeline::new(vec![
            seen(1000, 1, "message-a", Course::Made),
            seen(1100, 1, "message-a", Course::Unproven),
        ]);
        assert_eq!(dealt(&tried), []);
        assert_eq!(steps(&tried), BTreeSet::from(["kill"]));
    }
}
