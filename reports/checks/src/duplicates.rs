//! Nothing that a load wrote was found twice.
use crate::{count, ledger::Ledger};
use model::{Finding, Timeline, Verdict};

/// So many repeated keys are named.
const EVIDENCE_MAX: usize = 8;

pub(crate) fn check(load: &str, collect: &str, timeline: &Timeline) -> Finding {
    let ledger = Ledger::of(load, collect, timeline);
    let twice: Vec<(&str, u64)> = ledger
        .found
        .iter()
        .filter(|(_, n)| **n > 1)
        .map(|(key, n)| (*key, *n))
        .collect();
    let found = ledger.found.len() as u64;
    let (verdict, because) = match ledger.complete {
        _ if !twice.is_empty() => (
            Verdict::Fail,
            format!(
                "{} of {} found more than once",
                twice.len(),
                count(found, "write")
            ),
        ),
        None => (
            Verdict::Inconclusive,
            format!("“{collect}” collected nothing"),
        ),
        Some(false) => (
            Verdict::Inconclusive,
            format!(
                "“{collect}” was not read to its end: a page failed, it has another name or an entry has no key"
            ),
        ),
        Some(true) if found == 0 => (
            Verdict::Inconclusive,
            format!("nothing that “{load}” wrote was found, so nothing could be there twice"),
        ),
        Some(true) => (
            Verdict::Pass,
            format!("none of {} of “{load}” found twice", count(found, "write")),
        ),
    };
    Finding {
        target: "0 found twice".into(),
        measured: match ledger.complete {
            Some(_) => format!("{} of {found} found twice", twice.len()),
            None => String::new(),
        },
        evidence: twice
            .iter()
            .take(EVIDENCE_MAX)
            .map(|(key, n)| format!("{n} times: {key}"))
            .collect(),
        ..Finding::new("no-duplicates", verdict, because)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, write};

    fn found(keys: &[&str], complete: bool) -> Finding {
        let writes = vec![write(1, "a", Ok(201)), write(2, "b", Ok(201))];
        let story = Story::answers(writes).collected(keys, complete);
        check("siege", "alarms", &story.timeline())
    }

    #[test]
    fn writes_found_once_pass_even_when_others_repeat() {
        let finding = found(&["a", "b", "other", "other"], true);
        assert_eq!(
            (finding.verdict, &*finding.measured),
            (Verdict::Pass, "0 of 2 found twice")
        );
    }

    #[test]
    fn a_write_found_twice_fails_even_in_an_incomplete_collection() {
        let finding = found(&["a", "a"], false);
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(finding.evidence, ["2 times: a"]);
    }

    #[test]
    fn a_collection_that_found_nothing_or_was_torn_cannot_be_told() {
        assert_eq!(found(&[], true).verdict, Verdict::Inconclusive);
        assert_eq!(found(&["a"], false).verdict, Verdict::Inconclusive);
    }
}
