//! Findings and verdicts: pass < inconclusive < fail, and the worst wins.
use serde::{Deserialize, Serialize};
use std::fmt;

/// What can be said. The order matters: the worst of several wins, and of none it is inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was shown to hold.
    Pass,
    /// It could not be told; what is missing is named.
    Inconclusive,
    /// It was shown not to hold.
    Fail,
}

impl Verdict {
    /// The worst of all; nothing checked is [`Verdict::Inconclusive`].
    pub fn worst(all: impl IntoIterator<Item = Verdict>) -> Verdict {
        all.into_iter().max().unwrap_or(Verdict::Inconclusive)
    }

    /// `pass`, `inconclusive` or `fail`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Fail => "fail",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The answer of one check, with its reason and what proves it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The name of the check, as in the scenario file or one of the conditions.
    pub check: String,
    /// What the check says.
    pub verdict: Verdict,
    /// One sentence a reader understands without the scenario file.
    pub because: String,
    /// What was asked for, e.g. `availability == 100%`; empty when that is the name already.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// What was measured, in words and units; empty when nothing could be.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub measured: String,
    /// Single observations that prove it, at most a handful.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// False for findings that are shown and do not count towards the verdict (`severity: warn` or `info`).
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub counts: bool,
}

fn yes() -> bool {
    true
}

fn is_true(b: &bool) -> bool {
    *b
}

impl Finding {
    /// A finding without target, measurement or evidence.
    pub fn new(check: impl Into<String>, verdict: Verdict, because: impl Into<String>) -> Finding {
        Finding {
            check: check.into(),
            verdict,
            because: because.into(),
            target: String::new(),
            measured: String::new(),
            evidence: vec![],
            counts: true,
        }
    }
}

/// How the process ends. Several at once: 4 > 70 > 64 > 1 > 3 > 2 > 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExitCode {
    /// 0: everything holds.
    Pass,
    /// 1: something was shown not to hold.
    Fail,
    /// 2: it could not be told.
    Inconclusive,
    /// 3: stopped by a signal or a stop condition, and everything undone.
    Stopped,
    /// 4: a fault may still be in place; nothing outranks this.
    FaultInPlace,
    /// 64: a file or an argument is wrong.
    Usage,
    /// 70: brownout itself failed.
    Internal,
}

impl ExitCode {
    /// The number the shell sees.
    pub fn number(self) -> u8 {
        match self {
            ExitCode::Pass => 0,
            ExitCode::Fail => 1,
            ExitCode::Inconclusive => 2,
            ExitCode::Stopped => 3,
            ExitCode::FaultInPlace => 4,
            ExitCode::Usage => 64,
            ExitCode::Internal => 70,
        }
    }

    /// The one that outranks the others; of none it is [`ExitCode::Inconclusive`].
    pub fn foremost(all: impl IntoIterator<Item = ExitCode>) -> ExitCode {
        let rank = |c: &ExitCode| match c {
            ExitCode::FaultInPlace => 6,
            ExitCode::Internal => 5,
            ExitCode::Usage => 4,
            ExitCode::Fail => 3,
            ExitCode::Stopped => 2,
            ExitCode::Inconclusive => 1,
            ExitCode::Pass => 0,
        };
        all.into_iter()
            .max_by_key(rank)
            .unwrap_or(ExitCode::Inconclusive)
    }
}

impl From<Verdict> for ExitCode {
    fn from(v: Verdict) -> ExitCode {
        match v {
            Verdict::Pass => ExitCode::Pass,
            Verdict::Inconclusive => ExitCode::Inconclusive,
            Verdict::Fail => ExitCode::Fail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_wins_and_none_is_inconclusive() {
        use Verdict::*;
        assert_eq!(Verdict::worst([Pass, Inconclusive, Pass]), Inconclusive);
        assert_eq!(Verdict::worst([Inconclusive, Fail, Pass]), Fail);
        assert_eq!(Verdict::worst([Pass]), Pass);
        assert_eq!(Verdict::worst([]), Inconclusive);
    }

    #[test]
    fn a_fault_that_may_still_be_in_place_outranks_everything() {
        use ExitCode::*;
        assert_eq!(
            ExitCode::foremost([Fail, FaultInPlace, Stopped]),
            FaultInPlace
        );
        assert_eq!(ExitCode::foremost([Stopped, Fail, Pass]), Fail);
        assert_eq!(ExitCode::foremost([Inconclusive, Stopped]), Stopped);
        assert_eq!(ExitCode::foremost([]).number(), 2);
    }
}
