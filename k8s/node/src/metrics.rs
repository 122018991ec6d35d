//! metrics — what `kubectl top` and autoscalers see: every so often each container is looked at, and two looks make a measurement.
//!
//! The rules are metrics-server's (`semantics.md` 5.5): CPU is the difference between the two newest looks over the time between them;
//! a container that started between them counts from its start, if that is long enough ago; a pod of which one container has only one
//! look is not shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apiserver::{Amounts, Clock, Measured, PodUsage};
use k8s_openapi::jiff::Timestamp;
use tokio::time::sleep;

use crate::pods::Registry;
use crate::runtime::Usage;

/// What metrics-server's own manifests set, as `--metric-resolution`.
pub const METRIC_RESOLUTION: Duration = Duration::from_secs(15);
/// A younger container's start says too little.
const FRESH_MIN: Duration = Duration::from_secs(10);

/// One look at a container.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    pub at: Timestamp,
    /// When the container started.
    pub since: Timestamp,
    pub used: Usage,
}

/// Namespace and pod.
type Pod = (String, String);
type Looks = BTreeMap<Pod, BTreeMap<String, Look>>;

/// The newest looks. Copies share them.
#[derive(Clone, Default)]
pub(crate) struct Samples(Arc<Mutex<Pairs>>);

#[derive(Default)]
struct Pairs {
    last: Looks,
    before: Looks,
}

/// Looks at every container, for ever.
pub(crate) async fn sample(
    registry: Registry,
    samples: Samples,
    resolution: Duration,
    clock: Clock,
) {
    loop {
        sleep(resolution).await;
        let now = clock.now();
        let mut looks = Looks::new();
        for ((namespace, pod, container), since, used) in registry.looks() {
            let look = Look {
                at: now,
                since,
                used,
            };
            let pod = looks.entry((namespace, pod)).or_default();
            pod.insert(container, look);
        }
        samples.lock().store(looks, resolution);
    }
}

impl Samples {
    fn lock(&self) -> std::sync::MutexGuard<'_, Pairs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn pods(&self) -> Vec<PodUsage> {
        self.lock().pods()
    }

    pub fn node(&self) -> Option<Measured<Amounts>> {
        self.lock().node()
    }
}

impl Pairs {
    fn store(&mut self, looks: Looks, resolution: Duration) {
        let mut before = Looks::new();
        for (pod, containers) in &looks {
            for (name, look) in containers {
                let newest = self.last.get(pod).and_then(|last| last.get(name)).copied();
                if let Some(first) = first(look, newest, resolution) {
                    let pod = before.entry(pod.clone()).or_default();
                    pod.insert(name.clone(), first);
                }
            }
        }
        *self = Pairs {
            last: looks,
            before,
        };
    }

    fn pods(&self) -> Vec<PodUsage> {
        let pods = self.last.iter().filter_map(|(pod, containers)| {
            let before = self.before.get(pod)?;
            let pairs: Option<Vec<_>> = containers
                .iter()
                .map(|(name, last)| Some((name, before.get(name)?, last)))
                .collect();
            let pairs = pairs?;
            let (_, first, last) = pairs.iter().min_by_key(|(_, _, last)| last.at)?;
            Some(PodUsage {
                namespace: pod.0.clone(),
                pod: pod.1.clone(),
                containers: Measured {
                    at: last.at,
                    window: between(first, last),
                    usage: pairs
                        .iter()
                        .map(|(name, first, last)| ((*name).clone(), amounts(first, last)))
                        .collect(),
                },
            })
        });
        pods.collect()
    }

    fn node(&self) -> Option<Measured<Amounts>> {
        let pods = self.pods();
        let newest = pods.iter().max_by_key(|pod| pod.containers.at)?;
        let all = pods.iter().flat_map(|pod| &pod.containers.usage);
        let usage = all.fold(Amounts::default(), |sum, (_, one)| Amounts {
            nanocores: sum.nanocores + one.nanocores,
            memory: sum.memory + one.memory,
        });
        Some(Measured {
            at: newest.containers.at,
            window: newest.containers.window,
            usage,
        })
    }
}

/// The look to compare a new one with.
fn first(look: &Look, newest: Option<Look>, resolution: Duration) -> Option<Look> {
    let age = span(look.since, look.at);
    if (FRESH_MIN..resolution).contains(&age) {
        let used = Usage {
            cpu: Duration::ZERO,
            ..look.used
        };
        return Some(Look {
            at: look.since,
            used,
            ..*look
        });
    }
    // Restarted since, it has nothing to do with the one that was looked at.
    newest.filter(|newest| look.since < newest.at && newest.at < look.at)
}

fn span(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

fn between(first: &Look, last: &Look) -> Duration {
    span(first.at, last.at)
}

fn amounts(first: &Look, last: &Look) -> Amounts {
    let cpu = last.used.cpu.saturating_sub(first.used.cpu);
    let rate = cpu.as_secs_f64() / between(first, last).as_secs_f64();
    Amounts {
        nanocores: (rate * 1e9).round() as u64,
        memory: last.used.memory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1000 + seconds).unwrap()
    }

    fn look(since: i64, now: i64, cpu_millis: u64) -> Look {
        Look {
            at: at(now),
            since: at(since),
            used: Usage {
                cpu: Duration::from_millis(cpu_millis),
                memory: 7,
            },
        }
    }

    /// What is shown of a pod of these containers after each round of looks.
    fn shown(rounds: Vec<Vec<(&str, Look)>>) -> Vec<Option<(Duration, Vec<u64>)>> {
        let mut pairs = Pairs::default();
        let pod = ("ns".to_owned(), "a".to_owned());
        let mut shown = vec![];
        for round in rounds {
            let named = round
                .into_iter()
                .map(|(name, look)| (name.to_owned(), look));
            let looks = [(pod.clone(), named.collect())].into();
            pairs.store(looks, METRIC_RESOLUTION);
            shown.push(pairs.pods().pop().map(|pod| {
                let amounts = pod.containers.usage.iter();
                let millis = amounts.map(|(_, one)| one.nanocores / 1_000_000).collect();
                (pod.containers.window, millis)
            }));
        }
        shown
    }

    const WINDOW: Duration = METRIC_RESOLUTION;

    #[test]
    fn two_looks_make_a_measurement() {
        let rounds = vec![
            vec![("c", look(-5, 0, 100))],
            vec![("c", look(-5, 15, 3100))],
        ];
        assert_eq!(shown(rounds), [None, Some((WINDOW, vec![200]))]);
    }

    #[test]
    fn a_start_ten_seconds_before_a_look_is_the_first_one() {
        let ten = Duration::from_secs(10);
        let rounds = vec![vec![("c", look(-10, 0, 1000))]];
        assert_eq!(shown(rounds), [Some((ten, vec![100]))]);
        assert_eq!(shown(vec![vec![("c", look(-9, 0, 1000))]]), [None]);
    }

    #[test]
    fn a_pod_with_one_container_too_new_is_not_shown() {
        let rounds = vec![
            vec![("c", look(-5, 0, 0))],
            vec![("c", look(-5, 15, 300)), ("side", look(12, 15, 0))],
            vec![("c", look(-5, 30, 600)), ("side", look(12, 30, 1500))],
        ];
        assert_eq!(shown(rounds), [None, None, Some((WINDOW, vec![20, 100]))]);
    }

    #[test]
    fn a_restart_begins_anew() {
        let rounds = vec![
            vec![("c", look(-5, 0, 100))],
            vec![("c", look(8, 15, 50))],
            vec![("c", look(8, 30, 200))],
        ];
        assert_eq!(shown(rounds), [None, None, Some((WINDOW, vec![10]))]);
    }
}
