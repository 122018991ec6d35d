//! A read model has what its source has, each row once.
use crate::collections::{EVIDENCE_MAX, absent, finding, rows};
use crate::count;
use model::{
    Finding, Timeline, Verdict,
    rows::{Row, text},
};
use std::collections::BTreeMap;

pub(crate) fn check(
    source: &str,
    view: &str,
    key: &str,
    fields: &[String],
    timeline: &Timeline,
) -> Finding {
    let target = format!(
        "“{view}” has every {key} of “{source}” with its {}",
        fields.join(" and ")
    );
    let (from, seen) = match (rows(source, timeline), rows(view, timeline)) {
        (Ok(from), Ok(seen)) => (from, seen),
        (Err(why), _) | (_, Err(why)) => {
            return finding("converges", target, Verdict::Inconclusive, why);
        }
    };
    if let Some(why) = nothing_to_compare((source, from), (view, seen), key, fields) {
        return finding("converges", target, Verdict::Inconclusive, why);
    }
    let by_key = |rows: &'_ [Row]| -> BTreeMap<String, Row> {
        rows.iter()
            .map(|row| (text(row, key), row.clone()))
            .collect()
    };
    let (wanted, found) = (by_key(from), by_key(seen));
    let mut differences = repeated(source, from, key);
    differences.extend(repeated(view, seen, key));
    for (id, row) in &wanted {
        match found.get(id) {
            None => differences.push(format!("{key} {id} is not in “{view}”")),
            Some(copy) => {
                differences.extend(fields.iter().filter(|f| text(row, f) != text(copy, f)).map(
                    |f| {
                        format!(
                            "{key} {id}: {f} is {}, in “{view}” {}",
                            text(row, f),
                            text(copy, f)
                        )
                    },
                ))
            }
        }
    }
    let strangers = found.keys().filter(|id| !wanted.contains_key(*id));
    differences.extend(strangers.map(|id| format!("{key} {id} is in “{view}” alone")));
    let n = count(wanted.len() as u64, "row");
    let (verdict, because) = match (wanted.len(), differences.first()) {
        (0, None) => (
            Verdict::Inconclusive,
            format!("there is no row in “{source}”"),
        ),
        (_, None) => (Verdict::Pass, format!("“{view}” has all {n} of “{source}”")),
        (_, Some(first)) => (Verdict::Fail, first.clone()),
    };
    Finding {
        measured: format!("{} differences in {n}", differences.len()),
        evidence: differences.into_iter().take(EVIDENCE_MAX).collect(),
        ..finding("converges", target, verdict, because)
    }
}

/// Why two collections cannot be compared: a member that no row has, or a key that does not tell rows apart.
fn nothing_to_compare(
    (source, from): (&str, &[Row]),
    (view, seen): (&str, &[Row]),
    key: &str,
    fields: &[String],
) -> Option<String> {
    let key = key.to_string();
    let all = || fields.iter().chain([&key]);
    let absent = absent(source, from, all()).or_else(|| absent(view, seen, all()));
    absent.or_else(|| {
        let first = text(from.first()?, &key);
        let alike = from.len() > 1 && from.iter().all(|row| text(row, &key) == first);
        let n = count(from.len() as u64, "row");
        alike.then(|| {
            format!("all {n} of “{source}” have one {key}, {first}: it does not tell them apart")
        })
    })
}

/// Rows with one key are several where there should be one.
fn repeated(collect: &str, rows: &[Row], key: &str) -> Vec<String> {
    let mut times = BTreeMap::<String, u64>::new();
    rows.iter()
        .for_each(|row| *times.entry(text(row, key)).or_default() += 1);
    let several = times.into_iter().filter(|(_, n)| *n > 1);
    several
        .map(|(id, n)| format!("{key} {id} is in “{collect}” {n} times"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::tests::{Rows, story, torn};

    #[test]
    fn a_view_with_one_row_twice_fails_and_a_key_that_all_rows_share_says_nothing() {
        let fields = ["status".to_string()];
        let twice: Rows = &[(1, "Paid", 1), (2, "Paid", 1), (2, "Paid", 1)];
        let once: Rows = &[(1, "Paid", 1), (2, "Paid", 1)];
        let found = |left, right| check("pays", "books", "id", &fields, &story(left, right));
        let doubled = found(once, twice);
        assert_eq!(
            (doubled.verdict, &*doubled.because),
            (Verdict::Fail, "id 2 is in “books” 2 times")
        );
        assert_eq!(found(twice, once).because, "id 2 is in “pays” 2 times");
        let price = ["id".to_string()];
        let shared = check("pays", "books", "status", &price, &story(once, once));
        assert_eq!(
            (shared.verdict, &*shared.because),
            (
                Verdict::Inconclusive,
                "all 2 rows of “pays” have one status, Paid: it does not tell them apart"
            )
        );
    }

    #[test]
    fn a_view_that_lags_fails_and_an_empty_source_cannot_be_told() {
        let fields = ["status".to_string()];
        let found = |timeline: &Timeline| check("pays", "books", "id", &fields, timeline);
        let pays: Rows = &[(1, "Paid", 1), (2, "Paid", 1)];
        assert_eq!(
            found(&story(pays, &[(2, "Paid", 9), (1, "Paid", 9)])).verdict,
            Verdict::Pass
        );
        let fails = found(&story(pays, &[(2, "Requested", 1), (3, "Paid", 1)]));
        assert_eq!(fails.verdict, Verdict::Fail);
        assert_eq!(
            fails.evidence,
            [
                "id 1 is not in “books”",
                "id 2: status is Paid, in “books” Requested",
                "id 3 is in “books” alone"
            ]
        );
        assert_eq!(found(&story(&[], &[])).verdict, Verdict::Inconclusive);
        assert_eq!(found(&torn()).verdict, Verdict::Inconclusive);
    }
}
