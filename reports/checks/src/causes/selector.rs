//! A Service selects no pod.
use super::{Sign, rank, seen::Seen};
use model::{Fact, Micros, PodSpec, ServiceSpec, look::selector};
use std::collections::BTreeMap;

/// The label of a Job's pods: no Service is meant to find them.
const JOB_LABEL: &str = "batch.kubernetes.io/job-name";
/// The controller's own label, which nobody selects by.
const HASH_LABEL: &str = "pod-template-hash";

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let services: Vec<(Micros, &ServiceSpec)> = seen
        .facts()
        .filter_map(|(at, fact)| match fact {
            Fact::Service(spec) => Some((at, spec)),
            _ => None,
        })
        .collect();
    let asked = seen.asked();
    let lonely = services
        .iter()
        .enumerate()
        .filter_map(|(i, (at, service))| {
            let mut later = services[i + 1..].iter();
            let next = later.find(|(_, s)| s.service == service.service);
            let to = next.map_or(seen.end, |(at, _)| *at);
            let (from, detail) = lonely(seen, service, *at, to)?;
            let rank = match asked.contains(service.service.as_str()) {
                true => rank::SELECTOR,
                false => rank::UNASKED,
            };
            let object = format!("Service/{}", service.service);
            Some(Sign::at(from, rank, "selects no pod", object, detail).until(to))
        });
    lonely.collect()
}

/// Since when there were pods and none of them was selected, and what was selected instead.
fn lonely(
    seen: &Seen,
    service: &ServiceSpec,
    from: Micros,
    to: Micros,
) -> Option<(Micros, String)> {
    let was_there = |pod: &PodSpec, at: Micros| {
        at <= to
            && seen
                .pod_was(&pod.pod, |p| p.gone)
                .is_none_or(|gone| gone > from)
    };
    let pods: Vec<(Micros, &PodSpec)> = seen
        .specs()
        .filter(|(at, pod)| was_there(pod, *at))
        .collect();
    if service.selector.is_empty() || pods.iter().any(|(_, pod)| service.selects(&pod.labels)) {
        return None;
    }
    let mut servers = pods
        .iter()
        .filter(|(_, p)| !p.labels.contains_key(JOB_LABEL));
    let (first, _) = servers.clone().next()?;
    let likeness = |pod: &PodSpec| -> usize {
        let pairs = service.selector.iter();
        pairs
            .map(|(key, value)| match pod.labels.get(key) {
                Some(has) if has == value => 1000,
                Some(has) => common(has, value),
                None => 0,
            })
            .sum()
    };
    let best = servers.clone().map(|(_, p)| likeness(p)).max()?;
    let (_, nearest) = servers.find(|(_, p)| likeness(p) == best)?;
    let whose = match nearest.owner.is_empty() {
        true => &nearest.pod,
        false => &nearest.owner,
    };
    let detail = format!(
        "its selector is {}, and no pod has that; the nearest labels are {} (pods of {whose})",
        selector(&service.selector),
        selector(&labels(nearest, service)),
    );
    Some((from.max(*first), detail))
}

/// The labels of a pod that a selector asks for with other values, or else all.
fn labels(pod: &PodSpec, service: &ServiceSpec) -> BTreeMap<String, String> {
    let of = |wanted: &dyn Fn(&String) -> bool| -> BTreeMap<String, String> {
        let labels = pod.labels.iter().filter(|(key, _)| wanted(key));
        labels.map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    let asked = of(&|key| service.selector.contains_key(key));
    match asked.is_empty() {
        true => of(&|key| key != HASH_LABEL),
        false => asked,
    }
}

/// How many characters two words begin with together, and one for having the label at all.
fn common(a: &str, b: &str) -> usize {
    1 + a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}
