//! What must be true of collections: what was read of them decides, in full or not at all.
use crate::count;
use model::{
    Fact, Finding, Timeline, Verdict,
    rows::{Filter, Row, Sum, filter_words, is_in, text, written},
};
use std::collections::BTreeMap;

/// So many rows are named.
pub(crate) const EVIDENCE_MAX: usize = 8;

/// What a step collected. The error is why it cannot be taken for the whole.
pub(crate) fn rows<'a>(collect: &str, timeline: &'a Timeline) -> Result<&'a [Row], String> {
    let last = timeline.all().iter().rev().find_map(|o| match &o.fact {
        Fact::Collected {
            step,
            rows,
            complete,
            ..
        } if step == collect => Some((rows, *complete)),
        _ => None,
    });
    match last {
        None => Err(format!("“{collect}” collected nothing")),
        Some((_, false)) => Err(format!("“{collect}” was not read to its end")),
        Some((rows, true)) => Ok(rows),
    }
}

pub(crate) fn finding(check: &str, target: String, verdict: Verdict, because: String) -> Finding {
    Finding {
        target,
        ..Finding::new(check, verdict, because)
    }
}

/// Why nothing can be said of a member that no row has: it is misspelt, or the collection is another one.
pub(crate) fn absent<'f>(
    collect: &str,
    rows: &[Row],
    fields: impl IntoIterator<Item = &'f String>,
) -> Option<String> {
    let has = |field: &&String| !rows.iter().any(|row| row.contains_key(*field));
    let missing = fields.into_iter().find(has).filter(|_| !rows.is_empty())?;
    let n = count(rows.len() as u64, "row");
    Some(format!(
        "none of {n} of “{collect}” has a member for “{missing}”"
    ))
}

/// The sums of both sides are equal: money, points, stock.
pub(crate) fn conserved(left: &[Sum], right: &[Sum], timeline: &Timeline) -> Finding {
    let target = format!("{} == {}", Sum::all_written(left), Sum::all_written(right));
    let side = |sums: &[Sum]| -> Result<(f64, bool), String> {
        let mut total = (0.0, false);
        for sum in sums {
            let rows = rows(&sum.collect, timeline)?;
            let fields = sum.filter.keys().chain(&sum.field);
            if let Some(why) = absent(&sum.collect, rows, fields) {
                return Err(why);
            }
            total.0 += sum.of(rows)?;
            total.1 |= adds_something(sum, rows);
        }
        Ok(total)
    };
    let ((left, some), (right, others)) = match (side(left), side(right)) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(why), _) | (_, Err(why)) => {
            return finding("conserved", target, Verdict::Inconclusive, why);
        }
    };
    let measured = format!("{left} and {right}");
    let (verdict, because) = match (some || others, (left - right).abs() < TOLERANCE) {
        (false, _) => (
            Verdict::Inconclusive,
            "no row on either side has anything to add up".into(),
        ),
        (_, true) => (Verdict::Pass, format!("both sides are {left}")),
        (_, false) => (
            Verdict::Fail,
            format!("the sides differ by {}", left - right),
        ),
    };
    Finding {
        measured,
        ..finding("conserved", target, verdict, because)
    }
}

/// Whether a row counts and is not nothing: 0 = 0 says nothing of money.
fn adds_something(sum: &Sum, rows: &[Row]) -> bool {
    let one = |row| sum.of(std::slice::from_ref(row));
    rows.iter().any(|row| one(row).is_ok_and(|n| n != 0.0))
}

/// Sums of decimals in binary differ in their last digits.
const TOLERANCE: f64 = 1e-6;

/// No two rows that count are the same in these fields.
pub(crate) fn unique(
    collect: &str,
    fields: &[String],
    filter: &Filter,
    timeline: &Timeline,
) -> Finding {
    let fields_words = fields.join(" and ");
    let target = format!(
        "no two rows of “{collect}”{} with one {fields_words}",
        filter_words(filter)
    );
    let rows = match rows(collect, timeline) {
        Ok(rows) => rows,
        Err(why) => return finding("unique", target, Verdict::Inconclusive, why),
    };
    if let Some(why) = absent(collect, rows, fields.iter().chain(filter.keys())) {
        return finding("unique", target, Verdict::Inconclusive, why);
    }
    let counting: Vec<&Row> = rows.iter().filter(|row| is_in(row, filter)).collect();
    let mut groups = BTreeMap::<Vec<String>, Vec<&Row>>::new();
    for row in &counting {
        let key = fields.iter().map(|field| text(row, field)).collect();
        groups.entry(key).or_default().push(row);
    }
    let twice: Vec<&Vec<&Row>> = groups.values().filter(|rows| rows.len() > 1).collect();
    let (verdict, because) = match (counting.len(), twice.len()) {
        (0, _) => (
            Verdict::Inconclusive,
            format!("no row of “{collect}” counts"),
        ),
        (n, 0) => (
            Verdict::Pass,
            format!(
                "each of {} has its own {fields_words}",
                count(n as u64, "row")
            ),
        ),
        (_, n) => (
            Verdict::Fail,
            format!("{n} times there are several rows with one {fields_words}"),
        ),
    };
    Finding {
        measured: format!(
            "{} of {} twice",
            twice.len(),
            count(groups.len() as u64, "key")
        ),
        evidence: twice
            .iter()
            .take(EVIDENCE_MAX)
            .map(|rows| {
                rows.iter()
                    .map(|row| written(row))
                    .collect::<Vec<_>>()
                    .join(" / ")
            })
            .collect(),
        ..finding("unique", target, verdict, because)
    }
}

/// Every row has come to one of its ends.
pub(crate) fn terminates(
    collect: &str,
    field: &str,
    outcomes: &[String],
    at_least: u64,
    timeline: &Timeline,
) -> Finding {
    let target = format!(
        "{field} of every row of “{collect}” is {}",
        outcomes.join(" or ")
    );
    let rows = match rows(collect, timeline) {
        Ok(rows) => rows,
        Err(why) => return finding("saga-terminates", target, Verdict::Inconclusive, why),
    };
    if let Some(why) = absent(collect, rows, [&field.to_string()]) {
        return finding("saga-terminates", target, Verdict::Inconclusive, why);
    }
    let open: Vec<&Row> = rows
        .iter()
        .filter(|row| !outcomes.contains(&text(row, field)))
        .collect();
    let mut tally = BTreeMap::<String, u64>::new();
    rows.iter()
        .for_each(|row| *tally.entry(text(row, field)).or_default() += 1);
    let n = count(rows.len() as u64, "row");
    let (verdict, because) = match (open.len(), (rows.len() as u64) < at_least) {
        (0, true) => (
            Verdict::Inconclusive,
            format!("{n} of “{collect}”, and {at_least} are needed"),
        ),
        (0, false) => (
            Verdict::Pass,
            format!("each of {n} of “{collect}” has come to its end"),
        ),
        (open, _) => (
            Verdict::Fail,
            format!("{open} of {n} of “{collect}” have not come to their end"),
        ),
    };
    let measured: Vec<String> = tally
        .iter()
        .map(|(status, n)| format!("{status} {n}"))
        .collect();
    Finding {
        measured: measured.join(", "),
        evidence: open
            .iter()
            .take(EVIDENCE_MAX)
            .map(|row| written(row))
            .collect(),
        ..finding("saga-terminates", target, verdict, because)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::converges::check as converges;
    use crate::fixture::{Story, ms};
    use serde_json::{Value, json};
    use std::slice;

    /// Rows of id, status and price.
    fn collected(step: &str, rows: &[(u64, &str, u64)], complete: bool) -> Fact {
        let row = |&(id, status, price): &(u64, &str, u64)| -> Row {
            let fields: [(&str, Value); 3] = [
                ("id", json!(id)),
                ("status", json!(status)),
                ("price", json!(price)),
            ];
            fields.map(|(k, v)| (k.to_string(), v)).into()
        };
        Fact::Collected {
            step: step.into(),
            keys: vec![],
            rows: rows.iter().map(row).collect(),
            reads: 2,
            complete,
        }
    }

    pub(crate) type Rows<'r> = &'r [(u64, &'r str, u64)];

    pub(crate) fn story(left: Rows, right: Rows) -> Timeline {
        let story = Story::rollout().with(ms(3100), collected("pays", left, true));
        story
            .with(ms(3110), collected("books", right, true))
            .timeline()
    }

    pub(crate) fn torn() -> Timeline {
        let rows = [(1, "Paid", 10)];
        Story::rollout()
            .with(ms(3100), collected("pays", &rows, false))
            .timeline()
    }

    fn paid() -> Filter {
        [("status".to_string(), vec!["Paid".to_string()])].into()
    }

    #[test]
    fn money_that_is_on_both_sides_passes_money_that_is_not_fails_and_half_a_list_cannot_be_told() {
        let sum = |collect: &str, filter| Sum {
            collect: collect.into(),
            field: Some("price".into()),
            filter,
        };
        let (left, right) = ([sum("pays", paid())], [sum("books", Filter::new())]);
        let found = |timeline: &Timeline| conserved(&left, &right, timeline);
        let pays: Rows = &[(1, "Paid", 10), (2, "Refunded", 90), (3, "Paid", 5)];
        let passes = found(&story(pays, &[(1, "Booked", 15)]));
        assert_eq!(
            (passes.verdict, &*passes.measured),
            (Verdict::Pass, "15 and 15")
        );
        assert_eq!(
            passes.target,
            "price of “pays” where status is Paid == price of “books”"
        );
        let fails = found(&story(pays, &[(1, "Booked", 14)]));
        assert_eq!(
            (fails.verdict, &*fails.because),
            (Verdict::Fail, "the sides differ by 1")
        );
        assert_eq!(found(&story(&[], &[])).verdict, Verdict::Inconclusive);
        assert_eq!(found(&torn()).because, "“pays” was not read to its end");
    }

    #[test]
    fn a_member_that_no_row_has_leaves_everything_open() {
        let rows: Rows = &[(1, "Paid", 10), (2, "Paid", 5)];
        let timeline = story(rows, rows);
        let open = |finding: Finding, field: &str| {
            assert_eq!(finding.verdict, Verdict::Inconclusive);
            let why = format!("has a member for “{field}”");
            assert!(finding.because.ends_with(&why), "{}", finding.because);
        };
        let field = |name: &str| vec![name.to_string()];
        let misspelt: Filter = [("staatus".to_string(), vec!["Paid".to_string()])].into();
        let converging =
            |key: &str, fields: Vec<String>| converges("pays", "books", key, &fields, &timeline);
        open(converging("id", field("staatus")), "staatus");
        open(converging("kkey", field("status")), "kkey");
        open(unique("pays", &field("idd"), &paid(), &timeline), "idd");
        open(
            unique("pays", &field("id"), &misspelt, &timeline),
            "staatus",
        );
        let ends = ["Paid".to_string()];
        open(
            terminates("pays", "staatus", &ends, 1, &timeline),
            "staatus",
        );
        let sum = |field: Option<&str>, filter| Sum {
            collect: "pays".into(),
            field: field.map(Into::into),
            filter,
        };
        let both = |s: Sum| conserved(slice::from_ref(&s), slice::from_ref(&s), &timeline);
        open(both(sum(Some("prise"), Filter::new())), "prise");
        open(both(sum(None, misspelt)), "staatus");
    }

    #[test]
    fn nothing_on_both_sides_is_not_conserved() {
        let sum = Sum {
            collect: "pays".into(),
            field: Some("price".into()),
            filter: paid(),
        };
        let side = slice::from_ref(&sum);
        let both = |rows| conserved(side, side, &story(rows, &[]));
        assert_eq!(both(&[(1, "Paid", 0)]).verdict, Verdict::Inconclusive);
        assert_eq!(both(&[(1, "Refunded", 9)]).verdict, Verdict::Inconclusive);
        assert_eq!(both(&[(1, "Paid", 9)]).verdict, Verdict::Pass);
    }

    #[test]
    fn two_active_rows_of_one_room_fail_and_those_that_do_not_count_do_not() {
        let found = |timeline: &Timeline| unique("pays", &["id".to_string()], &paid(), timeline);
        let passes = found(&story(
            &[(1, "Paid", 1), (1, "Refunded", 1), (2, "Paid", 1)],
            &[],
        ));
        assert_eq!(
            (passes.verdict, &*passes.measured),
            (Verdict::Pass, "0 of 2 keys twice")
        );
        let fails = found(&story(&[(1, "Paid", 1), (1, "Paid", 2)], &[]));
        assert_eq!(fails.verdict, Verdict::Fail);
        assert_eq!(
            fails.evidence,
            ["id 1, price 1, status Paid / id 1, price 2, status Paid"]
        );
        assert_eq!(
            found(&story(&[(1, "Refunded", 1)], &[])).verdict,
            Verdict::Inconclusive
        );
        assert_eq!(found(&torn()).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_saga_that_hangs_fails_and_too_few_cannot_be_told() {
        let ends = ["Paid".to_string(), "Refunded".to_string()];
        let found = |timeline: &Timeline| terminates("pays", "status", &ends, 2, timeline);
        let passes = found(&story(&[(1, "Paid", 1), (2, "Refunded", 1)], &[]));
        assert_eq!(
            (passes.verdict, &*passes.measured),
            (Verdict::Pass, "Paid 1, Refunded 1")
        );
        let fails = found(&story(&[(1, "Requested", 1)], &[]));
        assert_eq!(
            (fails.verdict, &fails.evidence[..]),
            (
                Verdict::Fail,
                &["id 1, price 1, status Requested".to_string()][..]
            )
        );
        assert_eq!(
            found(&story(&[(1, "Paid", 1)], &[])).verdict,
            Verdict::Inconclusive
        );
        assert_eq!(found(&torn()).verdict, Verdict::Inconclusive);
    }
}
