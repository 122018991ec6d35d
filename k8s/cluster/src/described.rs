//! What objects say of themselves that may tell why something does not work: containers, labels, selectors, strategies.
use crate::facts::owner_of;
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec as Spec},
        core::v1::{Container, ContainerStateTerminated, ContainerStatus, Pod, Service},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt;
use model::{ContainerSpec, ContainerState, DeploymentSpec, Ended, PodSpec, Reason, ServiceSpec};

/// A message of the cluster is kept as far as this: the rest repeats what came before.
const MESSAGE_MAX: usize = 400;

/// The containers of a pod as they are now, those that come first too.
pub(crate) fn containers_of(pod: &Pod) -> Vec<ContainerState> {
    let Some(status) = &pod.status else {
        return vec![];
    };
    let app = status.container_statuses.iter().flatten();
    let init = status.init_container_statuses.iter().flatten();
    init.chain(app).map(|c| container_of(pod, c)).collect()
}

fn container_of(pod: &Pod, status: &ContainerStatus) -> ContainerState {
    let state = status.state.clone().unwrap_or_default();
    let last = status.last_state.clone().unwrap_or_default();
    let waiting = state.waiting.map(|w| Reason {
        word: w.reason.unwrap_or_default(),
        message: short(w.message),
    });
    ContainerState {
        pod: pod.name_any(),
        owner: owner_of(pod),
        container: status.name.clone(),
        image: status.image.clone(),
        restarts: u32::try_from(status.restart_count).unwrap_or(0),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        waiting: waiting.filter(Reason::is_trouble),
        ended: state.terminated.or(last.terminated).map(ended),
    }
}

fn ended(how: ContainerStateTerminated) -> Ended {
    let rfc3339 = |time: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| {
        time.map(|t| t.0.to_string()).unwrap_or_default()
    };
    Ended {
        code: how.exit_code,
        reason: how.reason.unwrap_or_default(),
        message: short(how.message),
        since: rfc3339(how.started_at),
        until: rfc3339(how.finished_at),
    }
}

fn short(message: Option<String>) -> String {
    let message = message.unwrap_or_default();
    message.trim().chars().take(MESSAGE_MAX).collect()
}

/// What a pod was made as.
pub(crate) fn spec_of(pod: &Pod) -> PodSpec {
    let spec = pod.spec.clone().unwrap_or_default();
    let grace = spec.termination_grace_period_seconds.unwrap_or(30);
    PodSpec {
        pod: pod.name_any(),
        owner: owner_of(pod),
        labels: pod.labels().clone(),
        grace: u64::try_from(grace).unwrap_or(0),
        containers: spec.containers.iter().map(container_spec).collect(),
    }
}

fn container_spec(container: &Container) -> ContainerSpec {
    let ports = container.ports.iter().flatten();
    let limits = container
        .resources
        .iter()
        .filter_map(|r| r.limits.as_ref())
        .flatten();
    let hooks = container.lifecycle.as_ref();
    ContainerSpec {
        name: container.name.clone(),
        ports: ports
            .filter_map(|p| {
                Some((
                    p.name.clone().unwrap_or_default(),
                    u16::try_from(p.container_port).ok()?,
                ))
            })
            .collect(),
        limits: limits
            .map(|(what, q)| (what.clone(), q.0.clone()))
            .collect(),
        readiness: container.readiness_probe.is_some(),
        pre_stop: hooks.is_some_and(|h| h.pre_stop.is_some()),
    }
}

/// Whom a Service sends to. One that is only another name for a host outside selects nobody.
pub(crate) fn service_of(service: &Service) -> ServiceSpec {
    let spec = service.spec.clone().unwrap_or_default();
    let is_name = spec.type_.as_deref() == Some("ExternalName");
    let ports = spec.ports.iter().flatten().filter_map(|p| {
        let port = u16::try_from(p.port).ok()?;
        let target = p.target_port.as_ref().map_or(port.to_string(), written);
        Some((port, target))
    });
    ServiceSpec {
        service: service.name_any(),
        ports: ports.collect(),
        selector: match is_name {
            true => Default::default(),
            false => spec.selector.unwrap_or_default(),
        },
    }
}

fn written(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(n) => n.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}

/// How a Deployment replaces its pods, and what its controller complains of.
pub(crate) fn deployment_of(deployment: &Deployment) -> DeploymentSpec {
    let spec = deployment.spec.clone().unwrap_or_default();
    let replicas = u32::try_from(spec.replicas.unwrap_or(1)).unwrap_or(0);
    let (strategy, may_miss) = strategy(&spec, replicas);
    let conditions = deployment.status.iter().flat_map(|s| &s.conditions);
    let troubles = conditions.flatten().filter_map(|c| {
        let is_trouble = matches!(
            (c.type_.as_str(), c.status.as_str()),
            ("Progressing", "False") | ("ReplicaFailure", "True")
        );
        is_trouble.then(|| Reason {
            word: c.reason.clone().unwrap_or_default(),
            message: short(c.message.clone()),
        })
    });
    DeploymentSpec {
        deployment: deployment.name_any(),
        replicas,
        strategy,
        may_miss,
        troubles: troubles.collect(),
    }
}

/// In words, and how many pods may be missing meanwhile.
fn strategy(spec: &Spec, replicas: u32) -> (String, u32) {
    let strategy = spec.strategy.clone().unwrap_or_default();
    if strategy.type_.as_deref() == Some("Recreate") {
        return ("Recreate".into(), replicas);
    }
    let rolling = strategy.rolling_update.unwrap_or_default();
    let quarter = || IntOrString::String("25%".into());
    let unavailable = rolling.max_unavailable.unwrap_or_else(quarter);
    let surge = rolling.max_surge.unwrap_or_else(quarter);
    let words = format!(
        "maxUnavailable {}, maxSurge {}",
        written(&unavailable),
        written(&surge)
    );
    let surges = share(&surge, replicas, true) > 0;
    let may_miss = match share(&unavailable, replicas, false) {
        // With neither the controller takes one away (semantics.md 3.3).
        0 if !surges => 1,
        n => n.min(replicas),
    };
    (words, may_miss)
}

fn share(of: &IntOrString, replicas: u32, up: bool) -> u32 {
    match of {
        IntOrString::Int(n) => u32::try_from(*n).unwrap_or(0),
        IntOrString::String(text) => {
            let percent: u64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let hundredths = u64::from(replicas).saturating_mul(percent);
            let share = match up {
                true => hundredths.div_ceil(100),
                false => hundredths / 100,
            };
            u32::try_from(share).unwrap_or(u32::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(mut more: Value) -> Pod {
        more["metadata"]["name"] = "shop-7d9f-x2x4p".into();
        more["metadata"]["uid"] = "u".into();
        serde_json::from_value(more).unwrap()
    }

    #[test]
    fn a_container_says_why_it_waits_and_how_it_ended_last() {
        let pod = pod(json!({"status": {"containerStatuses": [{
            "name": "shop", "image": "shop:1", "imageID": "", "ready": false, "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled",
                "startedAt": "2026-11-20T16:00:01Z", "finishedAt": "2026-11-20T16:00:03Z"}},
        }]}}));
        let expected = ContainerState {
            pod: "shop-7d9f-x2x4p".into(),
            container: "shop".into(),
            image: "shop:1".into(),
            restarts: 2,
            waiting: Some(Reason {
                word: "CrashLoopBackOff".into(),
                message: "back-off 20s".into(),
            }),
            ended: Some(Ended {
                code: 137,
                reason: "OOMKilled".into(),
                since: "2026-11-20T16:00:01Z".into(),
                until: "2026-11-20T16:00:03Z".into(),
                ..Ended::default()
            }),
            ..ContainerState::default()
        };
        assert_eq!(containers_of(&pod), [expected]);
    }

    #[test]
    fn a_container_that_only_begins_is_in_no_trouble() {
        let pod = pod(json!({"status": {"containerStatuses": [{
            "name": "shop", "image": "shop:1", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ContainerCreating"}}}]}}));
        assert_eq!(containers_of(&pod)[0].waiting, None);
    }

    #[test]
    fn a_pod_is_described_by_its_labels_ports_limits_probe_and_hook() {
        let pod = pod(json!({
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [{
                "name": "shop", "ports": [{"name": "web", "containerPort": 8080}],
                "resources": {"limits": {"memory": "4Mi"}},
                "readinessProbe": {"tcpSocket": {"port": 8080}},
                "lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}]},
        }));
        let expected = PodSpec {
            pod: "shop-7d9f-x2x4p".into(),
            owner: String::new(),
            labels: [("app".to_string(), "shop".to_string())].into(),
            grace: 0,
            containers: vec![ContainerSpec {
                name: "shop".into(),
                ports: vec![("web".into(), 8080)],
                limits: [("memory".to_string(), "4Mi".to_string())].into(),
                readiness: true,
                pre_stop: true,
            }],
        };
        assert_eq!(spec_of(&pod), expected);
    }

    #[test]
    fn a_service_is_described_by_its_selector_and_where_its_ports_lead() {
        let service = |spec: Value| -> ServiceSpec {
            let service = json!({"metadata": {"name": "shop"}, "spec": spec});
            service_of(&serde_json::from_value(service).unwrap())
        };
        let shop = service(json!({"selector": {"app": "shop"}, "ports": [
            {"port": 80, "targetPort": "web"}, {"port": 8080}, {"port": 81, "targetPort": 8081}]}));
        let leads = |port, to: &str| (port, to.to_string());
        assert_eq!(
            shop.ports,
            [leads(80, "web"), leads(8080, "8080"), leads(81, "8081")]
        );
        assert_eq!(shop.selector["app"], "shop");
        let name = json!({"type": "ExternalName", "externalName": "x.org", "selector": {"a": "b"}});
        assert!(service(name).selector.is_empty());
    }

    #[test]
    fn a_deployment_is_described_by_how_many_pods_it_lets_go_and_what_it_complains_of() {
        let deployment = |spec: Value, conditions: Value| -> DeploymentSpec {
            let all = json!({"metadata": {"name": "shop"}, "spec": spec, "status": {"conditions": conditions}});
            deployment_of(&serde_json::from_value(all).unwrap())
        };
        let spec = |replicas: u32, strategy: Value| json!({"replicas": replicas, "strategy": strategy, "selector": {}, "template": {}});
        let rolling =
            |u: Value, s: Value| json!({"rollingUpdate": {"maxUnavailable": u, "maxSurge": s}});
        let may_miss = |n, strategy| deployment(spec(n, strategy), json!([])).may_miss;
        assert_eq!(may_miss(4, json!({})), 1);
        assert_eq!(may_miss(1, json!({})), 0);
        assert_eq!(may_miss(2, json!({"type": "Recreate"})), 2);
        assert_eq!(may_miss(2, rolling(json!("100%"), json!(0))), 2);
        assert_eq!(may_miss(2, rolling(json!(0), json!(0))), 1);
        let stuck = deployment(
            spec(1, json!({})),
            json!([
                {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
                {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"},
                {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
            ]),
        );
        let words: Vec<&str> = stuck.troubles.iter().map(|t| t.word.as_str()).collect();
        assert_eq!(words, ["ProgressDeadlineExceeded", "FailedCreate"]);
        assert_eq!(stuck.strategy, "maxUnavailable 25%, maxSurge 25%");
    }
}
