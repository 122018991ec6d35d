//! Faults of a method.
use crate::aim::Words;
use crate::limits::GRACE_MAX;
use crate::object::Object;
use crate::problem::Log;
use crate::system::{self, Patch, System};
use crate::tree::Node;
use crate::words::FAULT_TYPES_OF_PODS;
use model::{Fault, FaultKind, Manifest};

/// What only faults that strike pods have.
const OF_PODS: [&str; 6] = ["workloads", "selector", "mode", "value", "container", "for"];

/// Reads the fault of a step. Without a system, what depends on its objects is left open.
pub fn read(step: &Object, system: Option<&System>) -> Option<Fault> {
    let f = &step.object("fault")?;
    let word = f.one_of("type")?;
    if !FAULT_TYPES_OF_PODS.contains(&word) {
        f.refuses(&OF_PODS, &format!("in a {word}"));
        step.refuses(
            &["every", "times", "for", "jitter"],
            &format!("for a {word}"),
        );
    }
    let kind = match word {
        "service-down" => service_down(f, system)?,
        "rollout" => rollout(f, system)?,
        "chaos-job" => chaos_job(f, system)?,
        word => of_pods(word, step, f, system)?,
    };
    Some(Fault { kind })
}

fn of_pods(word: &str, step: &Object, f: &Object, system: Option<&System>) -> Option<FaultKind> {
    f.refuses(
        &["service", "by", "deployment", "manifest", "patches"],
        &format!("in a {word}"),
    );
    if let Some(system) = system {
        for (node, name) in f.texts("workloads") {
            system.must_have("Deployment", name, node, f.log);
        }
    }
    let words = Words {
        target: f,
        fault: f,
        rhythm: step,
    };
    words.read(word)
}

/// The Job that deals the blows is read with its chaos file, so that its mistakes are told before it runs.
fn chaos_job(f: &Object, system: Option<&System>) -> Option<FaultKind> {
    f.needs("manifest", "a chaos-job");
    f.refuses(
        &["service", "by", "gracePeriodSeconds", "deployment"],
        "in a chaos-job",
    );
    let patches: Vec<Patch> = f.list("patches").iter().filter_map(Patch::read).collect();
    let (node, _) = f.word("manifest")?;
    let system = system?;
    let mut manifest = system.rollouts.get(&node.path)?.clone();
    patches.iter().for_each(|p| p.apply([&mut manifest], f.log));
    let bad = |message: String, way_out: &str| f.log.bad(node, message, way_out);
    let has_job = manifest.objects.iter().any(|o| o["kind"] == "Job");
    let text = manifest
        .objects
        .iter()
        .find_map(|o| o["data"]["chaos.yaml"].as_str());
    let Some(text) = text.filter(|_| has_job) else {
        let message = format!(
            "{} has no Job, or no ConfigMap with chaos.yaml",
            manifest.file
        );
        bad(message, "see k8s/manifests/chaos");
        return None;
    };
    match crate::chaos::chaos(&format!("{}: chaos.yaml", manifest.file), text) {
        Ok(chaos) => {
            for name in chaos.fault.workloads() {
                system.must_have("Deployment", name, node, f.log);
            }
            Some(FaultKind::ChaosJob {
                chaos: Box::new(chaos),
                manifest,
            })
        }
        Err(problems) => {
            problems.0.into_iter().for_each(|p| f.log.add(p));
            None
        }
    }
}

fn service_down(f: &Object, system: Option<&System>) -> Option<FaultKind> {
    f.needs("service", "service-down");
    f.refuses(&["deployment", "manifest", "patches"], "in a service-down");
    let scaled = f.get("by").is_some() && f.one_of("by")? == "scale";
    let grace_period_seconds = f.whole32("gracePeriodSeconds", 0, GRACE_MAX);
    let (node, service) = f.word("service")?;
    if let Some(system) = system {
        system.must_have("Service", service, node, f.log);
        if system.names("Service").contains(&service) {
            system.must_have("Deployment", service, node, f.log);
        }
    }
    if scaled {
        f.refuses(&["gracePeriodSeconds"], "with by: scale");
        let service = service.into();
        return Some(FaultKind::ScaledDown { service });
    }
    Some(FaultKind::ServiceDown {
        service: service.into(),
        grace_period_seconds,
    })
}

fn rollout(f: &Object, system: Option<&System>) -> Option<FaultKind> {
    f.needs("deployment", "a rollout");
    f.needs("manifest", "a rollout");
    f.refuses(&["service", "by", "gracePeriodSeconds"], "in a rollout");
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
