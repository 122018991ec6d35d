//! Every failed request of a load failed in one of the ways that are expected of it.
use crate::{count, offset, sample::tally};
use model::{Failure, Finding, RequestFact, Timeline, Verdict};

/// So many other failures are named.
const EVIDENCE_MAX: usize = 8;

pub(crate) fn check(load: &str, one_of: &[Failure], at_least: u64, timeline: &Timeline) -> Finding {
    let failed: Vec<&RequestFact> = timeline
        .requests(load)
        .map(|(_, r)| r)
        .filter(|r| !r.is_good())
        .collect();
    let is_expected = |r: &&RequestFact| one_of.iter().any(|failure| failure.is(r));
    let others: Vec<&RequestFact> = failed.iter().copied().filter(|r| !is_expected(r)).collect();
    let ways: Vec<String> = one_of.iter().map(Failure::written).collect();
    let ways = ways.join(" or ");
    let n = failed.len() as u64;
    let sent = timeline.requests(load).next().is_some();
    let (verdict, because) = match (others.is_empty(), n >= at_least) {
        _ if !sent => (
            Verdict::Inconclusive,
            format!("no request of “{load}” was seen"),
        ),
        (false, _) => (
            Verdict::Fail,
            format!(
                "{} of {} of “{load}” failed otherwise",
                others.len(),
                count(n, "failed request")
            ),
        ),
        (true, false) => (
            Verdict::Inconclusive,
            format!(
                "{} of “{load}” failed, and {at_least} are needed",
                count(n, "request")
            ),
        ),
        (true, true) => (
            Verdict::Pass,
            format!(
                "each of {} of “{load}” failed with {ways}",
                count(n, "failed request")
            ),
        ),
    };
    let results = tally(failed.iter().copied());
    let results = results.iter().map(|(result, n)| format!("{result} {n}"));
    Finding {
        target: format!("every failed request of “{load}” is {ways}"),
        measured: results.collect::<Vec<_>>().join(", "),
        evidence: others
            .iter()
            .take(EVIDENCE_MAX)
            .map(|r| format!("{} {} with {} bytes", offset(r.sent), r.result(), r.bytes))
            .collect(),
        ..Finding::new("failures-are", verdict, because)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, answer};
    use model::ErrorKind;

    fn overflow() -> RequestFact {
        RequestFact {
            bytes: 81,
            ..answer("siege", 0, Ok(503))
        }
    }

    fn found(requests: Vec<RequestFact>) -> Finding {
        let one_of = [
            Failure {
                status: Some(503),
                bytes: Some(81),
                error: None,
            },
            Failure {
                error: Some(ErrorKind::ConnectionRefused),
                ..Failure::default()
            },
        ];
        check("siege", &one_of, 1, &Story::answers(requests).timeline())
    }

    #[test]
    fn failures_of_the_expected_kinds_pass() {
        let refused = answer("siege", 0, Err(ErrorKind::ConnectionRefused));
        let finding = found(vec![
            answer("siege", 0, Ok(200)),
            overflow(),
            overflow(),
            refused,
        ]);
        assert_eq!(
            (finding.verdict, &*finding.measured),
            (Verdict::Pass, "HTTP 503 2, connectionRefused 1")
        );
        assert_eq!(
            finding.target,
            "every failed request of “siege” is HTTP 503 with 81 bytes or connectionRefused"
        );
    }

    #[test]
    fn one_of_another_kind_fails_and_is_named() {
        let other = RequestFact {
            bytes: 19,
            ..overflow()
        };
        let finding = found(vec![overflow(), other]);
        assert_eq!(
            finding.because,
            "1 of 2 failed requests of “siege” failed otherwise"
        );
        assert_eq!(finding.evidence, ["+2.000 s HTTP 503 with 19 bytes"]);
        assert_eq!(finding.verdict, Verdict::Fail);
    }

    #[test]
    fn of_a_load_that_sent_nothing_nothing_is_said_even_where_no_failure_is_needed() {
        let nothing = Story::answers(vec![]).timeline();
        let finding = check("siege", &[Failure::default()], 0, &nothing);
        assert_eq!(finding.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn where_nothing_failed_it_cannot_be_told_how() {
        assert_eq!(
            found(vec![answer("siege", 0, Ok(200))]).verdict,
            Verdict::Inconclusive
        );
    }
}
