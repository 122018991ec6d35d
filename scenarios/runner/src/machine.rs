//! What a run needs of this machine, where the cluster is in this process: file descriptors, ports and memory. What would run out in
//! the middle would look like a fault of the system.
use cluster::Lack;
use model::{Connection, Load, LoadModel, Plan};
use nix::sys::resource::{Resource, getrlimit};
use serde_json::Value;
use std::fs;

/// What brownout has open without any request: pods, logs, watches, listeners.
const DESCRIPTORS_BASE: u64 = 512;

/// A request on its way has two ends of two connections in brownout, which is the proxy: the caller's and the endpoint's.
const DESCRIPTORS_EACH: u64 = 2;

/// What the worker, the proxy and the kernel hold for a request on its way, in bytes.
const MEMORY_EACH: u64 = 64 << 10;

/// What brownout, a load worker and the canary hold before the first request, in bytes.
const MEMORY_BASE: u64 = 128 << 20;

/// The least that a container holds whose manifest asks for nothing, in bytes.
const CONTAINER_MIN: u64 = 8 << 20;

/// How much of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amounts {
    /// Open files of one process.
    pub descriptors: u64,
    /// Ports of a machine that connections to one Service can come from.
    pub ports: u64,
    /// Bytes.
    pub memory: u64,
}

/// The first of these that the machine lacks for a plan; None where it cannot be found out.
pub(crate) fn lacks(plan: &Plan) -> Option<Lack> {
    lack(needed(plan), available())
}

/// What the heaviest load of a plan and its containers come to.
fn needed(plan: &Plan) -> Amounts {
    let loads = || plan.loads().map(|(_, load)| load);
    let in_flight = loads().map(in_flight).max().unwrap_or_default();
    let objects = plan.manifests.iter().flat_map(|m| &m.objects);
    Amounts {
        descriptors: DESCRIPTORS_BASE + DESCRIPTORS_EACH * in_flight,
        ports: loads().map(ports).max().unwrap_or_default(),
        memory: MEMORY_BASE + MEMORY_EACH * in_flight + objects.map(memory).sum::<u64>(),
    }
}

/// Requests that are on their way at once, should the system fall silent.
fn in_flight(load: &Load) -> u64 {
    match &load.model {
        LoadModel::Closed { users, .. } => u64::from(*users),
        LoadModel::Open { in_flight_max, .. } => {
            let unanswered = peak(load) * load.timeout.as_secs_f64();
            (unanswered.ceil() as u64).min(u64::from(*in_flight_max))
        }
    }
}

fn peak(load: &Load) -> f64 {
    match &load.model {
        LoadModel::Open { stages, .. } => stages.iter().map(|s| s.rate).fold(0.0, f64::max),
        LoadModel::Closed { .. } => 0.0,
    }
}

/// A port that was used is free again after a second (`net.ipv4.tcp_tw_reuse`).
fn ports(load: &Load) -> u64 {
    let used = match load.connection {
        Connection::New => peak(load).ceil() as u64,
        Connection::Reused => 0,
    };
    in_flight(load) + used
}

/// What the containers of an object ask for.
fn memory(object: &Value) -> u64 {
    let Some(containers) = object["spec"]["template"]["spec"]["containers"].as_array() else {
        return 0;
    };
    let each = containers.iter().map(|container| {
        let asked = container["resources"]["requests"]["memory"].as_str();
        asked.and_then(bytes).unwrap_or(CONTAINER_MIN)
    });
    each.sum::<u64>() * object["spec"]["replicas"].as_u64().unwrap_or(1)
}

/// A Kubernetes quantity in bytes, where it has one of the usual suffixes.
fn bytes(quantity: &str) -> Option<u64> {
    const SUFFIXES: [(&str, u64); 7] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("", 1),
    ];
    SUFFIXES.iter().find_map(|(suffix, unit)| {
        let number: f64 = quantity.strip_suffix(suffix)?.parse().ok()?;
        Some((number * *unit as f64) as u64)
    })
}

/// What the machine has; what it does not tell is as much as anybody needs.
fn available() -> Amounts {
    let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    let text = |path: &str| fs::read_to_string(path).ok();
    let ports = text("/proc/sys/net/ipv4/ip_local_port_range").and_then(|t| port_range(&t));
    let memory = text("/proc/meminfo").and_then(|t| memory_available(&t));
    Amounts {
        descriptors,
        ports: ports.unwrap_or(u64::MAX),
        memory: memory.unwrap_or(u64::MAX),
    }
}

fn port_range(text: &str) -> Option<u64> {
    let mut ends = text.split_whitespace().map(str::parse::<u64>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some(last.checked_sub(first)? + 1)
}

fn memory_available(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib << 10)
}

fn lack(needed: Amounts, has: Amounts) -> Option<Lack> {
    let lack = |what: String, way_out: String| Some(Lack { what, way_out });
    if needed.descriptors > has.descriptors {
        return lack(
            format!(
                "{} open files, which the heaviest load needs; a process may have {}",
                needed.descriptors, has.descriptors
            ),
            format!(
                "allow more (`ulimit -n {}`), or write a lower rate, timeout, inFlightMax or number of users",
                needed.descriptors
            ),
        );
    }
    if needed.ports > has.ports {
        return lack(
            format!(
                "{} ports for connections to one Service; it has {}",
                needed.ports, has.ports
            ),
            "widen `net.ipv4.ip_local_port_range`, or write `connection: reused` or a lower rate"
                .into(),
        );
    }
    if needed.memory > has.memory {
        return lack(
            format!(
                "{} MiB of memory for the system and the load; {} MiB are available",
                needed.memory >> 20,
                has.memory >> 20
            ),
            "end other programs, or write smaller requests, fewer replicas or a lower rate".into(),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Micros, Stage};
    use serde_json::json;

    fn load(rate: f64, timeout: u64, in_flight_max: u32) -> Load {
        Load {
            model: LoadModel::Open {
                stages: vec![Stage {
                    rate,
                    duration: Micros::from_secs(1),
                }],
                in_flight_max,
            },
            connection: Connection::New,
            timeout: Micros::from_secs(timeout),
            siege: false,
            requests: vec![],
            think_time: None,
            stress: false,
        }
    }

    #[test]
    fn a_load_has_as_many_requests_on_their_way_as_a_silent_system_leaves_unanswered() {
        assert_eq!(in_flight(&load(200.0, 10, 10_000)), 2_000);
        assert_eq!(in_flight(&load(200.0, 10, 500)), 500);
        assert_eq!(ports(&load(1000.0, 2, 10_000)), 3_000);
    }

    #[test]
    fn containers_count_with_what_they_ask_for_and_as_often_as_there_are_replicas() {
        let deployment = json!({"spec": {"replicas": 3, "template": {"spec": {"containers": [
            {"resources": {"requests": {"memory": "64Mi"}}}, {}]}}}});
        assert_eq!(memory(&deployment), 3 * (72 << 20));
        assert_eq!(memory(&json!({"kind": "Service"})), 0);
        assert_eq!(
            (bytes("1G"), bytes("5"), bytes("x")),
            (Some(1_000_000_000), Some(5), None)
        );
    }

    #[test]
    fn what_the_machine_lacks_is_named_with_the_way_out() {
        let has = Amounts {
            descriptors: 1024,
            ports: 28_232,
            memory: 1 << 30,
        };
        let needs = Amounts {
            descriptors: 4512,
            ports: 1,
            memory: 1,
        };
        let lacking = lack(needs, has).unwrap();
        assert_eq!(
            lacking.what,
            "4512 open files, which the heaviest load needs; a process may have 1024"
        );
        assert!(lacking.way_out.starts_with("allow more (`ulimit -n 4512`)"));
        assert_eq!(
            lack(
                Amounts {
                    descriptors: 1,
                    ..needs
                },
                has
            ),
            None
        );
        let memory = Amounts {
            descriptors: 1,
            memory: 2 << 30,
            ..needs
        };
        assert!(
            lack(memory, has)
                .unwrap()
                .what
                .starts_with("2048 MiB of memory")
        );
    }

    #[test]
    fn the_kernel_s_own_words_are_read() {
        assert_eq!(port_range("32768\t60999\n"), Some(28_232));
        assert_eq!(
            memory_available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"),
            Some(2 << 20)
        );
    }
}
