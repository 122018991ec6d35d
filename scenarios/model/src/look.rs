//! What is looked at in the cluster itself: containers, logs and objects.
use crate::{Threshold, expected::quoted, metric::Unit};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Which container of which pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodChoice {
    /// Among which pods.
    pub of: PodsOf,
    /// The so-manieth of them in the order of their names, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<u32>,
    /// Its container; the only one or the first, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// Pods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PodsOf {
    /// Those that a Deployment or Job made.
    Workload(String),
    /// Those with all of these labels.
    Labels(BTreeMap<String, String>),
    /// The one of that name.
    Name(String),
}

impl PodsOf {
    /// As messages call them: `pods of room`.
    pub fn written(&self) -> String {
        match self {
            PodsOf::Workload(name) => format!("pods of {name}"),
            PodsOf::Labels(labels) => format!("pods with {}", selector(labels)),
            PodsOf::Name(name) => format!("pod {name}"),
        }
    }
}

/// Labels as `kubectl -l` has them: `app=room,tier=web`.
pub fn selector(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join(",")
}

/// What a command in a container must come to. What is absent is not asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpectedOutput {
    /// How it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// All it prints; a line feed at its end may be left out here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// Texts in what it prints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
}

/// What a command in a container came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Name of the pod; empty if there was none.
    pub pod: String,
    /// How it ended, if it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What it printed, at most [`crate::load::BODY_MAX`] bytes of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// What it complained of, as long at most.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// Why it did not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Execution {
    /// `exit code 0, "10\n"`, or why it did not run.
    pub fn written(&self) -> String {
        match (&self.error, self.exit_code) {
            (Some(why), _) => why.clone(),
            (None, code) => {
                let code = code.map_or("no exit code".into(), |c| format!("exit code {c}"));
                format!("{code}, {}", quoted(&self.stdout))
            }
        }
    }
}

impl ExpectedOutput {
    /// The same with what was saved in place of its name.
    pub fn with(&self, saved: &crate::Saved) -> ExpectedOutput {
        ExpectedOutput {
            exit_code: self.exit_code,
            stdout: self.stdout.as_ref().map(|text| saved.fill(text)),
            contains: self.contains.iter().map(|text| saved.fill(text)).collect(),
        }
    }

    /// What is not as it must be; nothing, if all of it is.
    pub fn differences(&self, seen: &Execution) -> Vec<String> {
        if let Some(why) = &seen.error {
            return vec![why.clone()];
        }
        let code = self.exit_code.filter(|code| seen.exit_code != Some(*code));
        let code = code.map(|code| match seen.exit_code {
            Some(seen) => format!("exit code {seen} instead of {code}"),
            None => format!("no exit code instead of {code}"),
        });
        let out = &seen.stdout;
        let is = |text: &String| out == text || out.strip_suffix('\n') == Some(text);
        let stdout = self.stdout.as_ref().filter(|text| !is(text));
        let stdout = stdout.map(|t| format!("it printed {}, expected {}", quoted(out), quoted(t)));
        let absent = self
            .contains
            .iter()
            .filter(|text| !out.contains(text.as_str()));
        let absent =
            absent.map(|t| format!("{} is not in what it printed: {}", quoted(t), quoted(out)));
        code.into_iter().chain(stdout).chain(absent).collect()
    }

    /// `exit code 0 and "10"`.
    pub fn written(&self) -> String {
        let code = self.exit_code.map(|code| format!("exit code {code}"));
        let stdout = self.stdout.as_ref().map(|text| quoted(text));
        let contains = self
            .contains
            .iter()
            .map(|text| format!("{} in it", quoted(text)));
        let parts: Vec<String> = code.into_iter().chain(stdout).chain(contains).collect();
        parts.join(" and ")
    }
}

/// What is waited for, as with `kubectl wait`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// `apps/v1`
    pub api_version: String,
    /// `Deployment`
    pub kind: String,
    /// Which of that kind; of several all must be as wanted, and there must be one.
    pub of: ObjectsOf,
    /// A JSONPath (RFC 9535) into each; the object itself, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How the file calls the path: a condition's type, or the path itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// What must hold of what is found there.
    pub holds: Holds,
}

/// Objects of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ObjectsOf {
    /// The one of that name.
    Name(String),
    /// Those with all of these labels.
    Labels(BTreeMap<String, String>),
    /// The pods of a Deployment or Job.
    Workload(String),
}

/// What must hold of a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Holds {
    /// It is one of these, as text.
    Is(Vec<String>),
    /// It is none of these, and it is there.
    IsNot(Vec<String>),
    /// It is a number of which this holds.
    Compares(Threshold),
    /// It is there (true) or not (false).
    Exists(bool),
}

/// A value as text: what `kubectl -o jsonpath` prints.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A Kubernetes quantity or number as a number: `250m` is 0.25, `2Gi` 2147483648.
fn number(value: &Value) -> Option<f64> {
    let Value::String(text) = value else {
        return value.as_f64();
    };
    let digits = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+'));
    let (digits, unit) = text.split_at(digits.unwrap_or(text.len()));
    let factor = match unit {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(digits.parse::<f64>().ok()? * factor)
}

impl Holds {
    /// Whether it holds of what was found in one object.
    pub fn of(&self, found: Option<&Value>) -> bool {
        match (self, found) {
            (Holds::Exists(wanted), found) => found.is_some() == *wanted,
            (_, None) => false,
            (Holds::Is(all), Some(value)) => all.contains(&plain(value)),
            (Holds::IsNot(all), Some(value)) => !all.contains(&plain(value)),
            (Holds::Compares(threshold), Some(value)) => {
                number(value).is_some_and(|n| threshold.holds(n))
            }
        }
    }

    /// `is Bound`, `>= 3`, `is there`.
    pub fn written(&self) -> String {
        match self {
            Holds::Is(all) => format!("is {}", all.join(" or ")),
            Holds::IsNot(all) => format!("is not {}", all.join(" or ")),
            Holds::Compares(threshold) => threshold.write(Unit::Count),
            Holds::Exists(true) => "is there".into(),
            Holds::Exists(false) => "is not there".into(),
        }
    }
}

impl Wanted {
    /// `HorizontalPodAutoscaler/auth`, `pods of room`.
    pub fn objects(&self) -> String {
        match &self.of {
            ObjectsOf::Name(name) => format!("{}/{name}", self.kind),
            ObjectsOf::Labels(labels) => format!("{} with {}", self.kind, selector(labels)),
            ObjectsOf::Workload(name) => format!("pods of {name}"),
        }
    }

    /// `HorizontalPodAutoscaler/auth: ScalingActive is False`.
    pub fn written(&self) -> String {
        match self.what.is_empty() {
            true => format!("{} {}", self.objects(), self.holds.written()),
            false => format!("{}: {} {}", self.objects(), self.what, self.holds.written()),
        }
    }

    /// Whether all is as wanted: `found` has one value (or its absence) for each object.
    pub fn is_met(&self, found: &[Option<Value>]) -> bool {
        match (found.is_empty(), &self.holds) {
            (true, Holds::Exists(false)) => true,
            (true, _) => false,
            (false, holds) => found.iter().all(|value| holds.of(value.as_ref())),
        }
    }
}

/// What was found, as messages write it: `Bound`, `Pending and Bound`, `<none>`.
pub fn seen(found: &[Option<Value>]) -> String {
    if found.is_empty() {
        return "no such object".into();
    }
    let words = found
        .iter()
        .map(|v| v.as_ref().map_or("<none>".into(), plain));
    let mut words: Vec<String> = words.collect();
    words.dedup();
    words.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Comparison;
    use serde_json::json;

    #[test]
    fn what_a_command_prints_is_compared_byte_for_byte_but_for_its_last_line_feed() {
        let expected = ExpectedOutput {
            exit_code: Some(0),
            stdout: Some("-n 'SK Imme' \r\n".into()),
            contains: vec!["Imme".into()],
        };
        let seen = |stdout: &str, code| Execution {
            stdout: stdout.into(),
            exit_code: Some(code),
            ..Execution::default()
        };
        assert_eq!(
            expected.differences(&seen("-n 'SK Imme' \r\n\n", 0)),
            [""; 0]
        );
        assert_eq!(
            expected.differences(&seen("SK\n", 1)),
            [
                "exit code 1 instead of 0",
                r#"it printed "SK\n", expected "-n 'SK Imme' \r\n""#,
                r#""Imme" is not in what it printed: "SK\n""#,
            ]
        );
        assert_eq!(
            expected.written(),
            r#"exit code 0 and "-n 'SK Imme' \r\n" and "Imme" in it"#
        );
    }

    fn wanted(holds: Holds) -> Wanted {
        Wanted {
            api_version: "v1".into(),
            kind: "PersistentVolumeClaim".into(),
            of: ObjectsOf::Name("aws-efs".into()),
            path: Some("$.status.phase".into()),
            what: "$.status.phase".into(),
            holds,
        }
    }

    #[test]
    fn all_objects_must_be_as_wanted_and_there_must_be_one() {
        let bound = wanted(Holds::Is(vec!["Bound".into()]));
        let both = [Some(json!("Bound")), Some(json!("Pending"))];
        assert!(bound.is_met(&both[..1]) && !bound.is_met(&both) && !bound.is_met(&[]));
        assert_eq!(seen(&both), "Bound and Pending");
        assert_eq!(
            bound.written(),
            "PersistentVolumeClaim/aws-efs: $.status.phase is Bound"
        );
        let gone = wanted(Holds::Exists(false));
        assert!(gone.is_met(&[]) && gone.is_met(&[None]) && !gone.is_met(&both));
    }

    #[test]
    fn numbers_are_compared_as_kubernetes_writes_them() {
        let at_least = |value| {
            let comparison = Comparison::GreaterOrEqual;
            Holds::Compares(Threshold { comparison, value })
        };
        assert!(at_least(3.0).of(Some(&json!(3))) && at_least(0.25).of(Some(&json!("250m"))));
        assert!(at_least(6144.0).of(Some(&json!("6Ki"))) && !at_least(1.0).of(Some(&json!("x"))));
        assert!(!at_least(1.0).of(None));
    }
}
