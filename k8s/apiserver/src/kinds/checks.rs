//! checks — what can be wrong with an object although every field has the right type. Texts are the real server's.

use super::{Kind, pod_checks, tree::list};
use crate::{
    refusal::{Fault, Problem},
    selector::Selector,
};
use serde_json::{Value, json};

type Problems = Vec<Problem>;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SERVICE_NAME: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
pub const IMMUTABLE: &str = "field is immutable";

fn is_label(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.chars().all(inside) && edge(name.chars().next()) && edge(name.chars().last())
}

/// Whether a name is a DNS label of at most 63 characters; what is wrong otherwise.
pub fn label_fault(name: &str) -> Option<String> {
    if name.len() > 63 {
        Some("must be no more than 63 characters".into())
    } else {
        (!is_label(name)).then(|| LABEL.into())
    }
}

fn name_fault(kind: &Kind, name: &str) -> Option<String> {
    match kind.kind {
        // Names of roles may be any segment of a path.
        "Role" | "RoleBinding" => name
            .contains(['/', '%'])
            .then(|| "may not contain '/' or '%'".into()),
        "Namespace" => label_fault(name),
        "Service" if name.len() > 63 => Some("must be no more than 63 characters".into()),
        "Service" => {
            let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
            (!starts_well || !is_label(name)).then(|| SERVICE_NAME.into())
        }
        _ if name.len() > 253 => Some("must be no more than 253 characters".into()),
        _ => (!name.split('.').all(is_label)).then(|| SUBDOMAIN.into()),
    }
}

pub fn metadata(kind: &Kind, object: &Value) -> Problems {
    let name = object["metadata"]["name"].as_str().unwrap_or("");
    if name.is_empty() {
        let text = "name or generateName is required";
        return vec![Problem::new("metadata.name", Fault::Required(text.into()))];
    }
    let fault = name_fault(kind, name);
    fault
        .map(|fault| Problem::invalid("metadata.name", &json!(name), fault))
        .into_iter()
        .collect()
}

/// A whole number below zero.
pub fn not_negative(problems: &mut Problems, at: &str, value: &Value) {
    if value.as_i64().is_some_and(|n| n < 0) {
        problems.push(Problem::invalid(
            at,
            value,
            "must be greater than or equal to 0",
        ));
    }
}

/// A text that is none of the `known` ones.
pub fn one_of(problems: &mut Problems, at: &str, value: &Value, known: &'static [&'static str]) {
    if value.as_str().is_some_and(|v| !known.contains(&v)) {
        problems.push(Problem::new(at, Fault::Unsupported(value.clone(), known)));
    }
}

pub fn port_number(problems: &mut Problems, at: &str, value: &Value) {
    match value.as_i64() {
        Some(1..=65535) => {}
        Some(0) | None => problems.push(Problem::required(at)),
        Some(_) => problems.push(Problem::invalid(
            at,
            value,
            "must be between 1 and 65535, inclusive",
        )),
    }
}

pub fn namespace(object: &Value, problems: &mut Problems) {
    one_of(
        problems,
        "status.phase",
        &object["status"]["phase"],
        &["Active", "Terminating"],
    );
}

pub fn pod(object: &Value, problems: &mut Problems) {
    pod_checks::specification("spec", &object["spec"], problems);
}

/// The parts of a pod's specification that may change while it runs are few.
pub fn pod_change(before: &Value, after: &Value, problems: &mut Problems) {
    let fixed = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        for container in ["containers", "initContainers"] {
            for container in spec
                .get_mut(container)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                container["image"] = Value::Null;
            }
        }
        for field in [
            "activeDeadlineSeconds",
            "tolerations",
            "terminationGracePeriodSeconds",
        ] {
            spec[field] = Value::Null;
        }
        spec
    };
    if fixed(before) != fixed(after) {
        let text = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        problems.push(Problem::new("spec", Fault::Forbidden(text.into())));
    }
}

/// Selector and template of a Deployment or ReplicaSet.
fn selected_template(what: &str, object: &Value, problems: &mut Problems) {
    let spec = &object["spec"];
    not_negative(problems, "spec.replicas", &spec["replicas"]);
    let selector = Selector::of_object(&spec["selector"]);
    let labels = &spec["template"]["metadata"]["labels"];
    if selector.is_empty() {
        match spec["selector"].as_object().is_some_and(|s| !s.is_empty()) {
            true => {
                let text = format!("empty selector is invalid for {what}");
                let fault = Fault::Invalid(selector_shown(&spec["selector"]), text);
                problems.push(Problem::new("spec.selector", fault));
            }
            false => problems.push(Problem::required("spec.selector")),
        }
    }
    if !selector.matches_labels(labels) {
        let shown = if labels.is_null() { &json!({}) } else { labels };
        let text = "`selector` does not match template `labels`";
        problems.push(Problem::invalid(
            "spec.template.metadata.labels",
            shown,
            text,
        ));
    }
    let pod = &spec["template"]["spec"];
    pod_checks::specification("spec.template.spec", pod, problems);
    one_of(
        problems,
        "spec.template.spec.restartPolicy",
        &pod["restartPolicy"],
        &["Always"],
    );
}

pub fn deployment(object: &Value, problems: &mut Problems) {
    selected_template("deployment", object, problems);
    let spec = &object["spec"];
    for field in ["minReadySeconds", "revisionHistoryLimit"] {
        not_negative(problems, &format!("spec.{field}"), &spec[field]);
    }
    one_of(
        problems,
        "spec.strategy.type",
        &spec["strategy"]["type"],
        &["Recreate", "RollingUpdate"],
    );
    let rolling = &spec["strategy"]["rollingUpdate"];
    match spec["strategy"]["type"].as_str() {
        Some("Recreate") if !rolling.is_null() => {
            let text = "may not be specified when strategy `type` is 'Recreate'";
            problems.push(Problem::new(
                "spec.strategy.rollingUpdate",
                Fault::Forbidden(text.into()),
            ));
        }
        Some("RollingUpdate") => rolling_update(rolling, problems),
        _ => {}
    }
    let deadline = &spec["progressDeadlineSeconds"];
    if deadline.as_i64() <= Some(spec["minReadySeconds"].as_i64().unwrap_or(0))
        && !deadline.is_null()
    {
        problems.push(Problem::invalid(
            "spec.progressDeadlineSeconds",
            deadline,
            "must be greater than minReadySeconds",
        ));
    }
}

fn rolling_update(rolling: &Value, problems: &mut Problems) {
    for field in ["maxUnavailable", "maxSurge"] {
        let at = format!("spec.strategy.rollingUpdate.{field}");
        let value = &rolling[field];
        not_negative(problems, &at, value);
        let percent = |text: &str| {
            text.strip_suffix('%')
                .is_some_and(|n| n.parse::<u32>().is_ok())
        };
        if value.as_str().is_some_and(|text| !percent(text)) {
            let text = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            problems.push(Problem::invalid(at, value, text));
        }
    }
    let nothing = |value: &Value| *value == 0 || *value == "0%";
    if nothing(&rolling["maxUnavailable"]) && nothing(&rolling["maxSurge"]) {
        let at = "spec.strategy.rollingUpdate.maxUnavailable";
        problems.push(Problem::invalid(
            at,
            &rolling["maxUnavailable"],
            "may not be 0 when `maxSurge` is 0",
        ));
    }
}

pub fn replica_set(object: &Value, problems: &mut Problems) {
    selected_template("replicaset", object, problems);
}

/// A LabelSelector as Go prints it, which is how the real server shows it.
fn selector_shown(selector: &Value) -> String {
    let labels = match &selector["matchLabels"] {
        Value::Object(labels) => {
            let mut pairs: Vec<_> = labels.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
            pairs.sort();
            format!("map[string]string{{{}}}", pairs.join(", "))
        }
        _ => "map[string]string(nil)".into(),
    };
    let expressions: Vec<String> = list(selector, "matchExpressions")
        .map(|e| {
            let values: Vec<String> = list(e, "values").map(Value::to_string).collect();
            format!(
                "v1.LabelSelectorRequirement{{Key:{}, Operator:{}, Values:[]string{{{}}}}}",
                e["key"],
                e["operator"],
                values.join(", ")
            )
        })
        .collect();
    let expressions = match expressions.len() {
        0 => "(nil)".into(),
        _ => format!("{{{}}}", expressions.join(", ")),
    };
    format!(
        "v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:[]v1.LabelSelectorRequirement{expressions}}}"
    )
}

pub fn selector_change(before: &Value, after: &Value, problems: &mut Problems) {
    if before["spec"]["selector"] != after["spec"]["selector"] {
        let shown = selector_shown(&after["spec"]["selector"]);
        problems.push(Problem::new(
            "spec.selector",
            Fault::Invalid(shown, IMMUTABLE.into()),
        ));
    }
}

pub fn job(object: &Value, problems: &mut Problems) {
    let spec = &object["spec"];
    for field in [
        "parallelism",
        "completions",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    ] {
        not_negative(problems, &format!("spec.{field}"), &spec[field]);
    }
    one_of(
        problems,
        "spec.completionMode",
        &spec["completionMode"],
        &["Indexed", "NonIndexed"],
    );
    if spec["completionMode"] == "Indexed" && spec["completions"].is_null() {
        let text = "when completion mode is Indexed";
        problems.push(Problem::new(
            "spec.completions",
            Fault::Required(text.into()),
        ));
    }
    let pod = &spec["template"]["spec"];
    pod_checks::specification("spec.template.spec", pod, problems);
    let at = "spec.template.spec.restartPolicy";
    if pod["restartPolicy"] == "Always" {
        let text = "valid values: \"OnFailure\", \"Never\"";
        problems.push(Problem::new(at, Fault::Required(text.into())));
    }
}

pub fn job_change(before: &Value, after: &Value, problems: &mut Problems) {
    for field in ["selector", "template", "completions", "completionMode"] {
        let (before, after) = (&before["spec"][field], &after["spec"][field]);
        if before != after {
            problems.push(Problem::new(
                format!("spec.{field}"),
                Fault::Invalid(after.to_string(), IMMUTABLE.into()),
            ));
        }
    }
}

pub fn service(object: &Value, problems: &mut Problems) {
    let spec = &object["spec"];
    one_of(
        problems,
        "spec.type",
        &spec["type"],
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    );
    one_of(
        problems,
        "spec.sessionAffinity",
        &spec["sessionAffinity"],
        &["ClientIP", "None"],
    );
    let ports: Vec<&Value> = list(spec, "ports").collect();
    let needs_ports = spec["type"] != "ExternalName" && spec["clusterIP"] != "None";
    if ports.is_empty() && needs_ports {
        problems.push(Problem::required("spec.ports"));
    }
    if spec["type"] == "ExternalName" && spec["externalName"].as_str().is_none_or(str::is_empty) {
        problems.push(Problem::required("spec.externalName"));
    }
    for (i, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{i}]");
        if ports.len() > 1 && port["name"].as_str().is_none_or(str::is_empty) {
            problems.push(Problem::required(format!("{at}.name")));
        }
        let before = &ports[..i];
        if port["name"].is_string() && before.iter().any(|p| p["name"] == port["name"]) {
            problems.push(Problem::new(
                format!("{at}.name"),
                Fault::Duplicate(port["name"].clone()),
            ));
        }
        if let Some(name) = port["name"].as_str().filter(|n| !n.is_empty())
            && let Some(fault) = label_fault(name)
        {
            problems.push(Problem::invalid(format!("{at}.name"), &port["name"], fault));
        }
        port_number(problems, &format!("{at}.port"), &port["port"]);
        one_of(
            problems,
            &format!("{at}.protocol"),
            &port["protocol"],
            &["SCTP", "TCP", "UDP"],
        );
        if before
            .iter()
            .any(|p| p["port"] == port["port"] && p["protocol"] == port["protocol"])
        {
            let shown = json!({"protocol": port["protocol"], "port": port["port"]});
            problems.push(Problem::new(at, Fault::Duplicate(shown)));
        }
    }
}

pub fn service_change(before: &Value, after: &Value, problems: &mut Problems) {
    let address = |service: &Value| {
        service["spec"]["clusterIP"]
            .as_str()
            .unwrap_or("")
            .to_string()
    };
    let stays = before["spec"]["type"] != "ExternalName" && after["spec"]["type"] != "ExternalName";
    if stays && !address(before).is_empty() && address(before) != address(after) {
        let shown = format!("[]string{{\"{}\"}}", address(after));
        problems.push(Problem::new(
            "spec.clusterIPs[0]",
            Fault::Invalid(shown, "may not change once set".into()),
        ));
    }
}

/// Keys of a ConfigMap or Secret.
pub fn config_map(object: &Value, problems: &mut Problems) {
    for part in ["data", "binaryData"] {
        for key in object[part].as_object().into_iter().flat_map(|m| m.keys()) {
            let sound = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            if key.is_empty() || !key.chars().all(sound) {
                problems.push(Problem::invalid(
                    format!("{part}[{key}]"),
                    &json!(key),
                    CONFIG_KEY,
                ));
            }
        }
    }
}

pub fn immutable_data(before: &Value, after: &Value, problems: &mut Problems) {
    if before["immutable"] != true {
        return;
    }
    for part in ["immutable", "data", "binaryData"] {
        if before[part] != after[part] {
            let text = "field is immutable when `immutable` is set";
            problems.push(Problem::new(part, Fault::Forbidden(text.into())));
        }
    }
}

pub fn horizontal_pod_autoscaler(object: &Value, problems: &mut Problems) {
    let spec = &object["spec"];
    let number = |field: &str| spec[field].as_i64().unwrap_or(0);
    for field in ["kind", "name"] {
        if spec["scaleTargetRef"][field]
            .as_str()
            .is_none_or(str::is_empty)
        {
            problems.push(Problem::required(format!("spec.scaleTargetRef.{field}")));
        }
    }
    if number("minReplicas") < 1 {
        problems.push(Problem::invalid(
            "spec.minReplicas",
            &spec["minReplicas"],
            "must be greater than or equal to 1",
        ));
    }
    if number("maxReplicas") < 1 {
        problems.push(Problem::invalid(
            "spec.maxReplicas",
            &spec["maxReplicas"],
            "must be greater than 0",
        ));
    }
    if number("maxReplicas") < number("minReplicas") {
        let text = "must be greater than or equal to `minReplicas`";
        problems.push(Problem::invalid(
            "spec.maxReplicas",
            &spec["maxReplicas"],
            text,
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(check: fn(&Value, &mut Problems), object: Value) -> Vec<String> {
        let mut problems = vec![];
        check(&object, &mut problems);
        problems.iter().map(Problem::to_string).collect()
    }

    fn template() -> Value {
        json!({"metadata": {"labels": {"app": "b"}}, "spec": {"restartPolicy": "Always", "containers": [{"name": "c", "image": "i"}]}})
    }

    #[test]
    fn a_selector_must_match_its_template() {
        let object =
            json!({"spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template()}});
        assert_eq!(
            texts(deployment, object),
            [
                "spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"b\"}: `selector` does not match template `labels`"
            ]
        );
    }

    #[test]
    fn a_roll_out_must_be_able_to_move() {
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}});
        let object = json!({"spec": {"strategy": strategy, "selector": {"matchLabels": {"app": "b"}}, "template": template()}});
        assert_eq!(
            texts(deployment, object),
            [
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0"
            ]
        );
    }

    #[test]
    fn several_ports_need_names() {
        let object = json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80}, {"port": 70000, "name": "b"}]}});
        assert_eq!(
            texts(service, object),
            [
                "spec.ports[0].name: Required value",
                "spec.ports[1].port: Invalid value: 70000: must be between 1 and 65535, inclusive"
            ]
        );
    }

    #[test]
    fn a_job_must_end() {
        let object = json!({"spec": {"template": template()}});
        assert_eq!(
            texts(job, object),
            [
                "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""
            ]
        );
    }

    #[test]
    fn an_autoscaler_has_room() {
        let object = json!({"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 3, "maxReplicas": 2}});
        assert_eq!(
            texts(horizontal_pod_autoscaler, object),
            ["spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"]
        );
    }

    #[test]
    fn names_follow_the_rules_of_their_kind() {
        let fault = |plural: &str, name: &str| name_fault(crate::kinds::known(plural), name);
        assert_eq!(fault("pods", "a.b-1"), None);
        assert_eq!(fault("pods", "A"), Some(SUBDOMAIN.into()));
        assert_eq!(fault("services", "1a"), Some(SERVICE_NAME.into()));
        assert_eq!(fault("namespaces", "a.b"), Some(LABEL.into()));
        assert_eq!(fault("roles", "system:reader"), None);
    }

    #[test]
    fn a_selector_never_changes() {
        let with = |app: &str| json!({"spec": {"selector": {"matchLabels": {"app": app}}}});
        let mut problems = vec![];
        selector_change(&with("a"), &with("b"), &mut problems);
        assert_eq!(
            problems[0].to_string(),
            "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"b\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable"
        );
    }
}
