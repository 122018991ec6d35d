//! Whether a check says the same whatever happened in the time that is in doubt.
use super::{
    Soundness,
    worlds::{Failing, bad, good},
};
use model::{Check, CheckKind, ErrorKind, Finding, Metric, Timeline, Verdict, Whose};

/// What a check says, and why that does not stand, if it does not.
pub(crate) struct Weighed {
    pub finding: Finding,
    pub doubt: Option<String>,
}

/// A run as it was seen, and as it may have been.
pub(crate) struct Scales<'a> {
    sound: &'a Soundness,
    seen: &'a Timeline,
    good: Option<Timeline>,
    bad: Option<Timeline>,
}

/// How most checks count a request of which nothing is known.
const FAILING: Failing = Failing::With(ErrorKind::Timeout);

impl<'a> Scales<'a> {
    pub fn new(sound: &'a Soundness, seen: &'a Timeline) -> Scales<'a> {
        Scales {
            sound,
            seen,
            good: good(&sound.loads, seen),
            bad: bad(&sound.loads, seen, FAILING),
        }
    }

    /// Asks a check of each.
    pub fn weigh(&self, check: &Check, perform: impl Fn(&Timeline) -> Finding) -> Weighed {
        let finding = perform(self.seen);
        let doubt = match finding.verdict {
            Verdict::Inconclusive => None,
            seen => self.doubt(check, seen, perform),
        };
        match doubt {
            None => Weighed { finding, doubt },
            Some(why) => Weighed {
                finding: Finding {
                    verdict: Verdict::Inconclusive,
                    because: format!(
                        "cannot be told, because {why}; what was seen: {}",
                        finding.because
                    ),
                    ..finding
                },
                doubt: Some(why),
            },
        }
    }

    fn doubt(
        &self,
        check: &Check,
        seen: Verdict,
        perform: impl Fn(&Timeline) -> Finding,
    ) -> Option<String> {
        let differs =
            |world: Option<&Timeline>| world.is_some_and(|world| perform(world).verdict != seen);
        let nothing_went_well = match failing(check) {
            FAILING => differs(self.bad.as_ref()),
            otherwise => differs(bad(&self.sound.loads, self.seen, otherwise).as_ref()),
        };
        if nothing_went_well {
            return Some(not_known(self.sound));
        }
        if differs(self.good.as_ref()) {
            return Some(of_machine(self.sound));
        }
        match self.sound.machine.busy() {
            Some(busy) if seen == Verdict::Fail && waits(&check.kind) => Some(busy),
            _ => None,
        }
    }
}

/// What is asked decides how it would count.
fn failing(check: &Check) -> Failing {
    match check.kind {
        CheckKind::Metric {
            metric: Metric::ErrorsOf(kind),
            ..
        } => Failing::With(kind),
        CheckKind::Metric {
            metric: Metric::Status(code),
            ..
        } => Failing::Status(code),
        _ => FAILING,
    }
}

fn not_known(sound: &Soundness) -> String {
    said(sound, &[Whose::Unknown, Whose::Machine])
}

fn of_machine(sound: &Soundness) -> String {
    said(sound, &[Whose::Machine, Whose::Unknown])
}

/// The first that there is; if the canary was well and everything was sent, the machine had no time to spare.
fn said(sound: &Soundness, kinds: &[Whose]) -> String {
    let all = kinds
        .iter()
        .flat_map(|whose| sound.loads.iter().filter_map(|load| load.said(*whose)));
    all.chain(sound.machine.busy())
        .next()
        .unwrap_or_else(|| "the machine had no processor time to spare meanwhile".into())
}

/// True of a check that fails when something comes late, which a busy machine can bring about.
fn waits(kind: &CheckKind) -> bool {
    match kind {
        CheckKind::Metric { .. }
        | CheckKind::FailuresAre { .. }
        | CheckKind::Unique { .. }
        | CheckKind::NoDuplicates { .. } => false,
        CheckKind::Workload { .. }
        | CheckKind::Edge { .. }
        | CheckKind::Responses { .. }
        | CheckKind::Output { .. }
        | CheckKind::Logged { .. }
        | CheckKind::Awaited { .. }
        | CheckKind::ReplacementInside { .. }
        | CheckKind::EndpointsNeverEmpty { .. }
        | CheckKind::NoLostAckedWrites { .. }
        | CheckKind::Conserved { .. }
        | CheckKind::SagaTerminates { .. }
        | CheckKind::Converges { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        fixture::{Story, ms},
        judge,
    };
    use model::{
        CanaryAsk, Check, CheckKind, Comparison, ErrorKind, Fact, Metric, Micros, Pressure,
        Process, Severity, Stall, Threshold, Unsent, Verdict, WorkloadMetric, observation::Phase,
    };

    fn asking(story: Story, metric: Metric, comparison: Comparison, value: f64) -> Story {
        story.asking(vec![Check {
            name: "asked".into(),
            severity: Severity::Fail,
            kind: CheckKind::Metric {
                metric,
                condition: Threshold { comparison, value },
                step: "siege".into(),
            },
        }])
    }

    fn judged(story: Story) -> (Verdict, String) {
        let judgement = judge(&story.plan(), &story.timeline());
        (judgement.verdict, judgement.reason)
    }

    fn all_answered(story: Story) -> Story {
        asking(story, Metric::Availability, Comparison::Equal, 1.0)
    }

    /// The worker does nothing from 2.3 to 2.5 s: what was due then is sent at the end of that.
    fn still() -> Story {
        let stall = Stall {
            process: Process::Worker("siege".into()),
            until: ms(2500),
        };
        let story = Story::rollout().with(ms(2295), Fact::Stalled(stall));
        (2300..2500)
            .step_by(10)
            .fold(story, |s, due| s.sent_late(due, 2500 - due))
    }

    /// The canary is asked each 50 ms and takes so long from 2.3 to 2.5 s.
    fn canary(story: Story, took: u64, failed: Option<&str>) -> Story {
        (2000..3000).step_by(50).fold(story, |s, due| {
            let is_slow = (2300..2500).contains(&due);
            let ask = CanaryAsk {
                step: "siege".into(),
                sent: ms(due),
                done: ms(due + if is_slow { took } else { 1 }),
                failed: failed.filter(|_| is_slow).map(str::to_owned),
            };
            s.with(ms(due), Fact::Canary(ask))
        })
    }

    #[test]
    fn a_pass_does_not_stand_when_its_worker_stood_still_over_the_time_of_an_outage() {
        let (verdict, reason) = judged(all_answered(still()));
        assert_eq!(verdict, Verdict::Inconclusive);
        assert_eq!(
            reason,
            "MeasurementSound: 210.0 ms of 992.0 ms of “siege” is unknown, the longest stretch from +2.290 s for 210.0 ms, \
             because the load worker of “siege” stood still: “asked” cannot be told"
        );
    }

    #[test]
    fn what_is_unknown_changes_nothing_that_holds_all_the_same() {
        let most = asking(
            still(),
            Metric::Availability,
            Comparison::GreaterOrEqual,
            0.5,
        );
        assert_eq!(judged(most).0, Verdict::Pass);
        let too_many = asking(still(), Metric::Errors, Comparison::GreaterOrEqual, 50.0);
        assert_eq!(judged(too_many).0, Verdict::Fail);
    }

    #[test]
    fn an_unknown_stretch_may_have_been_an_outage_of_its_length() {
        let longest = |limit| {
            let metric = Metric::UnavailabilityLongest;
            judged(asking(still(), metric, Comparison::LessOrEqual, limit)).0
        };
        assert_eq!(longest(0.1), Verdict::Inconclusive);
        assert_eq!(longest(0.3), Verdict::Pass);
    }

    #[test]
    fn time_outs_while_the_canary_was_slow_may_be_the_machine_s() {
        let failing = || Story::rollout().failing_with(2300..2500, ErrorKind::Timeout);
        assert_eq!(
            judged(all_answered(canary(failing(), 1, None))).0,
            Verdict::Fail
        );
        let (verdict, reason) = judged(all_answered(canary(failing(), 120, None)));
        assert_eq!(verdict, Verdict::Inconclusive);
        assert!(
            reason.contains("the canary took up to 120.0 ms"),
            "{reason}"
        );
    }

    #[test]
    fn a_refusal_is_the_system_s_unless_the_canary_failed_as_well() {
        let failing = || Story::rollout().failing(2300..2500);
        assert_eq!(
            judged(all_answered(canary(failing(), 120, None))).0,
            Verdict::Fail
        );
        let silent = canary(failing(), 120, Some("timeout"));
        let (verdict, reason) = judged(all_answered(silent));
        assert_eq!(verdict, Verdict::Inconclusive);
        assert!(reason.contains("the canary did not answer"), "{reason}");
    }

    #[test]
    fn a_request_that_the_machine_had_no_descriptor_for_says_nothing_of_the_system() {
        let failing = Story::rollout().failing_with(2300..2310, ErrorKind::Exhausted);
        assert_eq!(judged(all_answered(failing)).0, Verdict::Inconclusive);
    }

    #[test]
    fn slow_answers_are_the_machine_s_as_far_as_the_canary_was_as_slow() {
        let slow = || {
            (2000..3000)
                .step_by(10)
                .fold(Story::rollout(), |s, at| s.answered_late(at, 100))
        };
        let fast = |story| asking(story, Metric::LatencyP50, Comparison::Less, 0.05);
        assert_eq!(judged(fast(canary(slow(), 1, None))).0, Verdict::Fail);
        let all_slow = (2000..3000).step_by(50).fold(slow(), |s, due| {
            let ask = CanaryAsk {
                step: "siege".into(),
                sent: ms(due),
                done: ms(due + 80),
                failed: None,
            };
            s.with(ms(due), Fact::Canary(ask))
        });
        assert_eq!(judged(fast(all_slow)).0, Verdict::Inconclusive);
    }

    #[test]
    fn requests_that_were_never_sent_might_have_failed() {
        let unsent = Unsent {
            step: "siege".into(),
            until: ms(2600),
            count: 10,
        };
        let story = Story::rollout().with(ms(2510), Fact::Unsent(unsent));
        assert_eq!(judged(all_answered(story)).0, Verdict::Inconclusive);
    }

    #[test]
    fn what_waits_for_something_may_be_late_on_a_busy_machine() {
        let restarted = |waiting: f64| {
            let pressure = Pressure {
                process: Process::Brownout,
                until: ms(3000),
                waiting,
                throttled: 0.0,
            };
            let replicas = Fact::Replicas {
                deployment: "review".into(),
                desired: 1,
                updated: 1,
                ready: 1,
                available: 1,
            };
            let asked = Check {
                name: "scaled".into(),
                severity: Severity::Fail,
                kind: CheckKind::Workload {
                    metric: WorkloadMetric::ReplicasMax,
                    condition: Threshold {
                        comparison: Comparison::Equal,
                        value: 3.0,
                    },
                    workload: "review".into(),
                    step: None,
                },
            };
            let phase = |phase| Fact::Phase { phase };
            judged(
                Story::rollout()
                    .with(Micros::ZERO, replicas)
                    .with(ms(1900), phase(Phase::Running))
                    .with(ms(2000), Fact::Pressed(pressure))
                    .with(ms(3200), phase(Phase::Recovering))
                    .asking(vec![asked]),
            )
            .0
        };
        assert_eq!(restarted(0.3), Verdict::Fail);
        assert_eq!(restarted(0.95), Verdict::Inconclusive);
    }
}
