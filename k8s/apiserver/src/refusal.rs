//! refusal — why a request was turned down, as the Status object that Kubernetes clients understand.

use crate::{
    access::{Deed, User},
    kinds::Kind,
};
use serde_json::{Value, json};

/// A request turned down. Codes, reasons and texts are those of a real API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub details: Value,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub field: String,
    pub fault: Fault,
}

/// The ways in which a field can be wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Absent. The text may be empty.
    Required(String),
    /// The value as errors show it, and what it must be.
    Invalid(String, String),
    /// The value as errors show it, and those that exist.
    Unsupported(String, &'static [&'static str]),
    /// The value refers to nothing.
    NotFound(Value),
    /// The value is there already.
    Duplicate(Value),
    /// May not be so; why.
    Forbidden(String),
}

impl Problem {
    pub fn new(field: impl Into<String>, fault: Fault) -> Problem {
        Problem {
            field: field.into(),
            fault,
        }
    }

    /// A value that is there and wrong; `must` says what is expected of it.
    pub fn invalid(field: impl Into<String>, value: &Value, must: impl Into<String>) -> Problem {
        Problem::new(field, Fault::Invalid(shown(value), must.into()))
    }

    pub fn required(field: impl Into<String>) -> Problem {
        Problem::new(field, Fault::Required(String::new()))
    }

    fn cause(&self) -> Value {
        let reason = match self.fault {
            Fault::Required(_) => "FieldValueRequired",
            Fault::Invalid(..) => "FieldValueInvalid",
            Fault::Unsupported(..) => "FieldValueNotSupported",
            Fault::NotFound(_) => "FieldValueNotFound",
            Fault::Duplicate(_) => "FieldValueDuplicate",
            Fault::Forbidden(_) => "FieldValueForbidden",
        };
        json!({"reason": reason, "message": self.fault.to_string(), "field": self.field})
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.fault)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Required(text) if text.is_empty() => write!(f, "Required value"),
            Fault::Required(text) => write!(f, "Required value: {text}"),
            Fault::Invalid(value, text) => write!(f, "Invalid value: {value}: {text}"),
            Fault::Unsupported(value, known) => {
                let known: Vec<_> = known.iter().map(|k| format!("\"{k}\"")).collect();
                write!(
                    f,
                    "Unsupported value: {value}: supported values: {}",
                    known.join(", ")
                )
            }
            Fault::NotFound(value) => write!(f, "Not found: {value}"),
            Fault::Duplicate(value) => write!(f, "Duplicate value: {value}"),
            Fault::Forbidden(text) => write!(f, "Forbidden: {text}"),
        }
    }
}

/// A value as the real server prints it. Objects among the values shown are maps of texts (labels), printed as Go prints them.
fn shown(value: &Value) -> String {
    let Value::Object(map) = value else {
        return value.to_string();
    };
    let mut pairs: Vec<String> = map.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
    pairs.sort();
    format!("map[string]string{{{}}}", pairs.join(", "))
}

/// Text in the plural with its group, as errors name a resource: `deployments.apps`.
fn resource(kind: &Kind) -> String {
    qualified(kind.plural, kind.group)
}

fn qualified(name: &str, group: &str) -> String {
    match group {
        "" => name.into(),
        _ => format!("{name}.{group}"),
    }
}

/// What an answer is about, for programs.
fn details(plural: &str, group: &str, name: &str) -> Value {
    match group {
        "" => json!({"name": name, "kind": plural}),
        group => json!({"name": name, "group": group, "kind": plural}),
    }
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>, details: Value) -> Refusal {
        Refusal {
            code,
            reason,
            message: message.into(),
            details,
        }
    }

    fn about(kind: &Kind, name: &str, code: u16, reason: &'static str, message: String) -> Refusal {
        let details = details(kind.plural, kind.group, name);
        Refusal::new(code, reason, message, details)
    }

    pub fn not_found(kind: &Kind, name: &str) -> Refusal {
        let message = format!("{} \"{name}\" not found", resource(kind));
        Refusal::about(kind, name, 404, "NotFound", message)
    }

    /// Something that has no row in the table of kinds is not there.
    pub fn missing(plural: &str, group: &str, name: &str) -> Refusal {
        let message = format!("{} \"{name}\" not found", qualified(plural, group));
        let details = json!({"name": name, "group": group, "kind": plural});
        Refusal::new(404, "NotFound", message, details)
    }

    /// Whoever answers for this is not there.
    pub fn unavailable() -> Refusal {
        let message = "the server is currently unable to handle the request";
        Refusal::new(503, "ServiceUnavailable", message, json!({}))
    }

    pub fn no_such_path() -> Refusal {
        let message = "the server could not find the requested resource";
        Refusal::new(404, "NotFound", message, json!({}))
    }

    pub fn already_exists(kind: &Kind, name: &str) -> Refusal {
        let message = format!("{} \"{name}\" already exists", resource(kind));
        Refusal::about(kind, name, 409, "AlreadyExists", message)
    }

    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Refusal {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource(kind)
        );
        Refusal::about(kind, name, 409, "Conflict", message)
    }

    pub fn stale(kind: &Kind, name: &str) -> Refusal {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Refusal::conflict(kind, name, why)
    }

    /// Fields that another manager owns: `(manager, field)`.
    pub fn owned_by_others(conflicts: &[(String, String)]) -> Refusal {
        let causes: Vec<Value> = conflicts
            .iter()
            .map(|(manager, field)| {
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with \"{manager}\""), "field": field})
            })
            .collect();
        let plural = if conflicts.len() == 1 { "" } else { "s" };
        let mut managers: Vec<&str> = conflicts
            .iter()
            .map(|(manager, _)| manager.as_str())
            .collect();
        managers.dedup();
        let of = |manager: &&str| {
            let fields = conflicts.iter().filter(|(m, _)| m == manager);
            let fields: Vec<_> = fields.map(|(_, field)| field.as_str()).collect();
            match fields.as_slice() {
                [one] => format!("conflict with \"{manager}\": {one}"),
                many => format!("conflicts with \"{manager}\":\n- {}", many.join("\n- ")),
            }
        };
        let list: Vec<String> = managers.iter().map(of).collect();
        let message = format!(
            "Apply failed with {} conflict{plural}: {}",
            conflicts.len(),
            list.join("\n")
        );
        Refusal::new(409, "Conflict", message, json!({"causes": causes}))
    }

    pub fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(400, "BadRequest", message, json!({}))
    }

    pub fn forbidden(kind: &Kind, name: &str, why: &str) -> Refusal {
        let message = format!("{} \"{name}\" is forbidden: {why}", resource(kind));
        Refusal::about(kind, name, 403, "Forbidden", message)
    }

    /// A disruption budget stands in the way; `why` names it.
    pub fn disrupts(why: &str) -> Refusal {
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        let cause = json!({"reason": "DisruptionBudget", "message": why});
        Refusal::new(429, "TooManyRequests", message, json!({"causes": [cause]}))
    }

    /// A token that nobody holds.
    pub fn unauthorized() -> Refusal {
        Refusal::new(401, "Unauthorized", "Unauthorized", json!({}))
    }

    /// A caller who may not even look around.
    pub fn no_entry(user: &User, path: &str) -> Refusal {
        let message = format!(
            "forbidden: User \"{}\" cannot get path \"{path}\"",
            user.name
        );
        Refusal::new(403, "Forbidden", message, json!({}))
    }

    /// No role bound to the user allows it.
    pub fn not_permitted(user: &User, deed: &Deed) -> Refusal {
        let place = match deed.namespace.as_str() {
            "" => "at the cluster scope".into(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let why = format!(
            "User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {place}",
            user.name, deed.verb, deed.resource, deed.group
        );
        let named = match deed.name.as_str() {
            "" => String::new(),
            name => format!(" \"{name}\""),
        };
        let (plural, _) = deed
            .resource
            .split_once('/')
            .unwrap_or((&deed.resource, ""));
        let resource = qualified(plural, &deed.group);
        let message = format!("{resource}{named} is forbidden: {why}");
        let details = details(plural, &deed.group, &deed.name);
        Refusal::new(403, "Forbidden", message, details)
    }

    /// Headers that contradict each other.
    pub fn unreadable_headers(path: &str, why: &str) -> Refusal {
        let message = format!("Internal Server Error: \"{path}\": {why}");
        Refusal::new(500, "InternalError", message, json!({}))
    }

    /// All that is wrong with an object, at once. `details.kind` is the Kind here, not the plural: kubectl relies on it.
    pub fn invalid(kind: &str, group: &str, name: &str, problems: &[Problem]) -> Refusal {
        let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
        let texts = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let causes: Vec<Value> = problems.iter().map(Problem::cause).collect();
        let mut details = json!({"name": name, "group": group, "kind": kind, "causes": causes});
        if let (true, Some(details)) = (group.is_empty(), details.as_object_mut()) {
            details.shift_remove("group");
        }
        let message = format!("{} \"{name}\" is invalid: {texts}", qualified(kind, group));
        Refusal::new(422, "Invalid", message, details)
    }

    /// A patch that could be read but not be carried out.
    pub fn impossible_patch(why: &str) -> Refusal {
        let message = "the server rejected our request due to an error in our request";
        let cause = json!({"reason": "UnexpectedServerResponse", "message": why});
        Refusal::new(422, "Invalid", message, json!({"causes": [cause]}))
    }

    /// The server has run out of something.
    pub fn internal(message: &str) -> Refusal {
        let message = format!("Internal error occurred: {message}");
        Refusal::new(500, "InternalError", message, json!({}))
    }

    pub fn not_allowed() -> Refusal {
        let message = "the server does not allow this method on the requested resource";
        Refusal::new(405, "MethodNotAllowed", message, json!({}))
    }

    pub fn unsupported_media_type(accepted: &str) -> Refusal {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Refusal::new(415, "UnsupportedMediaType", message, json!({}))
    }

    pub fn too_large() -> Refusal {
        let message = "Request entity too large: limit is 3145728";
        Refusal::new(413, "RequestEntityTooLarge", message, json!({}))
    }

    pub fn expired() -> Refusal {
        Refusal::new(410, "Expired", "too old resource version", json!({}))
    }

    /// The `Status` object that a client reads.
    pub fn status(&self) -> Value {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "details": self.details, "code": self.code,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_problems_are_told_together() {
        let problems = [
            Problem::required("spec.a"),
            Problem::invalid("spec.b", &json!(2), "must be 1"),
        ];
        let refusal = Refusal::invalid("Deployment", "apps", "web", &problems);
        assert_eq!(
            refusal.message,
            "Deployment.apps \"web\" is invalid: [spec.a: Required value, spec.b: Invalid value: 2: must be 1]"
        );
        assert_eq!(refusal.details["causes"][1]["field"], "spec.b");
        assert_eq!(refusal.details["causes"][0]["message"], "Required value");
    }
}
