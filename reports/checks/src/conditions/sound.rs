//! MeasurementSound: what the harness did not see, and what was its machine's doing, changes nothing that was asked.
use super::{SOUND, concluded};
use crate::soundness::{Soundness, Weighed};
use model::{Finding, Whose};

pub(super) fn check(sound: &Soundness, weighed: &[Weighed]) -> Finding {
    let missing = weighed.iter().filter(|w| w.finding.counts);
    let missing = missing.filter_map(|w| {
        let doubt = w.doubt.as_ref()?;
        Some(format!("{doubt}: “{}” cannot be told", w.finding.check))
    });
    let evidence: Vec<String> = sound
        .loads
        .iter()
        .flat_map(|load| {
            let unknown = load.said(Whose::Unknown);
            let machine = load.said(Whose::Machine);
            let asked = format!(
                "the canary was asked {} times beside “{}”",
                load.asked(),
                load.step
            );
            unknown
                .into_iter()
                .chain(machine)
                .chain((load.asked() > 0).then_some(asked))
        })
        .collect();
    let met = match sound.doubts().is_empty() {
        true => "nothing is unknown, and nothing was the machine's doing",
        false => "what is unknown or the machine's doing changes no objective",
    };
    concluded(SOUND, met, evidence, missing.collect())
}
