//! What is wrong with a scenario: everything at once, each with where, what and the way out.
use serde::Serialize;
use std::cell::RefCell;
use std::fmt;

/// A place in a file; both count from 1. Line 0: not in the file (an argument, a file that is missing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The file as it was named to us.
    pub file: String,
    /// Where in it.
    #[serde(flatten)]
    pub at: Place,
    /// The way to the value, e.g. `spec.method[1].fault.service`; empty for the file as a whole.
    pub path: String,
    /// What stands there, if that is one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What is wrong with it.
    pub message: String,
    /// What to write instead.
    pub way_out: String,
}

impl Problem {
    /// A problem without value and way out.
    pub(crate) fn new(file: &str, at: Place, path: &str, message: impl Into<String>) -> Problem {
        Problem {
            file: file.into(),
            at,
            path: path.into(),
            value: None,
            message: message.into(),
            way_out: String::new(),
        }
    }

    pub(crate) fn value(mut self, value: &str) -> Problem {
        self.value = Some(value.into());
        self
    }

    pub(crate) fn way_out(mut self, way_out: impl Into<String>) -> Problem {
        self.way_out = way_out.into();
        self
    }
}

/// `a.yaml:12:9: spec.load.duration: "30" has no unit; write 30s, 5m or 1h`. What a file has in it cannot steer a terminal.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!("{}:", self.file);
        if self.at.line > 0 {
            line += &format!("{}:{}:", self.at.line, self.at.column);
        }
        if !self.path.is_empty() {
            line += &format!(" {}:", self.path);
        }
        line += &format!(" {}", self.message);
        if !self.way_out.is_empty() {
            line += &format!("; {}", self.way_out);
        }
        f.write_str(&model::visible_line(&line))
    }
}

/// Everything that is wrong, in the order of the file; never empty where it is returned as an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

/// So many problems are listed; the others are counted.
const LISTED_MAX: usize = 100;

/// One a line.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().take(LISTED_MAX).enumerate() {
            let line = if i == 0 { "" } else { "\n" };
            write!(f, "{line}{problem}")?;
        }
        match self.0.len().saturating_sub(LISTED_MAX) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more; mend these first"),
        }
    }
}

impl std::error::Error for Problems {}

impl Problems {
    /// All of them in the order of their places, each once: arms and profiles share most of a file.
    pub(crate) fn sorted(mut all: Vec<Problem>) -> Problems {
        all.sort_by_cached_key(|p| {
            (
                p.file.clone(),
                p.at,
                p.path.clone(),
                p.message.clone(),
                p.way_out.clone(),
            )
        });
        all.dedup();
        Problems(all)
    }
}

/// Where problems are put down while a file is read.
#[derive(Debug)]
pub(crate) struct Log {
    file: String,
    problems: RefCell<Vec<Problem>>,
}

impl Log {
    pub fn new(file: &str) -> Log {
        Log {
            file: file.into(),
            problems: RefCell::default(),
        }
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    /// Puts down what is wrong with `node`.
    pub fn bad(
        &self,
        node: &crate::tree::Node,
        message: impl Into<String>,
        way_out: impl Into<String>,
    ) {
        let problem = Problem::new(&self.file, node.at, &node.path, message);
        self.add(problem.value(&node.written()).way_out(way_out));
    }

    pub fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub fn count(&self) -> usize {
        self.problems.borrow().len()
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

/// Longest name of a step, an arm or a namespace: Jobs and run namespaces are named after them, and Kubernetes allows 63
/// letters with what is added in front and behind.
const LABEL_MAX: usize = 50;

/// What such a name looks like, for messages.
pub(crate) const LABEL_WAY_OUT: &str =
    "write small letters, digits and hyphens, at most 50, as auth-down";

/// Whether a name can be part of the name of a Kubernetes object: small letters, digits and hyphens between them.
pub(crate) fn is_label(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = name.starts_with('-') || name.ends_with('-');
    !name.is_empty() && name.len() <= LABEL_MAX && name.chars().all(allowed) && !ends
}

/// The word of `known` that was probably meant, if one is near.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    let far = (word.chars().count() / 3).max(1);
    let distance = |k: &str| strsim::damerau_levenshtein(&word, &k.to_lowercase());
    let near = known.into_iter().map(|k| (distance(k), k));
    near.filter(|(d, _)| *d <= far)
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

/// `did you mean duration?` or, when nothing is near, all there is: `there is alarm, auth, room`.
pub(crate) fn meant<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => "there is none".into(),
        None => format!("there is {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_a_strange_word_finds_none() {
        let known = ["duration", "users", "maxRate", "successCondition"];
        assert_eq!(nearest("duratoin", known), Some("duration"));
        assert_eq!(nearest("user", known), Some("users"));
        assert_eq!(nearest("maxrate", known), Some("maxRate"));
        assert_eq!(nearest("succesCondtion", known), Some("successCondition"));
        assert_eq!(nearest("wait", known), None);
        assert_eq!(meant("zzz", ["a1", "b2"]), "there is a1, b2");
    }

    #[test]
    fn a_hundred_problems_are_listed_and_the_others_counted() {
        let one = |line| Problem::new("a.yaml", Place { line, column: 1 }, "", "is wrong");
        let told = Problems((1..=130).map(one).collect()).to_string();
        assert_eq!(told.lines().count(), 101);
        assert!(told.ends_with("\na.yaml:100:1: is wrong\nand 30 more; mend these first"));
    }

    #[test]
    fn what_a_file_says_cannot_steer_the_terminal() {
        let at = Place { line: 1, column: 1 };
        let problem = Problem::new("a.yaml", at, "spec", "\"\x1b[2J\r\n\" is no name");
        assert_eq!(
            problem.to_string(),
            "a.yaml:1:1: spec: \"␛[2J␍␊\" is no name"
        );
    }

    #[test]
    fn a_problem_is_one_line_with_where_what_and_the_way_out() {
        let at = Place {
            line: 12,
            column: 9,
        };
        let problem = Problem::new("a.yaml", at, "spec.load.duration", "\"30\" has no unit");
        assert_eq!(
            problem.way_out("write 30s, 5m or 1h").to_string(),
            "a.yaml:12:9: spec.load.duration: \"30\" has no unit; write 30s, 5m or 1h"
        );
    }
}
