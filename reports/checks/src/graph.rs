//! Who asked whom: the load worker's own requests, and what pods counted of their calls and events.
use model::{
    Action, Breaker, BreakerState, Fact, Graph, Micros, Plan, Request, RequestFact, Timeline,
    graph::{BreakerSeen, Edge, LOAD_WORKER},
    observation::Phase,
    telemetry::{Totals, Within, is_good},
};
use std::collections::{BTreeMap, BTreeSet};

use crate::sample::percentile;

/// A request is on the edge to the host of its address. One that was short against the timeline's microseconds took none.
pub(crate) fn of(plan: &Plan, timeline: &Timeline) -> Graph {
    let Some((from, to)) = running(timeline) else {
        return Graph::default();
    };
    let seconds = to.saturating_sub(from).as_secs_f64();
    let mut edges = sent(plan, timeline);
    let totals = Totals::of(timeline);
    let asked = asked(timeline);
    let is_complete = |service: &str| {
        let pods = totals.told.get(service);
        pods.is_some_and(|pods| pods.iter().all(|pod| asked.contains(pod)))
    };
    let called = totals.calls.iter().map(|((from, to), calls)| Edge {
        from: from.clone(),
        to: to.clone(),
        calls: calls.all(),
        errors: calls.errors(),
        endings: bad(&calls.endings),
        mean: calls.mean(),
        p50: calls.quantile(0.5),
        p90: calls.quantile(0.9),
        p99: calls.quantile(0.99),
        complete: is_complete(from),
        ..Edge::default()
    });
    edges.extend(called.filter(|edge| edge.calls > 0));
    edges.extend(events(&totals, is_complete));
    for edge in &mut edges {
        edge.rate = if seconds > 0.0 {
            edge.calls as f64 / seconds
        } else {
            0.0
        };
    }
    for ((client, service), seen) in breakers(timeline, from) {
        let is = |e: &&mut Edge| e.from == client && e.to == service && e.event.is_none();
        if let Some(edge) = edges.iter_mut().find(is) {
            edge.breaker = Some(seen);
        }
    }
    Graph { seconds, edges }
}

/// Services of which some pod told what it counted, each with whether none of its pods ended untold.
pub(crate) fn told(timeline: &Timeline) -> BTreeMap<String, bool> {
    let asked = asked(timeline);
    let told = Totals::of(timeline).told.into_iter();
    told.map(|(service, pods)| (service, pods.iter().all(|pod| asked.contains(pod))))
        .collect()
}

/// Pods that were asked after the last step.
fn asked(timeline: &Timeline) -> BTreeSet<String> {
    let last = timeline.all().iter().rev().find_map(|o| match &o.fact {
        Fact::Asked { pods } => Some(pods),
        _ => None,
    });
    last.into_iter().flatten().cloned().collect()
}

/// From the first step to when the run began to tidy up.
fn running(timeline: &Timeline) -> Option<(Micros, Micros)> {
    let all = timeline.all().iter();
    let began = all
        .clone()
        .find(|o| matches!(o.fact, Fact::StepBegan { .. }))?;
    let tidying = |phase: &Phase| matches!(phase, Phase::Recovering | Phase::Draining);
    let ended = all
        .clone()
        .find(|o| matches!(&o.fact, Fact::Phase { phase } if tidying(phase)));
    Some((began.at, ended.map_or_else(|| timeline.end(), |o| o.at)))
}

/// The load worker's edges.
fn sent(plan: &Plan, timeline: &Timeline) -> Vec<Edge> {
    let mut hosts = BTreeMap::<String, Vec<(Micros, &RequestFact)>>::new();
    for step in &plan.steps {
        let requests: &[Request] = match &step.action {
            Action::Load { load } => &load.requests,
            Action::Requests { requests } => requests,
            _ => continue,
        };
        for (due, fact) in timeline.requests(&step.name) {
            let request = requests.get(fact.index as usize);
            if let Some(host) = request.and_then(|r| host(&r.url)) {
                hosts.entry(host).or_default().push((due, fact));
            }
        }
    }
    hosts
        .into_iter()
        .map(|(to, all)| sent_to(to, &all))
        .collect()
}

fn sent_to(to: String, all: &[(Micros, &RequestFact)]) -> Edge {
    let good = all.iter().filter(|(_, r)| r.is_good());
    let mut times: Vec<Micros> = good.map(|(due, r)| r.done.saturating_sub(*due)).collect();
    times.sort_unstable();
    let within = |p| (!times.is_empty()).then(|| Within::exactly(percentile(&times, p)));
    let mut endings = BTreeMap::<String, u64>::new();
    for (_, request) in all.iter().filter(|(_, r)| !r.is_good()) {
        *endings.entry(request.result()).or_default() += 1;
    }
    let sum: Micros = times.iter().copied().sum();
    Edge {
        from: LOAD_WORKER.into(),
        to,
        calls: all.len() as u64,
        errors: all.len() as u64 - times.len() as u64,
        endings,
        mean: (!times.is_empty()).then(|| sum.as_secs_f64() / times.len() as f64),
        p50: within(0.5),
        p90: within(0.9),
        p99: within(0.99),
        complete: true,
        ..Edge::default()
    }
}

/// The Service of an address: `room` of `http://room.shop.svc:8080/rooms`. `None` where it is filled in later.
fn host(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let host = rest.split(['/', '?', ':']).next()?;
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let short = if is_address {
        host
    } else {
        host.split('.').next()?
    };
    (!short.is_empty() && !short.contains('{')).then(|| short.to_string())
}

/// How calls ended that did not end well.
fn bad(endings: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let bad = endings
        .iter()
        .filter(|(ending, n)| !is_good(ending) && **n > 0);
    bad.map(|(ending, n)| (ending.clone(), *n)).collect()
}

/// From everybody who published a type to everybody who handled it.
fn events(totals: &Totals, is_complete: impl Fn(&str) -> bool) -> Vec<Edge> {
    let mut edges = vec![];
    for ((from, kind), sent) in totals.events.iter().filter(|(_, e)| e.published > 0) {
        for ((to, of), read) in totals
            .events
            .iter()
            .filter(|(_, e)| e.handled + e.failed > 0)
        {
            if of == kind {
                edges.push(Edge {
                    from: from.clone(),
                    to: to.clone(),
                    event: Some(kind.clone()),
                    calls: read.handled,
                    errors: read.failed,
                    published: Some(sent.published),
                    complete: is_complete(to),
                    ..Edge::default()
                });
            }
        }
    }
    edges
}

/// A breaker's client, side and service.
type Which<'a> = (&'a str, &'a str, &'a str);

/// What was seen of breakers, by the service that called and the one that was called.
fn breakers(timeline: &Timeline, from: Micros) -> BTreeMap<(String, String), BreakerSeen> {
    let services = services(timeline);
    let mut last = BTreeMap::<Which, &BreakerState>::new();
    let mut seen = BTreeMap::<(String, String), BreakerSeen>::new();
    for (at, now) in timeline.all().iter().filter_map(|o| match &o.fact {
        Fact::Breaker(state) => Some((o.at, state)),
        _ => None,
    }) {
        let to = now.service.split(':').next().unwrap_or_default();
        // An inbound one is the callee's: whoever called.
        let client = services
            .get(now.client.as_str())
            .copied()
            .unwrap_or(&now.client);
        let entry = seen
            .entry((client.to_string(), to.to_string()))
            .or_default();
        let before = last.insert((&now.client, &now.side, &now.service), now);
        if now.state == Breaker::Open && before.is_none_or(|b| b.state != Breaker::Open) {
            entry.opened += 1;
            let after = at.saturating_sub(from).as_secs_f64();
            entry.time_to_open.get_or_insert(after);
        }
        let more = |of: fn(&BreakerState) -> u64| {
            let (now, before) = (of(now), before.map_or(0, of));
            // A process that began anew counts from nothing.
            if now < before { now } else { now - before }
        };
        entry.rejected += more(|b| b.rejected);
        entry.ejections += more(|b| b.ejections);
    }
    seen
}

/// Services by the names of their pods: what they call themselves, else who made them; load workers are one.
fn services(timeline: &Timeline) -> BTreeMap<&str, &str> {
    let owners = timeline.pods().map(|(_, pod)| {
        let worker = pod.owner.starts_with("load-");
        (
            pod.name.as_str(),
            if worker {
                LOAD_WORKER
            } else {
                pod.owner.as_str()
            },
        )
    });
    let told = timeline.all().iter().filter_map(|o| match &o.fact {
        Fact::Counted(counts) => Some((counts.pod.as_str(), counts.service.as_str())),
        _ => None,
    });
    owners.chain(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Story, ms};
    use model::{
        PodCounts,
        telemetry::{Calls, Events},
    };

    fn counts(pod: &str, service: &str) -> PodCounts {
        PodCounts {
            pod: pod.into(),
            service: service.into(),
            ..PodCounts::default()
        }
    }

    fn graph(story: Story) -> Graph {
        of(&story.plan(), &story.timeline())
    }

    fn breaker(state: Breaker, rejected: u64) -> Fact {
        Fact::Breaker(BreakerState {
            client: "review-1".into(),
            side: "outbound".into(),
            service: "auth:8080".into(),
            state,
            requests: 10,
            rejected,
            ejections: 0,
        })
    }

    #[test]
    fn requests_of_the_load_are_edges_to_the_hosts_of_their_addresses() {
        let graph = graph(Story::rollout().failing(2300..2400));
        let edge = graph.edge(LOAD_WORKER, "review", None).unwrap();
        assert_eq!(
            (edge.calls, edge.errors, edge.p99),
            (100, 10, Some(Within::exactly(0.002)))
        );
        assert_eq!(edge.endings["connectionRefused"], 10);
        assert!(edge.rate > 0.0 && edge.complete);
        let name = |url| host(url);
        assert_eq!(
            name("http://room.shop.svc:8080/rooms").as_deref(),
            Some("room")
        );
        assert_eq!(name("http://{{where}}/rooms"), None);
    }

    #[test]
    fn events_go_from_who_published_a_type_to_who_handled_it() {
        let events = |n, handled| Events {
            published: n,
            handled,
            failed: 0,
        };
        let mut auth = counts("auth-1", "auth");
        auth.events = [("Approved".to_string(), events(8, 0))].into();
        let mut room = counts("room-1", "room");
        room.events = [("Approved".to_string(), events(0, 7))].into();
        let story = Story::rollout()
            .with(ms(2600), Fact::Counted(auth))
            .with(ms(2600), Fact::Counted(room))
            .with(
                ms(3400),
                Fact::Asked {
                    pods: vec!["room-1".into()],
                },
            );
        let graph = graph(story);
        let edge = graph.edge("auth", "room", Some("Approved")).unwrap();
        assert_eq!(
            (edge.published, edge.calls, edge.complete),
            (Some(8), 7, true)
        );
    }

    #[test]
    fn a_pod_that_ended_before_it_was_asked_again_may_have_counted_more() {
        let mut old = counts("review-old", "review");
        let calls = Calls {
            endings: [("2xx".to_string(), 4)].into(),
            ..Calls::default()
        };
        old.calls = [("auth".to_string(), calls)].into();
        let story = Story::rollout().with(ms(2100), Fact::Counted(old));
        let asked = |pods: Vec<String>| {
            let graph = graph(story.clone().with(ms(3400), Fact::Asked { pods }));
            graph.edge("review", "auth", None).unwrap().complete
        };
        assert!(!asked(vec![]) && asked(vec!["review-old".into()]));
    }

    #[test]
    fn what_became_of_a_breaker_is_on_the_edge_it_guards() {
        let mut review = counts("review-1", "review");
        let calls = Calls {
            endings: [("5xx".to_string(), 4)].into(),
            ..Calls::default()
        };
        review.calls = [("auth".to_string(), calls)].into();
        let story = Story::rollout()
            .with(ms(2100), Fact::Counted(review))
            .with(ms(2490), breaker(Breaker::Open, 3))
            .with(ms(2600), breaker(Breaker::Open, 5))
            .with(ms(2700), breaker(Breaker::Closed, 5))
            .with(ms(2800), breaker(Breaker::Open, 6));
        let graph = graph(story);
        let seen = graph
            .edge("review", "auth", None)
            .unwrap()
            .breaker
            .clone()
            .unwrap();
        assert_eq!(
            (seen.opened, seen.time_to_open, seen.rejected),
            (2, Some(0.5), 6)
        );
    }
}
