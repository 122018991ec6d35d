//! patch — what a patch makes of an object, for each of the four kinds of patch.

use crate::{api::Call, refusal::Refusal};
use serde_json::Value;

/// A patch, its type known.
pub enum Patch {
    /// RFC 6902.
    Json(json_patch::Patch),
    /// RFC 7386.
    Merge(Value),
}

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml";

impl Patch {
    pub fn read(call: &Call, body: Value) -> Result<Patch, Refusal> {
        match call.media_type.as_str() {
            "application/json-patch+json" => serde_json::from_value(body)
                .map(Patch::Json)
                .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}"))),
            "application/merge-patch+json" => Ok(Patch::Merge(body)),
            _ => Err(Refusal::unsupported_media_type(ACCEPTED)),
        }
    }

    pub fn onto(&self, live: &Value) -> Result<Value, Refusal> {
        let mut next = live.clone();
        match self {
            Patch::Json(patch) => {
                json_patch::patch(&mut next, patch)
                    .map_err(|error| Refusal::impossible_patch(&error.to_string()))?;
            }
            Patch::Merge(patch) => json_patch::merge(&mut next, patch),
        }
        Ok(next)
    }
}
