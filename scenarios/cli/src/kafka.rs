//! A plan on a real Kafka instead of the broker that runs as a pod.
use model::{Action, FaultKind, Plan};
use serde_json::{Value, json};

/// The manifest that brings the broker.
const BROKER_MANIFEST: &str = "kafka.yaml";

/// Leaves the broker out and points every ConfigMap that names one to this address. The topic gets the run's name: what
/// earlier runs left in it would be delivered to this one.
pub fn on_real_kafka(plan: &mut Plan, address: &str, run: &str) {
    plan.manifests
        .retain(|m| !m.file.ends_with(BROKER_MANIFEST));
    for object in objects(plan) {
        if object["kind"] == "ConfigMap" && object["data"]["KAFKA_BROKERS"].is_string() {
            let topic = object["data"]["KAFKA_TOPIC"].as_str().unwrap_or("events");
            let topic = format!("{topic}-{run}");
            object["data"]["KAFKA_TOPIC"] = json!(topic);
            object["data"]["KAFKA_BROKERS"] = json!(address);
        }
    }
}

/// Puts the image that the nodes know in place of the one the manifests name.
pub fn with_image(plan: &mut Plan, named: &str, known: &str) {
    if named == known {
        return;
    }
    for object in objects(plan) {
        replace_image(
            &mut object["spec"]["template"]["spec"]["containers"],
            named,
            known,
        );
    }
}

/// Everything that is applied, before the steps and by them.
fn objects(plan: &mut Plan) -> impl Iterator<Item = &mut Value> {
    let steps = plan.steps.iter_mut();
    let by_steps = steps.filter_map(|step| match &mut step.action {
        Action::Fault { fault } => match &mut fault.kind {
            FaultKind::Rollout { manifest, .. } => Some(manifest),
            _ => None,
        },
        Action::Apply { manifest } => Some(manifest),
        _ => None,
    });
    let manifests = plan.manifests.iter_mut().chain(by_steps);
    manifests.flat_map(|m| &mut m.objects)
}

fn replace_image(containers: &mut Value, named: &str, known: &str) {
    for container in containers.as_array_mut().into_iter().flatten() {
        if container["image"] == named {
            container["image"] = json!(known);
        }
    }
}
