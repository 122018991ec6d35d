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
#[serde(into = "u64", try_from = "u64")]
pub struct Micros(pub u64);

impl Micros {
    /// No time at all; the start of the run.
    pub const ZERO: Micros = Micros(0);

    /// A hundred years. Sums end here, and nothing longer is read from a file: what is longer was not measured.
    pub const LONGEST: Micros = Micros(3_155_760_000_000_000);

    /// Whole milliseconds.
    pub const fn from_millis(ms: u64) -> Micros {
        Micros(ms.saturating_mul(1_000))
    }

    /// Whole seconds.
    pub const fn from_secs(s: u64) -> Micros {
        Micros(s.saturating_mul(1_000_000))
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

    /// So many times as long, or the longest there is.
    pub fn times(self, count: u64) -> Micros {
        Micros(self.0.saturating_mul(count)).min(Micros::LONGEST)
    }
}

/// The sum, or the longest there is.
impl Add for Micros {
    type Output = Micros;
    fn add(self, other: Micros) -> Micros {
        Micros(self.0.saturating_add(other.0)).min(Micros::LONGEST)
    }
}

/// The difference, or zero when `other` is later.
impl Sub for Micros {
    type Output = Micros;
    fn sub(self, other: Micros) -> Micros {
        self.saturating_sub(other)
    }
}

impl Sum for Micros {
    fn sum<I: Iterator<Item = Micros>>(all: I) -> Micros {
        all.fold(Micros::ZERO, Micros::add)
    }
}

impl From<Micros> for u64 {
    fn from(m: Micros) -> u64 {
        m.0
    }
}

impl TryFrom<u64> for Micros {
    type Error = String;
    fn try_from(us: u64) -> Result<Micros, String> {
        match Micros(us) {
            m if m <= Micros::LONGEST => Ok(m),
            _ => Err(format!("{us} µs is longer than a hundred years")),
        }
    }
}

impl From<Duration> for Micros {
    fn from(d: Duration) -> Micros {
        let us = u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        Micros(us).min(Micros::LONGEST)
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

    #[test]
    fn no_sum_is_longer_than_the_longest_and_no_difference_shorter_than_nothing() {
        let most = Micros(u64::MAX);
        assert_eq!(most + Micros(1), Micros::LONGEST);
        assert_eq!([most, most].into_iter().sum::<Micros>(), Micros::LONGEST);
        assert_eq!(Micros(2).times(u64::MAX), Micros::LONGEST);
        assert_eq!(Micros(1) - Micros(2), Micros::ZERO);
        assert_eq!(Micros::from_secs(u64::MAX), most);
    }

    #[test]
    fn what_no_clock_shows_is_not_read() {
        let read = |text: &str| serde_json::from_str::<Micros>(text).map_err(|e| e.to_string());
        assert_eq!(read("1500"), Ok(Micros(1500)));
        assert_eq!(read("3155760000000000"), Ok(Micros::LONGEST));
        let refused = read("9223372036854775808").unwrap_err();
        assert!(
            refused.starts_with("9223372036854775808 µs is longer than a hundred years"),
            "{refused}"
        );
        assert!(read("18446744073709551615").is_err() && read("-1").is_err());
    }
}
