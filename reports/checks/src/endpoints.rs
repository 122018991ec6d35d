//! At every moment of a load at least one ready endpoint stood behind a Service.
use crate::{count, offset};
use model::{Fact, Finding, Micros, Timeline, Verdict};

pub(crate) fn check(service: &str, load: &str, timeline: &Timeline) -> Finding {
    let finding = |verdict, because: String| Finding {
        target: format!("ready endpoints of {service} >= 1 during “{load}”"),
        ..Finding::new("endpoints-never-empty", verdict, because)
    };
    let Some((from, to)) = timeline.span(load) else {
        return finding(
            Verdict::Inconclusive,
            format!("no request of “{load}” was seen"),
        );
    };
    let changes: Vec<(Micros, u32)> = timeline
        .all()
        .iter()
        .filter_map(|o| match &o.fact {
            Fact::Endpoints { service: s, ready } if s == service => Some((o.at, *ready)),
            _ => None,
        })
        .collect();
    let before = changes.iter().rfind(|(at, _)| *at <= from);
    let during = changes.iter().filter(|(at, _)| *at > from && *at <= to);
    let stood: Vec<(Micros, u32)> = before
        .map(|(_, ready)| (from, *ready))
        .into_iter()
        .chain(during.copied())
        .collect();
    let empty: Vec<String> = stood
        .iter()
        .enumerate()
        .filter(|(_, (_, ready))| *ready == 0)
        .map(|(i, (at, _))| {
            let until = stood.get(i + 1).map_or(to, |(next, _)| *next);
            format!("{} for {}", offset(*at), until.saturating_sub(*at))
        })
        .collect();
    let least = stood.iter().map(|(_, ready)| *ready).min();
    let measured = least.map(|n| format!("at least {n}")).unwrap_or_default();
    let (verdict, because) = match (empty.first(), before) {
        (Some(first), _) => (
            Verdict::Fail,
            format!(
                "{service} had no ready endpoint {}, first at {first}",
                count(empty.len() as u64, "time")
            ),
        ),
        (None, None) => (
            Verdict::Inconclusive,
            format!("the endpoints of {service} are not known from the start of “{load}”"),
        ),
        (None, Some(_)) => (
            Verdict::Pass,
            format!("{service} had a ready endpoint at every moment of “{load}”"),
        ),
    };
    Finding {
        measured,
        evidence: empty,
        ..finding(verdict, because)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Story;

    fn found(story: Story) -> Finding {
        check("review", "siege", &story.timeline())
    }

    #[test]
    fn endpoints_that_never_were_empty_pass() {
        let finding = found(Story::rollout());
        assert_eq!(
            (finding.verdict, &*finding.measured),
            (Verdict::Pass, "at least 1")
        );
    }

    #[test]
    fn a_moment_without_endpoints_fails_and_is_named() {
        let finding = found(Story::rollout().endpoints(2300, 0).endpoints(2400, 1));
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(
            finding.because,
            "review had no ready endpoint 1 time, first at +2.300 s for 100.0 ms"
        );
    }

    #[test]
    fn endpoints_that_were_not_seen_cannot_be_told() {
        let finding = check("pay", "siege", &Story::rollout().timeline());
        assert_eq!(finding.verdict, Verdict::Inconclusive);
    }
}
