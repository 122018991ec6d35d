//! What the pods of a run count themselves, on the timeline: they are asked from a pod beside them, every [`EVERY`] while steps run
//! and once after the last. Nothing waits for that but the end of the run, and that not longer than [`END_MAX`].
use crate::{steps::Stage, traffic::Traffic};
use cluster::View;
use load::{Counts, LoadJob, ScrapeJob, wire};
use model::{Breaker, BreakerState, Fact, Micros, PodCounts, telemetry::Calls};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

/// Seldom enough that a service of one core does not notice, often enough that a pod that is killed takes little with it.
const EVERY: Micros = Micros::from_secs(2);

/// Pods often come several at a time: they are asked by one worker.
const TOGETHER: Duration = Duration::from_millis(500);

/// The last question, with the start of its worker. What is not known by then was not seen.
const END_MAX: Duration = Duration::from_secs(10);

/// So many workers ask at most. In a run that replaces its pods more often than that, the last ones are asked at the end only.
const WORKERS_MAX: usize = 40;

/// Jobs of workers that ask are called so, with a number.
const NAME: &str = "metrics-reader";

/// What was told last of each pod.
type Told = Arc<Mutex<BTreeMap<String, Counts>>>;

/// Asks as long as it lives.
pub struct Scraping {
    stage: Stage,
    told: Told,
    _asking: JoinSet<()>,
}

impl Scraping {
    /// Begins to ask the pods there are, and those that come.
    pub fn begin(stage: &Stage) -> Scraping {
        let told = Told::default();
        let mut asking = JoinSet::new();
        asking.spawn(ask_all(stage.clone(), told.clone()));
        Scraping {
            stage: stage.clone(),
            told,
            _asking: asking,
        }
    }

    /// Asks all pods once more.
    pub async fn end(self) {
        let targets = targets(&self.stage.observer.view());
        if targets.is_empty() {
            return;
        }
        let (name, pods) = (format!("{NAME}-end"), Mutex::new(BTreeSet::new()));
        let asked = ask(&self.stage, &name, targets, Some(1), &self.told, &pods);
        // Who did not answer is missing below.
        let _ = timeout(END_MAX, asked).await;
        let pods = pods
            .lock()
            .expect("nothing panics while it holds this lock");
        let pods = pods.iter().cloned().collect();
        self.stage.recorder.note(Fact::Asked { pods });
    }
}

/// The pods of the system that may have metrics, by uid: those of load workers have no ports.
fn targets(view: &View) -> BTreeMap<String, (String, Vec<String>)> {
    let pods = view.pods.iter().filter(|(_, pod)| !pod.terminating);
    let found = pods.filter_map(|(uid, pod)| {
        let addresses = view.exporters.get(uid)?.clone();
        Some((uid.clone(), (pod.name.clone(), addresses)))
    });
    found.collect()
}

/// A worker for the pods there are, and one more each time others come. It ends when none of its pods is left.
async fn ask_all(stage: Stage, told: Told) {
    let mut known = BTreeSet::<String>::new();
    let mut workers = JoinSet::new();
    for number in 1..=WORKERS_MAX {
        let is_new = |view: &View| {
            let news = targets(view).into_keys().any(|uid| !known.contains(&uid));
            news.then_some(())
        };
        let waiting = stage.observer.until("no pod came", Duration::MAX, is_new);
        if waiting.await.is_err() {
            return;
        }
        sleep(TOGETHER).await;
        let mut new = targets(&stage.observer.view());
        new.retain(|uid, _| known.insert(uid.clone()));
        let (stage, told) = (stage.clone(), told.clone());
        workers.spawn(async move {
            let name = format!("{NAME}-{number}");
            let pods = Mutex::default();
            // Without these counts the graph has less in it; what rests on it says so.
            if let Err(why) = ask(&stage, &name, new, None, &told, &pods).await {
                tracing::debug!(why, name, "a worker that reads metrics ended");
            }
        });
    }
    while workers.join_next().await.is_some() {}
}

/// Runs a worker that asks; `pods` are those that answered.
async fn ask(
    stage: &Stage,
    name: &str,
    targets: BTreeMap<String, (String, Vec<String>)>,
    rounds: Option<u64>,
    told: &Told,
    pods: &Mutex<BTreeSet<String>>,
) -> Result<(), String> {
    let owners: BTreeMap<String, String> = targets
        .keys()
        .filter_map(|uid| stage.observer.view().pods.get(uid).cloned())
        .map(|pod| (pod.name, pod.owner))
        .collect();
    let scrape = ScrapeJob {
        targets: targets.into_values().collect(),
        every: EVERY,
        rounds,
    };
    let limit = stage.plan.deadline.into();
    let take = |mut lines: mpsc::UnboundedReceiver<String>| async move {
        while let Some(line) = lines.recv().await {
            if let Ok(wire::Line::Counted(pod, counts)) = wire::parse(&line) {
                let mut pods = pods
                    .lock()
                    .expect("nothing panics while it holds this lock");
                pods.insert(pod.clone());
                let owner = owners.get(&pod).map_or("", String::as_str);
                note(&stage.traffic, told, &pod, owner, counts);
            }
        }
    };
    let job = LoadJob::Scrape { scrape };
    stage.traffic.work(name, &job, limit, take).await
}

/// Writes down what changed.
fn note(traffic: &Traffic, told: &Told, pod: &str, owner: &str, counts: Counts) {
    let mut told = told
        .lock()
        .expect("nothing panics while it holds this lock");
    let before = told.insert(pod.into(), counts.clone());
    for fact in changes(pod, owner, before.as_ref(), &counts) {
        traffic.recorder.note(fact);
    }
}

/// What there is to write down of a pod. A pod that exports metrics is written down even when it has counted nothing yet.
fn changes(pod: &str, owner: &str, before: Option<&Counts>, now: &Counts) -> Vec<Fact> {
    let nothing = Counts::default();
    let last = before.unwrap_or(&nothing);
    let changed = PodCounts {
        pod: pod.into(),
        service: match now.application.is_empty() {
            true => owner.into(),
            false => now.application.clone(),
        },
        calls: news(&last.calls, &now.calls),
        events: news(&last.events, &now.events),
    };
    let breakers = now.breakers.iter().flat_map(|(callee, state)| {
        let states = turns(callee, *state, before, now);
        states.into_iter().map(|state| {
            let calls = now.calls.get(callee);
            Fact::Breaker(BreakerState {
                client: pod.into(),
                side: "caller".into(),
                service: callee.clone(),
                state,
                requests: calls.map_or(0, Calls::all),
                rejected: calls.map_or(0, refused),
                ejections: 0,
            })
        })
    });
    let mut facts: Vec<Fact> = breakers.collect();
    if before.is_none() || !changed.calls.is_empty() || !changed.events.is_empty() {
        facts.insert(0, Fact::Counted(changed));
    }
    facts
}

/// The states of a breaker since it was last looked at, if there is anything to say: it was not known before, it turned, or calls were
/// refused. One that refused calls because it was open, and is closed again, was open in between.
fn turns(callee: &str, state: Breaker, before: Option<&Counts>, now: &Counts) -> Vec<Breaker> {
    let known = before.and_then(|before| before.breakers.get(callee));
    let more = |of: fn(&Calls) -> u64| {
        let calls = |counts: &Counts| counts.calls.get(callee).map_or(0, of);
        let (last, now) = (before.map_or(0, calls), calls(now));
        // A process that began anew counts from nothing.
        now > last || now < last && now > 0
    };
    match (known, state) {
        (None | Some(Breaker::Closed), Breaker::Closed) if more(short_circuited) => {
            vec![Breaker::Open, Breaker::Closed]
        }
        _ if known != Some(&state) || more(refused) => vec![state],
        _ => vec![],
    }
}

/// Calls that were not made because the breaker was open.
fn short_circuited(calls: &Calls) -> u64 {
    calls.endings.get("short_circuited").copied().unwrap_or(0)
}

/// Calls that were ended by the breaker itself: it was open, or its pool was full.
fn refused(calls: &Calls) -> u64 {
    short_circuited(calls) + calls.endings.get("rejected").copied().unwrap_or(0)
}

fn news<V: Clone + PartialEq>(
    before: &BTreeMap<String, V>,
    now: &BTreeMap<String, V>,
) -> BTreeMap<String, V> {
    let changed = now
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value));
    changed.map(|(k, v)| (k.clone(), v.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::telemetry::Events;

    fn counts(ok: u64, short: u64, state: Breaker) -> Counts {
        let endings = [
            ("2xx".to_string(), ok),
            ("short_circuited".to_string(), short),
        ];
        let calls = Calls {
            endings: endings.into(),
            ..Calls::default()
        };
        Counts {
            application: "room".into(),
            calls: [("auth".to_string(), calls)].into(),
            breakers: [("auth".to_string(), state)].into(),
            ..Counts::default()
        }
    }

    #[test]
    fn only_what_changed_is_written_down_and_a_pod_that_counts_at_all() {
        let first = changes("room-1", "room", None, &Counts::default());
        let silent = PodCounts {
            pod: "room-1".into(),
            service: "room".into(),
            ..PodCounts::default()
        };
        assert_eq!(first, [Fact::Counted(silent)]);
        let now = counts(3, 0, Breaker::Closed);
        assert_eq!(changes("room-1", "room", Some(&now), &now), []);
        let mut more = now.clone();
        more.events = [("RoomRegistered".to_string(), Events::default())].into();
        let told = changes("room-1", "room", Some(&now), &more);
        let [Fact::Counted(told)] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!((told.calls.len(), told.events.len()), (0, 1));
    }

    fn states(before: Option<&Counts>, now: &Counts) -> Vec<(Breaker, u64, u64)> {
        let facts = changes("room-1", "room", before, now).into_iter();
        let states = facts.filter_map(|fact| match fact {
            Fact::Breaker(b) => Some((b.state, b.requests, b.rejected)),
            _ => None,
        });
        states.collect()
    }

    #[test]
    fn a_breaker_is_written_down_when_it_is_first_seen_when_it_turns_and_while_it_refuses() {
        let (closed, open) = (counts(3, 0, Breaker::Closed), counts(3, 4, Breaker::Open));
        assert_eq!(states(None, &closed), [(Breaker::Closed, 3, 0)]);
        assert_eq!(states(Some(&closed), &counts(9, 0, Breaker::Closed)), []);
        assert_eq!(states(Some(&closed), &open), [(Breaker::Open, 7, 4)]);
        assert_eq!(states(Some(&open), &open), []);
        assert_eq!(
            states(Some(&open), &counts(3, 6, Breaker::Open)),
            [(Breaker::Open, 9, 6)]
        );
        assert_eq!(
            states(Some(&open), &counts(4, 6, Breaker::Closed)),
            [(Breaker::Closed, 10, 6)]
        );
    }

    #[test]
    fn a_breaker_that_opened_and_closed_between_two_looks_is_known_by_the_calls_it_refused() {
        let closed = counts(3, 5, Breaker::Closed);
        let opened_between = [(Breaker::Open, 13, 9), (Breaker::Closed, 13, 9)];
        assert_eq!(
            states(Some(&closed), &counts(4, 9, Breaker::Closed)),
            opened_between
        );
        let begun_anew = counts(0, 2, Breaker::Closed);
        assert_eq!(
            states(Some(&closed), &begun_anew),
            [(Breaker::Open, 2, 2), (Breaker::Closed, 2, 2)]
        );
    }

    #[test]
    fn a_full_pool_refuses_without_the_breaker_being_open() {
        let closed = counts(3, 0, Breaker::Closed);
        let mut full = closed.clone();
        let endings = &mut full.calls.get_mut("auth").unwrap().endings;
        endings.insert("rejected".into(), 2);
        assert_eq!(states(Some(&closed), &full), [(Breaker::Closed, 5, 2)]);
    }
}
