//! The gate: nothing is injected before the system is steady.
use cluster::View;
use model::Manifest;
use serde_json::Value;

/// What of the manifests must be ready before the first step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gate {
    deployments: Vec<String>,
    services: Vec<String>,
}

impl Gate {
    /// Every Deployment, and every Service that selects the pods of one.
    pub fn of(manifests: &[Manifest]) -> Gate {
        let objects = || manifests.iter().flat_map(|m| &m.objects);
        let deployments: Vec<&Value> = objects().filter(|o| o["kind"] == "Deployment").collect();
        let labels = deployments
            .iter()
            .map(|d| &d["spec"]["template"]["metadata"]["labels"]);
        let labels: Vec<&Value> = labels.collect();
        let services = objects().filter(|o| o["kind"] == "Service");
        let services =
            services.filter(|s| labels.iter().any(|l| selects(&s["spec"]["selector"], l)));
        let name = |o: &Value| o["metadata"]["name"].as_str().map(str::to_owned);
        Gate {
            deployments: deployments.into_iter().filter_map(name).collect(),
            services: services.filter_map(name).collect(),
        }
    }

    /// Whether all of it is ready.
    pub fn is_open(&self, view: &View) -> Option<()> {
        let rolled_out = |name: &String| {
            view.deployments
                .get(name)
                .is_some_and(|d| d.is_rolled_out())
        };
        let has_endpoint = |name: &String| view.endpoints.get(name).is_some_and(|ready| *ready > 0);
        let open =
            self.deployments.iter().all(rolled_out) && self.services.iter().all(has_endpoint);
        open.then_some(())
    }
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().filter(|s| !s.is_empty());
    selector.is_some_and(|s| s.iter().all(|(key, value)| labels.get(key) == Some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster::Replicas;
    use serde_json::json;

    fn manifest(selector: &str) -> Manifest {
        Manifest {
            file: "room.yaml".into(),
            objects: vec![
                json!({"kind": "Deployment", "metadata": {"name": "room"},
                    "spec": {"template": {"metadata": {"labels": {"app": "room"}}}}}),
                json!({"kind": "Service", "metadata": {"name": "room"}, "spec": {"selector": {"app": selector}}}),
            ],
        }
    }

    #[test]
    fn the_gate_opens_when_deployments_are_rolled_out_and_their_services_have_endpoints() {
        let gate = Gate::of(&[manifest("room")]);
        let one = Replicas {
            desired: 1,
            updated: 1,
            ready: 1,
            available: 1,
            total: 1,
            observed: true,
        };
        let mut view = View::default();
        assert_eq!(gate.is_open(&view), None);
        view.deployments.insert("room".into(), one);
        assert_eq!(gate.is_open(&view), None);
        view.endpoints.insert("room".into(), 1);
        assert_eq!(gate.is_open(&view), Some(()));
    }

    #[test]
    fn a_service_that_selects_nobody_is_not_waited_for() {
        let gate = Gate::of(&[manifest("nobody")]);
        assert_eq!((gate.deployments.len(), gate.services.len()), (1, 0));
    }
}
