//! Everything that was seen in one run, in the order of its clock.
use crate::{EMBEDDED, Fact, Micros, Observation, PodState, RequestFact, Saved};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    io::{BufRead, Read},
};

/// A line has at most so many bytes: a list that was read, with all its rows, is the longest there is.
pub const LINE_MAX: usize = 64 << 20;

/// All observations of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeline {
    observations: Vec<Observation>,
}

/// A line of a timeline file that cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct BadLine {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for BadLine {}

impl Timeline {
    /// Puts observations in the order of the clock; those of one instant keep their order.
    pub fn new(mut observations: Vec<Observation>) -> Timeline {
        observations.sort_by_key(|o| o.at);
        Timeline { observations }
    }

    /// Reads the text of `timeline.jsonl`, as [`Timeline::read`].
    ///
    /// # Errors
    /// The first line that is not an observation.
    pub fn parse(text: &str) -> Result<Timeline, BadLine> {
        Timeline::read(text.as_bytes())
    }

    /// Reads `timeline.jsonl` line by line. A last line without its end is what a killed run leaves: it is dropped, the rest
    /// counts.
    ///
    /// # Errors
    /// The first line that is not an observation, is longer than [`LINE_MAX`], or cannot be read.
    pub fn read(from: impl BufRead) -> Result<Timeline, BadLine> {
        Timeline::read_within(from, LINE_MAX)
    }

    fn read_within(mut from: impl BufRead, most: usize) -> Result<Timeline, BadLine> {
        let mut observations = vec![];
        let mut bytes = vec![];
        for line in 1.. {
            bytes.clear();
            let bad = |why: String| BadLine { line, why };
            let mut limited = from.by_ref().take(most as u64 + 1);
            limited
                .read_until(b'\n', &mut bytes)
                .map_err(|e| bad(e.to_string()))?;
            if bytes.len() > most {
                return Err(bad(format!("it has more than {most} bytes")));
            }
            if bytes.pop() != Some(b'\n') {
                break;
            }
            if !bytes.trim_ascii().is_empty() {
                let read = serde_json::from_slice(&bytes);
                observations.push(read.map_err(|e| bad(e.to_string()))?);
            }
        }
        Ok(Timeline::new(observations))
    }

    /// As `timeline.jsonl`: one observation a line.
    pub fn write(&self) -> String {
        self.observations
            .iter()
            .map(|o| serde_json::to_string(o).expect("an observation is plain data") + "\n")
            .collect()
    }

    /// All of them.
    pub fn all(&self) -> &[Observation] {
        &self.observations
    }

    /// Whether the cluster was in brownout's own process, its proxies on its machine.
    pub fn is_embedded(&self) -> bool {
        let mut all = self.observations.iter();
        all.any(|o| matches!(&o.fact, Fact::Began { cluster, .. } if cluster == EMBEDDED))
    }

    /// When the last thing was seen.
    pub fn end(&self) -> Micros {
        let ends = self.observations.iter().map(|o| match &o.fact {
            Fact::Request(r) => r.done.max(o.at),
            _ => o.at,
        });
        ends.max().unwrap_or(Micros::ZERO)
    }

    /// The requests of a step with the time each was due.
    pub fn requests<'a>(
        &'a self,
        step: &'a str,
    ) -> impl Iterator<Item = (Micros, &'a RequestFact)> + 'a {
        self.observations.iter().filter_map(move |o| match &o.fact {
            Fact::Request(r) if r.step == step => Some((o.at, r)),
            _ => None,
        })
    }

    /// From the first request of a step, by the time it was due, to the end of the last.
    pub fn span(&self, step: &str) -> Option<(Micros, Micros)> {
        let first = self.requests(step).map(|(due, _)| due).min()?;
        let last = self.requests(step).map(|(_, r)| r.done).max()?;
        Some((first, last))
    }

    /// What later requests could use at that time.
    pub fn saved_until(&self, until: Micros) -> Saved {
        let mut saved = Saved::default();
        for observation in self.observations.iter().take_while(|o| o.at <= until) {
            if let Fact::Saved { name, value, .. } = &observation.fact {
                saved.put(name, value.clone());
            }
        }
        saved
    }

    /// What became of the pods, in time.
    pub fn pods(&self) -> impl Iterator<Item = (Micros, &PodState)> {
        self.observations.iter().filter_map(|o| match &o.fact {
            Fact::Pod(p) => Some((o.at, p)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Phase;

    fn phase(at: u64, phase: Phase) -> Observation {
        Observation {
            at: Micros(at),
            fact: Fact::Phase { phase },
        }
    }

    #[test]
    fn what_was_written_is_read_back_in_the_order_of_the_clock() {
        let timeline = Timeline::new(vec![phase(9, Phase::Running), phase(1, Phase::Pending)]);
        let text = timeline.write();
        assert_eq!(
            text,
            "{\"at\":1,\"fact\":\"phase\",\"phase\":\"Pending\"}\n{\"at\":9,\"fact\":\"phase\",\"phase\":\"Running\"}\n"
        );
        assert_eq!(Timeline::parse(&text).unwrap(), timeline);
    }

    #[test]
    fn the_torn_last_line_of_a_killed_run_is_dropped_and_a_bad_line_is_named() {
        let text = phase_line() + "{\"at\":2,\"fa";
        assert_eq!(Timeline::parse(&text).unwrap().all().len(), 1);
        let text = phase_line() + "nonsense\n" + &phase_line();
        assert_eq!(Timeline::parse(&text).unwrap_err().line, 2);
    }

    #[test]
    fn a_line_without_an_end_is_not_read_to_its_end() {
        let text = phase_line() + &" ".repeat(100);
        let read = |most| Timeline::read_within(text.as_bytes(), most);
        assert_eq!(read(100).unwrap().all().len(), 1);
        assert_eq!(
            read(99).unwrap_err().to_string(),
            "line 2: it has more than 99 bytes"
        );
        let endless = std::io::BufReader::new(std::io::repeat(b' '));
        assert_eq!(Timeline::read_within(endless, 1000).unwrap_err().line, 1);
    }

    #[test]
    fn a_time_that_no_run_has_is_refused_with_its_line() {
        let at = |us: u64| format!("{{\"at\":{us},\"fact\":\"phase\",\"phase\":\"Pending\"}}\n");
        for us in [1 << 63, u64::MAX] {
            let refused = Timeline::parse(&(phase_line() + &at(us))).unwrap_err();
            assert_eq!(refused.line, 2);
            assert!(
                refused.why.contains("longer than a hundred years"),
                "{refused}"
            );
        }
    }

    fn phase_line() -> String {
        Timeline::new(vec![phase(1, Phase::Pending)]).write()
    }
}
