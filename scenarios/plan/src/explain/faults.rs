//! What a fault does.
use super::{length, objects};
use model::{Aim, FaultKind, Micros};

fn container_of(name: Option<&str>) -> String {
    name.map_or("the pod's first container".into(), |name| {
        format!("container {name}")
    })
}

/// `one of room, and of pay, 12 times, every 10s and up to 3s later`
fn blows(aim: &Aim) -> String {
    let whom = match aim.selector {
        Some(_) => format!("{} of the {}", aim.mode.write(), aim.write()),
        None => format!(
            "{} of {}",
            aim.mode.write(),
            aim.workloads.join(", and of ")
        ),
    };
    let rhythm = aim.rhythm;
    let often = match rhythm.times {
        1 => String::new(),
        n => format!(", {n} times, every {}", length(rhythm.every)),
    };
    let late = match rhythm.jitter {
        Micros::ZERO => String::new(),
        jitter => format!(", up to {} late by chance", length(jitter)),
    };
    format!("{whom}{often}{late}")
}

/// What it does, to whom, and what proves it.
pub(super) fn what(kind: &FaultKind) -> String {
    match kind {
        FaultKind::ServiceDown {
            service,
            grace_period_seconds,
        } => {
            let grace = grace_period_seconds
                .map_or("the pods' own grace".into(), |s| format!("{s} s of grace"));
            format!(
                "delete Deployment and Service {service}, with {grace}; proven when no pod of it is left"
            )
        }
        FaultKind::ScaledDown { service } => format!(
            "scale Deployment {service} to 0; proven when no pod of it and no endpoint of its Service is left"
        ),
        FaultKind::PodKill {
            aim,
            grace_period_seconds,
        } => {
            let grace = grace_period_seconds
                .map_or("the pods' own grace".into(), |s| format!("{s} s of grace"));
            format!(
                "delete pods, with {grace}: {}; each proven when it is gone",
                blows(aim)
            )
        }
        FaultKind::ContainerKill { aim, container } => format!(
            "kill -9 the first process of {}: {}; proven when the restart count grew",
            container_of(container.as_deref()),
            blows(aim)
        ),
        FaultKind::ProcessHang {
            aim,
            container,
            held,
        } => format!(
            "stop every thread of the first process of {}, {}: {}; proven by the pod's own /proc",
            container_of(container.as_deref()),
            held.map_or("until it is undone".into(), |held| format!(
                "for {}",
                length(held)
            )),
            blows(aim)
        ),
        FaultKind::ChaosJob { manifest, chaos } => format!(
            "apply {}, whose Job will {}",
            objects(manifest),
            what(&chaos.fault)
        ),
        FaultKind::Rollout {
            deployment,
            manifest,
        } => format!(
            "roll out {deployment} by applying {}; proven when only new pods are left",
            objects(manifest)
        ),
        FaultKind::None { instead_of } => format!(
            "nothing, in place of {} of {}",
            instead_of.word(),
            instead_of.target()
        ),
    }
}
