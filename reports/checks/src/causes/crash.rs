//! A container ended by itself, with an exit code and last words.
use super::{
    Sign, probes, rank,
    seen::{End, Seen},
    words,
};
use model::{ContainerState, Micros};

/// A container that a probe has killed has ended so long after the event that tells of it.
const KILL_MAX: Micros = Micros::from_secs(60);

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let ends = seen.ends();
    let own = ends.iter().filter(|end| is_crash(seen, end));
    own.map(|end| {
        let c = end.container;
        let what = match loops(seen, &ends, end) {
            true => "crash loop",
            false => "crashed",
        };
        let said = match seen.last_words(&c.pod, &c.container, end.at) {
            Some(lines) => format!("; its last words: {}", words(lines)),
            None if !end.how.message.is_empty() => format!(": {}", end.how.message),
            None => String::new(),
        };
        let detail = format!(
            "container {} ended with exit code {}{said}",
            c.container, end.how.code
        );
        let object = format!("Pod/{}", c.pod);
        Sign::at(end.at, rank::CRASH, what, object, detail).of(&c.owner, &c.pod, &c.container)
    })
    .collect()
}

/// Whether it ended more than once, also where two ends lie in one second and look the same.
fn loops(seen: &Seen, ends: &[End], end: &End) -> bool {
    let of =
        |c: &ContainerState| c.pod == end.container.pod && c.container == end.container.container;
    let times = ends.iter().filter(|e| of(e.container)).count();
    let mut later = seen.containers().filter(|(_, c)| of(c));
    times > 1 || later.any(|(_, c)| c.restarts > 1 || backs_off(c))
}

fn backs_off(c: &ContainerState) -> bool {
    let waiting = c.waiting.as_ref();
    waiting.is_some_and(|w| w.word == "CrashLoopBackOff")
}

/// It was not asked to end, not killed for its memory or by a probe or by a fault, and it was to go on.
fn is_crash(seen: &Seen, end: &End) -> bool {
    let c = end.container;
    (end.how.code != 0 || backs_off(c))
        && end.how.reason != "OOMKilled"
        && !c.terminating
        && seen.load_of(&c.owner).is_none()
        && seen.blow(&c.pod, end.at).is_none()
        && !was_killed_by_a_probe(seen, end)
}

fn was_killed_by_a_probe(seen: &Seen, end: &End) -> bool {
    let c = end.container;
    let mut events = seen.events();
    events.any(|e| {
        e.pod() == Some(&c.pod)
            && e.at <= end.at
            && e.at + KILL_MAX >= end.at
            && probes::kill(&e).is_some_and(|(container, _)| container == c.container)
    })
}
