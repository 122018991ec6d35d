//! Pods that came too early or went too fast for the requests on their way to them.
use super::{Sign, rank, seen::Seen};
use crate::{count, offset};
use model::{Fact, Micros, PodSpec, PodState, Window};

/// Requests fail no later than this after the pod that should have answered came or went.
const AFTER: Micros = Micros::from_secs(1);
/// Clocks and watches are so far apart at most: what failed was seen so much before its cause.
const EARLY: Micros = Micros::from_millis(300);
/// The signal that nobody can catch.
const KILLED: i32 = 137;

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let killed = killed(seen);
    let at_once = seen.specs().filter_map(|(_, spec)| at_once(seen, spec));
    let windows = seen.windows.iter();
    let around = windows.flat_map(|window| {
        seen.specs()
            .flat_map(move |(_, spec)| [too_early(seen, spec, window), cut_off(seen, spec, window)])
    });
    let around: Vec<Sign> = around.flatten().collect();
    killed.into_iter().chain(at_once).chain(around).collect()
}

/// It was asked to end, and did not within its grace period.
fn killed(seen: &Seen) -> Vec<Sign> {
    let ends = seen.ends().into_iter().filter(|end| {
        let c = end.container;
        end.how.code == KILLED && end.how.reason != "OOMKilled" && c.terminating
    });
    ends.filter_map(|end| {
        let c = end.container;
        let grace = seen.spec(&c.pod)?.grace;
        // Without any grace it is not asked, and a blow may have left it less than its own.
        if grace == 0 || seen.blow(&c.pod, end.at).is_some() {
            return None;
        }
        let detail = format!(
            "container {} had not ended {grace} s after it was asked to, its grace period, and was ended with exit code {KILLED}: \
             what it was answering was cut off",
            c.container
        );
        let object = format!("Pod/{}", c.pod);
        let what = "killed after its grace period";
        let sign = Sign::at(end.at, rank::KILLED, what, object, detail);
        Some(sign.of(&c.owner, &c.pod, &c.container))
    })
    .collect()
}

/// Its manifest leaves it no time to end.
fn at_once(seen: &Seen, spec: &PodSpec) -> Option<Sign> {
    let left = seen.pod_was(&spec.pod, |p| p.gone || p.terminating)?;
    if spec.grace > 0 || seen.load_of(&spec.owner).is_some() {
        return None;
    }
    let detail = "terminationGracePeriodSeconds is 0: it is killed at once, and what it was answering is cut off";
    let object = format!("Pod/{}", spec.pod);
    let sign = Sign::at(left, rank::KILLED, "no grace period", object, detail.into());
    Some(sign.of(&spec.owner, &spec.pod, ""))
}

/// Requests fail from when a pod counts as ready that nothing asks whether it is.
fn too_early(seen: &Seen, spec: &PodSpec, window: &Window) -> Option<Sign> {
    let ready = seen.pod_was(&spec.pod, |p| p.ready)?;
    let begins = window.from + EARLY >= ready && window.from <= ready + AFTER;
    if !begins || !is_asked_by(seen, spec, window) {
        return None;
    }
    let blind = spec.containers.iter().find(|c| !c.readiness)?;
    let detail = format!(
        "container {} counted as ready at {}, as soon as it was started; from {} on {} failed",
        blind.name,
        offset(ready),
        offset(window.from),
        failed(window)
    );
    let object = format!("Pod/{}", spec.pod);
    let what = "no readiness probe";
    let sign = Sign::at(ready, rank::NO_READINESS, what, object, detail);
    Some(sign.of(&spec.owner, &spec.pod, "").until(window.to))
}

/// Requests fail from when a pod ends that does not wait for those on their way.
fn cut_off(seen: &Seen, spec: &PodSpec, window: &Window) -> Option<Sign> {
    let ending = seen.pod_was(&spec.pod, |p| p.terminating || p.gone)?;
    let away = |p: &PodState| p.gone || matches!(p.phase.as_str(), "Succeeded" | "Failed");
    let gone = seen.pod_was(&spec.pod, away).unwrap_or(seen.end);
    let begins = window.from + EARLY >= ending && window.from <= gone + AFTER;
    let hasty = spec.containers.iter().find(|c| !c.pre_stop)?;
    let cut = window.kinds.iter();
    let cut = cut
        .filter(|(kind, _)| matches!(kind.as_str(), "connectionRefused" | "connectionReset"))
        .count();
    if !begins || cut == 0 || spec.grace == 0 || !is_asked_by(seen, spec, window) {
        return None;
    }
    let detail = format!(
        "it was asked to end at {}, and container {} has no preStop hook that waits for requests on their way; from {} on {} failed",
        offset(ending),
        hasty.name,
        offset(window.from),
        failed(window)
    );
    let object = format!("Pod/{}", spec.pod);
    let sign = Sign::at(
        ending,
        rank::CUT_OFF,
        "ended under requests",
        object,
        detail,
    );
    Some(sign.of(&spec.owner, &spec.pod, "").until(gone))
}

fn failed(window: &Window) -> String {
    format!("{} of “{}”", count(window.failed, "request"), window.step)
}

/// Whether a Service that the load asks selects the pod.
fn is_asked_by(seen: &Seen, spec: &PodSpec, window: &Window) -> bool {
    let asked = seen.asked();
    let is_load = seen.plan.loads().any(|(step, _)| step == window.step);
    is_load
        && seen.facts().any(|(_, fact)| match fact {
            Fact::Service(s) => asked.contains(s.service.as_str()) && s.selects(&spec.labels),
            _ => false,
        })
}
