//! The figures of a load: availability accounting, response times, and siege's summary beside the recorded one.
use crate::words;
use maud::{Markup, html};
use model::{ArmReport, Documented, Doubt, LoadModel, SiegeSummary, Whose, report::LoadSummary};
use std::cmp::Reverse;

/// What 99.9 % leaves of a month of thirty days, in seconds.
const MONTHLY_BUDGET: f64 = 30.0 * 86_400.0 * 0.001;

pub(super) fn of(arm: &ArmReport, load: &LoadSummary) -> Markup {
    html! {
        h3 { "Load " em { (load.step) } }
        div.columns {
            div { (accounting(arm, load)) }
            div { (times(arm, load)) }
        }
        (doubts(arm, load))
        (siege(arm, load))
    }
}

/// So many stretches are named; result.json has them all.
const DOUBTS_MAX: usize = 8;

/// The time that does not speak for or against the system, longest first.
fn doubts(arm: &ArmReport, load: &LoadSummary) -> Markup {
    let mut doubts: Vec<&Doubt> = arm
        .judgement
        .doubts
        .iter()
        .filter(|d| d.step == load.step)
        .collect();
    doubts.sort_by_key(|d| Reverse(d.to.saturating_sub(d.from)));
    html! {
        @if !doubts.is_empty() {
            h4 { "What does not speak for or against the system" }
            div.scroll {
                table.plain {
                    thead { tr { th { "From" } th.number { "For" } th { "Time that is" } th { "because" } } }
                    tbody {
                        @for doubt in doubts.iter().take(DOUBTS_MAX) {
                            tr {
                                td { (words::offset(doubt.from)) }
                                td.number { (doubt.to.saturating_sub(doubt.from)) }
                                td { (whose(doubt.whose)) }
                                td { (doubt.because) }
                            }
                        }
                    }
                }
            }
            @if doubts.len() > DOUBTS_MAX {
                p.note { "and " (doubts.len() - DOUBTS_MAX) " shorter ones, in result.json" }
            }
        }
    }
}

fn whose(whose: Whose) -> &'static str {
    match whose {
        Whose::Unknown => "unknown",
        Whose::Machine => "the machine's",
    }
}

fn accounting(arm: &ArmReport, load: &LoadSummary) -> Markup {
    // Rounded so that the four are 100 % together.
    let parts = [load.up, load.degraded, load.down].map(|share| (share * 10_000.0).round() as u32);
    let unknown = 10_000u32.saturating_sub(parts.iter().sum());
    let rows = [
        ("up", "Up", parts[0]),
        ("degraded", "Degraded: some requests failed", parts[1]),
        ("down", "Down: every request failed", parts[2]),
        (
            "unknown",
            "Unknown: no request was under way, or none was sent",
            unknown,
        ),
    ];
    let windows = arm.judgement.windows.iter().filter(|w| w.step == load.step);
    let lost: f64 = windows.map(|w| w.length().as_secs_f64()).sum();
    html! {
        h4 { "Where the time went" }
        div.accounting aria-hidden="true" {
            @for (class, _, part) in rows {
                @if part > 0 { span class=(class) style={ "flex-grow:" (part) } {} }
            }
        }
        table.plain {
            @for (class, text, part) in rows {
                tr {
                    td { span class={ "swatch " (class) } {} (text) }
                    td.number { (hundredths(part)) }
                }
            }
        }
        @if lost > 0.0 {
            p.note {
                "As an outage in service, its " (words::seconds(lost)) " would cost "
                (format!("{:.2} %", lost / MONTHLY_BUDGET * 100.0)) " of what 99.9 % leaves of a month."
            }
        }
        h4 { "How requests ended" }
        table.plain {
            @for (result, n) in &load.results { tr { td { (result) } td.number { (n) } } }
            @if load.dropped > 0 { tr { td { "due, and not sent" } td.number { (load.dropped) } } }
        }
    }
}

fn hundredths(part: u32) -> String {
    format!("{}.{:02} %", part / 100, part % 100)
}

fn times(arm: &ArmReport, load: &LoadSummary) -> Markup {
    let names = ["Median", "90 %", "99 %", "99.9 %"];
    html! {
        h4 { "How long good requests took" }
        table.plain {
            thead { tr { th { "" } th.number { "from due" } th.number { "from sent" } } }
            tbody {
                @for ((name, response), service) in names.iter().zip(load.response).zip(load.service) {
                    tr { td { (name) } td.number { (words::seconds(response)) } td.number { (words::seconds(service)) } }
                }
            }
        }
        p.note {
            (counted(arm, load))
            " Failed requests are not in it; an objective for latency.p50 to latency.p999 takes them as never answered. "
            "The generator was at most " (words::seconds(load.lag_max)) " late."
        }
    }
}

/// From when times count, and what the kind of load cannot show.
fn counted(arm: &ArmReport, load: &LoadSummary) -> String {
    let mut models = arm.plan.loads().filter(|(step, _)| *step == load.step);
    match models.next().map(|(_, l)| &l.model) {
        Some(LoadModel::Closed {
            max_rate: Some(_), ..
        }) => format!(
            "Response time counts from when maxRate had a request due. {} were due while every user was waiting: \
             they count as answered with the next one.",
            load.held_back
        ),
        Some(LoadModel::Closed { .. }) => format!(
            "Each user sends when the last answer is in, so a stalled system hides the requests that it keeps from being sent: \
             about {} here.",
            load.held_back
        ),
        _ => "Response time counts from when a request was due, so that a stalled system cannot hide the requests it kept waiting."
            .into(),
    }
}

/// A line of the summary as siege prints it.
struct Line {
    name: &'static str,
    unit: &'static str,
    digits: usize,
    of: fn(&SiegeSummary) -> f64,
}

const LINES: [Line; 12] = {
    const fn line(
        name: &'static str,
        unit: &'static str,
        digits: usize,
        of: fn(&SiegeSummary) -> f64,
    ) -> Line {
        Line {
            name,
            unit,
            digits,
            of,
        }
    }
    [
        line("Transactions", "hits", 0, |s| s.transactions as f64),
        line("Availability", "%", 2, |s| s.availability),
        line("Elapsed time", "secs", 2, |s| s.elapsed),
        line("Data transferred", "MB", 2, |s| s.data_transferred),
        line("Response time", "secs", 2, |s| s.response_time),
        line("Transaction rate", "trans/sec", 2, |s| s.transaction_rate),
        line("Throughput", "MB/sec", 2, |s| s.throughput),
        line("Concurrency", "", 2, |s| s.concurrency),
        line("Successful transactions", "", 0, |s| s.successful as f64),
        line("Failed transactions", "", 0, |s| s.failed as f64),
        line("Longest transaction", "", 2, |s| s.longest),
        line("Shortest transaction", "", 2, |s| s.shortest),
    ]
};

/// The recorded summary of this load, if the report printed one.
fn recorded<'a>(arm: &'a ArmReport, load: &LoadSummary) -> Option<&'a Documented> {
    let first = arm.judgement.summaries.first().map(|s| s.step.as_str());
    arm.plan.documented.iter().find(|d| {
        let step = d.step.as_deref().or(first);
        d.siege.is_some() && step == Some(load.step.as_str())
    })
}

fn siege(arm: &ArmReport, load: &LoadSummary) -> Markup {
    let documented = recorded(arm, load);
    let replayed = arm
        .plan
        .loads()
        .any(|(step, l)| step == load.step && l.siege);
    if documented.is_none() && !replayed {
        return html! {};
    }
    let recorded = documented.and_then(|d| d.siege.as_ref());
    let columns: Vec<(&str, &SiegeSummary)> = [
        recorded.map(|s| ("Recorded then", s)),
        load.siege_stopped
            .as_ref()
            .map(|s| ("Now, had siege stopped", s)),
        Some(("Now, all of it", &load.siege)),
    ]
    .into_iter()
    .flatten()
    .collect();
    html! {
        h4 { "As siege would print it" }
        div.scroll {
            table.siege {
                thead { tr { th { "" } @for (name, _) in &columns { th.number { (name) } } th { "" } } }
                tbody {
                    @for line in &LINES {
                        tr {
                            td { (line.name) }
                            @for (_, summary) in &columns {
                                td.number { (format!("{:.*}", line.digits, (line.of)(summary))) }
                            }
                            td.unit { (line.unit) }
                        }
                    }
                }
            }
        }
        @if let Some(stopped) = &load.siege_stopped {
            p.note {
                "siege gives up at its 1024th failure: it would have ended after "
                (words::seconds(stopped.elapsed)) " with an availability of "
                (format!("{:.2} %", stopped.availability))
                ", which says how many requests came before that, not how long the outage was."
            }
        }
        @if let Some(d) = documented {
            @if !d.differs.is_empty() { p.note { strong { "Why they differ. " } (d.differs) } }
        }
    }
}

/// What the report claimed, in its words.
pub(super) fn claims(arm: &ArmReport) -> Markup {
    html! {
        @if !arm.plan.documented.is_empty() {
            h3 { "What the report says" }
            @for documented in &arm.plan.documented {
                blockquote {
                    p { (documented.claim) }
                    footer { code { (documented.id) } }
                }
                @if documented.siege.is_none() && !documented.differs.is_empty() {
                    p.note { (documented.differs) }
                }
            }
        }
    }
}
