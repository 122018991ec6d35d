//! route — where a request goes, and what is done to it on purpose: the part of a VirtualService that a side-car performs.

use std::time::Duration;

use http::request::Parts;

use crate::names::ServiceName;
use crate::profile::Profile;
use crate::retry::RetryPolicy;
use crate::rules::{
    HttpMatch, HttpRoute, Percent, TextMatch, VirtualServiceSpec, Weighted, duration,
};

/// What becomes of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Where to.
    pub service: ServiceName,
    /// The Service's port; the one that was called if absent.
    pub port: Option<u16>,
    /// Which of its pods.
    pub subset: Option<String>,
    /// It waits so long first.
    pub delay: Option<Duration>,
    /// It is answered with this and goes nowhere.
    pub abort: Option<u16>,
    /// For everything, further tries included.
    pub timeout: Option<Duration>,
    /// What is tried again.
    pub retries: RetryPolicy,
}

/// Chance, decided before: each from 0 up to, not including, 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dice {
    /// Which destination.
    pub destination: f64,
    /// Whether it is delayed.
    pub delay: f64,
    /// Whether it is aborted.
    pub abort: f64,
}

impl Route {
    /// Straight to the Service that was called.
    pub fn straight(service: ServiceName, profile: Profile) -> Route {
        Route {
            service,
            port: None,
            subset: None,
            delay: None,
            abort: None,
            timeout: None,
            retries: RetryPolicy::of(None, profile),
        }
    }

    /// What `rule`, of `namespace`, makes of a request to a Service; none if none of its routes matches, which is answered with 404.
    pub fn of(
        rule: &VirtualServiceSpec,
        namespace: &str,
        request: &Parts,
        dice: Dice,
        profile: Profile,
    ) -> Option<Route> {
        let route = rule.http.iter().find(|route| route.is_for(request))?;
        let chosen = weighted(&route.route, dice.destination)?;
        let fault = route.fault.as_ref();
        let delay = fault
            .and_then(|fault| fault.delay.as_ref())
            .filter(|delay| hits(delay.percentage.as_ref(), dice.delay));
        let abort = fault
            .and_then(|fault| fault.abort.as_ref())
            .filter(|abort| hits(abort.percentage.as_ref(), dice.abort));
        let timeout = route.timeout.as_deref().and_then(duration);
        Some(Route {
            service: ServiceName::of(&chosen.destination.host, namespace)?,
            port: chosen.destination.port.as_ref().map(|port| port.number),
            subset: chosen.destination.subset.clone(),
            delay: delay.and_then(|delay| duration(&delay.fixed_delay)),
            abort: abort.map(|abort| abort.http_status),
            timeout: timeout.filter(|time| !time.is_zero()),
            retries: RetryPolicy::of(route.retries.as_ref(), profile),
        })
    }
}

impl HttpRoute {
    fn is_for(&self, request: &Parts) -> bool {
        self.matches.is_empty() || self.matches.iter().any(|one| one.is_for(request))
    }
}

impl HttpMatch {
    fn is_for(&self, request: &Parts) -> bool {
        let path = request
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let is = |wanted: &Option<TextMatch>, text: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.is(text))
        };
        is(&self.uri, path)
            && is(&self.method, request.method.as_str())
            && self.headers.iter().all(|(name, wanted)| {
                let value = request.headers.get(name);
                value.is_some_and(|value| wanted.is(&String::from_utf8_lossy(value.as_bytes())))
            })
    }
}

impl TextMatch {
    fn is(&self, text: &str) -> bool {
        self.exact.as_deref().is_none_or(|exact| exact == text)
            && self
                .prefix
                .as_deref()
                .is_none_or(|prefix| text.starts_with(prefix))
    }
}

/// A single destination needs no weight.
fn weighted(all: &[Weighted], dice: f64) -> Option<&Weighted> {
    if let [only] = all {
        return Some(only);
    }
    let weight = |one: &Weighted| f64::from(one.weight.unwrap_or(0).max(0));
    let mut left = dice * all.iter().map(weight).sum::<f64>();
    all.iter().find(|one| {
        left -= weight(one);
        left < 0.0
    })
}

fn hits(percent: Option<&Percent>, dice: f64) -> bool {
    percent.is_none_or(|percent| dice * 100.0 < percent.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, from_value, json};

    fn of(rule: Value, request: http::request::Builder, dice: f64) -> Option<Route> {
        let rule: VirtualServiceSpec = from_value(rule).unwrap();
        let dice = Dice {
            destination: dice,
            delay: dice,
            abort: dice,
        };
        let (request, ()) = request.body(()).unwrap().into_parts();
        Route::of(&rule, "shop", &request, dice, Profile::default())
    }

    fn get(path: &str) -> http::request::Builder {
        http::Request::get(path)
    }

    fn to(host: &str) -> Value {
        json!({"destination": {"host": host}})
    }

    #[test]
    fn the_first_route_that_matches_is_taken() {
        let rule = json!({"hosts": ["room"], "http": [
            {"match": [{"uri": {"prefix": "/rooms"}, "method": {"exact": "POST"}}, {"headers": {"user": {"exact": "me"}}}],
                "route": [to("writer")], "timeout": "2s"},
            {"route": [to("room.other")]}]});
        let service = |request| of(rule.clone(), request, 0.0).unwrap().service.host();
        let writer = "writer.shop.svc.cluster.local";
        assert_eq!(service(http::Request::post("/rooms/1")), writer);
        assert_eq!(service(get("/").header("user", "me")), writer);
        assert_eq!(service(get("/rooms")), "room.other.svc.cluster.local");
        let timeout = of(rule, http::Request::post("/rooms"), 0.0)
            .unwrap()
            .timeout;
        assert_eq!(timeout, Some(Duration::from_secs(2)));
    }

    #[test]
    fn without_a_matching_route_there_is_none() {
        let rule = json!({"hosts": ["room"], "http": [{"match": [{"uri": {"exact": "/a"}}], "route": [to("a")]}]});
        assert_eq!(of(rule, get("/b"), 0.0), None);
    }

    #[test]
    fn weights_are_shares_of_their_sum() {
        let rule = json!({"hosts": ["room"], "http": [{"route": [
            {"destination": {"host": "room", "subset": "v1"}, "weight": 90},
            {"destination": {"host": "room", "subset": "v2", "port": {"number": 9}}, "weight": 10}]}]});
        let subset = |dice| {
            let route = of(rule.clone(), get("/"), dice).unwrap();
            (route.subset.unwrap(), route.port)
        };
        assert_eq!(subset(0.0), ("v1".into(), None));
        assert_eq!(subset(0.899), ("v1".into(), None));
        assert_eq!(subset(0.9), ("v2".into(), Some(9)));
        assert_eq!(subset(0.999), ("v2".into(), Some(9)));
    }

    #[test]
    fn faults_hit_their_share() {
        let rule = json!({"hosts": ["room"], "http": [{"route": [to("room")], "fault": {
            "delay": {"fixedDelay": "3s", "percentage": {"value": 50.0}}, "abort": {"httpStatus": 418, "percentage": {"value": 10.0}}}}]});
        let fault = |dice| {
            let route = of(rule.clone(), get("/"), dice).unwrap();
            (route.delay.map(|delay| delay.as_secs()), route.abort)
        };
        assert_eq!(fault(0.05), (Some(3), Some(418)));
        assert_eq!(fault(0.2), (Some(3), None));
        assert_eq!(fault(0.5), (None, None));
    }

    #[test]
    fn a_route_may_switch_further_tries_off() {
        let rule = json!({"hosts": ["room"], "http": [{"route": [to("room")], "retries": {"attempts": 0}}]});
        assert_eq!(of(rule, get("/"), 0.0).unwrap().retries.attempts, 0);
    }
}
