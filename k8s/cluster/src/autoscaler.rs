//! A HorizontalPodAutoscaler as `kubectl get hpa` shows it.
use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscaler, MetricSpec, MetricStatus};
use kube::ResourceExt;
use model::Fact;

/// What is written down of one.
pub(crate) fn fact(autoscaler: &HorizontalPodAutoscaler) -> Fact {
    let status = autoscaler.status.as_ref();
    let count = |n: i32| u32::try_from(n).unwrap_or(0);
    let specs = autoscaler.spec.as_ref().and_then(|s| s.metrics.as_deref());
    let seen = status
        .and_then(|s| s.current_metrics.as_deref())
        .unwrap_or_default();
    let targets = specs.unwrap_or_default().iter().enumerate();
    let targets: Vec<String> = targets.map(|(i, spec)| target(spec, seen.get(i))).collect();
    let conditions = status
        .and_then(|s| s.conditions.as_deref())
        .unwrap_or_default();
    Fact::Autoscaler {
        name: autoscaler.name_any(),
        current: count(status.and_then(|s| s.current_replicas).unwrap_or(0)),
        desired: count(status.map_or(0, |s| s.desired_replicas)),
        targets: targets.join(", "),
        conditions: conditions
            .iter()
            .map(|c| {
                format!(
                    "{} {} {}",
                    c.type_,
                    c.status,
                    c.reason.as_deref().unwrap_or_default()
                )
            })
            .collect(),
    }
}

/// `12%/15%`, `<unknown>/1%`: the mean use of a resource and what it shall be.
fn target(spec: &MetricSpec, seen: Option<&MetricStatus>) -> String {
    let Some(resource) = &spec.resource else {
        return spec.type_.clone();
    };
    let current = seen.and_then(|m| m.resource.as_ref()).map(|r| &r.current);
    let unknown = || "<unknown>".to_string();
    match (
        &resource.target.average_utilization,
        &resource.target.average_value,
    ) {
        (Some(wanted), _) => {
            let used = current.and_then(|c| c.average_utilization);
            format!(
                "{}/{wanted}%",
                used.map_or_else(unknown, |used| format!("{used}%"))
            )
        }
        (None, wanted) => {
            let wanted = wanted.as_ref().map(|q| q.0.clone()).unwrap_or_default();
            let used = current.and_then(|c| c.average_value.as_ref());
            format!(
                "{}/{wanted}",
                used.map_or_else(unknown, |used| used.0.clone())
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(status: serde_json::Value) -> Fact {
        let autoscaler = json!({"metadata": {"name": "auth"},
            "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "auth"},
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 15}}}]},
            "status": status});
        fact(&serde_json::from_value(autoscaler).unwrap())
    }

    #[test]
    fn a_metric_that_is_not_known_is_written_as_kubectl_does() {
        let conditions = json!([{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}]);
        let unknown =
            told(json!({"desiredReplicas": 0, "currentReplicas": 1, "conditions": conditions}));
        let expected = Fact::Autoscaler {
            name: "auth".into(),
            current: 1,
            desired: 0,
            targets: "<unknown>/15%".into(),
            conditions: vec!["ScalingActive False FailedGetResourceMetric".into()],
        };
        assert_eq!(unknown, expected);
        let current = json!([{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 60, "averageValue": "30m"}}}]);
        let known =
            told(json!({"desiredReplicas": 3, "currentReplicas": 1, "currentMetrics": current}));
        assert!(
            matches!(known, Fact::Autoscaler { targets, desired: 3, .. } if targets == "60%/15%")
        );
    }
}
