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
