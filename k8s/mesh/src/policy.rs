//! policy — from a rule to the limits of one destination: every field decided, nothing left open.

use std::time::Duration;

use crate::profile::Profile;
use crate::rules::{
    ConnectionPool, DestinationRuleSpec, LoadBalancer, OutlierDetection, TrafficPolicy, duration,
};

/// What Istio writes where a rule sets no limit.
const UNLIMITED: u32 = u32::MAX;

/// Everything that holds for one destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Connections and requests.
    pub limits: Limits,
    /// Leaving out hosts that fail; none if the rule has no `outlierDetection`.
    pub outlier: Option<Outlier>,
    /// The choice of a host.
    pub balancer: Balancer,
}

/// Envoy's thresholds of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections to all hosts.
    pub connections: u32,
    /// Requests without a connection.
    pub pending: u32,
    /// Requests with one.
    pub requests: u32,
    /// Requests being tried again.
    pub retries: u32,
    /// Requests that a connection carries before it is closed.
    pub requests_per_connection: u32,
    /// To make a connection.
    pub connect_timeout: Duration,
    /// A connection without a request is closed after this.
    pub idle_timeout: Duration,
}

impl Default for Limits {
    /// No limits but 10 s to connect and an hour of idleness.
    fn default() -> Limits {
        Limits {
            connections: UNLIMITED,
            pending: UNLIMITED,
            requests: UNLIMITED,
            retries: UNLIMITED,
            requests_per_connection: UNLIMITED,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(3600),
        }
    }
}

/// Envoy's outlier detection of one cluster. A threshold of `None` ejects nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// Answers 500 to 599 in a row.
    pub five_xx: Option<u32>,
    /// Answers 502, 503, 504 in a row.
    pub gateway: Option<u32>,
    /// Between two looks at who may come back.
    pub interval: Duration,
    /// The first ejection lasts so long.
    pub base: Duration,
    /// Of all hosts may be left out.
    pub max_percent: u32,
    /// With a smaller share left all hosts are used.
    pub panic_percent: u32,
}

/// How a host is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancer {
    /// Each in turn.
    RoundRobin,
    /// Of two by chance the one with fewer requests under way.
    LeastRequest,
    /// By chance.
    Random,
}

impl Policy {
    /// What `rule` says about a Service's `port` and a subset of its pods. Without a rule nothing is limited.
    pub fn of(
        rule: Option<&DestinationRuleSpec>,
        port: u16,
        subset: Option<&str>,
        profile: Profile,
    ) -> Policy {
        let chosen = rule.map(|rule| chosen(rule, port, subset));
        let Sections {
            pool,
            outlier,
            balancer,
        } = chosen.unwrap_or_default();
        Policy {
            limits: limits(pool, profile),
            outlier: outlier.map(|written| detection(written, profile)),
            balancer: balance(balancer, profile),
        }
    }

    /// What the destination's own side-car does of it: the limits alone.
    pub fn inbound(self) -> Policy {
        Policy {
            outlier: None,
            ..self
        }
    }
}

#[derive(Default)]
struct Sections<'a> {
    pool: Option<&'a ConnectionPool>,
    outlier: Option<&'a OutlierDetection>,
    balancer: Option<&'a LoadBalancer>,
}

/// A subset's sections replace the rule's; those of a port replace all of them, absent ones too.
fn chosen<'a>(rule: &'a DestinationRuleSpec, port: u16, subset: Option<&str>) -> Sections<'a> {
    let subset = subset.and_then(|name| rule.subsets.iter().find(|subset| subset.name == name));
    let subset = subset.and_then(|subset| subset.traffic_policy.as_ref());
    let policies: Vec<&TrafficPolicy> = subset.into_iter().chain(&rule.traffic_policy).collect();
    let ports = policies
        .iter()
        .find(|policy| !policy.port_level_settings.is_empty());
    let own = ports.and_then(|policy| {
        let mut all = policy.port_level_settings.iter();
        all.find(|settings| settings.port.number == port)
    });
    if let Some(own) = own {
        return Sections {
            pool: own.connection_pool.as_ref(),
            outlier: own.outlier_detection.as_ref(),
            balancer: own.load_balancer.as_ref(),
        };
    }
    let mut found = Sections::default();
    for policy in policies {
        found.pool = found.pool.or(policy.connection_pool.as_ref());
        found.outlier = found.outlier.or(policy.outlier_detection.as_ref());
        found.balancer = found.balancer.or(policy.load_balancer.as_ref());
    }
    found
}

fn limits(pool: Option<&ConnectionPool>, profile: Profile) -> Limits {
    let none = Limits::default();
    let Some(pool) = pool else { return none };
    let (tcp, http) = (pool.tcp.as_ref(), pool.http.as_ref());
    let requests = at_most(http.and_then(|http| http.http2_max_requests));
    Limits {
        connections: at_most(tcp.and_then(|tcp| tcp.max_connections)),
        pending: at_most(http.and_then(|http| http.http1_max_pending_requests)),
        requests: if profile.limits_requests_of_http_1() {
            requests
        } else {
            UNLIMITED
        },
        retries: at_most(http.and_then(|http| http.max_retries)),
        requests_per_connection: at_most(http.and_then(|http| http.max_requests_per_connection)),
        connect_timeout: time(
            tcp.and_then(|tcp| tcp.connect_timeout.as_deref()),
            none.connect_timeout,
        ),
        idle_timeout: time(
            http.and_then(|http| http.idle_timeout.as_deref()),
            none.idle_timeout,
        ),
    }
}

/// Zero is how a limit is not given.
fn at_most(written: Option<i32>) -> u32 {
    written
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| *number > 0)
        .unwrap_or(UNLIMITED)
}

fn time(written: Option<&str>, otherwise: Duration) -> Duration {
    written
        .and_then(duration)
        .filter(|time| !time.is_zero())
        .unwrap_or(otherwise)
}

/// Envoy's own threshold, in force wherever Istio writes none.
const FIVE_XX: u32 = 5;

fn detection(written: &OutlierDetection, profile: Profile) -> Outlier {
    let on = |threshold: u32| (threshold > 0).then_some(threshold);
    let (mut five_xx, mut gateway) = (Some(FIVE_XX), None);
    if profile.knows_consecutive_errors()
        && let Some(errors) = written
            .consecutive_errors
            .and_then(|n| u32::try_from(n).ok())
        && errors > 0
    {
        (five_xx, gateway) = (None, Some(errors));
    }
    if profile.knows_error_kinds() {
        five_xx = written.consecutive_5xx_errors.map_or(five_xx, on);
        gateway = written.consecutive_gateway_errors.map_or(gateway, on);
    }
    let percent = |written: Option<i32>, otherwise| {
        written
            .and_then(|percent| u32::try_from(percent).ok())
            .unwrap_or(otherwise)
    };
    Outlier {
        five_xx,
        gateway,
        interval: time(written.interval.as_deref(), Duration::from_secs(10)),
        base: time(
            written.base_ejection_time.as_deref(),
            Duration::from_secs(30),
        ),
        max_percent: percent(written.max_ejection_percent.filter(|p| *p > 0), 10),
        panic_percent: percent(written.min_health_percent, 0),
    }
}

fn balance(written: Option<&LoadBalancer>, profile: Profile) -> Balancer {
    match written.and_then(|balancer| balancer.simple.as_deref()) {
        Some("RANDOM") => Balancer::Random,
        Some("LEAST_CONN" | "LEAST_REQUEST") => Balancer::LeastRequest,
        Some("ROUND_ROBIN") => Balancer::RoundRobin,
        _ if profile.balances_by_load() => Balancer::LeastRequest,
        _ => Balancer::RoundRobin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn of(spec: Value, port: u16, subset: Option<&str>, release: &str) -> Policy {
        let spec: DestinationRuleSpec = from_value(spec).unwrap();
        Policy::of(Some(&spec), port, subset, release.parse().unwrap())
    }

    fn order(release: &str) -> Policy {
        let spec = json!({"host": "order", "trafficPolicy": {
            "connectionPool": {"tcp": {"maxConnections": 1},
                "http": {"http1MaxPendingRequests": 1, "maxRequestsPerConnection": 1, "maxRetries": 3, "http2MaxRequests": 7}},
            "outlierDetection": {"consecutiveErrors": 3, "interval": "1s", "baseEjectionTime": "30s", "maxEjectionPercent": 100}}});
        of(spec, 8080, None, release)
    }

    #[test]
    fn what_is_not_given_is_not_limited() {
        let none = Policy::of(None, 8080, None, Profile::default());
        assert_eq!((none.limits, none.outlier), (Limits::default(), None));
        let zero = json!({"host": "a", "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 0}}}});
        assert_eq!(of(zero, 1, None, "1.27").limits.connections, u32::MAX);
    }

    #[test]
    fn a_request_limit_is_for_http_1_too_since_1_6() {
        assert_eq!(order("1.4").limits.requests, u32::MAX);
        assert_eq!(order("1.6").limits.requests, 7);
        let limits = order("1.7").limits;
        assert_eq!(
            (
                limits.connections,
                limits.pending,
                limits.requests_per_connection,
                limits.retries
            ),
            (1, 1, 1, 3)
        );
    }

    #[test]
    fn ist_12_consecutive_errors_are_gateway_errors_up_to_1_6_and_then_ignored() {
        let thresholds = |release| {
            let outlier = order(release).outlier.unwrap();
            (outlier.five_xx, outlier.gateway)
        };
        assert_eq!(thresholds("1.4"), (None, Some(3)));
        assert_eq!(thresholds("1.6"), (None, Some(3)));
        assert_eq!(thresholds("1.7"), (Some(5), None));
        assert_eq!(thresholds("1.27"), (Some(5), None));
    }

    #[test]
    fn ist_14_and_15_kinds_of_errors_exist_since_1_5_and_zero_is_off() {
        let spec = json!({"host": "a", "trafficPolicy": {"outlierDetection":
            {"consecutive5xxErrors": 0, "consecutiveGatewayErrors": 3}}});
        let thresholds = |release| {
            let outlier = of(spec.clone(), 1, None, release).outlier.unwrap();
            (outlier.five_xx, outlier.gateway)
        };
        assert_eq!(thresholds("1.5"), (None, Some(3)));
        assert_eq!(thresholds("1.4"), (Some(5), None));
    }

    #[test]
    fn a_subset_s_sections_replace_the_rule_s_and_a_port_s_replace_all() {
        let spec = json!({"host": "a",
            "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 1}}, "outlierDetection": {},
                "portLevelSettings": [{"port": {"number": 9}, "connectionPool": {"tcp": {"maxConnections": 9}}}]},
            "subsets": [{"name": "v2", "labels": {"version": "v2"},
                "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 2}}}}]});
        let found = |port, subset| {
            let policy = of(spec.clone(), port, subset, "1.27");
            (policy.limits.connections, policy.outlier.is_some())
        };
        assert_eq!(found(8, None), (1, true));
        assert_eq!(found(8, Some("v2")), (2, true));
        assert_eq!(found(9, Some("v2")), (9, false));
    }

    #[test]
    fn the_destination_s_side_detects_no_outliers() {
        assert_eq!(order("1.7").inbound().outlier, None);
        assert_eq!(order("1.7").balancer, Balancer::RoundRobin);
        assert_eq!(order("1.14").balancer, Balancer::LeastRequest);
    }
}
