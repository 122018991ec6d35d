//! check — what can be wrong with a rule although every field has the right type: where, which value, and what it must be.

use crate::names::ServiceName;
use crate::retry::unknown_condition;
use crate::rules::{
    ConnectionPool, Destination, DestinationRuleSpec, Fault, HttpRoute, LoadBalancer,
    OutlierDetection, Percent, Tls, VirtualServiceSpec, duration,
};

/// One mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrong {
    /// The field: `spec.trafficPolicy.connectionPool.tcp.maxConnections`.
    pub at: String,
    /// What it says; none if it is missing.
    pub value: Option<String>,
    /// What it must be.
    pub must: String,
}

struct Checked {
    wrong: Vec<Wrong>,
}

impl Checked {
    fn invalid(&mut self, at: String, value: impl ToString, must: impl Into<String>) {
        self.wrong.push(Wrong {
            at,
            value: Some(value.to_string()),
            must: must.into(),
        });
    }

    fn required(&mut self, at: String, must: &str) {
        self.wrong.push(Wrong {
            at,
            value: None,
            must: must.into(),
        });
    }

    fn time(&mut self, at: String, text: Option<&String>, zero: bool) {
        let Some(text) = text else { return };
        match duration(text) {
            None => self.invalid(
                at,
                format!("{text:?}"),
                "must be a duration such as 500ms, 1s or 1m30s",
            ),
            Some(time) if time.is_zero() && !zero => {
                self.invalid(at, format!("{text:?}"), "must be longer than nothing");
            }
            Some(_) => {}
        }
    }

    fn not_negative(&mut self, at: String, number: Option<i32>) {
        if let Some(number) = number.filter(|number| *number < 0) {
            self.invalid(at, number, "must not be negative; 0 is no limit");
        }
    }

    fn percent(&mut self, at: String, number: Option<f64>) {
        if let Some(number) = number.filter(|number| !(0.0..=100.0).contains(number)) {
            self.invalid(at, number, "must be from 0 to 100");
        }
    }

    fn one_of(&mut self, at: String, text: &str, known: &[&str]) {
        if !known.contains(&text) {
            let must = format!("must be one of {}", known.join(", "));
            self.invalid(at, format!("{text:?}"), must);
        }
    }

    fn host(&mut self, at: String, host: &str) {
        if host.is_empty() {
            self.required(at, "the name of a Service");
        } else if !host.starts_with('*') && ServiceName::of(host, "default").is_none() {
            self.invalid(
                at,
                format!("{host:?}"),
                "must be a Service of this cluster: NAME, NAME.NAMESPACE or NAME.NAMESPACE.svc.cluster.local",
            );
        }
    }

    fn sections(
        &mut self,
        at: &str,
        pool: Option<&ConnectionPool>,
        outlier: Option<&OutlierDetection>,
        balancer: Option<&LoadBalancer>,
        tls: Option<&Tls>,
    ) {
        let (tcp, http) = (
            pool.and_then(|pool| pool.tcp.as_ref()),
            pool.and_then(|pool| pool.http.as_ref()),
        );
        if let Some(tcp) = tcp {
            let at = format!("{at}.connectionPool.tcp");
            self.not_negative(format!("{at}.maxConnections"), tcp.max_connections);
            self.time(
                format!("{at}.connectTimeout"),
                tcp.connect_timeout.as_ref(),
                false,
            );
        }
        if let Some(http) = http {
            let at = format!("{at}.connectionPool.http");
            for (field, number) in [
                ("http1MaxPendingRequests", http.http1_max_pending_requests),
                ("http2MaxRequests", http.http2_max_requests),
                ("maxRequestsPerConnection", http.max_requests_per_connection),
                ("maxRetries", http.max_retries),
            ] {
                self.not_negative(format!("{at}.{field}"), number);
            }
            self.time(
                format!("{at}.idleTimeout"),
                http.idle_timeout.as_ref(),
                true,
            );
        }
        if let Some(outlier) = outlier {
            let at = format!("{at}.outlierDetection");
            self.not_negative(
                format!("{at}.consecutiveErrors"),
                outlier.consecutive_errors,
            );
            self.time(format!("{at}.interval"), outlier.interval.as_ref(), false);
            self.time(
                format!("{at}.baseEjectionTime"),
                outlier.base_ejection_time.as_ref(),
                false,
            );
            self.percent(
                format!("{at}.maxEjectionPercent"),
                outlier.max_ejection_percent.map(f64::from),
            );
            self.percent(
                format!("{at}.minHealthPercent"),
                outlier.min_health_percent.map(f64::from),
            );
        }
        if let Some(simple) = balancer.and_then(|balancer| balancer.simple.as_deref()) {
            let known = ["ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN", "RANDOM"];
            self.one_of(format!("{at}.loadBalancer.simple"), simple, &known);
        }
        if let Some(tls) = tls {
            self.one_of(
                format!("{at}.tls.mode"),
                &tls.mode,
                &["DISABLE", "ISTIO_MUTUAL"],
            );
        }
    }

    fn policy(&mut self, at: &str, policy: Option<&crate::rules::TrafficPolicy>) {
        let Some(policy) = policy else { return };
        self.sections(
            at,
            policy.connection_pool.as_ref(),
            policy.outlier_detection.as_ref(),
            policy.load_balancer.as_ref(),
            policy.tls.as_ref(),
        );
        for (i, port) in policy.port_level_settings.iter().enumerate() {
            let at = format!("{at}.portLevelSettings[{i}]");
            self.port(format!("{at}.port.number"), port.port.number);
            self.sections(
                &at,
                port.connection_pool.as_ref(),
                port.outlier_detection.as_ref(),
                port.load_balancer.as_ref(),
                port.tls.as_ref(),
            );
        }
    }

    fn port(&mut self, at: String, number: u16) {
        if number == 0 {
            self.required(at, "a port of the Service, from 1 to 65535");
        }
    }

    fn export_to(&mut self, all: &[String]) {
        for (i, to) in all.iter().enumerate() {
            self.one_of(format!("spec.exportTo[{i}]"), to, &["*", "."]);
        }
    }

    fn destination(&mut self, at: &str, to: &Destination) {
        if to.host.starts_with('*') {
            let must = "must name one Service";
            self.invalid(format!("{at}.host"), format!("{:?}", to.host), must);
        }
        self.host(format!("{at}.host"), &to.host);
        if let Some(port) = &to.port {
            self.port(format!("{at}.port.number"), port.number);
        }
    }

    fn fault(&mut self, at: &str, fault: &Fault) {
        let percent = |percentage: &Option<Percent>| percentage.as_ref().map(|p| p.value);
        if let Some(delay) = &fault.delay {
            self.time(
                format!("{at}.delay.fixedDelay"),
                Some(&delay.fixed_delay),
                false,
            );
            self.percent(
                format!("{at}.delay.percentage.value"),
                percent(&delay.percentage),
            );
        }
        if let Some(abort) = &fault.abort {
            if !(200..600).contains(&abort.http_status) {
                let must = "must be an HTTP status from 200 to 599";
                self.invalid(format!("{at}.abort.httpStatus"), abort.http_status, must);
            }
            self.percent(
                format!("{at}.abort.percentage.value"),
                percent(&abort.percentage),
            );
        }
    }

    fn route(&mut self, at: &str, route: &HttpRoute) {
        if route.route.is_empty() {
            self.required(format!("{at}.route"), "at least one destination");
        }
        for (i, one) in route.route.iter().enumerate() {
            let at = format!("{at}.route[{i}]");
            self.destination(&format!("{at}.destination"), &one.destination);
            self.not_negative(format!("{at}.weight"), one.weight);
        }
        let weights = route.route.iter().map(|one| one.weight.unwrap_or(0));
        if route.route.len() > 1 && weights.sum::<i32>() == 0 {
            let must = "with several destinations a weight above 0 for at least one";
            self.required(format!("{at}.route[0].weight"), must);
        }
        for (i, one) in route.matches.iter().enumerate() {
            let texts = [("uri", &one.uri), ("method", &one.method)];
            let texts = texts
                .into_iter()
                .filter_map(|(name, text)| Some((name.to_owned(), text.as_ref()?)));
            let headers = one
                .headers
                .iter()
                .map(|(name, text)| (format!("headers[{name}]"), text));
            for (name, text) in texts.chain(headers) {
                if text.exact.is_some() && text.prefix.is_some() {
                    let must = "must be exact or prefix, not both";
                    self.invalid(format!("{at}.match[{i}].{name}"), format!("{text:?}"), must);
                }
            }
        }
        if let Some(fault) = &route.fault {
            self.fault(&format!("{at}.fault"), fault);
        }
        self.time(format!("{at}.timeout"), route.timeout.as_ref(), true);
        if let Some(retries) = &route.retries {
            let at = format!("{at}.retries");
            self.not_negative(format!("{at}.attempts"), Some(retries.attempts));
            self.time(
                format!("{at}.perTryTimeout"),
                retries.per_try_timeout.as_ref(),
                true,
            );
            if let Some(word) = retries.retry_on.as_deref().and_then(unknown_condition) {
                self.invalid(
                    format!("{at}.retryOn"),
                    format!("{word:?}"),
                    "must be 5xx, gateway-error, reset, connect-failure, retriable-4xx, refused-stream, a status, or several with commas",
                );
            }
        }
    }
}

/// Everything wrong with a DestinationRule.
pub fn destination_rule(spec: &DestinationRuleSpec) -> Vec<Wrong> {
    let mut checked = Checked { wrong: vec![] };
    checked.host("spec.host".into(), &spec.host);
    checked.policy("spec.trafficPolicy", spec.traffic_policy.as_ref());
    for (i, subset) in spec.subsets.iter().enumerate() {
        let at = format!("spec.subsets[{i}]");
        if subset.name.is_empty() {
            checked.required(format!("{at}.name"), "what routes call it");
        }
        checked.policy(
            &format!("{at}.trafficPolicy"),
            subset.traffic_policy.as_ref(),
        );
    }
    checked.export_to(&spec.export_to);
    checked.wrong
}

/// Everything wrong with a VirtualService.
pub fn virtual_service(spec: &VirtualServiceSpec) -> Vec<Wrong> {
    let mut checked = Checked { wrong: vec![] };
    if spec.hosts.is_empty() {
        checked.required("spec.hosts".into(), "at least one Service");
    }
    for (i, host) in spec.hosts.iter().enumerate() {
        checked.host(format!("spec.hosts[{i}]"), host);
    }
    for (i, gateway) in spec.gateways.iter().enumerate() {
        checked.one_of(format!("spec.gateways[{i}]"), gateway, &["mesh"]);
    }
    if spec.http.is_empty() {
        checked.required("spec.http".into(), "at least one route");
    }
    for (i, route) in spec.http.iter().enumerate() {
        checked.route(&format!("spec.http[{i}]"), route);
    }
    checked.export_to(&spec.export_to);
    checked.wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn said(wrong: Vec<Wrong>) -> Vec<String> {
        let line = |one: &Wrong| match &one.value {
            Some(value) => format!("{}: {value}: {}", one.at, one.must),
            None => format!("{}: missing: {}", one.at, one.must),
        };
        wrong.iter().map(line).collect()
    }

    fn rule(policy: Value) -> Vec<String> {
        let spec = json!({"host": "order", "trafficPolicy": policy});
        said(destination_rule(&from_value(spec).unwrap()))
    }

    fn service(http: Value) -> Vec<String> {
        let spec = json!({"hosts": ["order"], "http": http});
        said(virtual_service(&from_value(spec).unwrap()))
    }

    #[test]
    fn a_rule_as_in_the_reports_is_right() {
        let policy = json!({"connectionPool": {"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 1}},
            "outlierDetection": {"consecutiveErrors": 5, "interval": "1s", "baseEjectionTime": "30s", "maxEjectionPercent": 100}});
        assert_eq!(rule(policy), [] as [&str; 0]);
    }

    #[test]
    fn every_wrong_value_of_a_rule_is_named_with_the_way_out() {
        let policy = json!({"connectionPool": {"tcp": {"maxConnections": -1, "connectTimeout": "soon"}},
            "outlierDetection": {"interval": "0s", "maxEjectionPercent": 101}, "loadBalancer": {"simple": "BEST"}, "tls": {"mode": "SIMPLE"},
            "portLevelSettings": [{"connectionPool": {"http": {"maxRetries": -2}}}]});
        assert_eq!(
            rule(policy),
            [
                "spec.trafficPolicy.connectionPool.tcp.maxConnections: -1: must not be negative; 0 is no limit",
                "spec.trafficPolicy.connectionPool.tcp.connectTimeout: \"soon\": must be a duration such as 500ms, 1s or 1m30s",
                "spec.trafficPolicy.outlierDetection.interval: \"0s\": must be longer than nothing",
                "spec.trafficPolicy.outlierDetection.maxEjectionPercent: 101: must be from 0 to 100",
                "spec.trafficPolicy.loadBalancer.simple: \"BEST\": must be one of ROUND_ROBIN, LEAST_REQUEST, LEAST_CONN, RANDOM",
                "spec.trafficPolicy.tls.mode: \"SIMPLE\": must be one of DISABLE, ISTIO_MUTUAL",
                "spec.trafficPolicy.portLevelSettings[0].port.number: missing: a port of the Service, from 1 to 65535",
                "spec.trafficPolicy.portLevelSettings[0].connectionPool.http.maxRetries: -2: must not be negative; 0 is no limit",
            ]
        );
        assert_eq!(
            said(destination_rule(&Default::default())),
            ["spec.host: missing: the name of a Service"]
        );
    }

    #[test]
    fn every_wrong_value_of_a_route_is_named_with_the_way_out() {
        let http = json!([
            {"route": [{"destination": {"host": "a"}}, {"destination": {"host": "*.b"}}], "retries": {"attempts": -1, "retryOn": "never"}},
            {"fault": {"abort": {"httpStatus": 99}, "delay": {"fixedDelay": "", "percentage": {"value": 200.0}}},
                "match": [{"uri": {"exact": "/", "prefix": "/"}}]}]);
        assert_eq!(
            service(http),
            [
                "spec.http[0].route[1].destination.host: \"*.b\": must name one Service",
                "spec.http[0].route[0].weight: missing: with several destinations a weight above 0 for at least one",
                "spec.http[0].retries.attempts: -1: must not be negative; 0 is no limit",
                "spec.http[0].retries.retryOn: \"never\": must be 5xx, gateway-error, reset, connect-failure, retriable-4xx, refused-stream, a status, or several with commas",
                "spec.http[1].route: missing: at least one destination",
                "spec.http[1].match[0].uri: TextMatch { exact: Some(\"/\"), prefix: Some(\"/\") }: must be exact or prefix, not both",
                "spec.http[1].fault.delay.fixedDelay: \"\": must be a duration such as 500ms, 1s or 1m30s",
                "spec.http[1].fault.delay.percentage.value: 200: must be from 0 to 100",
                "spec.http[1].fault.abort.httpStatus: 99: must be an HTTP status from 200 to 599",
            ]
        );
    }

    #[test]
    fn hosts_are_services_and_gateways_are_the_mesh() {
        let spec = json!({"hosts": ["a.b.example.com"], "gateways": ["ingress"], "http": [], "exportTo": ["x"]});
        let service: VirtualServiceSpec = from_value(spec).unwrap();
        let at: Vec<String> = virtual_service(&service)
            .into_iter()
            .map(|w| w.at)
            .collect();
        assert_eq!(
            at,
            [
                "spec.hosts[0]",
                "spec.gateways[0]",
                "spec.http",
                "spec.exportTo[0]"
            ]
        );
    }
}
