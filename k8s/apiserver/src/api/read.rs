//! read — get and list, in the shape the client asked for.

use super::{Api, Call, Shape, reply};
use crate::{kinds::Kind, refusal::Refusal};
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
            Shape::Whole => list_of(
                &format!("{}List", call.kind.kind),
                &call.kind.api_version(),
                &version,
                &objects,
            ),
            Shape::Metadata => {
                let items: Vec<_> = objects.iter().map(|object| metadata_of(object)).collect();
                json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": version}, "items": items})
            }
            Shape::Table => list_of(
                &format!("{}List", call.kind.kind),
                &call.kind.api_version(),
                &version,
                &objects,
            ),
        };
        Ok(reply(StatusCode::OK, &list))
    }

    /// One object as an answer.
    pub fn show(&self, call: &Call, code: StatusCode, object: &Value) -> Response {
        reply(code, &self.shaped(call.kind, call.shape, object, true))
    }

    /// One object in the shape asked for; `with_columns` says whether a table names its columns.
    pub fn shaped(&self, _kind: &Kind, shape: Shape, object: &Value, _with_columns: bool) -> Value {
        match shape {
            Shape::Whole => object.clone(),
            Shape::Metadata => metadata_of(object),
            Shape::Table => object.clone(),
        }
    }
}

fn list_of(kind: &str, api_version: &str, version: &str, objects: &[Arc<Value>]) -> Value {
    let items: Vec<&Value> = objects.iter().map(Arc::as_ref).collect();
    json!({"kind": kind, "apiVersion": api_version, "metadata": {"resourceVersion": version}, "items": items})
}

/// An object's metadata alone.
pub fn metadata_of(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}
