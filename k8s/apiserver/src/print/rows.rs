//! rows — everything that is neither a pod nor a workload, one line each.

use super::{AGE, Column, NAME, NONE, age, column, items, joined, labels, number, text, wide};
use serde_json::{Value, json};

pub const NAMESPACE: &[Column] = &[
    NAME,
    column("Status", |n, _| n["status"]["phase"].clone()),
    AGE,
];

pub const NODE: &[Column] = &[
    NAME,
    column("Status", |node, _| json!(node_status(node))),
    column("Roles", |_, _| json!(NONE)),
    AGE,
    column("Version", |node, _| {
        json!(text(&node["status"]["nodeInfo"]["kubeletVersion"], ""))
    }),
    wide("Internal-IP", |node, _| {
        let mut addresses = items(&node["status"], "addresses");
        let internal = addresses.find(|a| a["type"] == "InternalIP");
        json!(internal.map_or(NONE, |a| text(&a["address"], NONE)))
    }),
    wide("External-IP", |_, _| json!(NONE)),
    wide("OS-Image", |node, _| {
        json!(text(&node["status"]["nodeInfo"]["osImage"], "<unknown>"))
    }),
    wide("Kernel-Version", |node, _| {
        json!(text(
            &node["status"]["nodeInfo"]["kernelVersion"],
            "<unknown>"
        ))
    }),
    wide("Container-Runtime", |node, _| {
        json!(text(
            &node["status"]["nodeInfo"]["containerRuntimeVersion"],
            "<unknown>"
        ))
    }),
];

fn node_status(node: &Value) -> String {
    let ready = items(&node["status"], "conditions").find(|c| c["type"] == "Ready");
    let status = match ready.map(|c| c["status"] == "True") {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    };
    match node["spec"]["unschedulable"] == true {
        true => format!("{status},SchedulingDisabled"),
        false => status.into(),
    }
}

pub const SERVICE: &[Column] = &[
    NAME,
    column("Type", |s, _| s["spec"]["type"].clone()),
    column("Cluster-IP", |s, _| {
        json!(text(&s["spec"]["clusterIP"], NONE))
    }),
    column("External-IP", |s, _| match s["spec"]["type"].as_str() {
        Some("ExternalName") => s["spec"]["externalName"].clone(),
        Some("LoadBalancer") => json!("<pending>"),
        _ => joined(items(&s["spec"], "externalIPs").filter_map(Value::as_str)),
    }),
    column("Port(s)", |s, _| {
        let ports: Vec<String> = items(&s["spec"], "ports").map(service_port).collect();
        joined(ports.iter().map(String::as_str))
    }),
    AGE,
    wide("Selector", |s, _| labels(&s["spec"]["selector"])),
];

fn service_port(port: &Value) -> String {
    let protocol = text(&port["protocol"], "TCP");
    match number(&port["nodePort"]) {
        0 => format!("{}/{protocol}", number(&port["port"])),
        node_port => format!("{}:{node_port}/{protocol}", number(&port["port"])),
    }
}

/// Addresses shown before the rest is only counted.
const ADDRESSES_SHOWN: usize = 3;

/// `a,b,c + 2 more...`.
fn abridged(all: Vec<String>) -> Value {
    let more = all.len().saturating_sub(ADDRESSES_SHOWN);
    let shown = all.iter().take(ADDRESSES_SHOWN).map(String::as_str);
    match (joined(shown), more) {
        (shown, 0) => shown,
        (shown, more) => json!(format!("{} + {more} more...", shown.as_str().unwrap_or(""))),
    }
}

pub const ENDPOINTS: &[Column] = &[
    NAME,
    column("Endpoints", |endpoints, _| {
        let pairs = items(endpoints, "subsets").flat_map(|subset| {
            items(subset, "ports").flat_map(move |port| {
                items(subset, "addresses")
                    .map(move |a| format!("{}:{}", text(&a["ip"], ""), number(&port["port"])))
            })
        });
        abridged(pairs.collect())
    }),
    AGE,
];

pub const ENDPOINT_SLICE: &[Column] = &[
    NAME,
    column("AddressType", |slice, _| slice["addressType"].clone()),
    column("Ports", |slice, _| {
        let ports: Vec<String> = items(slice, "ports")
            .map(|p| number(&p["port"]).to_string())
            .collect();
        match ports.is_empty() {
            true => json!("<unset>"),
            false => abridged(ports),
        }
    }),
    column("Endpoints", |slice, _| {
        let addresses = items(slice, "endpoints").flat_map(|e| items(e, "addresses"));
        match addresses
            .filter_map(Value::as_str)
            .map(String::from)
            .collect::<Vec<_>>()
        {
            none if none.is_empty() => json!("<unset>"),
            all => abridged(all),
        }
    }),
    AGE,
];

fn entries(object: &Value) -> Value {
    let count = |part: &str| object[part].as_object().map_or(0, |m| m.len());
    json!(count("data") + count("binaryData"))
}

pub const CONFIG_MAP: &[Column] = &[NAME, column("Data", |map, _| entries(map)), AGE];

pub const SECRET: &[Column] = &[
    NAME,
    column("Type", |secret, _| secret["type"].clone()),
    column("Data", |secret, _| entries(secret)),
    AGE,
];

/// The first field of an event that says something: events have had several ways to tell the time.
fn moment<'a>(event: &'a Value, fields: [&'a Value; 3]) -> &'a Value {
    let said = fields.into_iter().find(|value| value.is_string());
    said.unwrap_or(&event["metadata"]["creationTimestamp"])
}

fn last_seen(event: &Value) -> &Value {
    let fields = [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
    ];
    moment(event, fields)
}

pub const EVENT: &[Column] = &[
    column("Last Seen", |event, now| age::since(last_seen(event), now)),
    column("Type", |event, _| event["type"].clone()),
    column("Reason", |event, _| event["reason"].clone()),
    column("Object", |event, _| {
        let object = &event["involvedObject"];
        json!(format!(
            "{}/{}",
            text(&object["kind"], "").to_lowercase(),
            text(&object["name"], "")
        ))
    }),
    wide("Subobject", |event, _| {
        json!(text(&event["involvedObject"]["fieldPath"], ""))
    }),
    wide("Source", |event, _| {
        match event["source"]["component"].as_str() {
            Some(component) => json!(
                joined(
                    [component]
                        .into_iter()
                        .chain(event["source"]["host"].as_str())
                )
                .as_str()
                .map(|s| s.replace(',', ", "))
            ),
            None => json!(text(&event["reportingComponent"], "")),
        }
    }),
    column("Message", |event, _| {
        json!(text(&event["message"], "").trim())
    }),
    wide("First Seen", |event, now| {
        age::since(
            moment(
                event,
                [&event["firstTimestamp"], &event["eventTime"], &Value::Null],
            ),
            now,
        )
    }),
    wide("Count", |event, _| {
        json!(
            number(&event["series"]["count"])
                .max(number(&event["count"]))
                .max(1)
        )
    }),
    wide("Name", |event, _| event["metadata"]["name"].clone()),
];

/// `RWX` and its like.
fn access_modes(modes: &Value) -> Value {
    let short = modes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|mode| match mode.as_str()? {
            "ReadWriteOnce" => Some("RWO"),
            "ReadOnlyMany" => Some("ROX"),
            "ReadWriteMany" => Some("RWX"),
            "ReadWriteOncePod" => Some("RWOP"),
            _ => None,
        });
    json!(short.collect::<Vec<_>>().join(","))
}

pub const PERSISTENT_VOLUME: &[Column] = &[
    NAME,
    column("Capacity", |v, _| v["spec"]["capacity"]["storage"].clone()),
    column("Access Modes", |v, _| {
        access_modes(&v["spec"]["accessModes"])
    }),
    column("Reclaim Policy", |v, _| {
        v["spec"]["persistentVolumeReclaimPolicy"].clone()
    }),
    column("Status", |v, _| v["status"]["phase"].clone()),
    column("Claim", |v, _| {
        let claim = &v["spec"]["claimRef"];
        match claim["name"].as_str() {
            Some(name) => json!(format!("{}/{name}", text(&claim["namespace"], ""))),
            None => json!(""),
        }
    }),
    column("StorageClass", |v, _| {
        json!(text(&v["spec"]["storageClassName"], ""))
    }),
    column("VolumeAttributesClass", |_, _| json!("<unset>")),
    column("Reason", |v, _| json!(text(&v["status"]["reason"], ""))),
    AGE,
    wide("VolumeMode", |v, _| v["spec"]["volumeMode"].clone()),
];

pub const PERSISTENT_VOLUME_CLAIM: &[Column] = &[
    NAME,
    column("Status", |c, _| c["status"]["phase"].clone()),
    column("Volume", |c, _| json!(text(&c["spec"]["volumeName"], ""))),
    column("Capacity", |c, _| {
        json!(text(&c["status"]["capacity"]["storage"], ""))
    }),
    column("Access Modes", |c, _| {
        access_modes(&c["status"]["accessModes"])
    }),
    column("StorageClass", |c, _| {
        json!(text(&c["spec"]["storageClassName"], ""))
    }),
    column("VolumeAttributesClass", |_, _| json!("<unset>")),
    AGE,
    wide("VolumeMode", |c, _| c["spec"]["volumeMode"].clone()),
];

pub const STORAGE_CLASS: &[Column] = &[
    column("Name", |class, _| {
        let name = text(&class["metadata"]["name"], "");
        let annotation = "storageclass.kubernetes.io/is-default-class";
        match class["metadata"]["annotations"][annotation] == "true" {
            true => json!(format!("{name} (default)")),
            false => json!(name),
        }
    }),
    column("Provisioner", |class, _| class["provisioner"].clone()),
    column("ReclaimPolicy", |class, _| class["reclaimPolicy"].clone()),
    column("VolumeBindingMode", |class, _| {
        class["volumeBindingMode"].clone()
    }),
    column("AllowVolumeExpansion", |class, _| {
        json!(class["allowVolumeExpansion"] == true)
    }),
    AGE,
];

pub const ROLE: &[Column] = &[
    NAME,
    column("Created At", |role, _| {
        role["metadata"]["creationTimestamp"].clone()
    }),
];

pub const ROLE_BINDING: &[Column] = &[
    NAME,
    column("Role", |binding, _| {
        let role = &binding["roleRef"];
        json!(format!(
            "{}/{}",
            text(&role["kind"], ""),
            text(&role["name"], "")
        ))
    }),
    AGE,
];

pub const LEASE: &[Column] = &[
    NAME,
    column("Holder", |lease, _| {
        json!(text(&lease["spec"]["holderIdentity"], ""))
    }),
    AGE,
];

pub const DESTINATION_RULE: &[Column] = &[
    NAME,
    column("Host", |rule, _| rule["spec"]["host"].clone()),
    AGE,
];

/// As kubectl prints a list in a column of its own.
fn listed(list: &Value) -> Value {
    match list.as_array() {
        Some(_) => json!(list.to_string()),
        None => json!(""),
    }
}

pub const VIRTUAL_SERVICE: &[Column] = &[
    NAME,
    column("Gateways", |service, _| {
        listed(&service["spec"]["gateways"])
    }),
    column("Hosts", |service, _| listed(&service["spec"]["hosts"])),
    AGE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_addresses_are_abridged() {
        let all = ["a", "b", "c", "d"].map(String::from).to_vec();
        assert_eq!(abridged(all), "a,b,c + 1 more...");
        assert_eq!(abridged(vec![]), NONE);
    }

    #[test]
    fn a_node_without_conditions_is_unknown() {
        assert_eq!(node_status(&json!({})), "Unknown");
        let ready = json!({"spec": {"unschedulable": true}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        assert_eq!(node_status(&ready), "Ready,SchedulingDisabled");
    }

    #[test]
    fn access_modes_are_short() {
        assert_eq!(
            access_modes(&json!(["ReadWriteMany", "ReadWriteOnce"])),
            "RWX,RWO"
        );
    }
}
