//! What causes look up in a timeline: pods as they were made and as they were at a time, ends of containers, events.
use model::{
    Action, ContainerSpec, ContainerState, Course, Ended, Fact, Micros, Plan, PodSpec, PodState,
    Strike, Timeline, Window, observation::Phase,
};
use std::collections::BTreeSet;

/// A container that a fault kills is seen to have ended no later than this after the blow.
const BLOW_MAX: Micros = Micros::from_secs(40);

pub(super) struct Seen<'a> {
    pub plan: &'a Plan,
    pub timeline: &'a Timeline,
    pub windows: &'a [Window],
    /// When the run began to tidy up: what ends after it is meant to.
    pub end: Micros,
}

/// An event of the cluster.
#[derive(Clone, Copy)]
pub(super) struct Event<'a> {
    pub at: Micros,
    pub object: &'a str,
    pub reason: &'a str,
    pub message: &'a str,
}

impl Event<'_> {
    /// The name of the pod it is about.
    pub fn pod(&self) -> Option<&str> {
        self.object.strip_prefix("Pod/")
    }
}

/// One end of a container.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    pub at: Micros,
    pub container: &'a ContainerState,
    pub how: &'a Ended,
}

impl<'a> Seen<'a> {
    pub fn of(plan: &'a Plan, timeline: &'a Timeline, windows: &'a [Window]) -> Seen<'a> {
        let draining = Fact::Phase {
            phase: Phase::Draining,
        };
        let mut all = timeline.all().iter();
        let tidying = all.find(|o| o.fact == draining || matches!(o.fact, Fact::CleanedUp { .. }));
        Seen {
            plan,
            timeline,
            windows,
            end: tidying.map_or(timeline.end(), |o| o.at),
        }
    }

    /// What was seen before the run began to tidy up.
    pub fn facts(&self) -> impl Iterator<Item = (Micros, &'a Fact)> + use<'a> {
        let end = self.end;
        let all = self.timeline.all().iter();
        all.take_while(move |o| o.at <= end)
            .map(|o| (o.at, &o.fact))
    }

    pub fn events(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        self.facts().filter_map(|(at, fact)| match fact {
            Fact::Event {
                object,
                reason,
                message,
                ..
            } => Some(Event {
                at,
                object,
                reason,
                message,
            }),
            _ => None,
        })
    }

    pub fn containers(&self) -> impl Iterator<Item = (Micros, &'a ContainerState)> + use<'a> {
        self.facts().filter_map(|(at, fact)| match fact {
            Fact::Container(container) => Some((at, container)),
            _ => None,
        })
    }

    /// Each end of a container once, though every later change of it repeats how it ended.
    pub fn ends(&self) -> Vec<End<'a>> {
        let mut known = BTreeSet::new();
        let ends = self.containers().filter_map(|(at, container)| {
            let how = container.ended.as_ref()?;
            Some(End { at, container, how })
        });
        ends.filter(|end| {
            let (c, how) = (end.container, end.how);
            known.insert((&c.pod, &c.container, &how.since, &how.until, how.code))
        })
        .collect()
    }

    /// Pods as they were made, with when they were first seen.
    pub fn specs(&self) -> impl Iterator<Item = (Micros, &'a PodSpec)> + use<'a> {
        self.facts().filter_map(|(at, fact)| match fact {
            Fact::PodSpec(spec) => Some((at, spec)),
            _ => None,
        })
    }

    pub fn spec(&self, pod: &str) -> Option<&'a PodSpec> {
        self.specs().find(|(_, s)| s.pod == pod).map(|(_, s)| s)
    }

    pub fn container(&self, pod: &str, name: &str) -> Option<&'a ContainerSpec> {
        let spec = self.spec(pod)?;
        spec.containers.iter().find(|c| c.name == name)
    }

    /// A pod as it was at that time.
    pub fn pod_at(&self, pod: &str, at: Micros) -> Option<&'a PodState> {
        let until = self.timeline.pods().take_while(|(seen, _)| *seen <= at);
        until.filter(|(_, p)| p.name == pod).last().map(|(_, p)| p)
    }

    /// When a pod was first so.
    pub fn pod_was(&self, pod: &str, so: impl Fn(&PodState) -> bool) -> Option<Micros> {
        let mut of = self
            .timeline
            .pods()
            .filter(|(at, p)| p.name == pod && *at <= self.end);
        of.find(|(_, p)| so(p)).map(|(at, _)| at)
    }

    /// The workload of a pod, or nothing.
    pub fn owner(&self, pod: &str) -> &'a str {
        let mut pods = self.timeline.pods();
        let found = pods.find(|(_, p)| p.name == pod);
        found.map_or("", |(_, p)| p.owner.as_str())
    }

    /// The blow of a fault that a pod was dealt shortly before, if one was.
    pub fn blow(&self, pod: &str, at: Micros) -> Option<&'a Strike> {
        self.facts()
            .take_while(|(struck, _)| *struck <= at)
            .find_map(|(struck, fact)| match fact {
                Fact::Strike(s)
                    if s.pod == pod
                        && struck + BLOW_MAX >= at
                        && !matches!(s.course, Course::Withheld) =>
                {
                    Some(s)
                }
                _ => None,
            })
    }

    /// The last lines of a container that ended, as they were read after that.
    pub fn last_words(&self, pod: &str, container: &str, at: Micros) -> Option<&'a [String]> {
        self.timeline.all().iter().find_map(|o| match &o.fact {
            Fact::LastWords {
                pod: p,
                container: c,
                lines,
            } if p == pod && c == container && o.at >= at && !lines.is_empty() => {
                Some(lines.as_slice())
            }
            _ => None,
        })
    }

    /// Whether this is the Job of a load, whose program is ours.
    pub fn load_of(&self, owner: &str) -> Option<&'a str> {
        let step = owner.strip_prefix("load-")?;
        let mut steps = self.plan.steps.iter();
        let step = steps.find(|s| s.name == step)?;
        matches!(step.action, Action::Load { .. }).then_some(step.name.as_str())
    }

    /// Hosts that loads and single requests of the plan ask.
    pub fn asked(&self) -> BTreeSet<&'a str> {
        let requests = self.plan.steps.iter().flat_map(|s| match &s.action {
            Action::Load { load } => load.requests.as_slice(),
            Action::Requests { requests } => requests,
            _ => &[],
        });
        requests.filter_map(|r| host(&r.url)).collect()
    }

    /// From the first request of a load to the end of its last.
    pub fn load_spans(&self) -> Vec<(Micros, Micros)> {
        let loads = self.plan.loads();
        loads
            .filter_map(|(step, _)| self.timeline.span(step))
            .collect()
    }
}

/// `shop` of `http://shop:8080/reviews`.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', ':', '?', '.']).unwrap_or(rest.len());
    rest.get(..end).filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_address_is_the_name_of_its_service() {
        assert_eq!(host("http://shop:8080/reviews"), Some("shop"));
        assert_eq!(host("http://shop.mybnb.svc/reviews"), Some("shop"));
        assert_eq!(host("shop"), None);
    }
}
