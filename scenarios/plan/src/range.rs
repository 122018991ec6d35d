//! What a figure can be, and the conditions on it that ask nothing: those that hold whatever happens, and those that never do.
use model::metric::Unit;
use model::{Comparison, Metric, Threshold};

/// The values that a figure can take: from 0 to `most`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    pub unit: Unit,
    /// It is always more than 0: nothing is answered in no time.
    pub above_zero: bool,
    /// It is never more than this, where that is known.
    pub most: Option<f64>,
}

impl Range {
    /// Of a figure of which only the unit is known.
    pub fn of(unit: Unit) -> Range {
        Range {
            unit,
            above_zero: false,
            most: (unit == Unit::Ratio).then_some(1.0),
        }
    }

    /// Of a figure of a load or of requests, of which at most `sent` are sent.
    pub fn of_load(metric: Metric, sent: Option<u64>) -> Range {
        let range = Range::of(metric.unit());
        Range {
            above_zero: metric.word().starts_with("latency"),
            most: match range.unit {
                Unit::Count => sent.map(|n| n as f64),
                _ => range.most,
            },
            ..range
        }
    }

    /// The condition as it is meant: a count that follows a param may miss its whole number by a rounding error. The error says why
    /// it asks nothing.
    pub fn admit(self, condition: Threshold) -> Result<Threshold, String> {
        let whole = condition.value.round();
        let condition = match self.unit {
            Unit::Count if (condition.value - whole).abs() < ROUNDING => Threshold {
                value: whole,
                ..condition
            },
            _ => condition,
        };
        match self.objection(condition) {
            None => Ok(condition),
            Some(why) => Err(why),
        }
    }

    fn objection(self, condition: Threshold) -> Option<String> {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        let Threshold { comparison, value } = condition;
        let said = condition.write(self.unit);
        if value < 0.0 || !value.is_finite() {
            return Some("this compares with less than nothing, and no figure is that".into());
        }
        if self.unit == Unit::Count && value.fract() != 0.0 {
            return Some(format!("{value} is no whole number, and this is counted"));
        }
        if matches!(self.unit, Unit::Seconds | Unit::PerSecond) && value > 0.0 {
            match comparison {
                Equal => {
                    return Some(format!(
                        "no measured figure is exactly {}",
                        self.unit.write(value)
                    ));
                }
                NotEqual => return Some(format!("“{said}” holds whatever happens")),
                _ => {}
            }
        }
        let zero = self.unit.write(0.0);
        let low = match self.above_zero {
            true => format!("it is always more than {zero}"),
            false => format!("it is never less than {zero}"),
        };
        let always = |why: &str| Some(format!("“{said}” holds whatever happens: {why}"));
        let never = |why: &str| Some(format!("“{said}” can never hold: {why}"));
        let is_zero = value == 0.0;
        match comparison {
            GreaterOrEqual if is_zero => return always(&low),
            Greater | NotEqual if is_zero && self.above_zero => return always(&low),
            Less if is_zero => return never(&low),
            LessOrEqual | Equal if is_zero && self.above_zero => return never(&low),
            _ => {}
        }
        let most = self.most?;
        let high = format!("it is never more than {}", self.unit.write(most));
        match comparison {
            LessOrEqual if value >= most => always(&high),
            Less | NotEqual if value > most => always(&high),
            Greater if value >= most => never(&high),
            GreaterOrEqual | Equal if value > most => never(&high),
            _ => None,
        }
    }
}

/// What is nearer to a whole number than this is meant to be one.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::condition;

    fn said(metric: Metric, sent: Option<u64>, text: &str) -> Option<String> {
        let read = condition(text, metric.unit()).unwrap();
        Range::of_load(metric, sent).admit(read).err()
    }

    #[test]
    fn a_condition_that_holds_whatever_happens_asks_nothing() {
        let always = [
            (Metric::Availability, ">= 0%"),
            (Metric::Availability, "<= 100%"),
            (Metric::ErrorRatio, "<= 100%"),
            (Metric::Errors, ">= 0"),
            (Metric::Errors, "<= 500"),
            (Metric::Errors, "< 501"),
            (Metric::LatencyP99, ">= 0s"),
            (Metric::LatencyP99, "> 0s"),
            (Metric::LatencyP99, "!= 300ms"),
            (Metric::UnavailabilityTotal, ">= 0s"),
        ];
        for (metric, text) in always {
            let why = said(metric, Some(500), text).expect(text);
            assert!(why.contains("holds whatever happens"), "{text}: {why}");
        }
        assert_eq!(
            said(Metric::Availability, None, ">= 0%").unwrap(),
            "“>= 0 %” holds whatever happens: it is never less than 0 %"
        );
    }

    #[test]
    fn a_condition_that_can_never_hold_asks_nothing() {
        let never = [
            (Metric::Availability, "> 100%"),
            (Metric::Availability, "< 0%"),
            (Metric::Availability, ">= 90% + 20%"),
            (Metric::Errors, "< 0"),
            (Metric::Status(200), ">= 501"),
            (Metric::LatencyP50, "<= 0s"),
        ];
        for (metric, text) in never {
            let why = said(metric, Some(500), text).expect(text);
            assert!(why.contains("can never hold"), "{text}: {why}");
        }
        let exactly = said(Metric::LatencyP50, None, "== 300ms").unwrap();
        assert_eq!(exactly, "no measured figure is exactly 300.0 ms");
        let below = said(Metric::Errors, None, ">= 5 - 10").unwrap();
        assert!(below.contains("less than nothing"), "{below}");
        let half = said(Metric::Errors, None, "== 1.5").unwrap();
        assert_eq!(half, "1.5 is no whole number, and this is counted");
    }

    #[test]
    fn a_condition_that_asks_something_stays_as_it_is() {
        let good = [
            (Metric::Availability, "== 100%"),
            (Metric::Availability, ">= 100%"),
            (Metric::Availability, "< 100%"),
            (Metric::ErrorRatio, "== 0%"),
            (Metric::Errors, "<= 0"),
            (Metric::Errors, "!= 0"),
            (Metric::Requests, "== 500"),
            (Metric::UnavailabilityTotal, "== 0s"),
            (Metric::UnavailabilityLongest, "> 0s"),
            (Metric::LatencyP99, "<= 300ms"),
        ];
        for (metric, text) in good {
            assert_eq!(said(metric, Some(500), text), None, "{text}");
        }
        let follows = condition("<= 0.1 * 30", Unit::Count).unwrap();
        let admitted = Range::of(Unit::Count).admit(follows).unwrap();
        assert_eq!(admitted.value, 3.0);
    }
}
