//! A plan on a real Kafka instead of the broker that runs as a pod.
use model::Plan;
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
        for pod in POD_SPECS {
            for containers in CONTAINERS {
                if let Some(containers) = object.pointer_mut(&format!("{pod}/{containers}")) {
                    replace_image(containers, named, known);
                }
            }
        }
    }
}

/// Where the specification of a pod is: in a Pod, in what makes pods, in what makes Jobs.
const POD_SPECS: [&str; 3] = [
    "/spec",
    "/spec/template/spec",
    "/spec/jobTemplate/spec/template/spec",
];

const CONTAINERS: [&str; 2] = ["containers", "initContainers"];

/// Everything that is applied, before the steps and by them.
fn objects(plan: &mut Plan) -> impl Iterator<Item = &mut Value> {
    let steps = plan.steps.iter_mut();
    let by_steps = steps.filter_map(|step| step.action.manifest_mut());
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

#[cfg(test)]
mod tests {
    use super::*;
    use model::Profile;
    use plan::{Overrides, catalog};

    fn plan(name: &str) -> Plan {
        let scenario = catalog().find(name).unwrap().remove(0);
        let read = |path: &str| catalog().read(path);
        let plans = scenario.plans(Profile::Quick, None, None, &Overrides::new(), &read);
        plans.unwrap().remove(0)
    }

    #[test]
    fn the_image_is_replaced_in_everything_that_is_applied_also_by_a_step() {
        for name in ["airbnb/chaos-pod-kill", "mybnb/zero-downtime"] {
            let mut plan = plan(name);
            assert!(
                serde_json::to_string(&plan)
                    .unwrap()
                    .contains("\"brownout:dev\"")
            );
            with_image(&mut plan, "brownout:dev", "reg/brownout:1");
            let text = serde_json::to_string(&plan).unwrap();
            assert!(text.contains("\"reg/brownout:1\""), "{text}");
            assert!(!text.contains("\"brownout:dev\""), "{text}");
        }
    }

    #[test]
    fn jobs_of_a_cron_job_and_containers_that_come_first_have_it_too() {
        let mut plan = plan("mybnb/preflight");
        let pod = json!({"initContainers": [{"image": "brownout:dev"}], "containers": [{"image": "other:1"}]});
        let cron = json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}});
        plan.manifests[0].objects = vec![cron, json!({"kind": "Pod", "spec": pod})];
        with_image(&mut plan, "brownout:dev", "reg/brownout:1");
        let objects = &plan.manifests[0].objects;
        let expected = json!({"initContainers": [{"image": "reg/brownout:1"}], "containers": [{"image": "other:1"}]});
        assert_eq!(
            objects[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"],
            expected
        );
        assert_eq!(objects[1]["spec"], expected);
    }

    #[test]
    fn a_real_kafka_is_in_place_of_the_broker_with_a_topic_for_each_run() {
        let mut plan = plan("mybnb/preflight");
        on_real_kafka(&mut plan, "10.0.0.9:9092", "1a2b3");
        assert!(
            plan.manifests
                .iter()
                .all(|m| !m.file.ends_with("kafka.yaml"))
        );
        let mut objects = plan.manifests.iter().flat_map(|m| &m.objects);
        let config = objects.find(|o| o["kind"] == "ConfigMap").unwrap();
        assert_eq!(config["data"]["KAFKA_BROKERS"], "10.0.0.9:9092");
        assert_eq!(config["data"]["KAFKA_TOPIC"], "mybnb-1a2b3");
    }
}
