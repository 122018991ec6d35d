//! checks — what follows from what was seen: (Plan, Timeline) → Judgement, without a clock, a socket or a cluster.
//!
//! - [`judge`]: one arm; [`report`]: all arms of a scenario
//! - [`windows`]: stretches of time in which requests failed
//! - `moment`: when a request counts; `force`: while which fault is in force, and what is its doing
//! - `blows`: what became of each blow against a pod, and the windows that belong to it
//! - `metric`, `workload`, `failures`, `responses`, `looks`, `replacement`, `endpoints`, `lost`, `duplicates`: one file a check
//! - `closed`: what users of a closed load did not send, because they waited
//! - `graph`: who asked whom; `edge`: what is asked of that
//! - `causes`: why something did not hold, as an operator would say it
//! - `collections`, `converges`: what must be true of whole lists
//! - [`keys`]: every key that was lost or found more than once
//! - `soundness`: what of a load's time was seen, and what was the machine's doing
//! - `conditions`: the seven that a pass is earned by
//! - `verdict`: how conditions and findings become one word, one reason and one exit code
//! - `summary`, `sample`, `ledger`, `unmet`: what several of them need
mod blows;
mod causes;
mod closed;
mod collections;
mod conditions;
mod converges;
mod duplicates;
mod edge;
mod endpoints;
mod failures;
mod finality;
#[cfg(test)]
mod fixture;
mod force;
mod graph;
pub mod keys;
mod ledger;
mod looks;
mod lost;
mod metric;
mod moment;
mod replacement;
mod responses;
mod sample;
mod soundness;
mod stretch;
mod summary;
mod tail;
mod unmet;
mod verdict;
pub mod windows;
mod workload;

use model::{
    ArmReport, Check, CheckKind, Finding, Judgement, Micros, Plan, Report, Severity, Timeline,
    Verdict,
};
use sample::Sample;
use soundness::{Scales, Soundness, Weighed};

/// What follows from one arm: its conditions, its findings in the order of the plan, one verdict with one reason.
pub fn judge(plan: &Plan, timeline: &Timeline) -> Judgement {
    let windows = windows::of_loads(plan, timeline);
    let graph = graph::of(plan, timeline);
    let sound = Soundness::of(plan, timeline);
    let scales = Scales::new(&sound, timeline);
    let weighed: Vec<Weighed> = plan
        .checks
        .iter()
        .map(|check| {
            scales.weigh(check, |seen| {
                let windows = windows::of_loads(plan, seen);
                perform(check, plan, seen, &windows, &graph)
            })
        })
        .collect();
    let conditions = conditions::all(plan, timeline, &windows, &sound, &weighed);
    let seen = weighed.into_iter().map(|w| w.finding).collect();
    let findings = verdict::qualify(plan, &conditions, seen);
    let summaries = plan
        .loads()
        .map(|(step, load)| summary::of(step, load, timeline, &windows, &sound))
        .collect();
    let (verdict, reason) = verdict::conclude(&conditions, &findings);
    let causes = match verdict {
        Verdict::Pass => vec![],
        _ => causes::all(plan, timeline, &windows, &findings),
    };
    Judgement {
        verdict,
        reason,
        causes,
        keys: keys::counts(plan, timeline),
        not_shown: verdict::not_shown(plan, timeline, &sound),
        doubts: sound.doubts(),
        exit: verdict::exit(verdict, timeline),
        conditions,
        findings,
        blows: blows::with_outages(blows::dealt(timeline), &windows),
        windows,
        graph,
        summaries,
    }
}

fn perform(
    check: &Check,
    plan: &Plan,
    timeline: &Timeline,
    windows: &[model::Window],
    graph: &model::Graph,
) -> Finding {
    let finding = match &check.kind {
        CheckKind::Metric {
            metric,
            condition,
            step,
        } => {
            let load = plan.loads().find(|(name, _)| name == step);
            let sample = Sample::of(timeline, step);
            let sample = match load {
                Some((_, load)) => sample.of_load(load),
                None => sample,
            };
            metric::check(*metric, *condition, &sample, windows)
        }
        CheckKind::Responses { step, expected } => responses::check(step, expected, plan, timeline),
        CheckKind::Workload {
            metric,
            condition,
            workload,
            step,
        } => workload::check(*metric, *condition, workload, step.as_deref(), timeline),
        CheckKind::Edge {
            metric,
            condition,
            from,
            to,
            event,
        } => {
            let which = edge::Which {
                from: from.as_deref(),
                to,
                event: event.as_deref(),
            };
            edge::check(*metric, *condition, &which, graph, timeline)
        }
        CheckKind::FailuresAre {
            load,
            one_of,
            at_least,
        } => failures::check(load, one_of, *at_least, timeline),
        CheckKind::Output { step, expected } => looks::output(step, expected, timeline),
        CheckKind::Logged { step } => looks::logged(step, plan, timeline),
        CheckKind::Awaited { step } => looks::awaited(step, plan, timeline),
        CheckKind::ReplacementInside { deployment, load } => {
            replacement::check(deployment, load, timeline)
        }
        CheckKind::EndpointsNeverEmpty { service, load } => {
            endpoints::check(service, load, timeline)
        }
        CheckKind::NoLostAckedWrites {
            load,
            collect,
            at_least,
        } => lost::check(load, collect, *at_least, timeline),
        CheckKind::Conserved { left, right } => collections::conserved(left, right, timeline),
        CheckKind::Unique {
            collect,
            fields,
            filter,
        } => collections::unique(collect, fields, filter, timeline),
        CheckKind::SagaTerminates {
            collect,
            field,
            outcomes,
            at_least,
        } => collections::terminates(collect, field, outcomes, *at_least, timeline),
        CheckKind::Converges {
            source,
            view,
            key,
            fields,
        } => converges::check(source, view, key, fields, timeline),
        CheckKind::NoDuplicates { load, collect } => duplicates::check(load, collect, timeline),
    };
    Finding {
        check: check.name.clone(),
        counts: check.severity == Severity::Fail,
        ..finding
    }
}

/// Judges all arms of a scenario and puts them together. The worst arm gives the verdict and the reason.
///
/// `reproduce` is the command that does it again, `version` that of brownout, `judged` the wall clock as RFC 3339.
pub fn report(
    parts: Vec<(Plan, Timeline)>,
    reproduce: &str,
    version: &str,
    judged: &str,
) -> Report {
    let arms: Vec<ArmReport> = parts
        .into_iter()
        .map(|(plan, timeline)| ArmReport {
            judgement: judge(&plan, &timeline),
            plan,
            timeline,
        })
        .collect();
    let (verdict, reason) = verdict::of_arms(&arms);
    let first = arms.first().map(|arm| &arm.plan);
    Report {
        scenario: first.map(|p| p.scenario.clone()).unwrap_or_default(),
        hypothesis: hypothesis(&arms),
        verdict,
        reason,
        arms,
        reproduce: reproduce.into(),
        version: version.into(),
        judged: judged.into(),
    }
}

/// What is claimed: by the one arm that ran, or by all of them together.
fn hypothesis(arms: &[ArmReport]) -> String {
    match arms {
        [] => String::new(),
        [one] => one.plan.hypothesis.clone(),
        [first, ..] => first.plan.claim.clone(),
    }
}

/// An instant as findings write it: `+2.500 s` from the start of the run.
pub(crate) fn offset(at: Micros) -> String {
    format!("+{:.3} s", at.as_secs_f64())
}

/// `1 request`, `2 requests`.
pub(crate) fn count(n: u64, thing: &str) -> String {
    match n {
        1 => format!("1 {thing}"),
        _ => format!("{n} {thing}s"),
    }
}
