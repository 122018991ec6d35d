//! metrics — the group `metrics.k8s.io`: what pods and the node use, as the node measured it last. Nothing of it is stored.

use super::{Api, Call, Shape, reply};
use crate::{
    clock::stamp,
    kinds::{self, Kind},
    print,
    refusal::Refusal,
    store::Key,
};
use axum::{
    http::{Method, StatusCode},
    response::Response,
};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// What was used, measured over the window that ended at `at`.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured<T> {
    /// The end of the window.
    pub at: Timestamp,
    /// Its length.
    pub window: Duration,
    /// What was measured in it.
    pub usage: T,
}

/// CPU, averaged over a window, and memory at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Billionths of a CPU.
    pub nanocores: u64,
    /// Bytes.
    pub memory: u64,
}

/// What a pod uses, container by container.
#[derive(Clone, Debug, PartialEq)]
pub struct PodUsage {
    /// Namespace of the pod.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Each container's name and amounts.
    pub containers: Measured<Vec<(String, Amounts)>>,
}

/// What the node measures.
pub trait Metrics: Send + Sync + 'static {
    /// Pods that have been measured over a whole window; a pod of which one container has not is left out.
    fn pods(&self) -> Vec<PodUsage>;
    /// All pods of the node together; none before the first window is over.
    fn node(&self) -> Option<Measured<Amounts>>;
}

impl Api {
    /// Answers a request for what is measured.
    pub fn measured(&self, method: &Method, call: &Call) -> Result<Response, Refusal> {
        if method != Method::GET || call.flag("watch") || !call.subresource.is_empty() {
            return Err(Refusal::not_allowed());
        }
        let metrics = self.metrics.get().ok_or_else(Refusal::unavailable)?;
        let all = match call.kind.kind {
            "NodeMetrics" => self.nodes(metrics.node()),
            _ => self.pods(call, metrics.pods()),
        };
        if !call.name.is_empty() {
            let found = all.iter().find(|m| m["metadata"]["name"] == *call.name);
            let found = found.ok_or_else(|| self.unmeasured(call))?;
            return Ok(self.show(call, StatusCode::OK, found));
        }
        let selector = call.selector()?;
        let all: Vec<_> = all.into_iter().filter(|m| selector.matches(m)).collect();
        let list = match call.shape {
            Shape::Table => print::table(call.kind, &all, "", true, self.clock.now()),
            Shape::Whole | Shape::Metadata => json!({
                "kind": format!("{}List", call.kind.kind), "apiVersion": call.kind.api_version(), "metadata": {},
                "items": all.iter().map(Arc::as_ref).collect::<Vec<&Value>>(),
            }),
        };
        Ok(reply(StatusCode::OK, &list))
    }

    fn pods(&self, call: &Call, measured: Vec<PodUsage>) -> Vec<Arc<Value>> {
        let wanted = |usage: &PodUsage| call.scope().is_none_or(|n| n == usage.namespace);
        let measured = measured.into_iter().filter(wanted);
        let shown = measured.filter_map(|usage| {
            let pod = Key::new("pods", &usage.namespace, &usage.pod);
            let pod = self.store.get(&pod)?;
            (pod["status"]["phase"] == "Running").then(|| {
                let containers: Vec<Value> = usage
                    .containers
                    .usage
                    .iter()
                    .map(|(name, amounts)| json!({"name": name, "usage": shown(*amounts)}))
                    .collect();
                let mut object = self.object(call.kind, &pod, &usage.containers);
                object["containers"] = json!(containers);
                Arc::new(object)
            })
        });
        shown.collect()
    }

    fn nodes(&self, measured: Option<Measured<Amounts>>) -> Vec<Arc<Value>> {
        let Some(measured) = measured else {
            return vec![];
        };
        let (_, nodes) = self.store.list("nodes", None);
        let kind = kinds::find(GROUP, "v1beta1", "nodes").expect("the table has it");
        let shown = nodes.iter().map(|node| {
            let mut object = self.object(kind, node, &measured);
            object["usage"] = shown(measured.usage);
            Arc::new(object)
        });
        shown.collect()
    }

    fn object<T>(&self, kind: &Kind, of: &Value, measured: &Measured<T>) -> Value {
        let mut metadata = json!({"name": of["metadata"]["name"]});
        for field in ["namespace", "labels"] {
            if let Some(value) = of["metadata"].get(field) {
                metadata[field] = value.clone();
            }
        }
        metadata["creationTimestamp"] = json!(stamp(self.clock.now()));
        json!({
            "kind": kind.kind, "apiVersion": kind.api_version(), "metadata": metadata,
            "timestamp": stamp(measured.at), "window": duration(measured.window),
        })
    }

    /// A pod that is not there is told apart from one that was not measured yet.
    fn unmeasured(&self, call: &Call) -> Refusal {
        let (plural, name, resource) = match call.kind.kind {
            "NodeMetrics" => ("nodes", call.name.clone(), "nodemetrics"),
            _ => (
                "pods",
                format!("{}/{}", call.namespace, call.name),
                "podmetrics",
            ),
        };
        match self
            .store
            .get(&Key::new(plural, &call.namespace, &call.name))
        {
            Some(_) => Refusal::missing(resource, GROUP, &name),
            None => Refusal::missing(plural, "", &call.name),
        }
    }
}

/// The group of everything that is measured.
pub const GROUP: &str = "metrics.k8s.io";

fn shown(amounts: Amounts) -> Value {
    let text = |quantity: String| kinds::canonical(&quantity).unwrap_or(quantity);
    json!({
        "cpu": text(format!("{}n", amounts.nanocores)),
        "memory": text(format!("{}Ki", amounts.memory.div_ceil(1024))),
    })
}

/// `15s`, `14.984s`, `1m0s`, as Go writes durations of a millisecond and more.
fn duration(time: Duration) -> String {
    let (minutes, seconds) = (time.as_secs() / 60, time.as_secs() % 60);
    let fraction = match time.subsec_millis() {
        0 => String::new(),
        millis => format!(".{millis:03}").trim_end_matches('0').to_owned(),
    };
    match minutes {
        0 => format!("{seconds}{fraction}s"),
        _ => format!("{minutes}m{seconds}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        let texts = [15_000, 14_980, 60_000, 75_001].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(texts, ["15s", "14.98s", "1m0s", "1m15.001s"]);
    }

    #[test]
    fn amounts_are_quantities() {
        let amounts = Amounts {
            nanocores: 1_122_778,
            memory: 20_700 * 1024 - 1,
        };
        assert_eq!(
            shown(amounts),
            json!({"cpu": "1122778n", "memory": "20700Ki"})
        );
        let even = Amounts {
            nanocores: 250_000_000,
            memory: 1 << 20,
        };
        assert_eq!(shown(even), json!({"cpu": "250m", "memory": "1Mi"}));
    }
}
