//! Why something did not hold, as an operator would say it.
use crate::Micros;
use serde::{Deserialize, Serialize};

/// So many causes are on the first screen of a report.
pub const FIRST_MAX: usize = 5;

/// One reason, from states, events and counters of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// When it was seen; of several times the one that matters most.
    pub at: Micros,
    /// What it is about: `Pod/shop-7d9f-x2x4p`, `Service/shop`.
    pub object: String,
    /// In a word or a few: `OOMKilled`, `killed by its liveness probe`.
    pub what: String,
    /// The rest of the sentence: what was seen, with figures.
    pub detail: String,
    /// How often it was seen.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
    /// It lies in a stretch of failed requests or shortly before one, or before a system that did not become steady.
    pub is_near: bool,
}

fn once() -> u32 {
    1
}

fn is_once(times: &u32) -> bool {
    *times == 1
}

impl Cause {
    /// `+3.200 s OOMKilled: Pod/shop-…: container shop … (3 times)`.
    pub fn written(&self) -> String {
        format!("+{:.3} s {}", self.at.as_secs_f64(), self.sentence())
    }

    /// The same without the moment.
    pub fn sentence(&self) -> String {
        format!("{}: {}", self.what, self.rest())
    }

    /// What comes after the first words of it.
    pub fn rest(&self) -> String {
        let times = match self.times {
            1 => String::new(),
            n => format!(" ({n} times)"),
        };
        format!("{}: {}{times}", self.object, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_a_sentence_with_its_moment() {
        let cause = Cause {
            at: Micros::from_millis(3200),
            object: "Pod/shop-1".into(),
            what: "OOMKilled".into(),
            detail: "container shop used up its memory limit of 4Mi".into(),
            times: 3,
            is_near: true,
        };
        assert_eq!(
            cause.written(),
            "+3.200 s OOMKilled: Pod/shop-1: container shop used up its memory limit of 4Mi (3 times)"
        );
    }
}
