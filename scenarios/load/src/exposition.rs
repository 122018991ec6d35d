//! What services export for Prometheus, as far as it says who asks whom: the text format, and OpenMetrics, which is nearly the same.
use model::{
    Breaker,
    telemetry::{Calls, Events, is_good},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one process has counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// What it calls itself, if it does.
    #[serde(rename = "a", default, skip_serializing_if = "String::is_empty")]
    pub application: String,
    /// Its calls by callee.
    #[serde(rename = "c", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<String, Calls>,
    /// Its events by type.
    #[serde(rename = "e", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<String, Events>,
    /// Its breakers by callee.
    #[serde(rename = "b", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub breakers: BTreeMap<String, Breaker>,
}

/// So many callees and types at most: labels of somebody else's may have no end.
const LABELS_MAX: usize = 200;

/// A line: its name, its labels, its value.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

impl Sample<'_> {
    fn label(&self, names: &[&str]) -> Option<&str> {
        let found = |name: &&str| self.labels.iter().find(|(n, _)| n == name);
        names
            .iter()
            .find_map(found)
            .map(|(_, value)| value.as_str())
    }

    fn count(&self) -> u64 {
        self.value.max(0.0) as u64
    }
}

/// How the callee is called: by ours, by Spring Boot 3, by Spring Boot 2.
const CALLEE: [&str; 3] = ["callee", "client_name", "clientName"];

/// Reads an exposition. `None` where there is not one sample in it.
pub(crate) fn read(text: &str) -> Option<Counts> {
    let mut counts = Counts::default();
    let mut histograms = BTreeMap::<String, BTreeMap<u64, (f64, u64)>>::new();
    let mut seen = false;
    for sample in text.lines().filter_map(sample) {
        seen = true;
        if counts.application.is_empty()
            && let Some(application) = sample.label(&["application"])
        {
            counts.application = application.into();
        }
        match sample.name {
            "http_client_requests_seconds_count" => {
                if let Some(calls) = called(&mut counts, &sample) {
                    *calls.endings.entry(ending(&sample)).or_default() += sample.count();
                }
            }
            "http_client_requests_seconds_sum" if is_good(&ending(&sample)) => {
                if let Some(calls) = called(&mut counts, &sample) {
                    calls.seconds += sample.value;
                }
            }
            "http_client_requests_seconds_bucket" if is_good(&ending(&sample)) => {
                let le = sample.label(&["le"]).and_then(|le| le.parse::<f64>().ok());
                if let (Some(le), Some(callee)) = (le.filter(|le| le.is_finite()), callee(&sample))
                {
                    // Bounds are positive, and positive numbers are in the order of their bits.
                    let bucket = histograms.entry(callee).or_default();
                    bucket.entry(le.to_bits()).or_insert((le, 0)).1 += sample.count();
                }
            }
            "events_published_total" => {
                if let Some(events) = event(&mut counts, &sample) {
                    events.published += sample.count();
                }
            }
            "events_consumed_total" => {
                if let Some(events) = event(&mut counts, &sample) {
                    match sample.label(&["outcome"]) {
                        Some("handled") | None => events.handled += sample.count(),
                        Some("failed") => events.failed += sample.count(),
                        Some(_) => {}
                    }
                }
            }
            "circuit_breaker_state" => {
                let state = match sample.value {
                    v if v >= 2.0 => Breaker::Open,
                    v if v >= 1.0 => Breaker::HalfOpen,
                    _ => Breaker::Closed,
                };
                breaker(&mut counts, callee(&sample), state);
            }
            "resilience4j_circuitbreaker_state" if sample.value > 0.0 => {
                let state = match sample.label(&["state"]) {
                    Some("open" | "forced_open") => Breaker::Open,
                    Some("half_open") => Breaker::HalfOpen,
                    _ => Breaker::Closed,
                };
                breaker(&mut counts, sample.label(&["name"]).map(Into::into), state);
            }
            _ => {}
        }
    }
    for (callee, buckets) in histograms {
        if let Some(calls) = counts.calls.get_mut(&callee) {
            calls.buckets = trimmed(buckets.into_values().collect());
        }
    }
    // What nobody was sent and nobody read says nothing.
    counts.events.retain(|_, e| *e != Events::default());
    seen.then_some(counts)
}

fn called<'a>(counts: &'a mut Counts, sample: &Sample) -> Option<&'a mut Calls> {
    let callee = callee(sample)?;
    let is_room = counts.calls.len() < LABELS_MAX || counts.calls.contains_key(&callee);
    is_room.then(|| counts.calls.entry(callee).or_default())
}

fn event<'a>(counts: &'a mut Counts, sample: &Sample) -> Option<&'a mut Events> {
    let kind = sample.label(&["type"])?;
    let is_room = counts.events.len() < LABELS_MAX || counts.events.contains_key(kind);
    is_room.then(|| counts.events.entry(kind.into()).or_default())
}

fn breaker(counts: &mut Counts, callee: Option<String>, state: Breaker) {
    if let Some(callee) = callee
        && counts.breakers.len() < LABELS_MAX
    {
        counts.breakers.insert(callee, state);
    }
}

/// The name of the Service: `auth` of `auth.shop.svc.cluster.local:8080`.
fn callee(sample: &Sample) -> Option<String> {
    let name = sample.label(&CALLEE)?;
    let host = name.split(':').next().unwrap_or(name);
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let short = if is_address {
        host
    } else {
        host.split('.').next()?
    };
    (!short.is_empty()).then(|| short.into())
}

/// `2xx` of `2xx` and of `200`; another word in small letters.
fn ending(sample: &Sample) -> String {
    let status = sample.label(&["status"]).unwrap_or("2xx");
    match status.as_bytes() {
        [class @ b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => format!("{}xx", char::from(*class)),
        _ => status.to_ascii_lowercase(),
    }
}

/// From the last bucket that counts nothing to the first that counts all.
fn trimmed(buckets: Vec<(f64, u64)>) -> Vec<(f64, u64)> {
    let all = buckets.last().map_or(0, |b| b.1);
    let empty = buckets.iter().take_while(|b| b.1 == 0).count();
    let full = buckets.iter().position(|b| b.1 == all).unwrap_or(0);
    match all {
        0 => vec![],
        _ => buckets[empty.saturating_sub(1)..=full].to_vec(),
    }
}

/// `name{label="value",…} value`, with whatever else may follow. Comments and what is not read are no samples.
fn sample(line: &str) -> Option<Sample<'_>> {
    let line = line.trim();
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.starts_with('#') {
        return None;
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (vec![], rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name,
        labels,
        value,
    })
}

type Labels<'a> = (Vec<(&'a str, String)>, &'a str);

/// Labels up to their closing brace, and what follows.
fn labels(mut rest: &str) -> Option<Labels<'_>> {
    let mut found = vec![];
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((found, after));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut letters = quoted.char_indices();
        let end = loop {
            match letters.next()? {
                (at, '"') => break at,
                (_, '\\') => match letters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        found.push((name.trim(), value));
        rest = &quoted[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = r#"# TYPE http_client_requests_seconds histogram
http_client_requests_seconds_sum{application="room",callee="auth",status="2xx"} 0.5
http_client_requests_seconds_count{application="room",callee="auth",status="2xx"} 100
http_client_requests_seconds_bucket{le="0.001",application="room",callee="auth",status="2xx"} 0
http_client_requests_seconds_bucket{le="0.005",application="room",callee="auth",status="2xx"} 60
http_client_requests_seconds_bucket{le="0.01",application="room",callee="auth",status="2xx"} 100
http_client_requests_seconds_bucket{le="0.1",application="room",callee="auth",status="2xx"} 100
http_client_requests_seconds_bucket{le="+Inf",application="room",callee="auth",status="2xx"} 100
http_client_requests_seconds_sum{application="room",callee="auth",status="timeout"} 20.0
http_client_requests_seconds_count{application="room",callee="auth",status="timeout"} 2
circuit_breaker_state{application="room",callee="auth"} 2
events_published_total{application="room",type="AuthApproved"} 7
events_consumed_total{application="room",type="RoomRegistered",outcome="handled"} 5
events_consumed_total{application="room",type="RoomRegistered",outcome="repeated"} 1
events_consumed_total{application="room",type="Elsewhere",outcome="ignored"} 9
# EOF
"#;

    #[test]
    fn calls_events_and_breakers_are_read_of_what_our_services_export() {
        let counts = read(OURS).unwrap();
        assert_eq!(counts.application, "room");
        let calls = &counts.calls["auth"];
        assert_eq!((calls.good(), calls.errors(), calls.seconds), (100, 2, 0.5));
        assert_eq!(calls.buckets, [(0.001, 0), (0.005, 60), (0.01, 100)]);
        assert_eq!(counts.events["AuthApproved"].published, 7);
        assert_eq!(counts.events["RoomRegistered"].handled, 5);
        assert_eq!(
            (counts.events.len(), counts.breakers["auth"]),
            (2, Breaker::Open)
        );
    }

    #[test]
    fn spring_boots_names_are_read_too() {
        let text = r#"
http_client_requests_seconds_count{client_name="auth.shop.svc:8080",error="none",method="POST",outcome="SUCCESS",status="201",uri="/a,{b}",} 3
http_client_requests_seconds_sum{client_name="auth.shop.svc:8080",error="none",method="POST",outcome="SUCCESS",status="201",uri="/a,{b}",} 0.75
http_client_requests_seconds_count{clientName="auth",status="CLIENT_ERROR",uri="say \"x\""} 2.0
http_client_requests_seconds{client_name="auth",quantile="0.99",status="201"} 0.2
resilience4j_circuitbreaker_state{name="auth",state="closed"} 0.0
resilience4j_circuitbreaker_state{name="auth",state="open"} 1.0
jvm_memory_used_bytes{area="heap"} 1.0E7
"#;
        let counts = read(text).unwrap();
        let calls = &counts.calls["auth"];
        let endings: Vec<_> = calls
            .endings
            .iter()
            .map(|(e, n)| (e.as_str(), *n))
            .collect();
        assert_eq!(endings, [("2xx", 3), ("client_error", 2)]);
        assert_eq!(
            (calls.errors(), calls.mean(), calls.quantile(0.5)),
            (2, Some(0.25), None)
        );
        assert_eq!(counts.breakers["auth"], Breaker::Open);
    }

    #[test]
    fn what_is_no_exposition_has_no_counts() {
        assert_eq!(read("<html><body>not found</body></html>"), None);
        assert_eq!(read("# HELP x\n"), None);
        assert_eq!(read("up 1\n"), Some(Counts::default()));
    }
}
