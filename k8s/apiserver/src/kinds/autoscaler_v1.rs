//! autoscaler_v1 — an autoscaler as `autoscaling/v1` shows it: one field for the CPU target, and annotations for all that v1 has no field
//! for, so that nothing is lost on the way there and back.

use super::tree::Map;
use serde_json::{Value, json};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const TARGET: &str = "targetCPUUtilizationPercentage";
const MEASURED: &str = "currentCPUUtilizationPercentage";

/// Which part of a metric is converted: what is wanted of it, or what was measured.
#[derive(Clone, Copy)]
struct Part {
    /// The field of v2 that holds the amounts.
    amounts: &'static str,
    /// What the names of the amounts begin with in v1.
    prefix: &'static str,
}

const WANTED: Part = Part {
    amounts: "target",
    prefix: "target",
};
const SEEN: Part = Part {
    amounts: "current",
    prefix: "current",
};

/// `autoscaling/v2`, as objects are stored, to `autoscaling/v1`.
pub fn from_stored(stored: &Value) -> Value {
    let mut shown = stored.clone();
    shown["apiVersion"] = json!("autoscaling/v1");
    let mut notes = Map::new();
    let metrics = list(&stored["spec"], "metrics");
    let others: Vec<Value> = metrics
        .iter()
        .filter(|metric| cpu_percent(metric, WANTED).is_none())
        .map(|metric| metric_to_v1(metric, WANTED))
        .collect();
    note(&mut notes, METRICS, &others);
    let current = list(&stored["status"], "currentMetrics");
    let measured: Vec<Value> = current.iter().map(|m| metric_to_v1(m, SEEN)).collect();
    note(&mut notes, CURRENT, &measured);
    if let Some(behavior) = stored["spec"].get("behavior") {
        notes.insert(BEHAVIOR.into(), json!(behavior_to_v1(behavior).to_string()));
    }
    note(
        &mut notes,
        CONDITIONS,
        &list(&stored["status"], "conditions"),
    );
    if let Some(spec) = shown.get_mut("spec").and_then(Value::as_object_mut) {
        spec.shift_remove("metrics");
        spec.shift_remove("behavior");
        let percent = metrics.iter().find_map(|m| cpu_percent(m, WANTED));
        percent.map(|percent| spec.insert(TARGET.into(), json!(percent)));
    }
    if let Some(status) = shown.get_mut("status").and_then(Value::as_object_mut) {
        status.shift_remove("currentMetrics");
        status.shift_remove("conditions");
        status.entry("currentReplicas").or_insert(json!(0));
        let percent = current.iter().rev().find_map(|m| cpu_percent(m, SEEN));
        percent.map(|percent| status.insert(MEASURED.into(), json!(percent)));
    }
    if !notes.is_empty() {
        let annotations = shown["metadata"]["annotations"].take();
        let mut all = annotations.as_object().cloned().unwrap_or_default();
        all.extend(notes);
        shown["metadata"]["annotations"] = Value::Object(all);
    }
    shown
}

/// `autoscaling/v1` to `autoscaling/v2`. An annotation that cannot be read says nothing, as on a real server.
pub fn to_stored(given: &Value) -> Value {
    let mut stored = given.clone();
    stored["apiVersion"] = json!("autoscaling/v2");
    let notes = without_notes(&mut stored);
    let read = |name: &str| -> Option<Value> { serde_json::from_str(notes.get(name)?).ok() };
    let metrics_of = |name: &str, part| -> Vec<Value> {
        let metrics = read(name).unwrap_or_default();
        let metrics = metrics.as_array().into_iter().flatten();
        metrics.map(|metric| metric_to_v2(metric, part)).collect()
    };
    if let Some(spec) = stored.get_mut("spec").and_then(Value::as_object_mut) {
        let mut metrics = metrics_of(METRICS, WANTED);
        let percent = spec
            .shift_remove(TARGET)
            .filter(|percent| !percent.is_null());
        metrics.extend(percent.map(|percent| {
            let target = json!({"type": "Utilization", "averageUtilization": percent});
            json!({"type": "Resource", "resource": {"name": "cpu", "target": target}})
        }));
        put_unless_empty(spec, "metrics", metrics);
        if let Some(behavior) = read(BEHAVIOR).map(|behavior| behavior_to_v2(&behavior)) {
            spec.insert("behavior".into(), behavior);
        }
    }
    if let Some(status) = stored.get_mut("status").and_then(Value::as_object_mut) {
        let percent = status.shift_remove(MEASURED).filter(|p| !p.is_null());
        let mut current = metrics_of(CURRENT, SEEN);
        if let (true, Some(percent)) = (current.is_empty(), percent) {
            current.push(json!({"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}}));
        }
        put_unless_empty(status, "currentMetrics", current);
        if let Some(Value::Array(conditions)) = read(CONDITIONS) {
            put_unless_empty(status, "conditions", conditions);
        }
    }
    stored
}

fn list(value: &Value, field: &str) -> Vec<Value> {
    value[field].as_array().cloned().unwrap_or_default()
}

fn put_unless_empty(map: &mut Map, field: &str, list: Vec<Value>) {
    if !list.is_empty() {
        map.insert(field.into(), Value::Array(list));
    }
}

fn note(notes: &mut Map, name: &str, list: &[Value]) {
    if !list.is_empty() {
        notes.insert(name.into(), json!(json!(list).to_string()));
    }
}

/// Takes the annotations away that v1 uses for itself.
fn without_notes(object: &mut Value) -> std::collections::BTreeMap<String, String> {
    let mut notes = std::collections::BTreeMap::new();
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return notes;
    };
    let Some(annotations) = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
    else {
        return notes;
    };
    for name in [METRICS, CURRENT, BEHAVIOR, CONDITIONS] {
        if let Some(text) = annotations.shift_remove(name) {
            notes.insert(name.into(), text.as_str().unwrap_or("").into());
        }
    }
    if annotations.is_empty() {
        metadata.shift_remove("annotations");
    }
    notes
}

/// The percentage, if this is the one metric for which v1 has a field.
fn cpu_percent(metric: &Value, part: Part) -> Option<i64> {
    let is_cpu = metric["type"] == "Resource" && metric["resource"]["name"] == "cpu";
    let percent = &metric["resource"][part.amounts]["averageUtilization"];
    percent.as_i64().filter(|_| is_cpu)
}

/// The field of a metric that its type names: `Pods` has `pods`.
fn source_of(metric: &Value) -> String {
    lowered(metric["type"].as_str().unwrap_or(""))
}

fn lowered(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// The names of an amount in v1 and v2. What a Service or another object is measured by has no prefix for its average.
fn amounts(source: &str, part: Part) -> [(String, &'static str); 3] {
    let named = |name: &str| format!("{}{name}", part.prefix);
    let average = match source {
        "object" => "averageValue".into(),
        _ => named("AverageValue"),
    };
    [
        (named("Value"), "value"),
        (average, "averageValue"),
        (named("AverageUtilization"), "averageUtilization"),
    ]
}

fn selector_field(source: &str) -> &'static str {
    match source {
        "external" => "metricSelector",
        _ => "selector",
    }
}

fn metric_to_v1(metric: &Value, part: Part) -> Value {
    let source = source_of(metric);
    let given = &metric[&source];
    let mut flat = Map::new();
    let mut put = |name: &str, value: &Value| {
        if !value.is_null() {
            flat.insert(name.into(), value.clone());
        }
    };
    put("target", &given["describedObject"]);
    put("name", &given["name"]);
    put("container", &given["container"]);
    put("metricName", &given["metric"]["name"]);
    put(selector_field(&source), &given["metric"]["selector"]);
    for (flat_name, name) in amounts(&source, part) {
        put(&flat_name, &given[part.amounts][name]);
    }
    json!({"type": metric["type"], source: flat})
}

fn metric_to_v2(metric: &Value, part: Part) -> Value {
    let source = source_of(metric);
    let flat = &metric[&source];
    let mut given = Map::new();
    let mut values = Map::new();
    for (flat_name, name) in amounts(&source, part) {
        if !flat[&flat_name].is_null() {
            values.insert(name.into(), flat[&flat_name].clone());
        }
    }
    if part.amounts == "target" {
        let kind = if values.contains_key("averageUtilization") {
            "Utilization"
        } else if values.contains_key("averageValue") {
            "AverageValue"
        } else {
            "Value"
        };
        values.insert("type".into(), json!(kind));
    }
    given.insert(part.amounts.into(), Value::Object(values));
    for (flat_name, name) in [
        ("target", "describedObject"),
        ("name", "name"),
        ("container", "container"),
    ] {
        if !flat[flat_name].is_null() {
            given.insert(name.into(), flat[flat_name].clone());
        }
    }
    if !flat["metricName"].is_null() {
        let mut identifier = json!({"name": flat["metricName"]});
        let selector = &flat[selector_field(&source)];
        if !selector.is_null() {
            identifier["selector"] = selector.clone();
        }
        given.insert("metric".into(), identifier);
    }
    json!({"type": metric["type"], source: given})
}

/// A real server writes down its own form of the rules, in which names begin with capitals and nothing is left out.
fn behavior_to_v1(behavior: &Value) -> Value {
    let rules = |rules: &Value| {
        if rules.is_null() {
            return Value::Null;
        }
        let policies = list(rules, "policies");
        let policies: Vec<Value> = policies
            .iter()
            .map(|p| json!({"Type": p["type"], "Value": p["value"], "PeriodSeconds": p["periodSeconds"]}))
            .collect();
        json!({
            "StabilizationWindowSeconds": rules["stabilizationWindowSeconds"], "SelectPolicy": rules["selectPolicy"],
            "Policies": policies, "Tolerance": rules["tolerance"],
        })
    };
    json!({"ScaleUp": rules(&behavior["scaleUp"]), "ScaleDown": rules(&behavior["scaleDown"])})
}

fn behavior_to_v2(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (lowered(name), behavior_to_v2(value)))
            .collect::<Map>()
            .into(),
        Value::Array(list) => list.iter().map(behavior_to_v2).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Value {
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}});
        let memory = json!({"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "100Mi"}}});
        let rps = json!({"type": "Pods", "pods": {"target": {"type": "AverageValue", "averageValue": "10"}, "metric": {"name": "rps"}}});
        let x = json!({"type": "Object", "object": {"target": {"type": "Value", "value": "3"},
            "describedObject": {"kind": "Service", "name": "s"}, "metric": {"name": "x"}}});
        let external = json!({"type": "External", "external": {"target": {"type": "AverageValue", "averageValue": "3"},
            "metric": {"name": "ext", "selector": {"matchLabels": {"q": "1"}}}}});
        let one = json!({"type": "ContainerResource", "containerResource": {"target": {"type": "Utilization", "averageUtilization": 40},
            "name": "cpu", "container": "c"}});
        let rules = json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max",
            "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]});
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "two", "annotations": {"a": "b"}},
            "spec": {"maxReplicas": 5, "metrics": [memory, rps, x, external, one, cpu], "behavior": {"scaleUp": rules}},
            "status": {"desiredReplicas": 2, "currentMetrics": [{"type": "Resource", "resource":
                {"current": {"averageValue": "7m", "averageUtilization": 14}, "name": "cpu"}}],
                "conditions": [{"type": "AbleToScale", "status": "True"}]},
        })
    }

    #[test]
    fn version_1_has_one_field_and_keeps_the_rest_in_annotations() {
        let shown = from_stored(&stored());
        assert_eq!(
            shown["spec"],
            json!({"maxReplicas": 5, "targetCPUUtilizationPercentage": 50})
        );
        assert_eq!(
            shown["status"],
            json!({"desiredReplicas": 2, "currentReplicas": 0, "currentCPUUtilizationPercentage": 14})
        );
        let annotations = &shown["metadata"]["annotations"];
        assert_eq!(annotations["a"], "b");
        let metrics: Value = serde_json::from_str(annotations[METRICS].as_str().unwrap()).unwrap();
        assert_eq!(
            metrics,
            json!([
                {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "100Mi"}},
                {"type": "Pods", "pods": {"metricName": "rps", "targetAverageValue": "10"}},
                {"type": "Object", "object": {"target": {"kind": "Service", "name": "s"}, "metricName": "x", "targetValue": "3"}},
                {"type": "External", "external": {"metricName": "ext", "metricSelector": {"matchLabels": {"q": "1"}}, "targetAverageValue": "3"}},
                {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "targetAverageUtilization": 40}},
            ])
        );
        assert_eq!(
            annotations[BEHAVIOR],
            r#"{"ScaleUp":{"StabilizationWindowSeconds":0,"SelectPolicy":"Max","Policies":[{"Type":"Pods","Value":4,"PeriodSeconds":15}],"Tolerance":null},"ScaleDown":null}"#
        );
    }

    #[test]
    fn nothing_is_lost_on_the_way_to_version_1_and_back() {
        let mut expected = stored();
        expected["status"]["currentReplicas"] = json!(0);
        assert_eq!(to_stored(&from_stored(&stored())), expected);
    }

    #[test]
    fn a_percentage_of_version_1_is_a_metric() {
        let given = json!({"apiVersion": "autoscaling/v1", "metadata": {"annotations": {BEHAVIOR: "nonsense"}},
            "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 15}, "status": {"currentCPUUtilizationPercentage": 7}});
        let stored = to_stored(&given);
        let target = json!({"type": "Utilization", "averageUtilization": 15});
        assert_eq!(
            stored["spec"],
            json!({"maxReplicas": 3, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]})
        );
        assert_eq!(
            stored["status"]["currentMetrics"][0]["resource"]["current"]["averageUtilization"],
            7
        );
        assert_eq!(
            (&stored["apiVersion"], &stored["metadata"]),
            (&json!("autoscaling/v2"), &json!({}))
        );
    }
}
