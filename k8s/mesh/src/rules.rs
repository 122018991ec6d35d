//! rules — DestinationRule and VirtualService as they are written: the fields of `networking.istio.io` that a side-car of this mesh
//! acts on. The three versions v1alpha3, v1beta1 and v1 have the same fields.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The API group of both.
pub const GROUP: &str = "networking.istio.io";

macro_rules! object {
    ($(#[$doc:meta])* $kind:ident, $spec:ident, $plural:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $kind {
            /// `networking.istio.io/…`.
            #[serde(default)]
            pub api_version: String,
            /// The kind's own name.
            #[serde(default)]
            pub kind: String,
            /// Name, namespace and so on.
            #[serde(default)]
            pub metadata: ObjectMeta,
            /// What is wanted.
            #[serde(default)]
            pub spec: $spec,
            /// What the mesh says about it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub status: Option<Value>,
        }

        impl k8s_openapi::Resource for $kind {
            const API_VERSION: &'static str = "networking.istio.io/v1";
            const GROUP: &'static str = GROUP;
            const KIND: &'static str = stringify!($kind);
            const VERSION: &'static str = "v1";
            const URL_PATH_SEGMENT: &'static str = $plural;
            type Scope = NamespaceResourceScope;
        }

        impl k8s_openapi::Metadata for $kind {
            type Ty = ObjectMeta;
            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

macro_rules! part {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$field_doc])* #[serde(default, skip_serializing_if = "is_default")] pub $field: $type,)*
        }
    };
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

object!(
    /// How the clients of a host treat it, and how the host treats them.
    DestinationRule,
    DestinationRuleSpec,
    "destinationrules"
);
object!(
    /// Where requests to a host go, and what is done to them on the way.
    VirtualService,
    VirtualServiceSpec,
    "virtualservices"
);

part!(
    /// `spec` of a DestinationRule.
    DestinationRuleSpec {
        /// A Service: `order`, `order.shop`, `order.shop.svc.cluster.local`, or `*.shop.svc.cluster.local`.
        host: String,
        /// For all its ports and pods.
        traffic_policy: Option<TrafficPolicy>,
        /// Pods with certain labels, and what holds for them instead.
        subsets: Vec<Subset>,
        /// Namespaces whose clients see the rule: `*`, all, or `.`, the rule's own.
        export_to: Vec<String>,
    }
);
part!(
    /// Limits and detection, for all ports and for some.
    TrafficPolicy {
        /// Limits.
        connection_pool: Option<ConnectionPool>,
        /// Leaving out hosts that fail.
        outlier_detection: Option<OutlierDetection>,
        /// Choice of a host.
        load_balancer: Option<LoadBalancer>,
        /// How connections are encrypted. Accepted, and without effect: nothing is encrypted here.
        tls: Option<Tls>,
        /// What holds for one port instead.
        port_level_settings: Vec<PortPolicy>,
    }
);
part!(
    /// What holds for one port of the Service in place of everything else.
    PortPolicy {
        /// Which port.
        port: PortSelector,
        /// Limits.
        connection_pool: Option<ConnectionPool>,
        /// Leaving out hosts that fail.
        outlier_detection: Option<OutlierDetection>,
        /// Choice of a host.
        load_balancer: Option<LoadBalancer>,
        /// As in [`TrafficPolicy`].
        tls: Option<Tls>,
    }
);
part!(
    /// A port of a Service, by number.
    PortSelector {
        /// As the Service has it, not the pod.
        number: u16,
    }
);
part!(
    /// Encryption; see [`TrafficPolicy::tls`].
    Tls {
        /// `DISABLE` or `ISTIO_MUTUAL`.
        mode: String,
    }
);
part!(
    /// How a host is chosen.
    LoadBalancer {
        /// `ROUND_ROBIN`, `LEAST_REQUEST`, `LEAST_CONN` or `RANDOM`.
        simple: Option<String>,
    }
);
part!(
    /// Limits of connections and requests.
    ConnectionPool {
        /// Of connections.
        tcp: Option<TcpPool>,
        /// Of requests.
        http: Option<HttpPool>,
    }
);
part!(
    /// Limits of connections.
    TcpPool {
        /// At most so many; 0 is no limit.
        max_connections: Option<i32>,
        /// At most so long to make one.
        connect_timeout: Option<String>,
    }
);
part!(
    /// Limits of requests; 0 is no limit.
    HttpPool {
        /// That wait for a connection.
        http1_max_pending_requests: Option<i32>,
        /// Under way.
        http2_max_requests: Option<i32>,
        /// On one connection, which is closed after them.
        max_requests_per_connection: Option<i32>,
        /// Being tried again at the same time.
        max_retries: Option<i32>,
        /// A connection without a request is closed after this.
        idle_timeout: Option<String>,
    }
);
part!(
    /// When a host is left out and for how long.
    OutlierDetection {
        /// Gone since Istio 1.7, which ignores it; before, gateway errors in a row.
        consecutive_errors: Option<i32>,
        /// Answers 500 to 599 in a row; 0 is never.
        #[serde(rename = "consecutive5xxErrors")]
        consecutive_5xx_errors: Option<u32>,
        /// Answers 502, 503, 504 in a row; 0 is never.
        consecutive_gateway_errors: Option<u32>,
        /// Between two looks at who may come back.
        interval: Option<String>,
        /// How long, times the number of times before.
        base_ejection_time: Option<String>,
        /// Of all hosts.
        max_ejection_percent: Option<i32>,
        /// With fewer hosts left than this all are used.
        min_health_percent: Option<i32>,
    }
);
part!(
    /// Some of the pods behind a Service.
    Subset {
        /// What routes call it.
        name: String,
        /// Labels of its pods.
        labels: BTreeMap<String, String>,
        /// What holds for it instead.
        traffic_policy: Option<TrafficPolicy>,
    }
);

part!(
    /// `spec` of a VirtualService.
    VirtualServiceSpec {
        /// What callers call: Services, as in [`DestinationRuleSpec::host`].
        hosts: Vec<String>,
        /// `mesh`, or nothing, for side-cars. There are no other gateways here.
        gateways: Vec<String>,
        /// Routes; the first that matches is taken.
        http: Vec<HttpRoute>,
        /// As in [`DestinationRuleSpec::export_to`].
        export_to: Vec<String>,
    }
);
part!(
    /// What happens to the requests that match.
    HttpRoute {
        /// For people.
        name: Option<String>,
        /// Any of these; nothing matches all.
        #[serde(rename = "match")]
        matches: Vec<HttpMatch>,
        /// Where they go.
        route: Vec<Weighted>,
        /// What is done to some of them on purpose.
        fault: Option<Fault>,
        /// For everything, every further try included.
        timeout: Option<String>,
        /// What is tried again.
        retries: Option<Retries>,
    }
);
part!(
    /// A request that has all of these.
    HttpMatch {
        /// For people.
        name: Option<String>,
        /// Its path, with query.
        uri: Option<TextMatch>,
        /// Its method.
        method: Option<TextMatch>,
        /// Its headers.
        headers: BTreeMap<String, TextMatch>,
    }
);
part!(
    /// One of two ways to compare a text; neither only asks for its presence.
    TextMatch {
        /// The whole text.
        exact: Option<String>,
        /// Its beginning.
        prefix: Option<String>,
    }
);
part!(
    /// A destination and its share.
    Weighted {
        /// Where to.
        destination: Destination,
        /// Of the sum of all weights.
        weight: Option<i32>,
    }
);
part!(
    /// A Service and some of its pods.
    Destination {
        /// As in [`DestinationRuleSpec::host`], without `*`.
        host: String,
        /// By its name in the DestinationRule.
        subset: Option<String>,
        /// Of the Service; the port that was called if absent.
        port: Option<PortSelector>,
    }
);
part!(
    /// What is done to some requests on purpose.
    Fault {
        /// They wait.
        delay: Option<Delay>,
        /// They are answered by the side-car.
        abort: Option<Abort>,
    }
);
part!(
    /// Requests wait before they go on.
    Delay {
        /// How long.
        fixed_delay: String,
        /// How many; all if absent.
        percentage: Option<Percent>,
    }
);
part!(
    /// Requests are answered without being asked.
    Abort {
        /// With this.
        http_status: u16,
        /// How many; all if absent.
        percentage: Option<Percent>,
    }
);
part!(
    /// A share.
    Percent {
        /// From 0 to 100.
        value: f64,
    }
);
part!(
    /// What is tried again.
    Retries {
        /// So many times after the first; 0 is never.
        attempts: i32,
        /// Each for so long at most.
        per_try_timeout: Option<String>,
        /// After what: `5xx`, `gateway-error`, `reset`, `connect-failure`, `retriable-4xx`, `refused-stream` and numbers, with commas
        /// between them.
        retry_on: Option<String>,
    }
);

/// A duration as Istio writes it: `1s`, `500ms`, `1m30s`, `1.5s`. `None` if it is not one.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            "us" => 0.000_001,
            _ => return None,
        };
        sum += Duration::try_from_secs_f64(number * unit).ok()?;
        rest = &rest[letters..];
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_go() {
        let millis = |text: &str| duration(text).map(|time| time.as_millis());
        assert_eq!(
            ["1s", "500ms", "1m30s", "1.5s", "0s"].map(millis),
            [Some(1000), Some(500), Some(90_000), Some(1500), Some(0)]
        );
        assert_eq!(["", "1", "s", "-1s", "1d"].map(millis), [None; 5]);
    }

    #[test]
    fn the_report_s_rule_is_read_and_written_as_it_is() {
        let rule = serde_json::json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "DestinationRule", "metadata": {"name": "order"},
            "spec": {"host": "order", "trafficPolicy": {
                "connectionPool": {"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 1, "maxRequestsPerConnection": 1}},
                "outlierDetection": {"consecutive5xxErrors": 0, "interval": "1s", "maxEjectionPercent": 100}}}});
        let read: DestinationRule = serde_json::from_value(rule.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), rule);
    }
}
