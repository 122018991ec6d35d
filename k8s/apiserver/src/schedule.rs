//! schedule — when a CronJob is due: five fields, a name like `@daily`, or `@every 90s`. What is accepted, and the words for what is
//! not, are those of Kubernetes.

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// Names of schedules, and what they stand for.
const NAMED: [(&str, &str); 7] = [
    ("@annually", "0 0 1 1 *"),
    ("@yearly", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];
/// Least and greatest number of each field.
const BOUNDS: [(i64, i64); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A schedule in a time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    rule: Rule,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Rule {
    /// So long after the time before.
    Every(SignedDuration),
    Cron(Box<Cron>),
}

impl Schedule {
    /// Reads a schedule; without a zone it is in UTC.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, zone: Option<&str>) -> Result<Schedule, String> {
        let zone = match zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| format!("unknown time zone {name}"))?,
        };
        let rule = rule(text)?;
        Ok(Schedule { rule, zone })
    }

    /// The first time after `time`, in whole seconds; none if there is none within reach (30 February).
    pub fn after(&self, time: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Every(pause) => {
                let whole = Timestamp::from_second(time.as_second()).ok()?;
                whole.checked_add(*pause).ok()
            }
            Rule::Cron(cron) => {
                let from = time.to_zoned(self.zone.clone());
                let next = cron.find_next_occurrence(&from, false).ok()?;
                Some(next.timestamp())
            }
        }
    }
}

fn rule(text: &str) -> Result<Rule, String> {
    if text.contains("TZ") {
        return Err("cannot use TZ or CRON_TZ in schedule, use timeZone field instead".into());
    }
    if let Some(pause) = text.strip_prefix("@every ") {
        let pause: SignedDuration = pause.parse().map_err(|_| {
            format!("failed to parse duration {text}: time: invalid duration \"{pause}\"")
        })?;
        let seconds = SignedDuration::from_secs(pause.as_secs().max(1));
        return Ok(Rule::Every(seconds));
    }
    let fields = match text.starts_with('@') {
        false => text,
        true => {
            let found = NAMED.iter().find(|(name, _)| *name == text);
            found
                .ok_or_else(|| format!("unrecognized descriptor: {text}"))?
                .1
        }
    };
    check(fields)?;
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .sloppy_ranges(true)
        .build();
    let cron = parser.parse(fields).map_err(|error| error.to_string())?;
    Ok(Rule::Cron(Box::new(cron)))
}

/// The parser knows more than Kubernetes does (the last Friday of a month); what it must not see is refused here.
fn check(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != BOUNDS.len() {
        return Err(format!(
            "expected exactly 5 fields, found {}: [{}]",
            fields.len(),
            fields.join(" ")
        ));
    }
    for (index, field) in fields.iter().enumerate() {
        for part in field.split(',') {
            check_part(index, part)?;
        }
    }
    Ok(())
}

fn check_part(index: usize, part: &str) -> Result<(), String> {
    let (least, greatest) = BOUNDS[index];
    let mut halves = part.split('/');
    let (range, step) = (halves.next().unwrap_or(""), halves.next());
    if halves.next().is_some() {
        return Err(format!("too many slashes: {part}"));
    }
    if step.is_some_and(|step| step == "0") {
        return Err(format!("step of range should be a positive number: {part}"));
    }
    if let Some(step) = step {
        number(index, step)?;
    }
    if matches!(range, "*" | "?") {
        return Ok(());
    }
    let mut ends = range.split('-');
    let (first, last) = (ends.next().unwrap_or(""), ends.next());
    if ends.next().is_some() {
        return Err(format!("too many hyphens: {part}"));
    }
    let first = number(index, first)?;
    let last = last.map_or(Ok(first), |last| number(index, last))?;
    if first < least {
        return Err(format!(
            "beginning of range ({first}) below minimum ({least}): {part}"
        ));
    }
    if last > greatest {
        return Err(format!(
            "end of range ({last}) above maximum ({greatest}): {part}"
        ));
    }
    if first > last {
        return Err(format!(
            "beginning of range ({first}) beyond end of range ({last}): {part}"
        ));
    }
    Ok(())
}

fn number(index: usize, text: &str) -> Result<i64, String> {
    let lower = text.to_lowercase();
    let names: &[&str] = match index {
        3 => &MONTHS,
        4 => &DAYS,
        _ => &[],
    };
    if let Some(at) = names.iter().position(|name| *name == lower) {
        return Ok(i64::try_from(at).unwrap_or(0) + BOUNDS[index].0);
    }
    let wrong = || {
        format!("failed to parse int from {text}: strconv.Atoi: parsing \"{text}\": invalid syntax")
    };
    text.parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(text: &str, zone: Option<&str>, after: &str) -> String {
        let schedule = Schedule::parse(text, zone).unwrap();
        schedule.after(after.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn fields_names_and_pauses_say_when() {
        let after = "2026-01-01T10:20:30Z";
        let cases = [
            ("* * * * *", "2026-01-01T10:21:00Z"),
            ("*/15 * * * *", "2026-01-01T10:30:00Z"),
            ("5/20 * * * *", "2026-01-01T10:25:00Z"),
            ("0 9 * * MON-FRI", "2026-01-02T09:00:00Z"),
            // Either is enough when both are limited.
            ("0 0 13 * FRI", "2026-01-02T00:00:00Z"),
            ("0 0 ? JUL 0", "2026-07-05T00:00:00Z"),
            ("@hourly", "2026-01-01T11:00:00Z"),
            ("@yearly", "2027-01-01T00:00:00Z"),
            ("@every 90s", "2026-01-01T10:22:00Z"),
            ("@every 1h30m", "2026-01-01T11:50:30Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(next(text, None, after), expected, "{text}");
        }
    }

    #[test]
    fn a_zone_shifts_it() {
        let seoul = next("0 9 * * *", Some("Asia/Seoul"), "2026-01-01T10:20:30Z");
        assert_eq!(seoul, "2026-01-02T00:00:00Z");
    }

    #[test]
    fn what_kubernetes_refuses_is_refused_in_its_words() {
        let cases = [
            ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
            ("61 * * * *", "end of range (61) above maximum (59): 61"),
            ("0 0 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("* * * * 7", "end of range (7) above maximum (6): 7"),
            (
                "5-3 * * * *",
                "beginning of range (5) beyond end of range (3): 5-3",
            ),
            (
                "*/0 * * * *",
                "step of range should be a positive number: */0",
            ),
            ("@often", "unrecognized descriptor: @often"),
            (
                "0 0 L * *",
                "failed to parse int from L: strconv.Atoi: parsing \"L\": invalid syntax",
            ),
            (
                "TZ=UTC * * * * *",
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Schedule::parse(text, None).unwrap_err(), expected);
        }
        let zone = Schedule::parse("* * * * *", Some("Nope/Nope")).unwrap_err();
        assert_eq!(zone, "unknown time zone Nope/Nope");
    }
}
