//! The gate: nothing is injected before the system is steady.
use cluster::View;
use model::Manifest;
use serde_json::Value;

/// What of the manifests must be ready before the first step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gate {
    deployments: Vec<String>,
    services: Vec<Service>,
}

/// A Service that has pods to select.
#[derive(Debug, Clone, PartialEq)]
struct Service {
    name: String,
    ports: Vec<Port>,
}

#[derive(Debug, Clone, PartialEq)]
struct Port {
    number: u64,
    /// Whether it says of itself that it speaks HTTP.
    is_http: bool,
}

impl Gate {
    /// Every Deployment, and every Service that selects the pods of one.
    pub fn of(manifests: &[Manifest]) -> Gate {
        let objects: Vec<Value> = manifests.iter().flat_map(|m| &m.objects).cloned().collect();
        Gate::of_objects(&objects)
    }

    /// The same of single objects.
    pub fn of_objects(objects: &[Value]) -> Gate {
        let objects = || objects.iter();
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
            services: services
                .filter_map(|s| {
                    Some(Service {
                        name: name(s)?,
                        ports: ports(s),
                    })
                })
                .collect(),
        }
    }

    /// A Deployment with a Service of the same name, which answers requests at this port.
    pub fn add(&mut self, name: &str, port: u16) {
        self.deployments.push(name.into());
        self.services.push(Service {
            name: name.into(),
            ports: vec![Port {
                number: port.into(),
                is_http: true,
            }],
        });
    }

    /// Where the Services must answer, as `http://host:port`, or at least accept connections, as `host:port`.
    pub fn addresses(&self) -> Vec<String> {
        let of = |s: &Service| -> Vec<String> {
            let address = |p: &Port| {
                let scheme = if p.is_http { "http://" } else { "" };
                format!("{scheme}{}:{}", s.name, p.number)
            };
            s.ports.iter().map(address).collect()
        };
        self.services.iter().flat_map(of).collect()
    }

    /// Whether all of it is ready.
    pub fn is_open(&self, view: &View) -> Option<()> {
        let rolled_out = |name: &String| {
            view.deployments
                .get(name)
                .is_some_and(|d| d.is_rolled_out())
        };
        let has_endpoint =
            |s: &Service| view.endpoints.get(&s.name).is_some_and(|ready| *ready > 0);
        let open =
            self.deployments.iter().all(rolled_out) && self.services.iter().all(has_endpoint);
        open.then_some(())
    }
}

fn ports(service: &Value) -> Vec<Port> {
    let ports = service["spec"]["ports"].as_array();
    // A Job's worker speaks TCP; whether a UDP port answers cannot be told.
    let is_tcp = |p: &&Value| p["protocol"].as_str().unwrap_or("TCP") == "TCP";
    ports
        .into_iter()
        .flatten()
        .filter(is_tcp)
        .filter_map(|p| {
            Some(Port {
                number: p["port"].as_u64()?,
                is_http: is_http(p),
            })
        })
        .collect()
}

/// As Istio selects a port's protocol: `appProtocol`, or else what its name is or begins with.
fn is_http(port: &Value) -> bool {
    let said = port["appProtocol"].as_str().or(port["name"].as_str());
    said.is_some_and(|protocol| protocol == "http" || protocol.starts_with("http-"))
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
                json!({"kind": "Service", "metadata": {"name": "room"},
                    "spec": {"selector": {"app": selector}, "ports": [{"name": "http", "port": 8080},
                        {"name": "https", "port": 8443}, {"port": 53, "protocol": "UDP"}]}}),
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
        assert_eq!(gate.addresses(), ["http://room:8080", "room:8443"]);
    }

    #[test]
    fn a_service_that_selects_nobody_is_not_waited_for() {
        let gate = Gate::of(&[manifest("nobody")]);
        assert_eq!((gate.deployments.len(), gate.services.len()), (1, 0));
    }
}
