//! A probe had a container killed, or keeps a pod from getting requests.
use super::{
    Sign, rank,
    seen::{Event, Seen},
};
use model::Micros;

/// An event tells of a failed probe no longer than this before the kill it led to.
const FAILED_BEFORE: Micros = Micros::from_secs(120);
/// What a probe got is quoted so far.
const GOT_MAX: usize = 200;

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let kills = seen.events().filter_map(|event| killed(seen, event));
    let unready = seen.events().filter_map(|event| unready(seen, event));
    kills.chain(unready).collect()
}

/// The container and the probe that had it killed, as the event says.
pub(super) fn kill<'a>(event: &Event<'a>) -> Option<(&'a str, &'a str)> {
    let rest = event.message.strip_prefix("Container ")?;
    let (container, rest) = rest.split_once(" failed ")?;
    let (probe, _) = rest.split_once(" probe, will be restarted")?;
    (event.reason == "Killing").then_some((container, probe))
}

fn killed(seen: &Seen, event: Event) -> Option<Sign> {
    let (container, probe) = kill(&event)?;
    let got = got(seen, &event, probe);
    let detail = format!("container {container}, which will be restarted; the probe got: {got}");
    let what = format!("killed by its {probe} probe");
    let pod = event.pod().unwrap_or_default();
    let object = event.object.to_string();
    let sign = Sign::at(event.at, rank::PROBE_KILL, &what, object, detail);
    Some(sign.of(seen.owner(pod), pod, container))
}

/// What the probe of a pod got last before it decided.
fn got(seen: &Seen, kill: &Event, probe: &str) -> String {
    let failed = |e: &Event| {
        let said = e.message.to_lowercase();
        e.reason == "Unhealthy"
            && e.object == kill.object
            && e.at <= kill.at
            && e.at + FAILED_BEFORE >= kill.at
            && said.starts_with(&format!("{probe} probe "))
    };
    let last = seen.events().filter(failed).last();
    last.map_or("nothing that was told".into(), |e| answer(e.message))
}

/// `dial tcp …: connection refused` of `Readiness probe failed: dial tcp …: connection refused`.
fn answer(message: &str) -> String {
    let got = message
        .split_once(": ")
        .map_or(message, |(_, got)| got)
        .trim();
    match got.is_empty() {
        true => "no success, and nothing was said".into(),
        false => got.chars().take(GOT_MAX).collect(),
    }
}

/// While a pod starts its readiness may fail: that it is never ready, or no longer, is a cause.
fn unready(seen: &Seen, event: Event) -> Option<Sign> {
    let is_readiness = event.message.starts_with("Readiness probe ");
    let pod = event
        .pod()
        .filter(|_| event.reason == "Unhealthy" && is_readiness)?;
    if seen.pod_at(pod, event.at).is_some_and(|p| p.terminating) {
        return None;
    }
    let first = seen.pod_was(pod, |p| p.ready);
    if first.is_some_and(|ready| event.at < ready) {
        return None;
    }
    let since = match first {
        None => "it was never ready",
        Some(_) => "it had been ready",
    };
    let detail = format!("{since}; the probe got: {}", answer(event.message));
    let object = event.object.to_string();
    let sign = Sign::at(
        event.at,
        rank::UNREADY,
        "readiness probe fails",
        object,
        detail,
    );
    Some(sign.of(seen.owner(pod), pod, ""))
}
