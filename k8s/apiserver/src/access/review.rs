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

    /// Answers a `SelfSubjectAccessReview`. Without a user the asker is an administrator.
    pub fn review_access(
        &self,
        user: Option<&User>,
        mut review: Value,
    ) -> Result<Response, Refusal> {
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
        let is_path = review["spec"]["nonResourceAttributes"].is_object();
        let allowed = match user {
            None => true,
            Some(user) if is_path => user.is_authenticated(),
            Some(user) => self.allows(user, &deed),
        };
        review["apiVersion"] = json!("authorization.k8s.io/v1");
        review["kind"] = json!("SelfSubjectAccessReview");
        review["status"] = json!({"allowed": allowed});
        Ok(reply(StatusCode::CREATED, &review))
    }
}
