//! Everything about one arm.
use super::{anchor, answers, badge, causes, events, faults, graph, loads, plot, tables};
use maud::{Markup, html};
use model::{ArmReport, Fact};

pub(super) fn of(arm: &ArmReport, index: usize, arms: usize) -> Markup {
    html! {
        section.arm id=(anchor(index)) {
            @if arms > 1 {
                h2.arm-name { "Arm " em { (arm.plan.arm) } " " (badge(arm.judgement.verdict)) }
                p.lead { (arm.plan.hypothesis) }
                p.reason { (arm.judgement.reason) }
            }
            (tables::objectives(arm))
            (causes::all(arm))
            (plot::of(arm, index))
            (graph::of(arm))
            (faults::of(arm))
            (answers::of(arm))
            @for summary in &arm.judgement.summaries { (loads::of(arm, summary)) }
            (loads::claims(arm))
            (tables::conditions(arm))
            (events::of(arm))
            (setting(arm))
        }
    }
}

/// Where this ran, and with what.
fn setting(arm: &ArmReport) -> Markup {
    let began = arm.timeline.all().iter().find_map(|o| match &o.fact {
        Fact::Began {
            wall,
            cluster,
            version,
            node,
            namespace,
        } => Some([
            ("Started", wall),
            ("Cluster", cluster),
            ("API server", version),
            ("Nodes", node),
            ("Namespace", namespace),
        ]),
        _ => None,
    });
    let plan = &arm.plan;
    html! {
        h3 { "Setting" }
        dl.facts {
            @for (name, value) in began.iter().flatten() {
                dt { (name) } dd { (value) }
            }
            dt { "Profile" } dd { (plan.profile.word()) }
            dt { "Seed" } dd { (plan.seed) }
            @for (name, value) in &plan.params {
                dt { code { (name) } } dd { (value) }
            }
            @if !plan.manifests.is_empty() {
                dt { "Manifests" }
                dd { (plan.manifests.iter().map(|m| m.file.as_str()).collect::<Vec<_>>().join(", ")) }
            }
        }
    }
}
