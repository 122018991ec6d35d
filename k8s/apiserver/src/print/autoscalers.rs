//! autoscalers — an autoscaler in one line: what it scales, how far each metric is from its target, and between which sizes.

use super::{AGE, Column, NAME, column, items, number};
use serde_json::{Value, json};

/// Metrics shown before the rest is only counted.
const METRICS_SHOWN: usize = 2;
const UNKNOWN: &str = "<unknown>";

pub const HORIZONTAL_POD_AUTOSCALER: &[Column] = &[
    NAME,
    column("Reference", |h, _| {
        let target = &h["spec"]["scaleTargetRef"];
        json!(format!(
            "{}/{}",
            target["kind"].as_str().unwrap_or(""),
            target["name"].as_str().unwrap_or("")
        ))
    }),
    column("Targets", |h, _| json!(targets(h))),
    column("MinPods", |h, _| {
        let least = h["spec"]["minReplicas"].as_i64();
        json!(least.map_or("<unset>".into(), |least| least.to_string()))
    }),
    column("MaxPods", |h, _| json!(number(&h["spec"]["maxReplicas"]))),
    column("Replicas", |h, _| {
        json!(number(&h["status"]["currentReplicas"]))
    }),
    AGE,
];

fn targets(autoscaler: &Value) -> String {
    let current = &autoscaler["status"]["currentMetrics"];
    let all: Vec<String> = items(&autoscaler["spec"], "metrics")
        .enumerate()
        .map(|(i, metric)| target(metric, &current[i]))
        .collect();
    let more = all.len().saturating_sub(METRICS_SHOWN);
    let shown = all.len() - more;
    match (all[..shown].join(", "), more) {
        (none, _) if none.is_empty() => "<none>".into(),
        (all, 0) => all,
        (some, more) => format!("{some} + {more} more..."),
    }
}

/// `cpu: 12%/80%`, with `<unknown>` where nothing was measured.
fn target(metric: &Value, current: &Value) -> String {
    let source = match metric["type"].as_str() {
        Some("Resource") => "resource",
        Some("ContainerResource") => "containerResource",
        Some("Pods") => "pods",
        Some("Object") => "object",
        Some("External") => "external",
        _ => return "<unknown type>".into(),
    };
    let (wanted, measured) = (&metric[source]["target"], &current[source]["current"]);
    let amount = |amounts: &Value, field: &str| {
        let amount = amounts[field].as_str();
        amount.map_or(UNKNOWN.to_owned(), str::to_owned)
    };
    let percent = |amounts: &Value, otherwise: &str| {
        let percent = amounts["averageUtilization"].as_i64();
        percent.map_or(otherwise.to_owned(), |percent| format!("{percent}%"))
    };
    let is_average = wanted["averageValue"].is_string();
    let pair = match (source, is_average) {
        ("resource" | "containerResource", false) => {
            format!(
                "{}/{}",
                percent(measured, UNKNOWN),
                percent(wanted, "<auto>")
            )
        }
        (_, true) => {
            let field = "averageValue";
            format!("{}/{}", amount(measured, field), amount(wanted, field))
        }
        (_, false) => format!("{}/{}", amount(measured, "value"), amount(wanted, "value")),
    };
    match source {
        "resource" | "containerResource" => {
            let name = metric[source]["name"].as_str().unwrap_or("");
            format!("{name}: {pair}")
        }
        "object" | "external" if is_average => format!("{pair} (avg)"),
        _ => pair,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_autoscaler_without_measurements_says_so() {
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}});
        assert_eq!(target(&metric, &Value::Null), "cpu: <unknown>/80%");
        let current = json!({"resource": {"current": {"averageUtilization": 12}}});
        assert_eq!(target(&metric, &current), "cpu: 12%/80%");
    }

    #[test]
    fn of_many_metrics_two_are_shown() {
        let memory = json!({"type": "Resource", "resource": {"name": "memory", "target": {"averageValue": "100Mi"}}});
        let rps = json!({"type": "Pods", "pods": {"target": {"averageValue": "10"}}});
        let external = json!({"type": "External", "external": {"target": {"averageValue": "3"}}});
        let autoscaler = |metrics: Value| json!({"spec": {"metrics": metrics}});
        assert_eq!(
            targets(&autoscaler(json!([memory, rps, external]))),
            "memory: <unknown>/100Mi, <unknown>/10 + 1 more..."
        );
        assert_eq!(targets(&autoscaler(json!([external]))), "<unknown>/3 (avg)");
    }
}
