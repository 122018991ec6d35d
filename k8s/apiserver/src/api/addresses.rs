//! addresses — which cluster address and node ports a Service gets. Addresses in use are those of the Services there are.

use crate::{
    refusal::{Fault, Problem, Refusal},
    store::Objects,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, net::IpAddr};

/// Ports that a real cluster gives to Services of type NodePort.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30000..=32767;

/// What all Services but the one being written hold.
#[derive(Debug, Default)]
pub struct Taken {
    addresses: BTreeSet<String>,
    ports: BTreeSet<i64>,
}

impl Taken {
    pub fn by_others(objects: &Objects, uid: &Value) -> Taken {
        let mut taken = Taken::default();
        for service in objects
            .list("services", None)
            .filter(|s| s["metadata"]["uid"] != *uid)
        {
            let spec = &service["spec"];
            taken
                .addresses
                .extend(spec["clusterIP"].as_str().map(String::from));
            let ports = spec["ports"].as_array().into_iter().flatten();
            taken
                .ports
                .extend(ports.filter_map(|port| port["nodePort"].as_i64()));
        }
        taken
    }

    fn free_address(&self, prefix: [u8; 3]) -> Option<String> {
        let [a, b, c] = prefix;
        let mut addresses = (1..=254).map(|d| format!("{a}.{b}.{c}.{d}"));
        addresses.find(|address| !self.addresses.contains(address))
    }

    fn free_port(&self) -> Option<i64> {
        NODE_PORTS
            .into_iter()
            .find(|port| !self.ports.contains(port))
    }
}

/// A Service replaced by one that does not say its address keeps it; one whose new type has no node ports or no address loses them.
pub fn carry_over(before: &Value, service: &mut Value) {
    let has_node_ports = |service: &Value| {
        matches!(
            service["spec"]["type"].as_str(),
            Some("NodePort" | "LoadBalancer")
        )
    };
    let loses_node_ports = has_node_ports(before) && !has_node_ports(service);
    let is_external = service["spec"]["type"] == "ExternalName";
    // Indexing for writing would give a spec to kinds that have none.
    let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let unsaid = spec
        .get("clusterIP")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty);
    if is_external && spec.get("clusterIP") == before["spec"].get("clusterIP") {
        spec.retain(|field, _| {
            !matches!(
                field.as_str(),
                "clusterIP" | "clusterIPs" | "ipFamilies" | "ipFamilyPolicy"
            )
        });
    } else if let (true, Some(address)) = (unsaid, before["spec"].get("clusterIP")) {
        spec.insert("clusterIP".into(), address.clone());
    }
    if !loses_node_ports {
        return;
    }
    for field in ["externalTrafficPolicy", "allocateLoadBalancerNodePorts"] {
        if spec.get(field) == before["spec"].get(field) {
            spec.shift_remove(field);
        }
    }
    let held: Vec<Value> = before["spec"]["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|p| p["nodePort"].clone())
        .collect();
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        if port
            .get("nodePort")
            .is_some_and(|number| held.contains(number))
        {
            port.shift_remove("nodePort");
        }
    }
}

/// Gives a Service what it holds already (`before`), what it asks for if that is free, or else something free.
pub fn assign(
    service: &mut Value,
    before: Option<&Value>,
    prefix: [u8; 3],
    mut taken: Taken,
) -> Result<(), Refusal> {
    let type_of = |service: &Value| service["spec"]["type"].as_str().unwrap_or("").to_string();
    let name = service["metadata"]["name"]
        .as_str()
        .unwrap_or("")
        .to_string();
    if type_of(service) == "ExternalName" {
        return Ok(());
    }
    let kept = before
        .and_then(|b| b["spec"]["clusterIP"].as_str())
        .unwrap_or("");
    let asked = service["spec"]["clusterIP"]
        .as_str()
        .unwrap_or("")
        .to_string();
    let address = match asked.as_str() {
        "None" => asked,
        "" if !kept.is_empty() => kept.to_string(),
        "" => taken
            .free_address(prefix)
            .ok_or_else(|| Refusal::internal("failed to allocate a serviceIP: range is full"))?,
        _ => {
            let refuse = |why: &str| {
                let shown = format!("[]string{{\"{asked}\"}}");
                let fault = Fault::Invalid(shown, format!("failed to allocate IP {asked}: {why}"));
                Refusal::invalid(
                    "Service",
                    "",
                    &name,
                    &[Problem::new("spec.clusterIPs", fault)],
                )
            };
            if asked.parse::<IpAddr>().is_err() {
                let text = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
                let problem = Problem::invalid("spec.clusterIPs[0]", &json!(asked), text);
                return Err(Refusal::invalid("Service", "", &name, &[problem]));
            }
            let [a, b, c] = prefix;
            let is_ours = asked.starts_with(&format!("{a}.{b}.{c}."));
            if asked != kept && !is_ours {
                return Err(refuse(
                    "the provided network does not match the current range",
                ));
            }
            if taken.addresses.contains(&asked) {
                return Err(refuse("provided IP is already allocated"));
            }
            asked
        }
    };
    service["spec"]["clusterIPs"] = json!([address]);
    service["spec"]["clusterIP"] = json!(address);
    if matches!(type_of(service).as_str(), "NodePort" | "LoadBalancer") {
        assign_ports(&name, service, before, &mut taken)?;
    }
    Ok(())
}

fn assign_ports(
    name: &str,
    service: &mut Value,
    before: Option<&Value>,
    taken: &mut Taken,
) -> Result<(), Refusal> {
    let kept = before
        .map(|b| b["spec"]["ports"].clone())
        .unwrap_or_default();
    let kept_for = |port: &Value| {
        let same = kept.as_array().into_iter().flatten();
        let mut same =
            same.filter(|k| k["port"] == port["port"] && k["protocol"] == port["protocol"]);
        same.find_map(|k| k["nodePort"].as_i64())
    };
    let ports = service["spec"]["ports"]
        .as_array_mut()
        .into_iter()
        .flatten();
    for (i, port) in ports.enumerate() {
        if let Some(number) = port["nodePort"]
            .as_i64()
            .filter(|n| *n != 0 && !NODE_PORTS.contains(n))
        {
            let text =
                "provided port is not in the valid range. The range of valid ports is 30000-32767";
            let problem =
                Problem::invalid(format!("spec.ports[{i}].nodePort"), &json!(number), text);
            return Err(Refusal::invalid("Service", "", name, &[problem]));
        }
        let asked = port["nodePort"].as_i64().filter(|number| *number != 0);
        let number = asked
            .or_else(|| kept_for(port))
            .or_else(|| taken.free_port())
            .ok_or_else(|| Refusal::internal("failed to allocate a nodePort: range is full"))?;
        taken.ports.insert(number);
        port["nodePort"] = json!(number);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(spec: Value, before: Option<Value>, taken: &[&str]) -> Result<Value, Refusal> {
        let mut service = json!({"metadata": {"name": "room"}, "spec": spec});
        let taken = Taken {
            addresses: taken.iter().map(|t| t.to_string()).collect(),
            ports: [30000].into(),
        };
        assign(&mut service, before.as_ref(), [127, 2, 0], taken).map(|()| service["spec"].clone())
    }

    #[test]
    fn a_service_gets_the_first_free_address_and_keeps_it() {
        let spec = assigned(json!({}), None, &["127.2.0.1"]).unwrap();
        assert_eq!(
            spec,
            json!({"clusterIP": "127.2.0.2", "clusterIPs": ["127.2.0.2"]})
        );
        let before = json!({"spec": {"clusterIP": "127.2.0.9"}});
        assert_eq!(
            assigned(json!({}), Some(before), &[]).unwrap()["clusterIP"],
            "127.2.0.9"
        );
    }

    #[test]
    fn a_headless_service_stays_headless() {
        assert_eq!(
            assigned(json!({"clusterIP": "None"}), None, &[]).unwrap()["clusterIPs"],
            json!(["None"])
        );
    }

    #[test]
    fn an_address_in_use_or_of_another_network_is_refused() {
        for asked in ["127.2.0.1", "10.0.0.1"] {
            let refusal = assigned(json!({"clusterIP": asked}), None, &["127.2.0.1"]).unwrap_err();
            assert_eq!(refusal.code, 422, "{asked}");
        }
    }

    #[test]
    fn what_has_no_spec_gets_none() {
        let mut map = json!({"kind": "ConfigMap", "data": {"x": "1"}});
        carry_over(&map.clone(), &mut map);
        assert_eq!(map, json!({"kind": "ConfigMap", "data": {"x": "1"}}));
    }

    #[test]
    fn a_service_that_is_no_longer_of_the_type_loses_its_node_ports() {
        let before = json!({"spec": {"type": "NodePort", "clusterIP": "127.2.0.9", "externalTrafficPolicy": "Cluster", "ports": [{"port": 80, "nodePort": 30001}]}});
        let mut service = before.clone();
        service["spec"]["type"] = json!("ClusterIP");
        carry_over(&before, &mut service);
        assert_eq!(
            service["spec"],
            json!({"type": "ClusterIP", "clusterIP": "127.2.0.9", "ports": [{"port": 80}]})
        );
    }

    #[test]
    fn node_ports_are_free_ones() {
        let spec = assigned(
            json!({"type": "NodePort", "ports": [{"port": 80}, {"port": 81}]}),
            None,
            &[],
        )
        .unwrap();
        assert_eq!(
            (&spec["ports"][0]["nodePort"], &spec["ports"][1]["nodePort"]),
            (&json!(30001), &json!(30002))
        );
    }
}
