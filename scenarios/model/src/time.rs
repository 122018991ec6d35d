//! Durations and instants of a run: whole microseconds on the run's own clock.
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    iter::Sum,
    ops::{Add, Sub},
    time::Duration,
};

/// Microseconds: an instant counted from the start of the run, or a length of time.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl Micros {
    /// No time at all; the start of the run.
    pub const ZERO: Micros = Micros(0);

    /// Whole milliseconds.
    pub const fn from_millis(ms: u64) -> Micros {
        Micros(ms * 1_000)
    }

    /// Whole seconds.
    pub const fn from_secs(s: u64) -> Micros {
        Micros(s * 1_000_000)
    }

    /// As seconds with a fraction, for arithmetic and plots.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// As milliseconds with a fraction.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// The difference, or zero when `other` is later.
    pub fn saturating_sub(self, other: Micros) -> Micros {
        Micros(self.0.saturating_sub(other.0))
    }
}

impl Add for Micros {
    type Output = Micros;
    fn add(self, other: Micros) -> Micros {
        Micros(self.0 + other.0)
    }
}

impl Sub for Micros {
    type Output = Micros;
    fn sub(self, other: Micros) -> Micros {
        Micros(self.0 - other.0)
    }
}

impl Sum for Micros {
    fn sum<I: Iterator<Item = Micros>>(all: I) -> Micros {
        Micros(all.map(|m| m.0).sum())
    }
}

impl From<Duration> for Micros {
    fn from(d: Duration) -> Micros {
        Micros(u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
    }
}

impl From<Micros> for Duration {
    fn from(m: Micros) -> Duration {
        Duration::from_micros(m.0)
    }
}

/// As a person would write it: `350 µs`, `12.5 ms`, `3.20 s`, `2 m 05 s`.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => write!(f, "0 s"),
            us if us < 1_000 => write!(f, "{us} µs"),
            us if us < 1_000_000 => write!(f, "{:.1} ms", us as f64 / 1e3),
            us if us < 120_000_000 => write!(f, "{:.2} s", us as f64 / 1e6),
            us => write!(f, "{} m {:02} s", us / 60_000_000, us / 1_000_000 % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_written_in_the_unit_a_person_would_choose() {
        let written: Vec<String> = [0, 350, 12_500, 3_200_000, 125_000_000]
            .map(|us| Micros(us).to_string())
            .into();
        assert_eq!(written, ["0 s", "350 µs", "12.5 ms", "3.20 s", "2 m 05 s"]);
    }
}
