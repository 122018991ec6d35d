//! quantity — amounts of CPU and memory, written the one way in which the real server writes them.

use super::tree::Map;
use serde_json::{Value, json};

const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
/// Digits accepted before and after the point; more cannot be counted in 128 bits together with a unit.
const DIGITS_MAX: usize = 18;
/// Largest power of ten that may follow `e`.
const EXPONENT_MAX: i32 = 18;

/// A quantity read: a number times a power of two or of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Quantity {
    /// Bytes and the like with a binary unit: the number and the place of its unit in [`BINARY`].
    Binary(i128, usize),
    /// The number and its power of ten.
    Decimal(i128, i32),
}

fn parse(text: &str) -> Option<Quantity> {
    let unit_at = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() > DIGITS_MAX || fraction.starts_with(['+', '-']) {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let places = fraction.len() as i32;
    if let Some(unit) = BINARY.iter().position(|b| *b == unit) {
        return match places {
            0 => Some(Quantity::Binary(digits, unit)),
            _ => Some(in_smaller_units(digits, places, unit)),
        };
    }
    let exponent = match DECIMAL.iter().find(|(name, _)| *name == unit) {
        Some((_, exponent)) => *exponent,
        None => unit
            .strip_prefix(['e', 'E'])?
            .parse()
            .ok()
            .filter(|e: &i32| e.abs() <= EXPONENT_MAX)?,
    };
    Some(Quantity::Decimal(digits, exponent - places))
}

/// `1.5Gi` is `1536Mi`: a fraction moves to smaller units; what is left below a byte is rounded up.
fn in_smaller_units(digits: i128, places: i32, unit: usize) -> Quantity {
    let scale = 10_i128.pow(places as u32);
    let bytes = digits << (10 * (unit + 1));
    let bytes = bytes.div_euclid(scale) + i128::from(bytes.rem_euclid(scale) != 0);
    match bytes % 1024 {
        0 => Quantity::Binary(bytes / 1024, 0),
        _ => Quantity::Decimal(bytes, 0),
    }
}

/// The canonical text of a quantity; none if it is malformed.
pub fn canonical(text: &str) -> Option<String> {
    match parse(text)? {
        Quantity::Binary(0, _) | Quantity::Decimal(0, _) => Some("0".into()),
        Quantity::Binary(mut number, mut unit) => {
            while number % 1024 == 0 && unit + 1 < BINARY.len() {
                number /= 1024;
                unit += 1;
            }
            Some(format!("{number}{}", BINARY[unit]))
        }
        Quantity::Decimal(mut number, mut exponent) => {
            while number % 10 == 0 && exponent < EXPONENT_MAX {
                number /= 10;
                exponent += 1;
            }
            while exponent.rem_euclid(3) != 0 {
                number *= 10;
                exponent -= 1;
            }
            let (unit, _) = DECIMAL.iter().find(|(_, e)| *e == exponent)?;
            Some(format!("{number}{unit}"))
        }
    }
}

/// Thousandths, to compare and to reckon with; none if it is malformed. A part of a thousandth counts as a whole one.
pub fn thousandths(text: &str) -> Option<i128> {
    match parse(text)? {
        Quantity::Binary(number, unit) => (number * 1000).checked_shl(10 * (unit as u32 + 1)),
        Quantity::Decimal(number, exponent) if exponent >= -3 => {
            number.checked_mul(10_i128.checked_pow((exponent + 3) as u32)?)
        }
        Quantity::Decimal(number, exponent) => {
            let part = 10_i128.checked_pow((-3 - exponent) as u32)?;
            Some(number.div_euclid(part) + i128::from(number.rem_euclid(part) != 0))
        }
    }
}

/// Maps of resource name to quantity, wherever they appear.
const MAPS: [&str; 5] = ["limits", "requests", "capacity", "allocatable", "hard"];

/// `cpu: 1` without quotation marks is a number in YAML and a quantity to Kubernetes.
pub fn quote_numbers(value: &mut Value) {
    each_map(value, &mut |map| {
        for quantity in map.values_mut().filter(|q| q.is_number()) {
            *quantity = json!(quantity.to_string());
        }
    });
}

/// Rewrites every quantity of an object canonically. The error is the real server's text.
pub fn canonicalise(kind: &str, value: &mut Value) -> Result<(), String> {
    let mut malformed = false;
    let mut rewrite = |quantity: &mut Value| match quantity.as_str().map(canonical) {
        Some(Some(text)) => *quantity = json!(text),
        Some(None) => malformed = true,
        None => {}
    };
    each_map(value, &mut |map| map.values_mut().for_each(&mut rewrite));
    if kind == "HorizontalPodAutoscaler" {
        each_target(value, &mut |target| {
            for field in ["averageValue", "value"] {
                target.get_mut(field).into_iter().for_each(&mut rewrite);
            }
        });
    }
    if malformed {
        return Err("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'".into());
    }
    Ok(())
}

fn each_map(value: &mut Value, visit: &mut dyn FnMut(&mut Map)) {
    match value {
        Value::Object(map) => {
            for (field, value) in map {
                match value {
                    Value::Object(inner) if MAPS.contains(&field.as_str()) => visit(inner),
                    // Data of the user's own, in which "limits" means nothing.
                    _ if matches!(field.as_str(), "metadata" | "data" | "stringData") => {}
                    _ => each_map(value, visit),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| each_map(value, visit)),
        _ => {}
    }
}

fn each_target(value: &mut Value, visit: &mut dyn FnMut(&mut Map)) {
    let metrics = value
        .pointer_mut("/spec/metrics")
        .and_then(Value::as_array_mut);
    for metric in metrics
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        for source in metric.values_mut() {
            if let Some(target) = source.get_mut("target").and_then(Value::as_object_mut) {
                visit(target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_amount_has_one_text() {
        let cases = [
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("1000", "1k"),
            ("100m", "100m"),
            ("1.5Gi", "1536Mi"),
            ("0Mi", "0"),
            ("128974848", "128974848"),
            ("129e6", "129M"),
            ("0.0001", "100u"),
        ];
        for (given, expected) in cases {
            assert_eq!(canonical(given).as_deref(), Some(expected), "{given}");
        }
    }

    #[test]
    fn nonsense_is_no_quantity() {
        for text in ["", "x", "1x", "1.2.3", "--1", "1e99999", "m"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_compared_in_thousandths() {
        assert_eq!(thousandths("200m"), Some(200));
        assert_eq!(thousandths("1"), Some(1000));
        assert_eq!(thousandths("1Ki"), Some(1_024_000));
        assert_eq!(thousandths("1M"), Some(1_000_000_000));
        assert_eq!(thousandths("1122778n"), Some(2));
    }

    #[test]
    fn a_config_map_may_hold_any_limits() {
        let mut value =
            json!({"data": {"limits": "many"}, "metadata": {"labels": {"requests": "x"}}});
        assert_eq!(canonicalise("ConfigMap", &mut value), Ok(()));
    }
}
