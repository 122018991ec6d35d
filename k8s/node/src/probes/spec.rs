//! spec — a probe as the manifest gives it, with defaults applied and names resolved.

use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Check, HttpCheck, ProbeKind, host_of};
use crate::env;

/// One probe of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProbeSpec {
    pub kind: ProbeKind,
    pub check: Check,
    /// Compared with the container's age in whole seconds.
    pub initial_delay: Duration,
    pub timeout: Duration,
    pub period: Duration,
    pub success_threshold: u32,
    pub failure_threshold: u32,
    /// Instead of the pod's own, for a kill by this probe.
    pub grace: Option<Duration>,
}

impl ProbeSpec {
    /// All probes of a container whose pod has the address `pod`.
    pub fn all(container: &Container, pod: IpAddr) -> Vec<ProbeSpec> {
        let probes = [
            (ProbeKind::Startup, &container.startup_probe),
            (ProbeKind::Liveness, &container.liveness_probe),
            (ProbeKind::Readiness, &container.readiness_probe),
        ];
        let given = probes
            .into_iter()
            .filter_map(|(kind, probe)| Some((kind, probe.as_ref()?)));
        given
            .map(|(kind, probe)| ProbeSpec::of(kind, probe, container, pod))
            .collect()
    }

    fn of(kind: ProbeKind, probe: &Probe, container: &Container, pod: IpAddr) -> ProbeSpec {
        // Zero means "not given", as for the API's own defaulting.
        let number = |given: Option<i32>, default: u32| {
            given
                .and_then(|n| u32::try_from(n).ok())
                .filter(|n| *n > 0)
                .unwrap_or(default)
        };
        let seconds = |given, default| Duration::from_secs(number(given, default).into());
        let grace = probe
            .termination_grace_period_seconds
            .and_then(|grace| u64::try_from(grace).ok());
        ProbeSpec {
            kind,
            check: check(probe, container, pod),
            initial_delay: seconds(probe.initial_delay_seconds, 0),
            timeout: seconds(probe.timeout_seconds, 1),
            period: seconds(probe.period_seconds, 10),
            success_threshold: number(probe.success_threshold, 1),
            failure_threshold: number(probe.failure_threshold, 3),
            grace: grace.map(Duration::from_secs),
        }
    }
}

fn check(probe: &Probe, container: &Container, pod: IpAddr) -> Check {
    if let Some(exec) = &probe.exec {
        let literal = env::literal(container);
        return Check::Exec(
            exec.command
                .iter()
                .flatten()
                .map(|word| env::expand(word, &literal))
                .collect(),
        );
    }
    if let Some(get) = &probe.http_get {
        return http(get, container, pod);
    }
    if let Some(tcp) = &probe.tcp_socket {
        return match port(&tcp.port, container) {
            Ok(port) => Check::Tcp {
                host: host_of(tcp.host.as_ref(), pod),
                port,
            },
            Err(why) => Check::Unknown(why),
        };
    }
    Check::Unknown("missing or unsupported probe handler".into())
}

/// An HTTP action of a probe or a hook.
pub(crate) fn http(get: &HTTPGetAction, container: &Container, pod: IpAddr) -> Check {
    let port = match port(&get.port, container) {
        Ok(port) => port,
        Err(why) => return Check::Unknown(why),
    };
    let path = get.path.as_deref().unwrap_or("/");
    Check::Http(HttpCheck {
        scheme: get.scheme.as_deref().unwrap_or("HTTP").to_ascii_lowercase(),
        host: host_of(get.host.as_ref(), pod),
        port,
        path: if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        },
        headers: get
            .http_headers
            .iter()
            .flatten()
            .map(|header| (header.name.clone(), header.value.clone()))
            .collect(),
    })
}

fn port(port: &IntOrString, container: &Container) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => named(name, container).or_else(|| name.parse().ok()),
    };
    let number = number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|number| *number > 0);
    number.ok_or_else(|| match port {
        IntOrString::String(name) => format!(
            "couldn't find port: {name:?} in container {:?}",
            container.name
        ),
        IntOrString::Int(number) => format!("invalid port number: {number}"),
    })
}

fn named(name: &str, container: &Container) -> Option<i32> {
    container
        .ports
        .iter()
        .flatten()
        .find(|port| port.name.as_deref() == Some(name))
        .map(|port| port.container_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn specs(container: Value) -> Vec<ProbeSpec> {
        ProbeSpec::all(
            &serde_json::from_value(container).unwrap(),
            "127.1.2.3".parse().unwrap(),
        )
    }

    #[test]
    fn prb_1_a_probe_without_numbers_has_the_defaults() {
        let spec = &specs(
            json!({"name": "c", "readinessProbe": {"httpGet": {"port": 8080}, "periodSeconds": 0}}),
        )[0];
        let seconds = [spec.initial_delay, spec.timeout, spec.period].map(|time| time.as_secs());
        assert_eq!(
            (seconds, spec.success_threshold, spec.failure_threshold),
            ([0, 1, 10], 1, 3)
        );
        let Check::Http(get) = &spec.check else {
            panic!("{spec:?}")
        };
        assert_eq!(
            (&*get.scheme, &*get.host, get.port, &*get.path),
            ("http", "127.1.2.3", 8080, "/")
        );
    }

    #[test]
    fn a_port_may_be_named_and_an_unknown_name_is_not_counted() {
        let container = json!({"name": "c", "ports": [{"name": "web", "containerPort": 8081}],
            "livenessProbe": {"tcpSocket": {"port": "web"}}, "readinessProbe": {"tcpSocket": {"port": "nope"}}});
        let checks: Vec<_> = specs(container)
            .into_iter()
            .map(|spec| spec.check)
            .collect();
        assert_eq!(
            checks[0],
            Check::Tcp {
                host: "127.1.2.3".into(),
                port: 8081
            }
        );
        assert_eq!(
            checks[1],
            Check::Unknown("couldn't find port: \"nope\" in container \"c\"".into())
        );
    }

    #[test]
    fn a_command_knows_the_containers_literal_variables() {
        let container = json!({"name": "c", "env": [{"name": "FILE", "value": "/tmp/up"}],
            "livenessProbe": {"exec": {"command": ["cat", "$(FILE)", "$(NOPE)"]}}});
        assert_eq!(
            specs(container)[0].check,
            Check::Exec(["cat", "/tmp/up", "$(NOPE)"].map(String::from).to_vec())
        );
    }
}
