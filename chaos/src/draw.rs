//! Chance and guard rails: when blows fall, whom they hit, and when one is withheld. Pure functions of a seed.
use model::{Aim, Micros, Mode, PodState, Rhythm, Safety};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::index};

/// A blow that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Counted from the beginning of the step.
    pub at: Micros,
    /// The workload it is meant for; none where pods are chosen by labels.
    pub workload: Option<String>,
    /// Feeds the choice of its pods.
    pub seed: u64,
}

/// All blows of an aim, in the order in which they fall.
pub fn schedule(aim: &Aim, seed: u64) -> Vec<Due> {
    let mut dice = StdRng::seed_from_u64(seed);
    let lanes: Vec<Option<String>> = match aim.selector {
        Some(_) => vec![None],
        None => aim.workloads.iter().cloned().map(Some).collect(),
    };
    let Rhythm {
        every,
        times,
        jitter,
    } = aim.rhythm;
    let mut all = vec![];
    for round in 0..u64::from(times) {
        for workload in &lanes {
            let late = Micros(dice.random_range(0..=jitter.0));
            all.push(Due {
                at: every.times(round) + late,
                workload: workload.clone(),
                seed: dice.random(),
            });
        }
    }
    all.sort_by_key(|due| due.at);
    all
}

/// Those that can be hit: they run and were not told to end. The others are replaced already, or were never there.
pub fn candidates(pods: &[PodState], workload: Option<&str>) -> Vec<PodState> {
    let of_it = |p: &&PodState| workload.is_none_or(|name| p.owner == name);
    let can_be_hit = |p: &&PodState| p.phase == "Running" && !p.terminating;
    let found = pods.iter().filter(of_it).filter(can_be_hit);
    found.cloned().collect()
}

/// Which of the candidates a blow hits, in their order.
///
/// # Errors
/// Why it hits nobody, or fewer than were asked for: an injected fault that is smaller than planned shows nothing.
pub fn choose(mode: Mode, candidates: &[PodState], seed: u64) -> Result<Vec<PodState>, String> {
    let mut dice = StdRng::seed_from_u64(seed);
    let all = candidates.len();
    if all == 0 {
        return Err("no pod of it runs".into());
    }
    let percent = |p: u32| usize::try_from(all as u64 * u64::from(p) / 100).unwrap_or(all);
    let count = match mode {
        Mode::One => 1,
        Mode::All => all,
        Mode::Fixed(n) => n as usize,
        Mode::FixedPercent(p) => percent(p),
        Mode::RandomMaxPercent(max) => percent(dice.random_range(0..=max)),
    };
    if count > all {
        return Err(format!("{count} pods were asked for and {all} run"));
    }
    if count == 0 {
        return Err(format!("{} of {all} pods is none", mode.write()));
    }
    let mut chosen = index::sample(&mut dice, all, count).into_vec();
    chosen.sort_unstable();
    Ok(chosen.into_iter().map(|i| candidates[i].clone()).collect())
}

/// Why a blow against these pods must not fall, if it must not: `pods` are all of the workload as they are now.
pub fn forbidden(safety: &Safety, pods: &[PodState], chosen: &[PodState]) -> Option<String> {
    let alive: Vec<&PodState> = pods.iter().filter(|p| !p.terminating).collect();
    let is_chosen = |p: &PodState| chosen.iter().any(|c| c.uid == p.uid);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let all = count(alive.len());
    let ready = count(alive.iter().filter(|p| p.ready && !is_chosen(p)).count());
    let unavailable = all - ready;
    if let Some(max) = safety.max_unavailable
        && unavailable > max.of(all)
    {
        return Some(format!(
            "{unavailable} of {all} pods would not be ready, and maxUnavailable is {}",
            max.of(all)
        ));
    }
    (ready < safety.min_ready).then(|| {
        format!(
            "{ready} of {all} pods would stay ready, and minReady is {}",
            safety.min_ready
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Share;

    fn pod(name: &str) -> PodState {
        PodState {
            name: name.into(),
            uid: name.into(),
            owner: name.split('-').next().unwrap().into(),
            template: String::new(),
            phase: "Running".into(),
            ready: true,
            terminating: false,
            gone: false,
            restarts: 0,
            reason: String::new(),
        }
    }

    fn pods(count: usize) -> Vec<PodState> {
        (0..count).map(|i| pod(&format!("room-{i}"))).collect()
    }

    fn hit(mode: Mode, count: usize) -> Result<usize, String> {
        choose(mode, &pods(count), 7).map(|chosen| chosen.len())
    }

    #[test]
    fn a_mode_says_how_many_are_hit() {
        assert_eq!(hit(Mode::One, 3), Ok(1));
        assert_eq!(hit(Mode::All, 3), Ok(3));
        assert_eq!(hit(Mode::Fixed(2), 3), Ok(2));
        assert_eq!(hit(Mode::FixedPercent(50), 3), Ok(1));
        assert_eq!(hit(Mode::FixedPercent(67), 3), Ok(2));
        assert_eq!(hit(Mode::FixedPercent(100), 3), Ok(3));
        let random = (0..200).map(|seed| {
            choose(Mode::RandomMaxPercent(50), &pods(4), seed).map_or(0, |chosen| chosen.len())
        });
        let mut seen: Vec<usize> = random.collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [0, 1, 2]);
    }

    #[test]
    fn fewer_than_asked_for_is_said_and_not_done() {
        assert_eq!(hit(Mode::One, 0).unwrap_err(), "no pod of it runs");
        assert_eq!(
            hit(Mode::Fixed(2), 1).unwrap_err(),
            "2 pods were asked for and 1 run"
        );
        assert_eq!(
            hit(Mode::FixedPercent(50), 1).unwrap_err(),
            "fixed-percent 50 % of 1 pods is none"
        );
    }

    #[test]
    fn the_same_seed_hits_the_same_and_every_pod_is_hit_by_some() {
        let one = |seed| choose(Mode::One, &pods(3), seed).unwrap()[0].name.clone();
        assert_eq!(one(42), one(42));
        let mut hit: Vec<String> = (0..50).map(one).collect();
        hit.sort();
        hit.dedup();
        assert_eq!(hit, ["room-0", "room-1", "room-2"]);
    }

    #[test]
    fn only_running_pods_of_the_workload_that_do_not_end_can_be_hit() {
        let mut all = vec![pod("room-1"), pod("room-2"), pod("room-3"), pod("pay-1")];
        all[1].terminating = true;
        all[2].phase = "Pending".into();
        let names = |workload| -> Vec<String> {
            let found = candidates(&all, workload).into_iter();
            found.map(|p| p.name).collect()
        };
        assert_eq!(names(Some("room")), ["room-1"]);
        assert_eq!(names(None), ["room-1", "pay-1"]);
    }

    fn aim(jitter: u64) -> Aim {
        Aim {
            workloads: vec!["room".into(), "pay".into()],
            selector: None,
            mode: Mode::One,
            rhythm: Rhythm {
                every: Micros::from_secs(10),
                times: 3,
                jitter: Micros::from_secs(jitter),
            },
        }
    }

    #[test]
    fn every_round_strikes_each_workload_once() {
        let due = schedule(&aim(0), 1);
        let told: Vec<(u64, &str)> = due
            .iter()
            .map(|d| (d.at.0 / 1_000_000, d.workload.as_deref().unwrap()))
            .collect();
        let rounds = [0, 10, 20].map(|at| [(at, "room"), (at, "pay")]);
        assert_eq!(told, rounds.concat());
    }

    #[test]
    fn jitter_moves_each_blow_for_itself_and_the_seed_says_how() {
        let due = schedule(&aim(8), 1);
        assert_eq!(due, schedule(&aim(8), 1));
        assert_ne!(due, schedule(&aim(8), 2));
        let rounds: Vec<u64> = due.iter().map(|d| d.at.0 / 10_000_000).collect();
        assert_eq!(rounds, [0, 0, 1, 1, 2, 2]);
        let late = |d: &Due| d.at.0 % 10_000_000;
        assert!(due.iter().all(|d| late(d) <= 8_000_000));
        assert!(due.windows(2).all(|w| w[0].at < w[1].at));
    }

    #[test]
    fn a_blow_beyond_the_guard_rails_is_forbidden_with_the_reason() {
        let three = pods(3);
        let rails = |max, min_ready| Safety {
            max_unavailable: max,
            min_ready,
            ..Safety::default()
        };
        let of = |safety: Safety, chosen: usize| forbidden(&safety, &three, &three[..chosen]);
        assert_eq!(of(rails(None, 0), 3), None);
        assert_eq!(of(rails(Some(Share::Percent(34)), 0), 2), None);
        assert_eq!(
            of(rails(Some(Share::Count(1)), 0), 2).unwrap(),
            "2 of 3 pods would not be ready, and maxUnavailable is 1"
        );
        assert_eq!(of(rails(None, 2), 1), None);
        assert_eq!(
            of(rails(None, 2), 2).unwrap(),
            "1 of 3 pods would stay ready, and minReady is 2"
        );
        let mut one_is_away = pods(3);
        one_is_away[2].ready = false;
        let safety = rails(Some(Share::Count(1)), 0);
        assert!(forbidden(&safety, &one_is_away, &one_is_away[..1]).is_some());
    }
}
