//! measured — what pods and nodes use, one line each.

use super::{Column, NAME, column, items};
use crate::kinds::canonical;
use serde_json::{Value, json};

pub const POD_METRICS: &[Column] = &[
    NAME,
    column("cpu", |pod, _| total(pod, "cpu")),
    column("memory", |pod, _| total(pod, "memory")),
    WINDOW,
];

pub const NODE_METRICS: &[Column] = &[
    NAME,
    column("cpu", |node, _| node["usage"]["cpu"].clone()),
    column("memory", |node, _| node["usage"]["memory"].clone()),
    WINDOW,
];

const WINDOW: Column = column("Window", |object, _| object["window"].clone());

/// The sum over a pod's containers, in the unit in which they are measured.
fn total(pod: &Value, resource: &str) -> Value {
    let (unit, of_thousandths) = match resource {
        "cpu" => ("n", 1_000_000),
        _ => ("Ki", 1024 * 1000),
    };
    let amounts = items(pod, "containers").filter_map(|c| c["usage"][resource].as_str());
    let sum: i128 = amounts
        .filter_map(|text| {
            // Billionths of a CPU are finer than what amounts are compared in.
            match (resource, text.strip_suffix('n')) {
                ("cpu", Some(nanos)) => nanos.parse().ok(),
                ("cpu", None) => Some(crate::kinds::thousandths(text)? * of_thousandths),
                _ => Some(crate::kinds::thousandths(text)? / of_thousandths),
            }
        })
        .sum();
    let text = format!("{sum}{unit}");
    json!(canonical(&text).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_uses_what_its_containers_use() {
        let one = json!({"usage": {"cpu": "1122778n", "memory": "20700Ki"}});
        let other = json!({"usage": {"cpu": "2m", "memory": "1Mi"}});
        let pod = json!({"containers": [one, other]});
        assert_eq!(
            (total(&pod, "cpu"), total(&pod, "memory")),
            (json!("3122778n"), json!("21724Ki"))
        );
    }
}
