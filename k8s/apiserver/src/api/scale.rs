//! scale — the sub-resource `/scale`: how many replicas, and which pods count.

use super::{Api, Call, parsed, reply};
use crate::{
    patch::{self, Patch},
    refusal::{Problem, Refusal},
    selector::Selector,
    store::Next,
};
use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json};

impl Api {
    pub fn get_scale(&self, call: &Call) -> Result<Response, Refusal> {
        let object = self
            .store
            .get(&call.key())
            .ok_or_else(|| call.not_found())?;
        Ok(reply(StatusCode::OK, &scale_of(&object)))
    }

    pub fn put_scale(&self, call: &Call, scale: Value) -> Result<Response, Refusal> {
        self.rescale(call, |_| Ok(scale))
    }

    pub fn patch_scale(&self, call: &Call, body: &[u8]) -> Result<Response, Refusal> {
        let patch = Patch::read(call, parsed(body)?)?;
        self.rescale(call, |scale| patch.onto(scale, ""))
    }

    fn rescale(
        &self,
        call: &Call,
        change: impl FnOnce(&Value) -> Result<Value, Refusal>,
    ) -> Result<Response, Refusal> {
        let (object, ()) = self.store.update(&call.key(), |current, _| {
            let current = current.ok_or_else(|| call.not_found())?;
            let scale = change(&scale_of(current))?;
            let version = scale["metadata"]["resourceVersion"].as_str().unwrap_or("");
            if !version.is_empty() && current["metadata"]["resourceVersion"] != version {
                return Err(Refusal::stale(call.kind, &call.name));
            }
            let next = scaled(current, replicas(call, &scale)?);
            Ok((
                if call.is_dry_run() {
                    Next::Show(next)
                } else {
                    Next::Put(next)
                },
                (),
            ))
        })?;
        Ok(reply(StatusCode::OK, &scale_of(&object)))
    }
}

fn scale_of(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"]},
        "spec": {"replicas": object["spec"]["replicas"]},
        "status": {"replicas": object["status"]["replicas"].as_i64().unwrap_or(0)},
    });
    let selector = Selector::of_object(&object["spec"]["selector"]);
    scale["status"]["selector"] = json!(selector.to_string());
    scale
}

fn replicas(call: &Call, scale: &Value) -> Result<i64, Refusal> {
    let wanted = &scale["spec"]["replicas"];
    let number = match wanted {
        Value::Null => 0,
        _ => wanted
            .as_i64()
            .filter(|number| i32::try_from(*number).is_ok())
            .ok_or_else(|| {
                Refusal::bad_request(format!(
                    "Scale in version \"v1\" cannot be handled as a Scale: spec.replicas: {wanted}"
                ))
            })?,
    };
    if number < 0 {
        let problem = Problem::invalid(
            "spec.replicas",
            wanted,
            "must be greater than or equal to 0",
        );
        return Err(Refusal::invalid(
            "Scale",
            "autoscaling",
            &call.name,
            &[problem],
        ));
    }
    Ok(number)
}

fn scaled(current: &Value, replicas: i64) -> Value {
    let mut next = current.clone();
    if next["spec"]["replicas"] != replicas {
        next["spec"]["replicas"] = json!(replicas);
        let generation = current["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        next["metadata"]["generation"] = json!(generation);
        patch::release_changed(current, &mut next);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_shows_replicas_and_selector() {
        let object = json!({"metadata": {"name": "web"}, "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}}, "status": {"replicas": 2}});
        let scale = scale_of(&object);
        assert_eq!(scale["spec"], json!({"replicas": 3}));
        assert_eq!(
            scale["status"],
            json!({"replicas": 2, "selector": "app=web"})
        );
    }

    #[test]
    fn scaling_counts_as_a_change_of_specification() {
        let object = json!({"metadata": {"generation": 1}, "spec": {"replicas": 1}});
        assert_eq!(scaled(&object, 1), object);
        assert_eq!(
            scaled(&object, 2),
            json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}})
        );
    }
}
