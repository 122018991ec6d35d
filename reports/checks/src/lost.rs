//! Every acknowledged write of a load was found by the step that collects.
use crate::{count, ledger::Ledger, offset};
use model::{Finding, Outcome, Timeline, Verdict};

/// So many lost keys are named.
const EVIDENCE_MAX: usize = 8;

pub(crate) fn check(load: &str, collect: &str, at_least: u64, timeline: &Timeline) -> Finding {
    let ledger = Ledger::of(load, collect, timeline);
    let lost = ledger.lost();
    let acked = ledger.acked.len() as u64;
    let (verdict, because) = match ledger.complete {
        None => (
            Verdict::Inconclusive,
            format!("“{collect}” collected nothing"),
        ),
        Some(false) => (
            Verdict::Inconclusive,
            format!(
                "“{collect}” was not read to its end, a page failed, it has another name or an entry has no key, so {} may still be there",
                count(lost.len() as u64, "missing write")
            ),
        ),
        Some(true) if !lost.is_empty() => (
            Verdict::Fail,
            format!(
                "{} of {} lost",
                lost.len(),
                count(acked, "acknowledged write")
            ),
        ),
        Some(true) if acked < at_least.max(1) => (
            Verdict::Inconclusive,
            format!(
                "{} of “{load}”, and {at_least} are needed",
                count(acked, "acknowledged write")
            ),
        ),
        Some(true) => (
            Verdict::Pass,
            format!(
                "all {} of “{load}” found",
                count(acked, "acknowledged write")
            ),
        ),
    };
    Finding {
        target: format!("0 lost of at least {at_least} acknowledged"),
        measured: match ledger.complete {
            Some(true) => format!("{} lost: {}", lost.len(), ledger.counts()),
            _ => ledger.counts(),
        },
        evidence: match verdict {
            Verdict::Fail => lost
                .iter()
                .take(EVIDENCE_MAX)
                .map(|key| story(key, load, timeline))
                .collect(),
            _ => vec![],
        },
        ..Finding::new("no-lost-acked-writes", verdict, because)
    }
}

/// `lost: host-3, acknowledged at +2.177 s with HTTP 201`.
fn story(key: &str, load: &str, timeline: &Timeline) -> String {
    let acknowledged = timeline
        .requests(load)
        .find(|(_, r)| r.key.as_deref() == Some(key) && r.outcome() == Outcome::Ok);
    match acknowledged {
        Some((_, r)) => format!(
            "lost: {key}, acknowledged at {} with {}",
            offset(r.done),
            r.result()
        ),
        None => format!("lost: {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, write};
    use model::ErrorKind;

    fn found(writes: &[(&str, Result<u16, ErrorKind>)], keys: &[&str], complete: bool) -> Finding {
        let requests = writes
            .iter()
            .zip(1..)
            .map(|((key, r), seq)| write(seq, key, *r));
        let story = Story::answers(requests.collect()).collected(keys, complete);
        check("siege", "alarms", 2, &story.timeline())
    }

    #[test]
    fn writes_that_were_acknowledged_and_found_pass_whatever_became_of_the_others() {
        let finding = found(
            &[
                ("a", Ok(201)),
                ("b", Ok(201)),
                ("c", Err(ErrorKind::Timeout)),
                ("d", Err(ErrorKind::ConnectionRefused)),
            ],
            &["b", "a", "c", "somebody else's"],
            true,
        );
        assert_eq!(finding.verdict, Verdict::Pass);
        assert_eq!(
            finding.measured,
            "0 lost: 4 sent, 2 acknowledged, 1 unknown, 1 refused, 3 found"
        );
    }

    #[test]
    fn an_acknowledged_write_that_is_not_found_is_lost() {
        let finding = found(&[("a", Ok(201)), ("b", Ok(201))], &["a"], true);
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(finding.because, "1 of 2 acknowledged writes lost");
        assert_eq!(
            finding.evidence,
            ["lost: b, acknowledged at +2.002 s with HTTP 201"]
        );
    }

    #[test]
    fn too_few_writes_or_an_incomplete_collection_cannot_be_told() {
        let few = found(&[("a", Ok(201))], &["a"], true);
        assert_eq!(few.verdict, Verdict::Inconclusive);
        assert_eq!(
            few.because,
            "1 acknowledged write of “siege”, and 2 are needed"
        );
        let torn = found(&[("a", Ok(201)), ("b", Ok(201))], &["a"], false);
        assert_eq!(torn.verdict, Verdict::Inconclusive);
    }
}
