//! env — configuration from the environment. Every problem is found, named, and told with the way out.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

/// The variables a service is configured with, and the problems found while they were read.
#[derive(Debug, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
    problems: Mutex<Vec<Problem>>,
}

/// One variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable's name.
    pub variable: String,
    /// What it holds.
    pub value: String,
    /// What it could hold instead.
    pub way_out: &'static str,
}

/// All the problems of one environment, one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BadEnv(pub Vec<Problem>);

/// A type that a variable's text can be read as.
pub trait Setting: Sized {
    /// What to write instead of a text that cannot be read.
    const WAY_OUT: &'static str;

    /// Reads the text, if it can be.
    fn read(text: &str) -> Option<Self>;
}

impl Env {
    /// This process's environment. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Env {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The same environment with one variable more, or another value for it.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Env {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// The same environment with a variable set only where it had no value.
    pub fn with_default(self, name: &str, value: impl Into<String>) -> Env {
        if self.text(name).is_some() {
            self
        } else {
            self.with(name, value)
        }
    }

    /// The variable's value; none when it is absent, empty or (noted as a problem) unreadable.
    pub fn get<T: Setting>(&self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = T::read(text);
        if value.is_none() {
            let problem = Problem {
                variable: name.to_owned(),
                value: text.to_owned(),
                way_out: T::WAY_OUT,
            };
            let mut problems = self
                .problems
                .lock()
                .expect("nothing panics while it holds this lock");
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        value
    }

    /// The variable's value byte for byte, blanks and line ends included: a Secret is given as it is.
    pub fn verbatim(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The variable's value, or `default`.
    pub fn or<T: Setting>(&self, name: &str, default: T) -> T {
        self.get(name).unwrap_or(default)
    }

    /// Every problem noted so far, as one error.
    pub fn check(&self) -> Result<(), BadEnv> {
        let problems = self
            .problems
            .lock()
            .expect("nothing panics while it holds this lock");
        if problems.is_empty() {
            Ok(())
        } else {
            Err(BadEnv(problems.clone()))
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }
}

impl Clone for Env {
    fn clone(&self) -> Env {
        Env {
            variables: self.variables.clone(),
            problems: Mutex::default(),
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Env {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Env {
            variables,
            problems: Mutex::default(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}: {}", self.variable, self.value, self.way_out)
    }
}

impl fmt::Display for BadEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            let line_end = if n == 0 { "" } else { "\n" };
            write!(f, "{line_end}{problem}")?;
        }
        Ok(())
    }
}

impl Setting for String {
    const WAY_OUT: &'static str = "write a text";

    fn read(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

impl Setting for u16 {
    const WAY_OUT: &'static str = "not a number from 0 to 65535; write one, as 8080";

    fn read(text: &str) -> Option<u16> {
        text.parse().ok()
    }
}

impl Setting for u32 {
    const WAY_OUT: &'static str = "not a whole number; write one, as 5";

    fn read(text: &str) -> Option<u32> {
        text.parse().ok()
    }
}

impl Setting for NonZeroU32 {
    const WAY_OUT: &'static str = "not a whole number from 1 on; write one, as 10";

    fn read(text: &str) -> Option<NonZeroU32> {
        text.parse().ok()
    }
}

impl Setting for bool {
    const WAY_OUT: &'static str = "neither on nor off; write `on` or `off`";

    fn read(text: &str) -> Option<bool> {
        match text {
            "on" | "true" => Some(true),
            "off" | "false" => Some(false),
            _ => None,
        }
    }
}

impl Setting for IpAddr {
    const WAY_OUT: &'static str = "not an IP address; write one, as 127.0.0.1";

    fn read(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }
}

impl Setting for Duration {
    const WAY_OUT: &'static str = "not a duration; write a number and a unit, as 20s, 500ms or 2m";

    fn read(text: &str) -> Option<Duration> {
        let digits = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: f64 = number.parse().ok()?;
        let seconds = match unit {
            "us" => number / 1e6,
            "ms" => number / 1e3,
            "s" => number,
            "m" => number * 60.0,
            "" if number == 0.0 => 0.0,
            _ => return None,
        };
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        let read = <Duration as Setting>::read;
        assert_eq!(read("20s"), Some(Duration::from_secs(20)));
        assert_eq!(read("5ms"), Some(Duration::from_millis(5)));
        assert_eq!(read("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(read("2m"), Some(Duration::from_secs(120)));
        assert_eq!(read("0"), Some(Duration::ZERO));
        assert_eq!(read("20"), None);
        assert_eq!(read("s"), None);
        assert_eq!(read("-1s"), None);
    }

    #[test]
    fn a_value_is_trimmed_unless_it_is_wanted_verbatim() {
        let env = Env::from_iter([("station_nm", "-n 'SK Imme' \r\n"), ("empty", "")]);
        assert_eq!(env.get("station_nm"), Some("-n 'SK Imme'".to_owned()));
        assert_eq!(env.verbatim("station_nm"), Some("-n 'SK Imme' \r\n"));
        assert_eq!(
            (env.verbatim("empty"), env.get::<String>("empty")),
            (Some(""), None)
        );
        assert_eq!(env.verbatim("absent"), None);
    }

    #[test]
    fn all_problems_are_told_together_with_the_way_out() {
        let env = Env::from_iter([
            ("STARTUP_DELAY", "soon"),
            ("PORT", "http"),
            ("KAFKA_TOPIC", ""),
        ]);
        env.or("STARTUP_DELAY", Duration::ZERO);
        env.or("PORT", 8080u16);
        assert_eq!(env.or("KAFKA_TOPIC", "mybnb".to_owned()), "mybnb");
        assert_eq!(
            env.check().unwrap_err().to_string(),
            "STARTUP_DELAY=soon: not a duration; write a number and a unit, as 20s, 500ms or 2m\n\
             PORT=http: not a number from 0 to 65535; write one, as 8080"
        );
    }
}
