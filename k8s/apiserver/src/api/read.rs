//! read — get and list, in the shape the client asked for.

use super::{Api, Call, Shape, reply};
use crate::{kinds::Kind, print, refusal::Refusal};
use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json};
use std::sync::Arc;

impl Api {
    pub fn get(&self, call: &Call) -> Result<Response, Refusal> {
        let object = self
            .store
            .get(&call.key())
            .ok_or_else(|| call.not_found())?;
        Ok(self.show(call, StatusCode::OK, &object))
    }

    pub fn list(&self, call: &Call) -> Result<Response, Refusal> {
        let selector = call.selector()?;
        let (version, mut objects) = self.store.list(call.kind.plural, call.scope());
        objects.retain(|object| selector.matches(object));
        let version = version.to_string();
        let list = match call.shape {
            Shape::Whole => {
                let items: Vec<Value> = objects.iter().map(|o| call.kind.shown(o)).collect();
                let kind = format!("{}List", call.kind.kind);
                list_of(&kind, &call.kind.api_version(), &version, json!(items))
            }
            Shape::Metadata => {
                let items: Vec<Value> = objects.iter().map(|object| metadata_of(object)).collect();
                list_of(
                    "PartialObjectMetadataList",
                    "meta.k8s.io/v1",
                    &version,
                    json!(items),
                )
            }
            Shape::Table => print::table(call.kind, &objects, &version, true, self.clock.now()),
        };
        Ok(reply(StatusCode::OK, &list))
    }

    /// One object as an answer.
    pub fn show(&self, call: &Call, code: StatusCode, object: &Arc<Value>) -> Response {
        reply(code, &self.shaped(call.kind, call.shape, object, true))
    }

    /// One object in the shape asked for; `with_columns` says whether a table names its columns.
    pub fn shaped(
        &self,
        kind: &Kind,
        shape: Shape,
        object: &Arc<Value>,
        with_columns: bool,
    ) -> Value {
        match shape {
            Shape::Whole => kind.shown(object),
            Shape::Metadata => metadata_of(object),
            Shape::Table => {
                let version = object["metadata"]["resourceVersion"].as_str().unwrap_or("");
                print::table(
                    kind,
                    std::slice::from_ref(object),
                    version,
                    with_columns,
                    self.clock.now(),
                )
            }
        }
    }
}

fn list_of(kind: &str, api_version: &str, version: &str, items: Value) -> Value {
    json!({"kind": kind, "apiVersion": api_version, "metadata": {"resourceVersion": version}, "items": items})
}

/// An object's metadata alone.
pub fn metadata_of(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}
