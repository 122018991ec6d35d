//! Faults that strike pods: which pods, how many of them, and how often; and what was seen of each blow.
use crate::Micros;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is struck, and in which rhythm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Aim {
    /// Names of workloads (Deployments, StatefulSets, …); each is struck for itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<String>,
    /// In place of workloads: the pods with these labels are struck together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// How many of the pods a blow takes.
    pub mode: Mode,
    /// How often.
    pub rhythm: Rhythm,
}

/// A Kubernetes LabelSelector.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selector {
    /// Labels that must be as here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions; all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
}

/// A condition on one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Its key.
    pub key: String,
    /// What is asked of it.
    pub operator: Operator,
    /// Of `In` and `NotIn`: the values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// What a condition asks of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// It has one of the values.
    In,
    /// It has none of the values, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl Selector {
    /// As the API takes it in `labelSelector`: `app=room,tier in (a,b)`.
    pub fn write(&self) -> String {
        let labels = self.match_labels.iter().map(|(k, v)| format!("{k}={v}"));
        let further = self.match_expressions.iter().map(|r| {
            let (key, values) = (&r.key, r.values.join(","));
            match r.operator {
                Operator::In => format!("{key} in ({values})"),
                Operator::NotIn => format!("{key} notin ({values})"),
                Operator::Exists => key.clone(),
                Operator::DoesNotExist => format!("!{key}"),
            }
        });
        labels.chain(further).collect::<Vec<_>>().join(",")
    }
}

/// How many of the pods a blow takes; the words are Chaos Mesh's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", content = "value", rename_all = "kebab-case")]
pub enum Mode {
    /// One, by chance.
    One,
    /// Each of them.
    All,
    /// So many, by chance.
    Fixed(u32),
    /// So many per cent, rounded down, by chance.
    FixedPercent(u32),
    /// From none to so many per cent: the share by chance as well.
    RandomMaxPercent(u32),
}

impl Mode {
    /// As reports write it: `one`, `fixed 2`, `fixed-percent 50 %`.
    pub fn write(self) -> String {
        match self {
            Mode::One => "one".into(),
            Mode::All => "all".into(),
            Mode::Fixed(n) => format!("fixed {n}"),
            Mode::FixedPercent(n) => format!("fixed-percent {n} %"),
            Mode::RandomMaxPercent(n) => format!("random-max-percent {n} %"),
        }
    }
}

/// When blows fall, counted from the beginning of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rhythm {
    /// From one round to the next.
    pub every: Micros,
    /// So many rounds; in each every workload is struck once.
    pub times: u32,
    /// A blow falls up to so much later than its round begins, by chance and each for itself.
    pub jitter: Micros,
}

impl Rhythm {
    /// Once and at once.
    pub const ONCE: Rhythm = Rhythm {
        every: Micros::ZERO,
        times: 1,
        jitter: Micros::ZERO,
    };

    /// When the last blow has fallen at the latest.
    pub fn length(&self) -> Micros {
        self.every.times(self.times.saturating_sub(1).into()) + self.jitter
    }
}

impl Aim {
    /// `room, payment`, or `pods with app=room`.
    pub fn write(&self) -> String {
        match &self.selector {
            Some(selector) => format!("pods with {}", selector.write()),
            None => self.workloads.join(", "),
        }
    }
}

/// What was seen of one blow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Strike {
    /// Name of the step.
    pub step: String,
    /// Counted from 1 within the step; the same for all that is told of one blow against one pod.
    pub number: u32,
    /// The pod that was struck; empty where none was.
    pub pod: String,
    /// The workload it belongs to.
    pub workload: String,
    /// How far it has come.
    pub course: Course,
    /// How it was chosen, what proves it, what is missing: for people.
    pub detail: String,
}

/// How far a blow has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Course {
    /// It was dealt.
    Made,
    /// It is proven to have taken effect.
    Proven,
    /// It could not be proven.
    Unproven,
    /// The workload has as many ready pods as before it.
    Recovered,
    /// The workload was struck again before it had recovered.
    Overtaken,
    /// A guard rail kept it from being dealt.
    Withheld,
}

impl Course {
    /// All of them.
    pub const ALL: [Course; 6] = [
        Course::Made,
        Course::Proven,
        Course::Unproven,
        Course::Recovered,
        Course::Overtaken,
        Course::Withheld,
    ];

    /// `made`, `proven`, …
    pub fn word(self) -> &'static str {
        match self {
            Course::Made => "made",
            Course::Proven => "proven",
            Course::Unproven => "unproven",
            Course::Recovered => "recovered",
            Course::Overtaken => "overtaken",
            Course::Withheld => "withheld",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_written_as_the_api_takes_it() {
        let selector: Selector = serde_json::from_value(serde_json::json!({
            "matchLabels": {"app": "room"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }))
        .unwrap();
        assert_eq!(selector.write(), "app=room,tier in (a,b),!old");
    }

    #[test]
    fn the_last_blow_falls_before_the_length_is_over() {
        let rhythm = Rhythm {
            every: Micros::from_secs(10),
            times: 12,
            jitter: Micros::from_secs(8),
        };
        assert_eq!(rhythm.length(), Micros::from_secs(118));
        assert_eq!(Rhythm::ONCE.length(), Micros::ZERO);
    }
}
