//! review — answers about access itself: a token for an account, and whether the asker may do something.

use super::{Deed, User};
use crate::{
    api::{Api, Call, reply},
    clock::stamp,
    refusal::Refusal,
};
use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json};

impl Api {
    /// Answers a `TokenRequest` for the account that the call names.
    pub fn issue_token(&self, call: &Call, mut request: Value) -> Result<Response, Refusal> {
        let issued = self
            .tokens
            .issue(self, &call.namespace, &call.name, &request["spec"])?;
        request["apiVersion"] = json!("authentication.k8s.io/v1");
        request["kind"] = json!("TokenRequest");
        request["metadata"] = json!({"name": call.name, "namespace": call.namespace});
        request["status"] =
            json!({"token": issued.token, "expirationTimestamp": stamp(issued.until)});
        Ok(reply(StatusCode::CREATED, &request))
    }

    /// Answers a question about the asker.
    pub fn answer_about(&self, call: &Call, question: Value) -> Response {
        match call.kind.kind {
            "SelfSubjectReview" => identity(&call.by, question),
            _ => self.review_access(&call.by, question),
        }
    }

    fn review_access(&self, user: &User, mut review: Value) -> Response {
        let asked = &review["spec"]["resourceAttributes"];
        let text = |field: &str| asked[field].as_str().unwrap_or("").to_owned();
        let deed = Deed {
            verb: text("verb"),
            group: text("group"),
            resource: match asked["subresource"]
                .as_str()
                .filter(|part| !part.is_empty())
            {
                Some(part) => format!("{}/{part}", text("resource")),
                None => text("resource"),
            },
            namespace: text("namespace"),
            name: text("name"),
        };
        let allowed = match &review["spec"]["nonResourceAttributes"] {
            Value::Object(asked) => {
                let text = |field: &str| asked.get(field).and_then(Value::as_str);
                let (verb, path) = (text("verb"), text("path"));
                self.allows_path(user, verb.unwrap_or(""), path.unwrap_or(""))
            }
            _ => self.allows(user, &deed),
        };
        review["apiVersion"] = json!("authorization.k8s.io/v1");
        review["kind"] = json!("SelfSubjectAccessReview");
        review["status"] = json!({"allowed": allowed});
        reply(StatusCode::CREATED, &review)
    }
}

/// Who the asker is: `kubectl auth whoami`.
fn identity(user: &User, mut review: Value) -> Response {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = json!(user.uid);
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    review["apiVersion"] = json!("authentication.k8s.io/v1");
    review["kind"] = json!("SelfSubjectReview");
    review["status"] = json!({"userInfo": info});
    reply(StatusCode::CREATED, &review)
}
