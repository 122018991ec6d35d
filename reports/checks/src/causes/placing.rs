//! A pod finds no place, was not let in, or was thrown out.
use super::{Sign, rank, seen::Seen};

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let events = seen.events().filter_map(|e| {
        let (rank, what) = match e.reason {
            "FailedScheduling" => (rank::PLACING, "unschedulable"),
            "FailedCreate" if e.message.contains("quota") => (rank::PLACING, "refused by a quota"),
            "FailedCreate" => (rank::PLACING, "refused"),
            "Evicted" | "Preempted" | "TaintManagerEviction" => (rank::EVICTED, "evicted"),
            "NodeNotReady" => (rank::EVICTED, "node not ready"),
            _ => return None,
        };
        let pod = e.pod().unwrap_or(e.object);
        let sign = Sign::at(e.at, rank, what, e.object.into(), e.message.into());
        Some(sign.of(seen.owner(pod), pod, ""))
    });
    events.collect()
}
