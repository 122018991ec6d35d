//! A container was held back because it had used its share of the CPU.
use super::{Sign, rank, seen::Seen};

/// What the embedded node calls it.
const REASON: &str = "CPUThrottled";

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let events = seen.events().filter(|e| e.reason == REASON);
    events
        .map(|e| {
            let (object, message) = (e.object.to_string(), e.message.to_string());
            let pod = e.pod().unwrap_or_default();
            let sign = Sign::at(e.at, rank::THROTTLED, "CPU throttled", object, message);
            sign.of(seen.owner(pod), pod, "")
        })
        .collect()
}
