//! Quantities with units: durations, rates, and the conditions of objectives.
use crate::limits::{DURATION_MAX, RATE_MAX, RATE_MIN};
use model::metric::Unit;
use model::{Comparison, Micros, Threshold};

/// How a duration is written, for messages.
pub const DURATION_WAY_OUT: &str = "write 30s, 5m or 1h";

/// A duration, or a sum or multiple of some, so that it can follow a parameter: `${startup} + 2s`, `2 * ${startup}`.
pub fn length(text: &str) -> Result<Micros, String> {
    if !text.contains(['*', '+']) && !text.contains(" - ") {
        return duration(text);
    }
    let seconds = sum(text, Unit::Seconds).map_err(|what| format!("in \"{text}\", {what}"))?;
    match seconds {
        seconds if seconds >= 0.0 => micros(seconds * 1e6, text),
        _ => Err(format!("\"{text}\" is less than nothing")),
    }
}

/// So many microseconds, if that is a duration that anything may take.
fn micros(micros: f64, text: &str) -> Result<Micros, String> {
    match micros.round() {
        us if us <= DURATION_MAX.0 as f64 => Ok(Micros(us as u64)),
        _ => Err(format!(
            "\"{text}\" is longer than 720h, the longest there is"
        )),
    }
}

/// The units of durations in microseconds.
const DURATION_UNITS: [(&str, f64); 5] = [
    ("us", 1.0),
    ("ms", 1e3),
    ("s", 1e6),
    ("m", 60e6),
    ("h", 3600e6),
];

/// `30s`, `1m30s`, `2.5s`, `300ms`: what Kubernetes writes. The error says what is wrong.
pub fn duration(text: &str) -> Result<Micros, String> {
    let mut rest = text.trim();
    let mut micros = 0.0;
    if rest.is_empty() {
        return Err("\"\" is no duration".into());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let number: f64 = number
            .parse()
            .map_err(|_| format!("\"{text}\" is no duration"))?;
        let letters = after
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let factor = DURATION_UNITS.iter().find(|(word, _)| *word == unit);
        micros += match factor {
            Some((_, factor)) => number * factor,
            None if unit.is_empty() && after.is_empty() => {
                return Err(format!("\"{text}\" has no unit"));
            }
            None => return Err(format!("\"{text}\" is no duration")),
        };
        rest = after;
    }
    self::micros(micros, text)
}

/// How a rate is written, for messages.
pub const RATE_WAY_OUT: &str = "write 200/s or 6000/m";

/// `200/s`, `6000/m`: requests per second.
pub fn rate(text: &str) -> Result<f64, String> {
    let (number, unit) = text
        .split_once('/')
        .ok_or(format!("\"{text}\" has no unit"))?;
    let number: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("\"{text}\" is no rate"))?;
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("\"{text}\" is no rate")),
    };
    match number / seconds {
        rate if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err(format!("\"{text}\" sends nothing")),
    }
}

/// A rate at which a load can be sent.
pub fn load_rate(text: &str) -> Result<f64, String> {
    match rate(text)? {
        rate if rate > RATE_MAX => Err(format!(
            "\"{text}\" is more than {RATE_MAX}/s, the most there is"
        )),
        rate if rate < RATE_MIN => Err(format!("\"{text}\" is less than 1/h, the least there is")),
        rate => Ok(rate),
    }
}

/// How a condition on a figure of this unit is written, for messages.
pub fn condition_way_out(unit: Unit) -> &'static str {
    match unit {
        Unit::Ratio => "write a comparison and per cent, as \">= 99.9%\" or \"== 100%\"",
        Unit::Count => "write a comparison and a number, as \"== 0\" or \">= 1000\"",
        Unit::PerSecond => "write a comparison and a rate, as \">= 100/s\"",
        Unit::Seconds => "write a comparison and a duration, as \"<= 300ms\" or \"<= 3s + 500ms\"",
    }
}

/// `>= 99.9%`, `<= 300ms`, `== 0`; sums and multiples too, so that a limit can follow a parameter:
/// `<= ${startup} + 2.5s`, `>= 0.9 * ${startup}`.
pub fn condition(text: &str, unit: Unit) -> Result<Threshold, String> {
    let comparisons = [
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let text = text.trim();
    let found = comparisons
        .iter()
        .find_map(|(sign, c)| Some((text.strip_prefix(sign)?, *c)));
    let (rest, comparison) = found.ok_or(format!("\"{text}\" does not begin with a comparison"))?;
    let value = sum(rest, unit).map_err(|what| format!("in \"{text}\", {what}"))?;
    Ok(Threshold { comparison, value })
}

fn sum(text: &str, unit: Unit) -> Result<f64, String> {
    let mut value = 0.0;
    let mut sign = 1.0;
    let mut term = vec![];
    for word in text.split_whitespace().chain(["+"]) {
        if word != "+" && word != "-" {
            term.push(word);
            continue;
        }
        value += sign * product(&term.join(" "), unit)?;
        sign = if word == "-" { -1.0 } else { 1.0 };
        term.clear();
    }
    Ok(value)
}

fn product(text: &str, unit: Unit) -> Result<f64, String> {
    match text.split_once('*') {
        Some((factor, quantity)) => {
            let factor = factor.trim();
            let factor = number(factor).ok_or(format!("\"{factor}\" is no number"))?;
            Ok(factor * one(quantity.trim(), unit)?)
        }
        None => one(text, unit),
    }
}

fn one(text: &str, unit: Unit) -> Result<f64, String> {
    match unit {
        Unit::Count => number(text).ok_or(format!("\"{text}\" is no number")),
        Unit::Seconds => duration(text).map(|d| d.as_secs_f64()),
        Unit::PerSecond => match text.split_once('/') {
            Some((figure, _)) if number(figure).is_none() => Err(format!("\"{text}\" is no rate")),
            _ => rate(text),
        },
        Unit::Ratio => match (text.strip_suffix('%'), number(text)) {
            // Shifted as text: 99.9 / 100 is not the number nearest to 0.999.
            (Some(percent), _) => match number(percent).and(hundredth(percent)) {
                Some(n) if (0.0..=1.0).contains(&n) => Ok(n),
                _ => Err(format!("\"{text}\" is not between 0% and 100%")),
            },
            (None, Some(ratio)) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
            (None, Some(_)) => Err(format!("\"{text}\" has no unit")),
            (None, None) => Err(format!("\"{text}\" is no share")),
        },
    }
}

/// Digits with at most one point: what `f64` takes besides, `inf`, `nan`, signs and exponents, is no figure of anything.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number = text.parse::<f64>().ok().filter(|_| digits);
    number.filter(|n| n.is_finite())
}

fn hundredth(percent: &str) -> Option<f64> {
    format!("{}e-2", percent.trim()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        let good = [
            ("30s", 30_000_000),
            ("1m30s", 90_000_000),
            ("2.5s", 2_500_000),
            ("300ms", 300_000),
            ("0s", 0),
            ("1h", 3_600_000_000),
        ];
        for (text, micros) in good {
            assert_eq!(duration(text), Ok(Micros(micros)), "{text}");
        }
        assert_eq!(duration("30"), Err("\"30\" has no unit".into()));
        for text in ["", "s", "30 sec", "30x", "-3s", "1.2.3s", "30s!", "1m30"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_length_may_follow_a_param() {
        assert_eq!(length("3s"), Ok(Micros::from_secs(3)));
        assert_eq!(length("3s + 2s"), Ok(Micros::from_secs(5)));
        assert_eq!(length("2 * 1500ms"), Ok(Micros::from_secs(3)));
        assert_eq!(length("2 sec"), Err("\"2 sec\" is no duration".into()));
        assert_eq!(
            length("1s - 2s"),
            Err("\"1s - 2s\" is less than nothing".into())
        );
    }

    #[test]
    fn nothing_takes_longer_than_a_month_and_no_sum_overflows() {
        assert_eq!(duration("720h"), Ok(DURATION_MAX));
        let long = |text: &str| format!("\"{text}\" is longer than 720h, the longest there is");
        let digits = format!("{}s", "9".repeat(400));
        for text in ["721h", "307445734561825860h", "720h1us", digits.as_str()] {
            assert_eq!(duration(text), Err(long(text)));
            assert_eq!(length(text), Err(long(text)));
        }
        assert_eq!(
            length("12s + 1000000000000h"),
            Err("in \"12s + 1000000000000h\", \"1000000000000h\" is longer than 720h, the longest there is".into())
        );
        assert_eq!(length("400h + 400h"), Err(long("400h + 400h")));
        assert_eq!(length("9999999 * 1h"), Err(long("9999999 * 1h")));
        assert!(length("1e300 * 1s").is_err());
        assert!(length("inf * 1s").is_err() && length("nan * 1s").is_err());
        assert!(length("infs").is_err() && duration("nans").is_err() && duration("inf").is_err());
    }

    #[test]
    fn a_load_has_a_rate_that_can_be_sent() {
        assert_eq!(load_rate("100000/s"), Ok(100_000.0));
        assert_eq!(load_rate("1/h"), Ok(1.0 / 3600.0));
        let most = |text: &str| {
            Err(format!(
                "\"{text}\" is more than 100000/s, the most there is"
            ))
        };
        assert!(load_rate("1e308/s").is_err());
        assert_eq!(load_rate("999999999999/s"), most("999999999999/s"));
        assert_eq!(load_rate("100001/s"), most("100001/s"));
        assert!(
            load_rate("0.000001/s")
                .unwrap_err()
                .contains("less than 1/h")
        );
        assert!(load_rate("inf/s").is_err() && load_rate("nan/s").is_err());
    }

    #[test]
    fn a_rate_is_per_something() {
        assert_eq!(rate("200/s"), Ok(200.0));
        assert_eq!(rate("90/m"), Ok(1.5));
        assert_eq!(rate("200"), Err("\"200\" has no unit".into()));
        assert_eq!(rate("0/s"), Err("\"0/s\" sends nothing".into()));
        assert!(rate("x/s").is_err() && rate("2/d").is_err() && rate("-2/s").is_err());
    }

    #[test]
    fn a_condition_has_the_unit_of_its_metric() {
        let is = |text, unit| condition(text, unit).map(|t| (t.comparison, t.value));
        assert_eq!(
            is(">= 99.9%", Unit::Ratio),
            Ok((Comparison::GreaterOrEqual, 0.999))
        );
        assert_eq!(is("== 100%", Unit::Ratio), Ok((Comparison::Equal, 1.0)));
        assert_eq!(is("<0.5", Unit::Ratio), Ok((Comparison::Less, 0.5)));
        assert_eq!(
            is("<= 300ms", Unit::Seconds),
            Ok((Comparison::LessOrEqual, 0.3))
        );
        assert_eq!(is("== 0", Unit::Count), Ok((Comparison::Equal, 0.0)));
        assert_eq!(
            is("> 90/m", Unit::PerSecond),
            Ok((Comparison::Greater, 1.5))
        );
        assert!(
            is(">= 99.9", Unit::Ratio)
                .unwrap_err()
                .contains("has no unit")
        );
        assert!(
            is("<= 300", Unit::Seconds)
                .unwrap_err()
                .contains("has no unit")
        );
        assert!(
            is("300ms", Unit::Seconds)
                .unwrap_err()
                .contains("comparison")
        );
        assert!(is("=> 3", Unit::Count).is_err() && is("<= 3s +", Unit::Seconds).is_err());
    }

    #[test]
    fn what_is_no_plain_number_is_refused_in_every_condition() {
        for text in [
            "inf", "nan", "infinity", "-5", "+5", "1e3", "inf * 1", "nan * 1", "-2 * 5",
        ] {
            assert!(
                condition(&format!("<= {text}"), Unit::Count).is_err(),
                "{text}"
            );
        }
        for text in [
            "inf%", "nan%", "-1%", "+1%", "1e1%", "inf", "-0.5", "nan * 5%", "120%",
        ] {
            assert!(
                condition(&format!("<= {text}"), Unit::Ratio).is_err(),
                "{text}"
            );
        }
        for text in ["inf * 1s", "infs", "nan", "-1s", "-1 * 3s"] {
            assert!(
                condition(&format!("<= {text}"), Unit::Seconds).is_err(),
                "{text}"
            );
        }
        for text in ["inf/s", "nan/s", "-1/s", "+1/s", "1e3/s", "inf * 1/s"] {
            assert!(
                condition(&format!("<= {text}"), Unit::PerSecond).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_limit_may_be_a_sum_or_a_multiple() {
        let value = |text| condition(text, Unit::Seconds).unwrap().value;
        assert_eq!(value("<= 3s + 2.5s"), 5.5);
        assert_eq!(value(">= 0.9 * 20s"), 18.0);
        assert_eq!(value("<= 3s - 500ms"), 2.5);
    }
}
