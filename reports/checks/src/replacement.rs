//! A pod of a Deployment was replaced between the first and the last request of a load: without that, a load that lost nothing shows
//! nothing about replacing.
use crate::offset;
use model::{Finding, Micros, PodState, Timeline, Verdict};
use std::collections::BTreeMap;

/// What one pod went through, as far as it was seen.
struct Life<'a> {
    name: &'a str,
    /// When it first was ready; without a readiness probe that is when it ran.
    ready: Option<Micros>,
    /// When its end began.
    ending: Option<Micros>,
}

pub(crate) fn check(deployment: &str, load: &str, timeline: &Timeline) -> Finding {
    let finding = |verdict, because: String| Finding {
        target: format!("a pod of {deployment} replaced during “{load}”"),
        ..Finding::new("replacement-inside", verdict, because)
    };
    let Some((from, to)) = timeline.span(load) else {
        return finding(
            Verdict::Inconclusive,
            format!("no request of “{load}” was seen"),
        );
    };
    let lives = lives(deployment, timeline);
    if lives.is_empty() {
        return finding(
            Verdict::Inconclusive,
            format!("no pod of {deployment} was seen"),
        );
    }
    let inside = |at: Option<Micros>| at.filter(|at| (from..=to).contains(at));
    // Only a pod that was ready can be replaced.
    let went = lives
        .iter()
        .filter(|(_, life)| life.ready.is_some())
        .find_map(|(uid, life)| Some((uid, life, inside(life.ending)?)));
    let came = lives
        .iter()
        .filter(|(uid, _)| went.is_none_or(|(old, _, _)| old != *uid))
        .find_map(|(_, life)| Some((life, inside(life.ready)?)));
    match (went, came) {
        (Some((_, old, ending)), Some((new, ready))) => Finding {
            measured: format!("{} → {}", old.name, new.name),
            evidence: vec![
                format!("{} {} began to end", offset(ending), old.name),
                format!("{} {} became ready", offset(ready), new.name),
                format!(
                    "“{load}” sent requests from {} to {}",
                    offset(from),
                    offset(to)
                ),
            ],
            ..finding(
                Verdict::Pass,
                format!(
                    "{} replaced {} between two requests of “{load}”",
                    new.name, old.name
                ),
            )
        },
        (Some((_, old, at)), None) => finding(
            Verdict::Inconclusive,
            format!(
                "{} began to end at {}, but no other pod of {deployment} became ready before “{load}” ended",
                old.name,
                offset(at)
            ),
        ),
        (None, Some((new, at))) => finding(
            Verdict::Inconclusive,
            format!(
                "{} became ready at {}, but no other pod of {deployment} ended during “{load}”",
                new.name,
                offset(at)
            ),
        ),
        (None, None) => finding(
            Verdict::Fail,
            format!("no pod of {deployment} came or went during “{load}”"),
        ),
    }
}

fn lives<'a>(deployment: &str, timeline: &'a Timeline) -> BTreeMap<&'a str, Life<'a>> {
    let mut lives = BTreeMap::new();
    for (at, pod) in timeline.pods().filter(|(_, p)| p.owner == deployment) {
        let life = lives.entry(pod.uid.as_str()).or_insert(Life {
            name: &pod.name,
            ready: None,
            ending: None,
        });
        if is_ending(pod) {
            life.ending = life.ending.or(Some(at));
        } else if pod.ready {
            life.ready = life.ready.or(Some(at));
        }
    }
    lives
}

fn is_ending(pod: &PodState) -> bool {
    pod.terminating || pod.gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Story;

    fn found(story: Story) -> Finding {
        check("review", "siege", &story.timeline())
    }

    #[test]
    fn a_replacement_inside_names_both_pods_and_their_times() {
        let finding = found(Story::rollout());
        assert_eq!(finding.verdict, Verdict::Pass);
        assert_eq!(finding.measured, "review-old → review-new");
        assert_eq!(
            finding.evidence,
            [
                "+2.520 s review-old began to end",
                "+2.500 s review-new became ready",
                "“siege” sent requests from +2.000 s to +2.992 s"
            ]
        );
    }

    #[test]
    fn a_load_during_which_no_pod_came_or_went_fails() {
        let finding = found(Story::rollout().with_pods_until(2100));
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(
            finding.because,
            "no pod of review came or went during “siege”"
        );
    }

    #[test]
    fn a_replacement_that_the_load_saw_only_begin_cannot_be_told() {
        let finding = found(Story::rollout().requests_until(2510));
        assert_eq!(finding.verdict, Verdict::Inconclusive);
        let blind = found(Story::rollout().with_pods_until(0));
        assert_eq!(blind.because, "no pod of review was seen");
    }
}
