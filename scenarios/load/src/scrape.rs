//! Asking pods again and again what they have counted, as Prometheus does.
use crate::{
    exposition::{self, Counts},
    http,
    job::ScrapeJob,
    output::Lines,
    wire::Line,
    worker::{STOPPED, Tally},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

/// Where metrics are; Spring's are at the second.
const PATHS: [&str; 2] = ["/metrics", "/actuator/prometheus"];

/// A pod that does not say in this time has too much to do to be asked.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// More than the metrics of a service with some hundred routes.
const BYTES_MAX: usize = 4 << 20;

/// After so many rounds without an answer nobody will come any more.
const MISSES_MAX: u32 = 5;

/// Who is asked.
struct Target {
    pod: String,
    /// Where it may answer: every address with every path, the one that did first alone.
    places: Vec<(String, &'static str)>,
    /// It has answered.
    is_known: bool,
    misses: u32,
    last: Option<Counts>,
}

/// What became of a question.
enum Answer {
    Counts(Counts, (String, &'static str)),
    /// Somebody is there and does not know what is meant.
    Nothing,
    Missed,
}

/// Asks every target each round and tells what changed, until nobody is left, the rounds are over or the job is stopped.
pub(crate) async fn run(job: &ScrapeJob, lines: &Lines, stop: &CancellationToken) -> Tally {
    let mut targets: BTreeMap<usize, Target> = job.targets.iter().map(target).enumerate().collect();
    let mut tally = Tally::default();
    let mut rounds = interval(Duration::from(job.every).max(Duration::from_millis(10)));
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !targets.is_empty() && job.rounds.is_none_or(|n| tally.finished < n) {
        tokio::select! {
            () = stop.cancelled() => {
                tally.cut_short = Some(STOPPED.into());
                break;
            }
            _ = rounds.tick() => {}
        }
        round(&mut targets, lines).await;
        tally.finished += 1;
    }
    tally
}

fn target((pod, addresses): (&String, &Vec<String>)) -> Target {
    let places = addresses.iter();
    Target {
        pod: pod.clone(),
        places: places
            .flat_map(|a| PATHS.map(|path| (a.clone(), path)))
            .collect(),
        is_known: false,
        misses: 0,
        last: None,
    }
}

async fn round(targets: &mut BTreeMap<usize, Target>, lines: &Lines) {
    let mut asking = JoinSet::new();
    for (i, target) in targets.iter() {
        let (i, places) = (*i, target.places.clone());
        asking.spawn(async move { (i, ask(places).await) });
    }
    while let Some(asked) = asking.join_next().await {
        let Ok((i, answer)) = asked else { continue };
        let Some(target) = targets.get_mut(&i) else {
            continue;
        };
        match answer {
            Answer::Counts(counts, place) => {
                (target.is_known, target.misses, target.places) = (true, 0, vec![place]);
                if target.last.as_ref() != Some(&counts) {
                    lines
                        .put(Line::Counted(target.pod.clone(), counts.clone()))
                        .await;
                    target.last = Some(counts);
                }
            }
            // A service that is just beginning or ending may say anything; one that never knew does not export metrics.
            Answer::Nothing if !target.is_known => {
                targets.remove(&i);
            }
            Answer::Nothing | Answer::Missed => {
                target.misses += 1;
                if target.misses >= MISSES_MAX {
                    targets.remove(&i);
                }
            }
        }
    }
}

/// Asks at one place after the other.
async fn ask(places: Vec<(String, &'static str)>) -> Answer {
    let mut worst = Answer::Nothing;
    for (address, path) in places {
        match timeout(ANSWER_MAX, http::get(&address, path, BYTES_MAX)).await {
            Ok(Ok((200, body))) => {
                if let Some(counts) = exposition::read(&body) {
                    return Answer::Counts(counts, (address, path));
                }
            }
            // Not ready yet, or ending.
            Ok(Ok((503, _))) => worst = Answer::Missed,
            Ok(Ok(_)) => {}
            Ok(Err(http::NoAnswer::NotHttp)) => {}
            Ok(Err(http::NoAnswer::Unreached)) | Err(_) => worst = Answer::Missed,
        }
    }
    worst
}
