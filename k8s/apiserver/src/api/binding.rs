//! binding — puts a pod on a node: what a scheduler asks for.

use super::{Api, Call, reply};
use crate::{clock::stamp, refusal::Refusal, store::Next};
use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json};

impl Api {
    /// Answers a `Binding`. A pod is placed once.
    pub fn bind(&self, call: &Call, binding: Value) -> Result<Response, Refusal> {
        let node = binding["target"]["name"].as_str().unwrap_or("");
        let now = stamp(self.clock.now());
        self.store.update(&call.key(), |current, _| {
            let mut pod = current.ok_or_else(|| call.not_found())?.clone();
            let placed = pod["spec"]["nodeName"].as_str().unwrap_or("").to_owned();
            if !placed.is_empty() {
                let why = format!(
                    "pod {} is already assigned to node \"{placed}\"",
                    call.name
                );
                return Err(Refusal::conflict(call.kind, &call.name, &why));
            }
            pod["spec"]["nodeName"] = json!(node);
            let condition = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now});
            let conditions = pod["status"]["conditions"].as_array().cloned();
            let others = conditions.into_iter().flatten().filter(|c| c["type"] != "PodScheduled");
            let all: Vec<Value> = others.chain([condition]).collect();
            pod["status"]["conditions"] = json!(all);
            Ok((Next::Put(pod), ()))
        })?;
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
        Ok(reply(StatusCode::CREATED, &status))
    }
}
