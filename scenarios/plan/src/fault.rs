//! Faults of a method.
use crate::object::Object;
use crate::problem::Log;
use crate::system::{self, Patch, System};
use crate::tree::Node;
use model::{Fault, FaultKind, Manifest};

/// Reads a fault. Without a system, what depends on its objects is left open.
pub fn read(f: &Object, system: Option<&System>) -> Option<Fault> {
    let kind = match f.one_of("type")? {
        "service-down" => service_down(f, system)?,
        "rollout" => rollout(f, system)?,
        _ => return None,
    };
    Some(Fault { kind })
}

fn service_down(f: &Object, system: Option<&System>) -> Option<FaultKind> {
    f.needs("service", "service-down");
    f.refuses(&["deployment", "manifest", "patches"], "in a service-down");
    let grace_period_seconds = f.whole32("gracePeriodSeconds", 0);
    let (node, service) = f.word("service")?;
    if let Some(system) = system {
        system.must_have("Service", service, node, f.log);
        if system.names("Service").contains(&service) {
            system.must_have("Deployment", service, node, f.log);
        }
    }
    Some(FaultKind::ServiceDown {
        service: service.into(),
        grace_period_seconds,
    })
}

fn rollout(f: &Object, system: Option<&System>) -> Option<FaultKind> {
    f.needs("deployment", "a rollout");
    f.needs("manifest", "a rollout");
    f.refuses(&["service", "gracePeriodSeconds"], "in a rollout");
    let patches: Vec<Patch> = f.list("patches").iter().filter_map(Patch::read).collect();
    let (node, deployment) = f.word("deployment")?;
    let (file_node, file) = f.word("manifest")?;
    let mut manifest = match system {
        None => Manifest {
            file: file.into(),
            objects: vec![],
        },
        Some(system) => system.rollouts.get(&file_node.path)?.clone(),
    };
    if let Some(system) = system {
        patches.iter().for_each(|p| p.apply([&mut manifest], f.log));
        system.must_have("Deployment", deployment, node, f.log);
        changes(file_node, deployment, &manifest, system, f.log);
    }
    Some(FaultKind::Rollout {
        deployment: deployment.into(),
        manifest,
    })
}

/// Puts down that the manifest would not roll anything out: pods are replaced only for another template.
fn changes(node: &Node, deployment: &str, manifest: &Manifest, system: &System, log: &Log) {
    let Some(now) = system::find(manifest, "Deployment", deployment) else {
        log.bad(
            node,
            format!("{} has no Deployment \"{deployment}\"", manifest.file),
            "name the file that has it",
        );
        return;
    };
    let before = system.object("Deployment", deployment);
    if before.is_some_and(|b| b["spec"]["template"] == now["spec"]["template"]) {
        let message = "this is the pod template that already runs: nothing would be replaced";
        log.bad(
            node,
            message,
            "change it with a patch, e.g. of an annotation of the template",
        );
    }
}
