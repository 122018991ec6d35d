//! selector — which objects a request means, by label and by field.

use crate::{kinds::Kind, refusal::Refusal};
use serde_json::Value;

/// What a label must be like.
#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// Present with one of these values.
    In(Vec<String>),
    /// Absent, or with none of these values.
    NotIn(Vec<String>),
    Present,
    Absent,
}

#[derive(Clone, Debug, PartialEq)]
struct LabelTest {
    label: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
struct FieldTest {
    field: String,
    equals: bool,
    value: String,
}

/// A selection; an empty one takes everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector {
    labels: Vec<LabelTest>,
    fields: Vec<FieldTest>,
}

impl Selector {
    /// Reads the query parameters `labelSelector` and `fieldSelector` of a request for `kind`.
    pub fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Selector, Refusal> {
        let labels = split(labels).map(label_test).collect::<Result<_, _>>()?;
        let fields: Vec<FieldTest> = split(fields).map(field_test).collect::<Result<_, _>>()?;
        if let Some(test) = fields.iter().find(|test| !selectable(kind, &test.field)) {
            return Err(Refusal::bad_request(format!(
                "Unable to find \"{}, Resource={}\" that match label selector \"\", field selector \"{}={}\": field label not supported: {}",
                match kind.group {
                    "" => format!("/{}", kind.version),
                    group => format!("{group}/{}", kind.version),
                },
                kind.plural,
                test.field,
                test.value,
                test.field
            )));
        }
        Ok(Selector { labels, fields })
    }

    /// Reads a `LabelSelector` object (`matchLabels`, `matchExpressions`).
    pub fn of_object(selector: &Value) -> Selector {
        let equal = selector["matchLabels"].as_object().into_iter().flatten();
        let equal = equal.map(|(label, value)| LabelTest {
            label: label.clone(),
            test: Test::In(vec![value.as_str().unwrap_or("").into()]),
        });
        let others = selector["matchExpressions"]
            .as_array()
            .into_iter()
            .flatten();
        let others = others.map(|expression| {
            let values = expression["values"].as_array().into_iter().flatten();
            let values = values.filter_map(Value::as_str).map(String::from).collect();
            LabelTest {
                label: expression["key"].as_str().unwrap_or("").into(),
                test: match expression["operator"].as_str() {
                    Some("In") => Test::In(values),
                    Some("NotIn") => Test::NotIn(values),
                    Some("DoesNotExist") => Test::Absent,
                    _ => Test::Present,
                },
            }
        });
        Selector {
            labels: equal.chain(others).collect(),
            fields: vec![],
        }
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(&object["metadata"]["labels"])
            && self.fields.iter().all(|test| test.holds(object))
    }

    pub fn matches_labels(&self, labels: &Value) -> bool {
        self.labels
            .iter()
            .all(|test| test.test.holds(labels[test.label.as_str()].as_str()))
    }
}

/// As `kubectl` writes selectors: `app=web,tier in (a,b),!old`.
impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tests = self
            .labels
            .iter()
            .map(|LabelTest { label, test }| match test {
                Test::In(values) if values.len() == 1 => format!("{label}={}", values[0]),
                Test::In(values) => format!("{label} in ({})", values.join(",")),
                Test::NotIn(values) => format!("{label} notin ({})", values.join(",")),
                Test::Present => label.clone(),
                Test::Absent => format!("!{label}"),
            });
        write!(f, "{}", tests.collect::<Vec<_>>().join(","))
    }
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let among = |values: &[String]| value.is_some_and(|v| values.iter().any(|x| x == v));
        match self {
            Test::In(values) => among(values),
            Test::NotIn(values) => !among(values),
            Test::Present => value.is_some(),
            Test::Absent => value.is_none(),
        }
    }
}

impl FieldTest {
    fn holds(&self, object: &Value) -> bool {
        let found = self
            .field
            .split('.')
            .fold(object, |value, part| &value[part]);
        let text = match found {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        (text == self.value) == self.equals
    }
}

/// Parts between commas that are not inside parentheses.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth <= 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

fn label_test(text: &str) -> Result<LabelTest, Refusal> {
    let words: Vec<&str> = text.splitn(3, char::is_whitespace).map(str::trim).collect();
    let (label, test) = if let [label, operator @ ("in" | "notin"), set] = words[..] {
        let values = set
            .strip_prefix('(')
            .and_then(|s| s.strip_suffix(')'))
            .ok_or_else(|| unparsable(text))?;
        let values = values.split(',').map(|v| v.trim().into()).collect();
        let test = if operator == "in" {
            Test::In(values)
        } else {
            Test::NotIn(values)
        };
        (label, test)
    } else if let Some(label) = text.strip_prefix('!') {
        (label, Test::Absent)
    } else if let Some((label, value)) = text.split_once("!=") {
        (label, Test::NotIn(vec![value.trim().into()]))
    } else if let Some((label, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (label, Test::In(vec![value.trim().into()]))
    } else {
        (text, Test::Present)
    };
    let label = label.trim();
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if label.is_empty() || !label.chars().all(sound) {
        return Err(unparsable(text));
    }
    Ok(LabelTest {
        label: label.into(),
        test,
    })
}

fn field_test(text: &str) -> Result<FieldTest, Refusal> {
    let (pair, equals) = match text.split_once("!=") {
        Some(pair) => (Some(pair), false),
        None => (text.split_once("==").or_else(|| text.split_once('=')), true),
    };
    let (field, value) = pair.ok_or_else(|| {
        Refusal::bad_request(format!(
            "invalid selector: '{text}'; can't understand '{text}'"
        ))
    })?;
    Ok(FieldTest {
        field: field.trim().into(),
        equals,
        value: value.trim().into(),
    })
}

fn unparsable(text: &str) -> Refusal {
    Refusal::bad_request(format!("unable to parse requirement: {text}"))
}

/// The fields that a real server lets clients select by.
fn selectable(kind: &Kind, field: &str) -> bool {
    let own: &[&str] = match kind.kind {
        "Pod" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "Event" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "Namespace" => &["status.phase"],
        "Node" => &["spec.unschedulable"],
        "ReplicaSet" => &["status.replicas"],
        "Job" => &["status.successful"],
        "Secret" => &["type"],
        _ => &[],
    };
    matches!(field, "metadata.name" | "metadata.namespace") || own.contains(&field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::known;
    use serde_json::json;

    fn selects(labels: &str, object: Value) -> bool {
        let selector = Selector::parse(known("pods"), labels, "").unwrap();
        selector.matches(&json!({"metadata": {"labels": object}}))
    }

    #[test]
    fn labels_are_compared_one_by_one_or_in_sets() {
        let labels = json!({"app": "web", "tier": "front"});
        for yes in [
            "",
            "app=web",
            "app==web",
            "app in (api, web)",
            "tier notin (back)",
            "!old",
            "app,tier!=back",
            "gone!=x",
        ] {
            assert!(selects(yes, labels.clone()), "{yes}");
        }
        for no in [
            "app=api",
            "app in (api)",
            "tier notin (front,back)",
            "old",
            "!app",
            "app=web,tier=back",
        ] {
            assert!(!selects(no, labels.clone()), "{no}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in ["a b", "=x", "app in web"] {
            assert_eq!(
                Selector::parse(known("pods"), bad, "").unwrap_err().code,
                400,
                "{bad}"
            );
        }
    }

    #[test]
    fn only_some_fields_select() {
        let pods = known("pods");
        let selector =
            Selector::parse(pods, "", "spec.nodeName=node-1,status.phase!=Running").unwrap();
        assert!(
            selector
                .matches(&json!({"spec": {"nodeName": "node-1"}, "status": {"phase": "Pending"}}))
        );
        assert!(
            !selector
                .matches(&json!({"spec": {"nodeName": "node-1"}, "status": {"phase": "Running"}}))
        );
        let refused = Selector::parse(pods, "", "spec.color=red").unwrap_err();
        assert!(
            refused
                .message
                .ends_with("field label not supported: spec.color")
        );
    }

    #[test]
    fn a_selector_object_prints_as_text() {
        let object = json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}]});
        assert_eq!(
            Selector::of_object(&object).to_string(),
            "app=web,tier in (a,b)"
        );
    }
}
