//! eviction — deletes a pod if its disruption budget allows that: what `kubectl drain` asks for.

use super::{Api, Call, delete, reply};
use crate::{
    clock::stamp,
    kinds,
    refusal::Refusal,
    selector::Selector,
    store::{Key, Next},
};
use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json};
use std::sync::Arc;

impl Api {
    /// Answers an `Eviction`.
    ///
    /// # Errors
    /// 429 while the budget allows no disruption, 500 for a pod with several budgets; texts are the real server's.
    pub fn evict(&self, call: &Call, eviction: Value) -> Result<Response, Refusal> {
        let named = eviction["metadata"]["name"].as_str().unwrap_or("");
        if !named.is_empty() && named != call.name {
            return Err(Refusal::bad_request(
                "name in URL does not match name in Eviction object",
            ));
        }
        let options = delete::Options::read(call, &eviction["deleteOptions"])?;
        let pod = self
            .store
            .get(&call.key())
            .ok_or_else(|| call.not_found())?;
        if !goes_anyway(&pod) {
            self.spend_budget(&pod, call.is_dry_run())?;
        }
        self.delete_one(call.kind, &call.key(), &options)?;
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
        Ok(reply(StatusCode::CREATED, &status))
    }

    fn spend_budget(&self, pod: &Value, dry: bool) -> Result<(), Refusal> {
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or("");
        let budgets = self.store.list("poddisruptionbudgets", Some(namespace)).1;
        let means = |budget: &&Arc<Value>| {
            let selector = &budget["spec"]["selector"];
            selector.is_object() && Selector::of_object(selector).matches(pod)
        };
        let mut budgets = budgets.iter().filter(means);
        let Some(budget) = budgets.next() else {
            return Ok(());
        };
        if budgets.next().is_some() {
            return Err(Refusal::internal(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ));
        }
        let name = budget["metadata"]["name"].as_str().unwrap_or("");
        let key = Key::new("poddisruptionbudgets", namespace, name);
        let now = stamp(self.clock.now());
        self.store.update(&key, |current, _| {
            let current = current
                .ok_or_else(|| Refusal::not_found(kinds::known("poddisruptionbudgets"), name))?;
            let next = spent(current, pod, &now)?;
            Ok::<_, Refusal>((
                if dry {
                    Next::Show(next)
                } else {
                    Next::Put(next)
                },
                (),
            ))
        })?;
        Ok(())
    }
}

/// A pod that has not started, has ended or is going disrupts nobody.
fn goes_anyway(pod: &Value) -> bool {
    matches!(
        pod["status"]["phase"].as_str(),
        Some("Pending" | "Succeeded" | "Failed")
    ) || !pod["metadata"]["deletionTimestamp"].is_null()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// The budget after this pod was taken from it.
fn spent(budget: &Value, pod: &Value, now: &str) -> Result<Value, Refusal> {
    let status = &budget["status"];
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let name = budget["metadata"]["name"].as_str().unwrap_or("");
    if !is_ready(pod) {
        let policy = budget["spec"]["unhealthyPodEvictionPolicy"].as_str();
        let has_enough =
            count("desiredHealthy") > 0 && count("currentHealthy") >= count("desiredHealthy");
        if policy == Some("AlwaysAllow") || has_enough {
            return Ok(budget.clone());
        }
    }
    if count("observedGeneration") < budget["metadata"]["generation"].as_i64().unwrap_or(0) {
        return Err(Refusal::disrupts(&format!(
            "The disruption budget {name} is still being processed by the server."
        )));
    }
    if count("disruptionsAllowed") <= 0 {
        return Err(Refusal::disrupts(&format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            count("desiredHealthy"),
            count("currentHealthy")
        )));
    }
    let mut next = budget.clone();
    next["status"]["disruptionsAllowed"] = json!(count("disruptionsAllowed") - 1);
    let pod = pod["metadata"]["name"].as_str().unwrap_or("");
    next["status"]["disruptedPods"][pod] = json!(now);
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(allowed: i64, current: i64) -> Value {
        json!({"metadata": {"name": "b", "generation": 1}, "status": {"observedGeneration": 1, "disruptionsAllowed": allowed,
            "currentHealthy": current, "desiredHealthy": 2}})
    }

    fn pod(ready: &str) -> Value {
        json!({"metadata": {"name": "a"}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}})
    }

    #[test]
    fn each_eviction_takes_one_of_what_is_allowed() {
        let next = spent(&budget(1, 3), &pod("True"), "now").unwrap();
        assert_eq!(next["status"]["disruptionsAllowed"], 0);
        assert_eq!(next["status"]["disruptedPods"], json!({"a": "now"}));
        let refusal = spent(&next, &pod("True"), "now").unwrap_err();
        assert_eq!((refusal.code, refusal.reason), (429, "TooManyRequests"));
        assert_eq!(
            refusal.details["causes"][0]["message"],
            "The disruption budget b needs 2 healthy pods and has 3 currently"
        );
    }

    #[test]
    fn an_unready_pod_goes_when_enough_others_are_healthy() {
        assert!(spent(&budget(0, 2), &pod("False"), "now").is_ok());
        assert!(spent(&budget(0, 1), &pod("False"), "now").is_err());
    }

    #[test]
    fn a_budget_nobody_has_looked_at_yet_allows_nothing() {
        let mut new = budget(1, 3);
        new["metadata"]["generation"] = json!(2);
        let refusal = spent(&new, &pod("True"), "now").unwrap_err();
        let text = "The disruption budget b is still being processed by the server.";
        assert_eq!(refusal.details["causes"][0]["message"], text);
    }
}
