//! A figure of a workload against a threshold: its replicas, its restarts, how soon it was scaled out.
use crate::{
    metric::{Figure, decide},
    offset,
};
use model::{
    Fact, Finding, Micros, PodState, Threshold, Timeline, Verdict, WorkloadMetric,
    observation::Phase,
};
use std::collections::BTreeMap;

/// So many changes on the way are named.
const EVIDENCE_MAX: usize = 8;

/// A figure with what led to it. The error is a verdict of its own: what could not be measured, or did not happen at all.
type Measured = Result<(Figure, Vec<String>), (Verdict, String)>;

pub(crate) fn check(
    metric: WorkloadMetric,
    condition: Threshold,
    workload: &str,
    step: Option<&str>,
    timeline: &Timeline,
) -> Finding {
    let unit = metric.unit();
    let during = step
        .map(|step| format!(" during “{step}”"))
        .unwrap_or_default();
    let finding = |verdict, because: String| Finding {
        target: format!(
            "{} of {workload}{during} {}",
            metric.word(),
            condition.write(unit)
        ),
        ..Finding::new(metric.word(), verdict, because)
    };
    let span = match step {
        Some(step) => timeline.span(step),
        None => running(timeline),
    };
    let Some(span) = span else {
        return finding(
            Verdict::Inconclusive,
            "nothing was seen of that time".into(),
        );
    };
    match measure(metric, workload, span, timeline) {
        Err((verdict, because)) => finding(verdict, because),
        Ok((figure, evidence)) => {
            let written = unit.write(figure.value);
            let measured = match figure.at_least {
                true => format!("at least {written}"),
                false => written,
            };
            Finding {
                evidence,
                ..finding(
                    decide(condition, &figure),
                    format!("{} of {workload}{during} was {measured}", metric.word()),
                )
            }
            .measuring(measured)
        }
    }
}

trait Measuring {
    fn measuring(self, measured: String) -> Self;
}

impl Measuring for Finding {
    fn measuring(self, measured: String) -> Finding {
        Finding { measured, ..self }
    }
}

/// From the first step to when the run began to tidy up.
fn running(timeline: &Timeline) -> Option<(Micros, Micros)> {
    let entered = |wanted: &[Phase]| {
        let is = |o: &&model::Observation| matches!(&o.fact, Fact::Phase { phase } if wanted.contains(phase));
        timeline.all().iter().find(is).map(|o| o.at)
    };
    let end = entered(&[Phase::Recovering, Phase::Draining]).unwrap_or_else(|| timeline.end());
    Some((entered(&[Phase::Running])?, end))
}

fn measure(
    metric: WorkloadMetric,
    workload: &str,
    span: (Micros, Micros),
    timeline: &Timeline,
) -> Measured {
    use WorkloadMetric::*;
    let exact = |value: u32| Figure {
        value: f64::from(value),
        at_least: false,
    };
    let all = || {
        timeline
            .pods()
            .filter(|(at, p)| p.owner == workload && *at <= span.1)
    };
    match metric {
        ReplicasMax | ReplicasMin | ReplicasLast => {
            let (counts, told) = counts(workload, span, timeline, |ready, _| ready)?;
            Ok((exact(pick(metric, &counts)), told))
        }
        DesiredMax | DesiredMin | DesiredLast => {
            let (counts, told) = counts(workload, span, timeline, |_, desired| desired)?;
            Ok((exact(pick(metric, &counts)), told))
        }
        ScaleOutReaction => scaled_out(workload, span, timeline),
        Restarts => {
            let (restarts, told) = restarts(workload, span, all())?;
            Ok((exact(restarts), told))
        }
        RestartFirst => first_restart(workload, span, all()),
        CrashLoopRestarts => crash_loop(workload, all()).map(|(n, told)| (exact(n), vec![told])),
    }
}

fn pick(metric: WorkloadMetric, counts: &[u32]) -> u32 {
    let found = match metric {
        WorkloadMetric::ReplicasMax | WorkloadMetric::DesiredMax => counts.iter().max(),
        WorkloadMetric::ReplicasMin | WorkloadMetric::DesiredMin => counts.iter().min(),
        _ => counts.last(),
    };
    found.copied().unwrap_or_default()
}

/// The counts of a Deployment in a stretch of time, its state at the beginning first.
fn counts(
    workload: &str,
    (from, to): (Micros, Micros),
    timeline: &Timeline,
    of: fn(u32, u32) -> u32,
) -> Result<(Vec<u32>, Vec<String>), (Verdict, String)> {
    let changes: Vec<(Micros, u32)> = timeline
        .all()
        .iter()
        .filter_map(|o| match &o.fact {
            Fact::Replicas {
                deployment,
                desired,
                ready,
                ..
            } if deployment == workload && o.at <= to => Some((o.at, of(*ready, *desired))),
            _ => None,
        })
        .collect();
    let before = changes.iter().rposition(|(at, _)| *at <= from);
    let Some(first) = before else {
        let because = format!("the replicas of {workload} are not known from the beginning");
        return Err((Verdict::Inconclusive, because));
    };
    let mut during = changes[first..].to_vec();
    during.dedup_by_key(|(_, n)| *n);
    let told = during
        .iter()
        .map(|(at, n)| format!("{} {n}", offset((*at).max(from))));
    let told = told.take(EVIDENCE_MAX).collect();
    Ok((during.into_iter().map(|(_, n)| n).collect(), told))
}

/// From the beginning of the load until more replicas were asked for.
fn scaled_out(workload: &str, (from, to): (Micros, Micros), timeline: &Timeline) -> Measured {
    let (_, told) = counts(workload, (from, to), timeline, |_, desired| desired)?;
    let mut before = None;
    let grown = timeline.all().iter().find_map(|o| match &o.fact {
        Fact::Replicas {
            deployment,
            desired,
            ..
        } if deployment == workload => {
            let more = o.at > from && before.is_some_and(|n| *desired > n);
            before = Some(*desired);
            more.then_some(o.at)
        }
        _ => None,
    });
    let at = grown.filter(|at| *at <= to);
    let figure = Figure {
        value: at.unwrap_or(to).saturating_sub(from).as_secs_f64(),
        at_least: at.is_none(),
    };
    Ok((figure, told))
}

fn lives<'a>(
    pods: impl Iterator<Item = (Micros, &'a PodState)>,
) -> BTreeMap<&'a str, Vec<(Micros, &'a PodState)>> {
    let mut lives = BTreeMap::<&str, Vec<(Micros, &PodState)>>::new();
    for (at, pod) in pods {
        lives.entry(&pod.uid).or_default().push((at, pod));
    }
    lives
}

fn nobody(workload: &str) -> (Verdict, String) {
    (
        Verdict::Inconclusive,
        format!("no pod of {workload} was seen"),
    )
}

/// Restarts of all pods in a stretch of time.
fn restarts<'a>(
    workload: &str,
    (from, _): (Micros, Micros),
    pods: impl Iterator<Item = (Micros, &'a PodState)>,
) -> Result<(u32, Vec<String>), (Verdict, String)> {
    let lives = lives(pods);
    if lives.is_empty() {
        return Err(nobody(workload));
    }
    let (mut sum, mut told) = (0, vec![]);
    for life in lives.values() {
        let mut so_far = life
            .iter()
            .take_while(|(at, _)| *at <= from)
            .map(|(_, p)| p.restarts)
            .last()
            .unwrap_or(0);
        for (at, pod) in life.iter().filter(|(at, p)| *at > from && !p.gone) {
            if pod.restarts > so_far {
                sum += pod.restarts - so_far;
                so_far = pod.restarts;
                told.push(format!(
                    "{} {} was restarted ({} times)",
                    offset(*at),
                    pod.name,
                    pod.restarts
                ));
            }
        }
    }
    told.truncate(EVIDENCE_MAX);
    Ok((sum, told))
}

/// From when a container first ran to its first restart; of several pods the soonest.
fn first_restart<'a>(
    workload: &str,
    (_, to): (Micros, Micros),
    pods: impl Iterator<Item = (Micros, &'a PodState)>,
) -> Measured {
    let mut soonest: Option<(Figure, Vec<String>)> = None;
    for life in lives(pods).values() {
        let Some((ran, pod)) = life.iter().find(|(_, p)| p.phase == "Running") else {
            continue;
        };
        let again = life.iter().find(|(_, p)| p.restarts > 0).map(|(at, _)| *at);
        let figure = Figure {
            value: again.unwrap_or(to).saturating_sub(*ran).as_secs_f64(),
            at_least: again.is_none(),
        };
        let mut told = vec![format!("{} {} ran", offset(*ran), pod.name)];
        told.extend(again.map(|at| format!("{} {} was restarted", offset(at), pod.name)));
        let sooner = soonest
            .as_ref()
            .is_none_or(|(best, _)| figure.value < best.value);
        if sooner {
            soonest = Some((figure, told));
        }
    }
    soonest.ok_or_else(|| nobody(workload))
}

/// RESTARTS as `kubectl get pods` prints it when CrashLoopBackOff is first seen.
fn crash_loop<'a>(
    workload: &str,
    pods: impl Iterator<Item = (Micros, &'a PodState)>,
) -> Result<(u32, String), (Verdict, String)> {
    let mut seen = false;
    for (at, pod) in pods {
        seen = true;
        if pod.reason.contains("CrashLoopBackOff") {
            let told = format!(
                "{} {} is in CrashLoopBackOff with {} restarts",
                offset(at),
                pod.name,
                pod.restarts
            );
            return Ok((pod.restarts, told));
        }
    }
    match seen {
        true => Err((
            Verdict::Fail,
            format!("no pod of {workload} was in CrashLoopBackOff"),
        )),
        false => Err(nobody(workload)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};
    use model::{Comparison, WorkloadMetric::*};

    fn replicas(desired: u32, ready: u32) -> Fact {
        Fact::Replicas {
            deployment: "auth".into(),
            desired,
            updated: desired,
            ready,
            available: ready,
        }
    }

    fn pod(phase: &str, restarts: u32, reason: &str) -> Fact {
        Fact::Pod(PodState {
            name: "auth-1".into(),
            uid: "auth-1".into(),
            owner: "auth".into(),
            template: "a".into(),
            phase: phase.into(),
            ready: true,
            terminating: false,
            gone: false,
            restarts,
            reason: reason.into(),
        })
    }

    /// The load goes from 2000 to 2992 ms, the steps run from 1000 to 3200 ms.
    fn story() -> Story {
        let phase = |phase| Fact::Phase { phase };
        Story::rollout()
            .with(ms(1000), phase(Phase::Running))
            .with(ms(3200), phase(Phase::Recovering))
    }

    fn scaling() -> Story {
        story()
            .with(ms(500), replicas(1, 1))
            .with(ms(2300), replicas(3, 1))
            .with(ms(2500), replicas(3, 2))
            .with(ms(2700), replicas(3, 3))
            .with(ms(3300), replicas(0, 0))
    }

    fn found(metric: WorkloadMetric, comparison: Comparison, value: f64, story: Story) -> Finding {
        let step = (metric == ScaleOutReaction).then_some("siege");
        let condition = Threshold { comparison, value };
        check(metric, condition, "auth", step, &story.timeline())
    }

    fn verdict(
        metric: WorkloadMetric,
        comparison: Comparison,
        value: f64,
        story: Story,
    ) -> Verdict {
        found(metric, comparison, value, story).verdict
    }

    #[test]
    fn replicas_pass_fail_and_cannot_be_told_and_what_is_tidied_up_does_not_count() {
        let most = found(ReplicasMax, Comparison::Equal, 3.0, scaling());
        assert_eq!((most.verdict, &*most.measured), (Verdict::Pass, "3"));
        assert_eq!(most.evidence, ["+1.000 s 1", "+2.500 s 2", "+2.700 s 3"]);
        assert_eq!(
            verdict(DesiredMax, Comparison::LessOrEqual, 2.0, scaling()),
            Verdict::Fail
        );
        assert_eq!(
            verdict(ReplicasMin, Comparison::Equal, 1.0, scaling()),
            Verdict::Pass
        );
        assert_eq!(
            verdict(ReplicasLast, Comparison::Equal, 3.0, scaling()),
            Verdict::Pass
        );
        assert_eq!(
            verdict(DesiredLast, Comparison::Equal, 1.0, scaling()),
            Verdict::Fail
        );
        assert_eq!(
            verdict(ReplicasMax, Comparison::Equal, 3.0, story()),
            Verdict::Inconclusive
        );
    }

    #[test]
    fn a_reaction_counts_from_the_first_request_and_one_that_did_not_come_took_longer_than_the_load()
     {
        let soon = found(ScaleOutReaction, Comparison::LessOrEqual, 0.5, scaling());
        assert_eq!((soon.verdict, &*soon.measured), (Verdict::Pass, "300.0 ms"));
        assert_eq!(
            verdict(ScaleOutReaction, Comparison::LessOrEqual, 0.2, scaling()),
            Verdict::Fail
        );
        let never = || story().with(ms(500), replicas(1, 1));
        assert_eq!(
            verdict(ScaleOutReaction, Comparison::LessOrEqual, 0.5, never()),
            Verdict::Fail
        );
        assert_eq!(
            verdict(ScaleOutReaction, Comparison::LessOrEqual, 150.0, never()),
            Verdict::Inconclusive
        );
    }

    fn crashing() -> Story {
        story()
            .with(ms(200), pod("Pending", 0, ""))
            .with(ms(300), pod("Running", 0, ""))
            .with(ms(900), pod("Running", 1, ""))
            .with(ms(1500), pod("Running", 2, ""))
            .with(ms(1600), pod("Running", 2, "CrashLoopBackOff"))
            .with(ms(2500), pod("Running", 3, ""))
    }

    #[test]
    fn restarts_count_from_the_first_step_and_the_first_one_from_when_the_container_ran() {
        let all = found(Restarts, Comparison::Equal, 2.0, crashing());
        assert_eq!((all.verdict, &*all.measured), (Verdict::Pass, "2"));
        assert_eq!(all.evidence[0], "+1.500 s auth-1 was restarted (2 times)");
        assert_eq!(
            verdict(Restarts, Comparison::Equal, 0.0, crashing()),
            Verdict::Fail
        );
        assert_eq!(
            verdict(Restarts, Comparison::Equal, 0.0, story()),
            Verdict::Inconclusive
        );
        let first = found(RestartFirst, Comparison::LessOrEqual, 1.0, crashing());
        assert_eq!(
            (first.verdict, &*first.measured),
            (Verdict::Pass, "600.0 ms")
        );
        let never = || story().with(ms(300), pod("Running", 0, ""));
        assert_eq!(
            verdict(RestartFirst, Comparison::GreaterOrEqual, 2.0, never()),
            Verdict::Pass
        );
        assert_eq!(
            verdict(RestartFirst, Comparison::LessOrEqual, 60.0, never()),
            Verdict::Inconclusive
        );
        assert_eq!(
            verdict(RestartFirst, Comparison::LessOrEqual, 1.0, never()),
            Verdict::Fail
        );
    }

    #[test]
    fn the_first_crash_loop_has_its_restarts_and_one_that_did_not_come_fails() {
        assert_eq!(
            verdict(CrashLoopRestarts, Comparison::Equal, 2.0, crashing()),
            Verdict::Pass
        );
        assert_eq!(
            verdict(CrashLoopRestarts, Comparison::Equal, 5.0, crashing()),
            Verdict::Fail
        );
        let never = story().with(ms(300), pod("Running", 0, ""));
        let finding = found(CrashLoopRestarts, Comparison::Equal, 5.0, never);
        assert_eq!(finding.because, "no pod of auth was in CrashLoopBackOff");
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(
            verdict(CrashLoopRestarts, Comparison::Equal, 5.0, story()),
            Verdict::Inconclusive
        );
    }
}
