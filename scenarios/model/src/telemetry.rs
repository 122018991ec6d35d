//! What pods say of their own traffic: totals since their process began.
use crate::Timeline;
use crate::{Fact, Micros};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one pod has counted. On the timeline only what changed since the fact before is in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodCounts {
    /// Name of the pod.
    pub pod: String,
    /// The service it is one of.
    pub service: String,
    /// Its calls by whom it called.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<String, Calls>,
    /// Its events by type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<String, Events>,
}

/// Calls of one pod to one service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calls {
    /// How many ended in each way: `2xx`, `5xx`, `timeout`.
    pub endings: BTreeMap<String, u64>,
    /// Time of those that ended well together, in seconds.
    #[serde(default)]
    pub seconds: f64,
    /// Of those that ended well, so many took at most so many seconds: a histogram, added up, shortest first. Buckets before the
    /// first and after the last that count something may be left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<(f64, u64)>,
}

/// Events of one type in one pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// The broker took so many.
    #[serde(default)]
    pub published: u64,
    /// So many were read and handled.
    #[serde(default)]
    pub handled: u64,
    /// So often one could not be handled.
    #[serde(default)]
    pub failed: u64,
}

/// Whether a way to end means that the call did what it should: an answer below 400.
pub fn is_good(ending: &str) -> bool {
    matches!(ending.as_bytes().first(), Some(b'1'..=b'3'))
}

impl Calls {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.endings
            .values()
            .fold(0, |all, n| all.saturating_add(*n))
    }

    /// Those that ended well.
    pub fn good(&self) -> u64 {
        let good = self.endings.iter().filter(|(ending, _)| is_good(ending));
        good.fold(0, |all, (_, n)| all.saturating_add(*n))
    }

    /// Those that did not.
    pub fn errors(&self) -> u64 {
        self.all() - self.good()
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Calls) {
        for (ending, n) in &other.endings {
            let own = self.endings.entry(ending.clone()).or_default();
            *own = own.saturating_add(*n);
        }
        self.seconds += other.seconds;
        let mut bounds: Vec<f64> = self
            .buckets
            .iter()
            .chain(&other.buckets)
            .map(|b| b.0)
            .collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        let both = bounds.into_iter();
        self.buckets = both
            .map(|le| (le, until(&self.buckets, le) + until(&other.buckets, le)))
            .collect();
    }
}

/// So many were counted up to a bound.
fn until(buckets: &[(f64, u64)], le: f64) -> u64 {
    let below = buckets.iter().take_while(|(bound, _)| *bound <= le);
    below.last().map_or(0, |(_, n)| *n)
}

impl Events {
    /// Adds another's.
    pub fn add(&mut self, other: Events) {
        self.published += other.published;
        self.handled += other.handled;
        self.failed += other.failed;
    }

    fn is_less_than(self, other: Events) -> bool {
        self.published < other.published || self.handled < other.handled
    }
}

/// A breaker as it is from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerState {
    /// The pod that calls, or whose proxy it is.
    pub client: String,
    /// `caller` for one in the service itself, `outbound` or `inbound` for one in the pod's proxy.
    pub side: String,
    /// Who is called.
    pub service: String,
    /// Whether calls are let through.
    pub state: Breaker,
    /// Calls so far.
    pub requests: u64,
    /// So many were refused without asking anybody.
    pub rejected: u64,
    /// So often a host was left out because it failed.
    #[serde(default)]
    pub ejections: u64,
}

/// Whether a breaker lets calls through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Breaker {
    /// All of them.
    Closed,
    /// One, to see how it ends.
    HalfOpen,
    /// None, or not all.
    Open,
}

/// What all pods have counted together: a process that began anew begins at nothing, and what it had counted before still counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    /// By who called and who was called.
    pub calls: BTreeMap<(String, String), Calls>,
    /// By service and type.
    pub events: BTreeMap<(String, String), Events>,
    /// Services with pods that told anything, with the pods.
    pub told: BTreeMap<String, Vec<String>>,
}

impl Totals {
    /// Of a timeline.
    pub fn of(timeline: &Timeline) -> Totals {
        let mut totals = Totals::default();
        let mut calls = BTreeMap::<(&str, &str, &str), Calls>::new();
        let mut events = BTreeMap::<(&str, &str, &str), Events>::new();
        for counts in timeline.all().iter().filter_map(|o| match &o.fact {
            Fact::Counted(counts) => Some(counts),
            _ => None,
        }) {
            let (pod, service) = (counts.pod.as_str(), counts.service.as_str());
            let pods = totals.told.entry(service.into()).or_default();
            if !pods.iter().any(|p| p == pod) {
                pods.push(pod.into());
            }
            for (to, now) in &counts.calls {
                let last = calls.insert((pod, service, to), now.clone());
                if let Some(last) = last.filter(|last| now.all() < last.all()) {
                    totals.called(service, to, &last);
                }
            }
            for (kind, now) in &counts.events {
                let last = events.insert((pod, service, kind), *now);
                if let Some(last) = last.filter(|last| now.is_less_than(*last)) {
                    totals.event(service, kind, last);
                }
            }
        }
        for ((_, service, to), last) in &calls {
            totals.called(service, to, last);
        }
        for ((_, service, kind), last) in &events {
            totals.event(service, kind, *last);
        }
        totals
    }

    fn called(&mut self, from: &str, to: &str, calls: &Calls) {
        let key = (from.to_string(), to.to_string());
        self.calls.entry(key).or_default().add(calls);
    }

    fn event(&mut self, service: &str, kind: &str, events: Events) {
        let key = (service.to_string(), kind.to_string());
        self.events.entry(key).or_default().add(events);
    }
}

/// A time that is only known to lie between two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Within {
    /// At least so many seconds.
    pub from: f64,
    /// At most so many; without it, nobody counted that far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
}

impl Within {
    /// A time that is known.
    pub fn exactly(seconds: f64) -> Within {
        Within {
            from: seconds,
            to: Some(seconds),
        }
    }

    /// `2.1 ms`, `≤ 5.0 ms`, `> 10.00 s`.
    pub fn written(self) -> String {
        let text = |seconds: f64| Micros((seconds * 1e6).round() as u64).to_string();
        match self.to {
            Some(to) if to == self.from => text(to),
            Some(to) => format!("≤ {}", text(to)),
            None => format!("> {}", text(self.from)),
        }
    }
}

impl Calls {
    /// The time that a share of the calls that ended well took at most. `None` without a histogram.
    pub fn quantile(&self, share: f64) -> Option<Within> {
        let good = self.good();
        if self.buckets.is_empty() || good == 0 {
            return None;
        }
        let rank = (share * good as f64).ceil() as u64;
        let place = self.buckets.iter().position(|(_, n)| *n >= rank);
        let bound = |i: usize| Some(self.buckets[i].0).filter(|le| le.is_finite());
        let before = |i: usize| i.checked_sub(1).map_or(0.0, |i| self.buckets[i].0);
        Some(match place {
            Some(i) => Within {
                from: before(i),
                to: bound(i),
            },
            None => Within {
                from: before(self.buckets.len()),
                to: None,
            },
        })
    }

    /// The mean of those that ended well, in seconds.
    pub fn mean(&self) -> Option<f64> {
        let good = self.good();
        (good > 0).then(|| self.seconds / good as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Observation;

    fn calls(endings: &[(&str, u64)], buckets: &[(f64, u64)]) -> Calls {
        Calls {
            endings: endings.iter().map(|(e, n)| (e.to_string(), *n)).collect(),
            seconds: 1.0,
            buckets: buckets.to_vec(),
        }
    }

    fn counted(at: u64, pod: &str, n: u64) -> Observation {
        let fact = Fact::Counted(PodCounts {
            pod: pod.into(),
            service: "room".into(),
            calls: [("auth".to_string(), calls(&[("2xx", n)], &[]))].into(),
            ..PodCounts::default()
        });
        Observation {
            at: Micros(at),
            fact,
        }
    }

    #[test]
    fn what_a_process_had_counted_before_it_began_anew_still_counts() {
        let told = [
            counted(1, "room-1", 10),
            counted(2, "room-1", 30),
            counted(3, "room-1", 5),
            counted(4, "room-2", 7),
        ];
        let totals = Totals::of(&Timeline::new(told.into()));
        let key = ("room".to_string(), "auth".to_string());
        assert_eq!(totals.calls[&key].all(), 42);
        assert_eq!(totals.told["room"], ["room-1", "room-2"]);
    }

    #[test]
    fn a_percentile_lies_in_the_bucket_in_which_it_is_reached() {
        let all = calls(
            &[("2xx", 100), ("timeout", 3)],
            &[(0.001, 0), (0.005, 60), (0.01, 99)],
        );
        let within = |from, to| Some(Within { from, to });
        assert_eq!(all.quantile(0.5), within(0.001, Some(0.005)));
        assert_eq!(all.quantile(0.99), within(0.005, Some(0.01)));
        assert_eq!(all.quantile(1.0), within(0.01, None));
        assert_eq!((all.errors(), all.mean()), (3, Some(0.01)));
        assert_eq!(calls(&[("2xx", 1)], &[]).quantile(0.5), None);
    }

    #[test]
    fn buckets_that_were_left_out_are_added_as_what_they_counted() {
        let mut all = calls(&[("2xx", 4)], &[(0.005, 0), (0.01, 4)]);
        all.add(&calls(&[("2xx", 6)], &[(0.001, 0), (0.005, 6)]));
        assert_eq!(all.buckets, [(0.001, 0), (0.005, 6), (0.01, 10)]);
    }
}
