//! age — spans of time in the two units that matter, as kubectl prints them.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The time from a moment in an object until now.
pub fn since(moment: &Value, now: Timestamp) -> Value {
    match moment
        .as_str()
        .and_then(|text| text.parse::<Timestamp>().ok())
    {
        Some(moment) => json!(span(now.duration_since(moment).as_secs())),
        None => json!("<unknown>"),
    }
}

/// The time from one moment in an object to another.
pub fn between(start: &Value, end: &Value) -> Option<String> {
    let moment = |value: &Value| value.as_str()?.parse::<Timestamp>().ok();
    Some(span(moment(end)?.duration_since(moment(start)?).as_secs()))
}

/// `90s`, `2m5s`, `3h`, `2d4h`.
pub fn span(seconds: i64) -> String {
    let two = |big: i64, unit: &str, small: i64, below: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{below}"),
    };
    match seconds {
        ..0 => "0s".into(),
        s if s < 2 * MINUTE => format!("{s}s"),
        s if s < 10 * MINUTE => two(s / MINUTE, "m", s % MINUTE, "s"),
        s if s < 3 * HOUR => format!("{}m", s / MINUTE),
        s if s < 8 * HOUR => two(s / HOUR, "h", s % HOUR / MINUTE, "m"),
        s if s < 2 * DAY => format!("{}h", s / HOUR),
        s if s < 8 * DAY => two(s / DAY, "d", s % DAY / HOUR, "h"),
        s if s < 2 * YEAR => format!("{}d", s / DAY),
        s => two(s / YEAR, "y", s % YEAR / DAY, "d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_one_or_two_units() {
        let spans = [
            119,
            120,
            125,
            600,
            3 * HOUR,
            3 * HOUR + 120,
            20 * HOUR,
            50 * HOUR,
            9 * DAY,
        ]
        .map(span);
        assert_eq!(
            spans,
            [
                "119s", "2m", "2m5s", "10m", "3h", "3h2m", "20h", "2d2h", "9d"
            ]
        );
    }
}
