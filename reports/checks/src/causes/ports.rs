//! A Service leads to a port where no container listens.
use super::{Sign, rank, seen::Seen};
use model::{Fact, Micros, PodSpec, ServiceSpec, Window};

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let services: Vec<(Micros, &ServiceSpec)> = seen
        .facts()
        .filter_map(|(at, fact)| match fact {
            Fact::Service(spec) => Some((at, spec)),
            _ => None,
        })
        .collect();
    let unknown = services.iter().flat_map(|(at, s)| unknown(seen, *at, s));
    let windows = seen.windows.iter();
    let refused = windows.filter_map(|window| refused(seen, window, &services));
    let unreached = unreached(seen, &services);
    unknown.chain(refused).chain(unreached).collect()
}

/// Ports that no container of the Service's pods says it has.
fn unknown(seen: &Seen, at: Micros, service: &ServiceSpec) -> Vec<Sign> {
    let pods = seen.specs().map(|(_, pod)| pod);
    let pods: Vec<&PodSpec> = pods.filter(|p| service.selects(&p.labels)).collect();
    let ports: Vec<&(String, u16)> = pods
        .iter()
        .flat_map(|p| p.containers.iter().flat_map(|c| &c.ports))
        .collect();
    let leads_nowhere = service.ports.iter().filter_map(|(port, target)| {
        let number = target.parse::<u16>().ok();
        let is_there = ports
            .iter()
            .any(|(name, n)| number.map_or(name == target, |number| *n == number));
        // Containers need not say where they listen, unless by name.
        if pods.is_empty() || is_there || (number.is_some() && ports.is_empty()) {
            return None;
        }
        let rank = match number {
            None => rank::NAMED_PORT,
            Some(_) => rank::NUMBERED_PORT,
        };
        let named: Vec<String> = ports.iter().map(|p| written(p)).collect();
        let mut named = named;
        named.sort();
        named.dedup();
        let has = match named.is_empty() {
            true => "they name none".to_string(),
            false => format!("they have {}", named.join(", ")),
        };
        let detail = format!(
            "port {port} leads to port “{target}”, which no container of its pods has; {has}"
        );
        let object = format!("Service/{}", service.service);
        Some(Sign::at(at, rank, "wrong target port", object, detail).until(seen.end))
    });
    leads_nowhere.collect()
}

fn written((name, number): &(String, u16)) -> String {
    match name.is_empty() {
        true => number.to_string(),
        false => format!("{number} ({name})"),
    }
}

/// Requests that were refused although the Service had pods that counted as ready all the time.
fn refused(seen: &Seen, window: &Window, services: &[(Micros, &ServiceSpec)]) -> Option<Sign> {
    let (kind, n) = window.kinds.first()?;
    let (_, service) = services
        .iter()
        .find(|(_, s)| is_asked(seen, &window.step, s))?;
    let ready = fewest_ready(seen, &service.service, window.from, window.to)?;
    if kind != "connectionRefused" || ready == 0 {
        return None;
    }
    let leads: Vec<String> = service.ports.iter().map(|(_, to)| to.clone()).collect();
    let detail = format!(
        "{n} requests of “{}” were refused while it had {}: nobody listened at port {} of them",
        window.step,
        crate::count(ready.into(), "ready pod"),
        leads.join(" or ")
    );
    let object = format!("Service/{}", service.service);
    let what = "connection refused";
    Some(Sign::at(window.from, rank::NOBODY_LISTENS, what, object, detail).until(window.to))
}

/// A Service with ready pods to which the gate got no connection.
fn unreached(seen: &Seen, services: &[(Micros, &ServiceSpec)]) -> Option<Sign> {
    let (at, because) = seen.facts().find_map(|(at, fact)| match fact {
        Fact::NotSteady { because } => Some((at, because)),
        _ => None,
    })?;
    let said = because.strip_prefix("no connection to ")?;
    let address = said.strip_prefix("http://").unwrap_or(said);
    let (host, rest) = address.split_once(':')?;
    let number = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    let (_, service) = services.iter().find(|(_, s)| s.service == host)?;
    let mut ports = service.ports.iter();
    let (_, target) = ports.find(|(port, _)| port.to_string() == number)?;
    let ready = fewest_ready(seen, host, at, at).filter(|ready| *ready > 0)?;
    let detail = format!(
        "nobody answers at its port {number}, which leads to port {target} of {}",
        crate::count(ready.into(), "ready pod")
    );
    let object = format!("Service/{host}");
    Some(Sign::at(
        at,
        rank::NOBODY_LISTENS,
        "nobody listens",
        object,
        detail,
    ))
}

fn is_asked(seen: &Seen, step: &str, service: &ServiceSpec) -> bool {
    let load = seen.plan.loads().find(|(name, _)| *name == step);
    load.is_some_and(|(_, load)| {
        let start = format!("http://{}", service.service);
        let mut rest = load.requests.iter().map(|r| r.url.strip_prefix(&start));
        rest.any(|rest| rest.is_some_and(|r| r.starts_with([':', '/', '.']) || r.is_empty()))
    })
}

/// The fewest ready endpoints of a Service in a stretch of time, if they were told.
fn fewest_ready(seen: &Seen, service: &str, from: Micros, to: Micros) -> Option<u32> {
    let told = seen.facts().filter_map(|(at, fact)| match fact {
        Fact::Endpoints { service: s, ready } if s == service => Some((at, *ready)),
        _ => None,
    });
    let told: Vec<(Micros, u32)> = told.collect();
    let before = told.iter().rev().find(|(at, _)| *at <= from);
    let inside = told.iter().filter(|(at, _)| *at > from && *at <= to);
    before.into_iter().chain(inside).map(|(_, n)| *n).min()
}
