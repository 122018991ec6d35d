//! A figure of what went from one service to another against a threshold.
use crate::{
    graph,
    metric::{Figure, decide},
};
use model::{
    Edge, EdgeMetric, Finding, Graph, Threshold, Timeline, Verdict,
    graph::{LOAD_WORKER, written},
    telemetry::Within,
};

/// With fewer calls a percentile or a share says nothing.
const SAMPLES_MIN: u64 = 20;

/// Of which edge.
pub(crate) struct Which<'a> {
    /// The load worker, if absent.
    pub from: Option<&'a str>,
    pub to: &'a str,
    pub event: Option<&'a str>,
}

pub(crate) fn check(
    metric: EdgeMetric,
    condition: Threshold,
    which: &Which,
    graph: &Graph,
    timeline: &Timeline,
) -> Finding {
    let from = which.from.unwrap_or(LOAD_WORKER);
    let name = written(from, which.to, which.event);
    let unit = metric.unit();
    let finding = |verdict, because: String| Finding {
        target: format!("{} of {name} {}", metric.word(), condition.write(unit)),
        ..Finding::new("edge", verdict, because)
    };
    let nothing = Edge {
        complete: graph::told(timeline).get(from).copied().unwrap_or(false),
        ..Edge::default()
    };
    let edge = graph.edge(from, which.to, which.event);
    if let (None, Some(missing)) = (edge, untold(from, which, timeline)) {
        return finding(Verdict::Inconclusive, missing);
    }
    let edge = edge.unwrap_or(&nothing);
    let said = evidence(edge);
    let (verdict, measured) = match measure(metric, condition, edge) {
        Ok(decided) => decided,
        Err(missing) => return finding(Verdict::Inconclusive, format!("{name}: {missing}")),
    };
    Finding {
        evidence: said,
        measured: measured.clone(),
        ..finding(verdict, format!("{} of {name}: {measured}", metric.word()))
    }
}

/// Whose counts are missing, where there is no edge to look at. An edge that does not exist is only known of those who told.
fn untold(from: &str, which: &Which, timeline: &Timeline) -> Option<String> {
    let told = graph::told(timeline);
    let reader = which.event.map(|_| which.to);
    let asked = [Some(from).filter(|from| *from != LOAD_WORKER), reader];
    let missing = asked.into_iter().flatten().find(|s| !told.contains_key(*s));
    missing.map(|service| format!("no metrics of {service} were seen"))
}

/// What was measured, in words, and what that means. The error is what is missing.
fn measure(
    metric: EdgeMetric,
    condition: Threshold,
    edge: &Edge,
) -> Result<(Verdict, String), String> {
    let unit = metric.unit();
    let few = || match edge.calls >= SAMPLES_MIN {
        true => Ok(()),
        false => Err(format!(
            "{} calls, and {} needs at least {SAMPLES_MIN}",
            edge.calls,
            metric.word()
        )),
    };
    let figure = |value: f64, at_least: bool| {
        let figure = Figure { value, at_least };
        let text = unit.write(value);
        let text = if at_least {
            format!("at least {text}")
        } else {
            text
        };
        Ok((decide(condition, &figure), text))
    };
    let good = edge.calls - edge.errors;
    let within = |found: Option<Within>| {
        few()?;
        if good < SAMPLES_MIN {
            return Err(format!("only {good} calls ended well"));
        }
        let found = found.ok_or("its metrics have no histogram")?;
        Ok((between(condition, found), found.written()))
    };
    let breaker = edge.breaker.as_ref().ok_or("no breaker was seen there");
    let open = !edge.complete;
    let of_calls = matches!(
        metric,
        EdgeMetric::Errors | EdgeMetric::BreakerOpened | EdgeMetric::BreakerRejected
    );
    if of_calls && edge.calls == 0 && condition.holds(0.0) {
        let word = metric.word();
        return Err(format!("nothing was called, so that {word} says nothing"));
    }
    match metric {
        EdgeMetric::Calls => figure(edge.calls as f64, open),
        EdgeMetric::Rate => figure(edge.rate, open),
        EdgeMetric::Errors => figure(edge.errors as f64, open),
        EdgeMetric::ErrorRatio => few().and_then(|()| figure(edge.error_ratio(), false)),
        EdgeMetric::LatencyMean => {
            few()?;
            let mean = edge.mean.ok_or("no call ended well")?;
            figure(mean, false)
        }
        EdgeMetric::LatencyP50 => within(edge.p50),
        EdgeMetric::LatencyP90 => within(edge.p90),
        EdgeMetric::LatencyP99 => within(edge.p99),
        EdgeMetric::BreakerOpened => figure(breaker?.opened as f64, open),
        EdgeMetric::BreakerRejected => figure(breaker?.rejected as f64, open),
        EdgeMetric::BreakerTimeToOpen => match breaker?.time_to_open {
            Some(seconds) => figure(seconds, false),
            None => Ok((Verdict::Fail, "it never opened".into())),
        },
    }
}

/// Of a time between two, only what holds or fails for both is said.
fn between(condition: Threshold, found: Within) -> Verdict {
    let ends = [found.from, found.to.unwrap_or(f64::INFINITY)];
    match ends.map(|end| condition.holds(end)) {
        [true, true] => Verdict::Pass,
        [false, false] => Verdict::Fail,
        _ => Verdict::Inconclusive,
    }
}

/// `100 calls, 3 errors: timeout 3`.
fn evidence(edge: &Edge) -> Vec<String> {
    let endings: Vec<String> = edge
        .endings
        .iter()
        .map(|(e, n)| format!("{e} {n}"))
        .collect();
    let endings = match endings.is_empty() {
        true => String::new(),
        false => format!(": {}", endings.join(", ")),
    };
    let calls = match (&edge.event, edge.published) {
        (Some(_), Some(n)) => format!("{n} published, {} handled", edge.calls),
        _ => format!("{} calls", edge.calls),
    };
    vec![format!("{calls}, {} errors{endings}", edge.errors)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};
    use model::{
        Comparison, Fact, PodCounts,
        telemetry::{Calls, Events},
    };

    fn room(ok: u64, timeouts: u64, asked: bool) -> Story {
        let calls = Calls {
            endings: [("2xx".to_string(), ok), ("timeout".to_string(), timeouts)].into(),
            seconds: 0.004 * ok as f64,
            buckets: vec![(0.0025, 0), (0.005, ok)],
        };
        let counts = PodCounts {
            pod: "room-1".into(),
            service: "room".into(),
            calls: [("auth".to_string(), calls)].into(),
            events: [(
                "Registered".to_string(),
                Events {
                    published: ok,
                    ..Events::default()
                },
            )]
            .into(),
        };
        let pods = if asked {
            vec!["room-1".to_string()]
        } else {
            vec![]
        };
        Story::rollout()
            .with(ms(2900), Fact::Counted(counts))
            .with(ms(3400), Fact::Asked { pods })
    }

    fn found(
        metric: EdgeMetric,
        (comparison, value): (Comparison, f64),
        (from, to, event): (&str, &str, Option<&str>),
        story: &Story,
    ) -> Finding {
        let (plan, timeline) = (story.plan(), story.timeline());
        let which = Which {
            from: Some(from),
            to,
            event,
        };
        let condition = Threshold { comparison, value };
        check(
            metric,
            condition,
            &which,
            &graph::of(&plan, &timeline),
            &timeline,
        )
    }

    const AT_LEAST_100: (Comparison, f64) = (Comparison::GreaterOrEqual, 100.0);
    const CALL: (&str, &str, Option<&str>) = ("room", "auth", None);

    #[test]
    fn calls_pass_fail_and_cannot_be_told_without_metrics() {
        let calls = |edge, story: &Story| found(EdgeMetric::Calls, AT_LEAST_100, edge, story);
        let passes = calls(CALL, &room(98, 2, true));
        assert_eq!((passes.verdict, &*passes.measured), (Verdict::Pass, "100"));
        assert_eq!(passes.evidence, ["100 calls, 2 errors: timeout 2"]);
        assert_eq!(passes.target, "calls of room → auth >= 100");

        assert_eq!(calls(CALL, &room(98, 0, true)).verdict, Verdict::Fail);
        assert_eq!(
            calls(("room", "pay", None), &room(98, 2, true)).verdict,
            Verdict::Fail
        );

        let untold = calls(CALL, &Story::rollout());
        assert_eq!(untold.verdict, Verdict::Inconclusive);
        assert_eq!(untold.because, "no metrics of room were seen");
    }

    #[test]
    fn counts_of_a_pod_that_ended_early_are_at_least_so_many() {
        let least = found(EdgeMetric::Calls, AT_LEAST_100, CALL, &room(98, 0, false));
        assert_eq!(
            (least.verdict, &*least.measured),
            (Verdict::Inconclusive, "at least 98")
        );
        let none = (Comparison::Equal, 0.0);
        let never = found(
            EdgeMetric::Calls,
            none,
            ("room", "pay", None),
            &room(9, 0, false),
        );
        assert_eq!(never.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_percentile_of_a_histogram_passes_fails_or_lies_across_the_threshold() {
        let p99 = |limit, story: &Story| {
            found(
                EdgeMetric::LatencyP99,
                (Comparison::LessOrEqual, limit),
                CALL,
                story,
            )
        };
        let passes = p99(0.25, &room(100, 0, true));
        assert_eq!(
            (passes.verdict, &*passes.measured),
            (Verdict::Pass, "≤ 5.0 ms")
        );
        assert_eq!(p99(0.002, &room(100, 0, true)).verdict, Verdict::Fail);
        assert_eq!(
            p99(0.003, &room(100, 0, true)).verdict,
            Verdict::Inconclusive
        );
        assert_eq!(p99(0.25, &room(3, 0, true)).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn where_nothing_was_called_nothing_could_fail() {
        let none = (Comparison::Equal, 0.0);
        let some = (Comparison::GreaterOrEqual, 1.0);
        let idle = room(9, 0, true);
        let errors =
            |condition| found(EdgeMetric::Errors, condition, ("room", "pay", None), &idle).verdict;
        assert_eq!(errors(none), Verdict::Inconclusive);
        assert_eq!(errors(some), Verdict::Fail);
        let calls = found(EdgeMetric::Calls, none, ("room", "pay", None), &idle);
        assert_eq!(calls.verdict, Verdict::Pass);
    }

    #[test]
    fn a_share_of_errors_passes_and_fails() {
        let none = (Comparison::Equal, 0.0);
        let share = |story: &Story| found(EdgeMetric::ErrorRatio, none, CALL, story).verdict;
        assert_eq!(share(&room(100, 0, true)), Verdict::Pass);
        assert_eq!(share(&room(100, 1, true)), Verdict::Fail);
    }

    #[test]
    fn events_are_judged_by_who_handled_them_and_not_without_its_metrics() {
        let edge = ("room", "alarm", Some("Registered"));
        let heard = |handled: Option<u64>| {
            let story = room(100, 0, true);
            let story = match handled {
                None => story,
                Some(handled) => story
                    .with(
                        ms(2950),
                        Fact::Counted(PodCounts {
                            pod: "alarm-1".into(),
                            service: "alarm".into(),
                            events: [(
                                "Registered".to_string(),
                                Events {
                                    handled,
                                    ..Events::default()
                                },
                            )]
                            .into(),
                            ..PodCounts::default()
                        }),
                    )
                    .with(
                        ms(3401),
                        Fact::Asked {
                            pods: vec!["room-1".into(), "alarm-1".into()],
                        },
                    ),
            };
            found(EdgeMetric::Calls, AT_LEAST_100, edge, &story).verdict
        };
        assert_eq!(heard(Some(100)), Verdict::Pass);
        assert_eq!(heard(Some(0)), Verdict::Fail);
        assert_eq!(heard(None), Verdict::Inconclusive);
    }

    #[test]
    fn a_breaker_that_nobody_saw_cannot_be_judged() {
        let opened = found(
            EdgeMetric::BreakerOpened,
            AT_LEAST_100,
            CALL,
            &room(100, 0, true),
        );
        assert_eq!(opened.because, "room → auth: no breaker was seen there");
    }

    #[test]
    fn the_load_workers_own_edge_needs_no_metrics() {
        let story = Story::rollout();
        let edge = (LOAD_WORKER, "review", None);
        let verdict = found(EdgeMetric::Calls, AT_LEAST_100, edge, &story).verdict;
        assert_eq!(verdict, Verdict::Pass);
    }
}
