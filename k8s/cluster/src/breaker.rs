//! What a mesh tells of the breakers in its side-cars.
//!
//! The embedded mesh writes a row for each side-car and destination into the status of a DestinationRule (k8s/mesh/README.md). Istio
//! itself writes nothing there, so on its clusters nothing is seen this way.
use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use model::{Breaker, BreakerState};
use serde::Deserialize;

/// The API group of DestinationRules.
pub(crate) const GROUP: &str = "networking.istio.io";

/// As much of one as says how its breakers are.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DestinationRule {
    metadata: ObjectMeta,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Status {
    #[serde(default)]
    breakers: Vec<Row>,
}

/// One side-car and one destination.
#[derive(Debug, Clone, Deserialize)]
struct Row {
    client: String,
    side: String,
    service: String,
    #[serde(default)]
    subset: Option<String>,
    state: Breaker,
    requests: u64,
    rejected: u64,
    #[serde(default)]
    ejections: u64,
}

impl k8s_openapi::Resource for DestinationRule {
    const API_VERSION: &'static str = "networking.istio.io/v1";
    const GROUP: &'static str = GROUP;
    const KIND: &'static str = "DestinationRule";
    const VERSION: &'static str = "v1";
    const URL_PATH_SEGMENT: &'static str = "destinationrules";
    type Scope = NamespaceResourceScope;
}

impl k8s_openapi::Metadata for DestinationRule {
    type Ty = ObjectMeta;
    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl DestinationRule {
    /// Every breaker it tells of.
    pub fn breakers(self) -> Vec<BreakerState> {
        let rows = self.status.breakers.into_iter();
        rows.map(|row| BreakerState {
            client: row.client,
            side: row.side,
            service: match row.subset {
                Some(subset) => format!("{} {subset}", row.service),
                None => row.service,
            },
            state: row.state,
            requests: row.requests,
            rejected: row.rejected,
            ejections: row.ejections,
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_tells_a_breaker_for_each_side_car_and_destination() {
        let rule: DestinationRule = serde_json::from_value(json!({
            "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "order"}, "spec": {"host": "order"},
            "status": {"breakers": [
                {"client": "load-1", "side": "outbound", "service": "order:8080", "subset": "v1", "state": "open",
                    "requests": 120, "rejected": 33, "retried": 0, "ejections": 1, "ejected": ["127.1.9.4:8080"]},
                {"client": "order-1", "side": "inbound", "service": "order:8080", "state": "closed", "requests": 87, "rejected": 0}]},
        }))
        .unwrap();
        let state =
            |client: &str, side: &str, service: &str, state, requests, rejected, ejections| {
                BreakerState {
                    client: client.into(),
                    side: side.into(),
                    service: service.into(),
                    state,
                    requests,
                    rejected,
                    ejections,
                }
            };
        assert_eq!(
            rule.breakers(),
            [
                state(
                    "load-1",
                    "outbound",
                    "order:8080 v1",
                    Breaker::Open,
                    120,
                    33,
                    1
                ),
                state(
                    "order-1",
                    "inbound",
                    "order:8080",
                    Breaker::Closed,
                    87,
                    0,
                    0
                ),
            ]
        );
    }

    #[test]
    fn a_rule_of_istio_tells_nothing() {
        let rule = json!({"metadata": {"name": "order"}, "status": {"observedGeneration": 2}});
        let rule: DestinationRule = serde_json::from_value(rule).unwrap();
        assert_eq!(rule.breakers(), []);
    }
}
