//! Blows against pods: for each its pod, its time, what it cost, and how long its workload took to be ready again.
use crate::words;
use maud::{Markup, html};
use model::{ArmReport, Micros, report::Blow};

/// So many blows are listed; `result.json` has them all.
const BLOWS_MAX: usize = 200;

pub(super) fn of(arm: &ArmReport, step: &str) -> Markup {
    let all = arm.judgement.blows.iter().filter(|b| b.step == step);
    let blows: Vec<&Blow> = all.collect();
    html! {
        @if !blows.is_empty() {
            (summary(&blows))
            table.plain.blows {
                thead { tr {
                    th.number { "Blow" } th.number { "Time" } th { "Pod" } th.number { "Requests failed for" }
                    th.number { "Failed" } th.number { "Ready again after" }
                } }
                tbody { @for blow in blows.iter().take(BLOWS_MAX) { (row(blow)) } }
            }
            @if blows.len() > BLOWS_MAX { p.note { "The others are in " code { "result.json" } "." } }
            p.note {
                "A window of failed requests belongs to the latest blow that was dealt before it began, if its workload had not yet \
                 recovered."
            }
        }
    }
}

fn row(blow: &Blow) -> Markup {
    let failed: u64 = blow.outages.iter().map(|o| o.failed).sum();
    html! {
        tr {
            td.number { (blow.number) }
            td.number { (words::offset(blow.at)) }
            td { (blow.pod) }
            td.number { @if blow.outages.is_empty() { "–" } @else { (outage(blow)) } }
            td.number { @if failed > 0 { (failed) } @else { "–" } }
            td.number {
                @match (blow.recovered, blow.overtaken) {
                    (Some(at), _) => { (at.saturating_sub(blow.at)) }
                    (None, Some(_)) => "struck again before",
                    (None, None) => "not seen"
                }
            }
        }
    }
}

fn outage(blow: &Blow) -> Micros {
    blow.outages
        .iter()
        .map(|o| o.to.saturating_sub(o.from))
        .sum()
}

/// `24 blows; requests failed after 12 of them, for 1.2 s in the middle and 3.4 s at most; …`
fn summary(blows: &[&Blow]) -> Markup {
    let outages = sorted(
        blows
            .iter()
            .filter(|b| !b.outages.is_empty())
            .map(|b| outage(b)),
    );
    let recoveries = sorted(
        blows
            .iter()
            .filter_map(|b| Some(b.recovered?.saturating_sub(b.at))),
    );
    html! {
        p {
            strong { (blows.len()) " blows. " }
            "Requests failed after " (outages.len()) " of them"
            @if let Some((middle, most)) = ends(&outages) { ", for " (middle) " in the middle and " (most) " at most" }
            ". Ready again after " (recoveries.len())
            @if let Some((middle, most)) = ends(&recoveries) { ", in " (middle) " in the middle and " (most) " at most" }
            "."
        }
    }
}

fn sorted(times: impl Iterator<Item = Micros>) -> Vec<Micros> {
    let mut times: Vec<Micros> = times.collect();
    times.sort_unstable();
    times
}

/// The middle one and the longest.
fn ends(sorted: &[Micros]) -> Option<(Micros, Micros)> {
    Some((sorted[sorted.len().checked_sub(1)? / 2], *sorted.last()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_end_of_times_are_named() {
        let s = Micros::from_secs;
        assert_eq!(ends(&[]), None);
        assert_eq!(ends(&[s(1)]), Some((s(1), s(1))));
        assert_eq!(ends(&[s(1), s(2), s(9)]), Some((s(2), s(9))));
    }
}
