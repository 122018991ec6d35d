//! patch — what a patch makes of an object, for each of the four kinds of patch.

mod apply;
mod fields;
mod keys;
mod owners;
mod prune;
mod strategic;

pub use owners::release_changed;

use crate::{
    api::Call,
    refusal::{Fault, Problem, Refusal},
};
use serde_json::{Value, json};

/// A patch, its type known.
pub enum Patch {
    /// RFC 6902.
    Json(json_patch::Patch),
    /// RFC 7386.
    Merge(Value),
    /// Kubernetes' own, which knows the keys of lists.
    Strategic(Value),
    /// Server-side apply.
    Apply(Apply),
}

/// What a manager wants an object to say.
pub struct Apply {
    /// The object as far as the manager cares.
    pub body: Value,
    pub manager: String,
    /// Take fields from other managers.
    pub force: bool,
}

/// The type of a body for server-side apply. It is JSON; what else YAML has is not read.
pub const APPLY: &str = "application/apply-patch+yaml";

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml";

impl Patch {
    pub fn read(call: &Call, body: Value) -> Result<Patch, Refusal> {
        match call.media_type.as_str() {
            "application/json-patch+json" => serde_json::from_value(body)
                .map(Patch::Json)
                .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}"))),
            "application/merge-patch+json" => Ok(Patch::Merge(body)),
            "application/strategic-merge-patch+json" => Ok(Patch::Strategic(body)),
            APPLY => Apply::read(call, body).map(Patch::Apply),
            _ => Err(Refusal::unsupported_media_type(ACCEPTED)),
        }
    }

    /// The object after the patch; `now` dates what server-side apply notes down.
    pub fn onto(&self, live: &Value, now: &str) -> Result<Value, Refusal> {
        let mut next = live.clone();
        match self {
            Patch::Json(patch) => {
                json_patch::patch(&mut next, patch)
                    .map_err(|error| Refusal::impossible_patch(&error.to_string()))?;
            }
            Patch::Merge(patch) => json_patch::merge(&mut next, patch),
            Patch::Strategic(patch) => strategic::merge(&mut next, patch),
            Patch::Apply(apply) => return apply.onto(Some(live), now),
        }
        Ok(next)
    }
}

impl Apply {
    fn read(call: &Call, mut body: Value) -> Result<Apply, Refusal> {
        let manager = call.option("fieldManager").unwrap_or("");
        if manager.is_empty() {
            let text = "is required for apply patch";
            let problem = Problem::new("fieldManager", Fault::Required(text.into()));
            return Err(Refusal::invalid(
                "PatchOptions",
                "meta.k8s.io",
                "",
                &[problem],
            ));
        }
        if !body["metadata"]["managedFields"].is_null() {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        drop_nulls(&mut body);
        call.kind.canonicalise(&mut body)?;
        if body["metadata"]["name"].is_null() {
            body["metadata"]["name"] = json!(call.name);
        }
        Ok(Apply {
            body,
            manager: manager.into(),
            force: call.flag("force"),
        })
    }

    /// The object after the apply; a new one if there is none.
    pub fn onto(&self, live: Option<&Value>, now: &str) -> Result<Value, Refusal> {
        apply::onto(live, self, now).map_err(|conflicts| Refusal::owned_by_others(&conflicts))
    }
}

/// A manager who says null says nothing.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
