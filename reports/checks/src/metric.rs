//! A figure of a load against a threshold.
use crate::sample::{Sample, percentile, percentile_of_all};
use crate::unmet;
use crate::{count, offset};
use model::{
    Comparison, Finding, Metric, Micros, RequestFact, Threshold, Verdict, Window, metric::Unit,
};

/// With fewer requests, ratios, percentiles and windows say nothing: one failure more or less would move a ratio by over 2 %.
pub(crate) const SAMPLES_MIN: u64 = 50;

/// A 99th percentile of fewer requests would be their maximum.
const P99_SAMPLES_MIN: u64 = 100;

/// The same for a percentile of a thousand.
const P999_SAMPLES_MIN: u64 = 1000;

/// So many windows are named as evidence.
const EVIDENCE_MAX: usize = 5;

/// A measured figure. Windows that were cut off by the end of the load are only known to be at least so long.
pub(crate) struct Figure {
    pub value: f64,
    pub at_least: bool,
}

pub(crate) fn check(
    metric: Metric,
    condition: Threshold,
    sample: &Sample,
    windows: &[Window],
) -> Finding {
    let windows: Vec<&Window> = windows.iter().filter(|w| w.step == sample.step).collect();
    let unit = metric.unit();
    let finding = |verdict, because: String| Finding {
        target: format!("{} {}", metric.word(), condition.write(unit)),
        ..Finding::new(metric.word(), verdict, because)
    };
    if let Some(missing) = too_few(metric, sample) {
        return finding(Verdict::Inconclusive, missing);
    }
    let figure = measure(metric, sample, &windows, 0);
    let seen = decide(condition, &figure);
    let verdict = match seen {
        Verdict::Pass if hangs_on_dropped(metric, condition, sample, &windows) => {
            Verdict::Inconclusive
        }
        seen => seen,
    };
    let open = match (figure.at_least, seen, verdict) {
        (true, Verdict::Inconclusive, _) => {
            "; the load ended inside a window, which may have been longer".into()
        }
        (_, Verdict::Pass, Verdict::Inconclusive) => unsent(sample.dropped),
        _ => String::new(),
    };
    let timed = percentile_of(metric).is_some();
    let lines = windows.iter().filter(|_| !timed).take(EVIDENCE_MAX);
    let written = unit.write(figure.value);
    Finding {
        measured: match figure.at_least {
            true => format!("at least {written}"),
            false => written.clone(),
        },
        evidence: lines.map(|w| line(w)).chain(unmet::lines(sample)).collect(),
        ..finding(
            verdict,
            format!("{}{open}", because(metric, sample, &written)),
        )
    }
}

/// Which percentile a metric is, and whether of the good requests alone: else a failed one took for ever.
fn percentile_of(metric: Metric) -> Option<(f64, bool)> {
    match metric {
        Metric::LatencyP50 => Some((0.5, false)),
        Metric::LatencyP90 => Some((0.9, false)),
        Metric::LatencyP99 => Some((0.99, false)),
        Metric::LatencyP999 => Some((0.999, false)),
        Metric::LatencyGoodP50 => Some((0.5, true)),
        Metric::LatencyGoodP90 => Some((0.9, true)),
        Metric::LatencyGoodP99 => Some((0.99, true)),
        Metric::LatencyGoodP999 => Some((0.999, true)),
        _ => None,
    }
}

/// Whether what holds would not, had the requests that were not sent failed.
fn hangs_on_dropped(
    metric: Metric,
    condition: Threshold,
    sample: &Sample,
    windows: &[&Window],
) -> bool {
    let at_worst = measure(metric, sample, windows, sample.dropped);
    let none_at_all = matches!(
        metric,
        Metric::UnavailabilityWindows | Metric::UnavailabilityLongest | Metric::UnavailabilityTotal
    ) && condition.value == 0.0;
    sample.dropped > 0 && (none_at_all || decide(condition, &at_worst) != Verdict::Pass)
}

fn unsent(dropped: u64) -> String {
    let n = count(dropped, "request");
    format!("; {n} could not be sent when due, and had they failed this would not hold")
}

fn because(metric: Metric, sample: &Sample, written: &str) -> String {
    let (n, good, step) = (count(sample.len(), "request"), sample.good(), sample.step);
    match percentile_of(metric) {
        Some((p, true)) => {
            let good = count(good, "good request");
            return format!("{} of {good} of “{step}” took at most {written}", share(p));
        }
        Some((_, false)) if written == NEVER => {
            let (failed, word) = (sample.len() - good, metric.word());
            return format!(
                "{failed} of {n} of “{step}” were not answered well, and for {word} those took for ever"
            );
        }
        Some((p, false)) => {
            return format!("{} of {n} of “{step}” took at most {written}", share(p));
        }
        None => {}
    }
    match metric {
        Metric::ErrorsOf(kind) => {
            let word = kind.word();
            format!("{written} of {n} of “{step}” failed with {word}")
        }
        Metric::Status(code) => {
            format!("{written} of {n} of “{step}” were answered with HTTP {code}")
        }
        Metric::Throughput => {
            let good = count(good, "good answer");
            format!("{good} of “{step}”, {written}")
        }
        Metric::Requests => format!("“{step}” sent {n}"),
        _ => format!(
            "{good} of {n} of “{step}” answered well{}",
            unmet::clause(sample)
        ),
    }
}

/// How a time is written that never comes to its end.
const NEVER: &str = "never";

fn share(p: f64) -> String {
    match p {
        0.5 => "half".into(),
        p => Unit::Ratio.write(p),
    }
}

fn too_few(metric: Metric, sample: &Sample) -> Option<String> {
    let (needed, has) = match metric {
        Metric::Requests | Metric::Errors | Metric::ErrorsOf(_) | Metric::Status(_) => {
            (1, sample.len())
        }
        Metric::LatencyP999 => (P999_SAMPLES_MIN, sample.len()),
        Metric::LatencyP99 => (P99_SAMPLES_MIN, sample.len()),
        Metric::LatencyGoodP999 => (P999_SAMPLES_MIN, sample.good()),
        Metric::LatencyGoodP99 => (P99_SAMPLES_MIN, sample.good()),
        Metric::LatencyGoodP50 | Metric::LatencyGoodP90 => (SAMPLES_MIN, sample.good()),
        _ => (SAMPLES_MIN, sample.len()),
    };
    (has < needed).then(|| {
        format!(
            "{} of “{}” on the timeline, and {} needs at least {needed}",
            count(has, "request"),
            sample.step,
            metric.word()
        )
    })
}

/// What the requests come to, with so many more that failed.
fn measure(metric: Metric, sample: &Sample, windows: &[&Window], failed: u64) -> Figure {
    let all = sample.len() + sample.waits.len() as u64 + failed;
    let value = match percentile_of(metric) {
        Some((p, true)) => percentile(&sample.times().0, p),
        Some((p, false)) => percentile_of_all(&sample.times().0, all, p),
        None => counted(metric, sample, windows, failed),
    };
    let length = matches!(
        metric,
        Metric::UnavailabilityLongest | Metric::UnavailabilityTotal
    );
    Figure {
        value,
        at_least: length && windows.iter().any(|w| w.open_ended),
    }
}

fn counted(metric: Metric, sample: &Sample, windows: &[&Window], failed: u64) -> f64 {
    let (n, good) = ((sample.len() + failed) as f64, sample.good() as f64);
    let lengths = || windows.iter().map(|w| w.length());
    match metric {
        Metric::Availability => good / n,
        Metric::ErrorRatio => (n - good) / n,
        Metric::Errors => n - good,
        Metric::UnavailabilityWindows => windows.len() as f64,
        Metric::UnavailabilityLongest => lengths().max().unwrap_or_default().as_secs_f64(),
        Metric::UnavailabilityTotal => lengths().sum::<Micros>().as_secs_f64(),
        Metric::ErrorsOf(kind) => matching(sample, |r| r.error == Some(kind)) + failed as f64,
        Metric::Status(code) => {
            matching(sample, |r| r.error.is_none() && r.status == Some(code)) + failed as f64
        }
        Metric::Throughput => {
            let (from, to) = sample.span().unwrap_or_default();
            good / to.saturating_sub(from).as_secs_f64()
        }
        Metric::Requests => sample.len() as f64,
        // A percentile is measured, not counted.
        _ => f64::NAN,
    }
}

fn matching(sample: &Sample, is: impl Fn(&RequestFact) -> bool) -> f64 {
    let found = sample.requests.iter().filter(|(_, r)| is(r));
    found.count() as f64
}

/// Of a figure that may be larger than measured, only what holds or fails for every larger one is said.
pub(crate) fn decide(condition: Threshold, figure: &Figure) -> Verdict {
    let holds = condition.holds(figure.value);
    if !figure.at_least {
        return if holds { Verdict::Pass } else { Verdict::Fail };
    }
    let beyond = figure.value > condition.value;
    match condition.comparison {
        Comparison::Less | Comparison::LessOrEqual if !holds => Verdict::Fail,
        Comparison::Equal if beyond => Verdict::Fail,
        Comparison::Greater | Comparison::GreaterOrEqual if holds => Verdict::Pass,
        Comparison::NotEqual if beyond => Verdict::Pass,
        _ => Verdict::Inconclusive,
    }
}

/// `+2.300 s to +2.500 s down, 20 failed: connectionRefused 20, after roll`.
fn line(window: &Window) -> String {
    let kinds: Vec<String> = window
        .kinds
        .iter()
        .map(|(k, n)| format!("{k} {n}"))
        .collect();
    let state = match window.state {
        model::WindowState::Down => "down",
        model::WindowState::Degraded => "degraded",
    };
    let fault = match &window.fault {
        Some(fault) => format!(", after “{fault}”"),
        None => ", no fault of ours".into(),
    };
    format!(
        "{} to {} {state}, {} failed: {}{fault}",
        offset(window.from),
        offset(window.to),
        window.failed,
        kinds.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixture::Story, windows};
    use model::Fact;

    fn found(metric: Metric, comparison: Comparison, value: f64, story: &Story) -> Finding {
        let timeline = story.timeline();
        let windows = windows::of_step("siege", &timeline);
        let condition = Threshold { comparison, value };
        check(metric, condition, &Sample::of(&timeline, "siege"), &windows)
    }

    #[test]
    fn availability_passes_fails_and_cannot_be_told() {
        let all = |story: &Story| found(Metric::Availability, Comparison::Equal, 1.0, story);
        let passes = all(&Story::rollout());
        assert_eq!(passes.verdict, Verdict::Pass);
        assert_eq!(passes.target, "availability == 100 %");
        assert_eq!(
            passes.because,
            "100 of 100 requests of “siege” answered well"
        );

        let fails = all(&Story::rollout().failing(2300..2500));
        assert_eq!(fails.verdict, Verdict::Fail);
        assert_eq!(fails.measured, "80 %");
        assert_eq!(
            fails.evidence,
            ["+2.300 s to +2.500 s down, 20 failed: connectionRefused 20, after “roll”"]
        );

        let few = all(&Story::rollout().requests_until(2490));
        assert_eq!(few.verdict, Verdict::Inconclusive);
        assert_eq!(
            few.because,
            "49 requests of “siege” on the timeline, and availability needs at least 50"
        );
    }

    #[test]
    fn the_longest_window_passes_fails_and_cannot_be_told_when_the_load_ended_inside_it() {
        let below = |limit, story: &Story| {
            found(
                Metric::UnavailabilityLongest,
                Comparison::LessOrEqual,
                limit,
                story,
            )
            .verdict
        };
        let outage = Story::rollout().failing(2300..2500);
        assert_eq!(below(0.3, &outage), Verdict::Pass);
        assert_eq!(below(0.1, &outage), Verdict::Fail);
        let cut = Story::rollout().failing(2900..3000);
        assert_eq!(below(0.3, &cut), Verdict::Inconclusive);
        assert_eq!(below(0.05, &cut), Verdict::Fail);
    }

    #[test]
    fn a_window_that_must_be_long_is_long_enough_even_if_its_end_was_not_seen() {
        let cut = Story::rollout().failing(2900..3000);
        let above = |limit| {
            found(
                Metric::UnavailabilityLongest,
                Comparison::Greater,
                limit,
                &cut,
            )
            .verdict
        };
        assert_eq!(above(0.05), Verdict::Pass);
        assert_eq!(above(0.3), Verdict::Inconclusive);
    }

    #[test]
    fn response_times_count_from_when_a_request_was_due() {
        let late = Story::rollout().sent_late(2500, 400);
        let p99 = found(Metric::LatencyP99, Comparison::Less, 0.1, &late);
        assert_eq!((p99.verdict, &*p99.measured), (Verdict::Pass, "2.0 ms"));
        let all_late = (2000..3000)
            .step_by(10)
            .fold(late, |s, at| s.sent_late(at, 400));
        let p50 = found(Metric::LatencyP50, Comparison::Less, 0.1, &all_late);
        assert_eq!((p50.verdict, &*p50.measured), (Verdict::Fail, "402.0 ms"));
    }

    #[test]
    fn a_latency_objective_takes_a_failed_request_as_never_answered() {
        let p90 = |story: &Story| found(Metric::LatencyP90, Comparison::LessOrEqual, 0.1, story);
        let few = p90(&Story::rollout().failing(2300..2400));
        assert_eq!((few.verdict, &*few.measured), (Verdict::Pass, "2.0 ms"));
        let third = Story::rollout().failing(2300..2600);
        let never = p90(&third);
        assert_eq!((never.verdict, &*never.measured), (Verdict::Fail, "never"));
        assert_eq!(
            never.because,
            "30 of 100 requests of “siege” were not answered well, and for latency.p90 those took for ever"
        );
        let good = found(Metric::LatencyGoodP90, Comparison::LessOrEqual, 0.1, &third);
        assert_eq!(
            (good.verdict, &*good.because),
            (
                Verdict::Pass,
                "90 % of 70 good requests of “siege” took at most 2.0 ms"
            )
        );
    }

    #[test]
    fn what_is_asked_of_all_requests_cannot_be_told_where_some_were_dropped() {
        let dropping = |n| {
            let ended = Fact::LoadEnded {
                step: "siege".into(),
                finished: 100,
                dropped: n,
                lag_max: Micros::ZERO,
                cut_short: None,
            };
            Story::rollout().with(Micros::from_millis(3001), ended)
        };
        let exact = [
            (Metric::Availability, Comparison::Equal, 1.0),
            (Metric::Availability, Comparison::GreaterOrEqual, 1.0),
            (Metric::Errors, Comparison::Equal, 0.0),
            (Metric::ErrorRatio, Comparison::Equal, 0.0),
            (Metric::UnavailabilityLongest, Comparison::Equal, 0.0),
        ];
        for (metric, comparison, value) in exact {
            let verdict = |story: &Story| found(metric, comparison, value, story).verdict;
            assert_eq!(verdict(&dropping(1)), Verdict::Inconclusive, "{metric:?}");
            assert_eq!(verdict(&dropping(0)), Verdict::Pass, "{metric:?}");
            let failing = dropping(1).failing(2300..2400);
            assert_eq!(verdict(&failing), Verdict::Fail, "{metric:?}");
        }
        let most =
            |story: &Story| found(Metric::Availability, Comparison::GreaterOrEqual, 0.9, story);
        assert_eq!(most(&dropping(1)).verdict, Verdict::Pass);
        assert_eq!(
            most(&dropping(30)).because,
            "100 of 100 requests of “siege” answered well; 30 requests could not be sent when due, and had they failed this would not hold"
        );
    }

    #[test]
    fn an_answer_that_is_not_as_expected_is_a_failed_request_and_says_why() {
        let wrong = Story::rollout().unexpected(2300..2500, "$.price is 0, expected 10");
        let finding = found(Metric::Availability, Comparison::Equal, 1.0, &wrong);
        assert_eq!(finding.verdict, Verdict::Fail);
        assert_eq!(
            finding.because,
            "80 of 100 requests of “siege” answered well; 20 answers not as expected, the first: $.price is 0, expected 10"
        );
        assert_eq!(
            finding.evidence,
            [
                "+2.300 s to +2.500 s down, 20 failed: HTTP 200, not as expected 20, after “roll”",
                "+2.302 s not as expected: $.price is 0, expected 10"
            ]
        );
    }

    #[test]
    fn errors_and_answers_are_counted_by_kind_and_good_ones_by_the_second() {
        let outage = Story::rollout().failing(2300..2500);
        let refused = Metric::ErrorsOf(model::ErrorKind::ConnectionRefused);
        let is = |metric, value| found(metric, Comparison::Equal, value, &outage).verdict;
        assert_eq!(
            (is(refused, 20.0), is(refused, 0.0)),
            (Verdict::Pass, Verdict::Fail)
        );
        assert_eq!(
            (is(Metric::Status(200), 80.0), is(Metric::Status(503), 0.0)),
            (Verdict::Pass, Verdict::Pass)
        );
        let above = |limit| found(Metric::Throughput, Comparison::Greater, limit, &outage);
        assert_eq!(
            (above(80.0).verdict, above(81.0).verdict),
            (Verdict::Pass, Verdict::Fail)
        );
        assert_eq!(above(80.0).target, "throughput > 80/s");
        let few = found(Metric::LatencyP999, Comparison::Less, 1.0, &outage);
        assert_eq!(few.verdict, Verdict::Inconclusive);
        let none = found(
            Metric::Status(503),
            Comparison::Equal,
            0.0,
            &Story::rollout().requests_until(0),
        );
        assert_eq!(none.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn one_failed_request_is_enough_to_count_errors() {
        let errors = |story: &Story| found(Metric::Errors, Comparison::Equal, 0.0, story).verdict;
        assert_eq!(errors(&Story::rollout()), Verdict::Pass);
        assert_eq!(errors(&Story::rollout().failing(2300..2310)), Verdict::Fail);
        assert_eq!(
            errors(&Story::rollout().requests_until(0)),
            Verdict::Inconclusive
        );
    }
}
