//! The rows of a collection: what was read of each of its entries.
use crate::look::plain;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The fields of an entry by the names that the scenario gives them.
pub type Row = BTreeMap<String, Value>;

/// Which rows count: those whose fields each have one of these values, as text.
pub type Filter = BTreeMap<String, Vec<String>>;

/// Whether a row has what a filter asks for.
pub fn is_in(row: &Row, filter: &Filter) -> bool {
    filter
        .iter()
        .all(|(field, values)| values.contains(&text(row, field)))
}

/// A field as text; empty where the row has none.
pub fn text(row: &Row, field: &str) -> String {
    row.get(field).map(plain).unwrap_or_default()
}

/// A sum over the rows that a step collected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sum {
    /// Name of the step that collects.
    pub collect: String,
    /// The field that is added up; without one the rows are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Which rows count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filter: Filter,
}

impl Sum {
    /// `price of “payments” where status is Approved`.
    pub fn written(&self) -> String {
        let what = self.field.as_deref().unwrap_or("rows");
        format!("{what} of “{}”{}", self.collect, filter_words(&self.filter))
    }

    /// `rows of “stock” + rows of “sold”`; `0` where nothing is added up.
    pub fn all_written(sums: &[Sum]) -> String {
        match sums {
            [] => "0".into(),
            sums => {
                let words: Vec<String> = sums.iter().map(Sum::written).collect();
                words.join(" + ")
            }
        }
    }

    /// The sum. The error names the row that has no number there.
    ///
    /// # Errors
    /// When a row that counts has no number in that field.
    pub fn of(&self, rows: &[Row]) -> Result<f64, String> {
        let rows = rows.iter().filter(|row| is_in(row, &self.filter));
        let Some(field) = &self.field else {
            return Ok(rows.count() as f64);
        };
        rows.map(|row| {
            let value = row.get(field);
            let number = value.and_then(|v| v.as_f64().or_else(|| v.as_str()?.parse().ok()));
            // "inf" and "nan" are numbers to the parser, and nobody's money.
            number.filter(|n: &f64| n.is_finite()).ok_or_else(|| {
                format!(
                    "a row of “{}” has no number as its {field}: {}",
                    self.collect,
                    written(row)
                )
            })
        })
        .sum()
    }
}

/// ` where status is A or B`.
pub fn filter_words(filter: &Filter) -> String {
    let words = filter
        .iter()
        .map(|(field, values)| format!("{field} is {}", values.join(" or ")));
    let words: Vec<String> = words.collect();
    match words.is_empty() {
        true => String::new(),
        false => format!(" where {}", words.join(" and ")),
    }
}

/// A row as messages write it: `id 7, status A`.
pub fn written(row: &Row) -> String {
    let fields: Vec<String> = row
        .iter()
        .map(|(name, value)| format!("{name} {}", plain(value)))
        .collect();
    fields.join(", ")
}

/// A number that two collections share exactly when they have the same rows in these fields, in whatever order (FNV-1a, 64 bits).
pub fn digest(rows: &[Row], fields: &[String]) -> u64 {
    let line = |row: &Row| {
        fields
            .iter()
            .map(|f| text(row, f))
            .collect::<Vec<_>>()
            .join("\u{1}")
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.sort_unstable();
    let all = lines.join("\n");
    all.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(id: u64, status: &str, price: Value) -> Row {
        [
            ("id", json!(id)),
            ("status", json!(status)),
            ("price", price),
        ]
        .map(|(k, v)| (k.to_string(), v))
        .into()
    }

    #[test]
    fn a_sum_is_over_the_rows_that_count() {
        let rows = [
            row(1, "Paid", json!(10)),
            row(2, "Paid", json!("5")),
            row(3, "Refunded", json!(99)),
        ];
        let paid: Filter = [("status".to_string(), vec!["Paid".to_string()])].into();
        let mut sum = Sum {
            collect: "pays".into(),
            field: Some("price".into()),
            filter: paid,
        };
        assert_eq!(sum.of(&rows), Ok(15.0));
        assert_eq!(sum.written(), "price of “pays” where status is Paid");
        sum.field = None;
        assert_eq!(sum.of(&rows), Ok(2.0));
        let both = [sum.clone(), sum.clone()];
        assert_eq!(
            Sum::all_written(&both),
            "rows of “pays” where status is Paid + rows of “pays” where status is Paid"
        );
        assert_eq!(Sum::all_written(&[]), "0");
        let endless = [row(1, "Paid", json!("inf")), row(2, "Paid", json!("nan"))];
        sum.field = Some("price".into());
        assert!(
            endless
                .iter()
                .all(|r| sum.of(std::slice::from_ref(r)).is_err())
        );
        sum.field = Some("status".into());
        assert_eq!(
            sum.of(&rows).unwrap_err(),
            "a row of “pays” has no number as its status: id 1, price 10, status Paid"
        );
    }

    #[test]
    fn two_collections_have_one_digest_when_their_rows_are_the_same() {
        let fields = ["id".to_string(), "status".to_string()];
        let (a, b) = (row(1, "A", json!(1)), row(2, "B", json!(2)));
        let other_price = row(2, "B", json!(3));
        assert_eq!(
            digest(&[a.clone(), b.clone()], &fields),
            digest(&[other_price, a.clone()], &fields)
        );
        assert_ne!(
            digest(&[a.clone(), b.clone()], &fields),
            digest(std::slice::from_ref(&a), &fields)
        );
        assert_ne!(
            digest(&[a.clone(), b], &fields),
            digest(&[a.clone(), a], &fields)
        );
    }
}
