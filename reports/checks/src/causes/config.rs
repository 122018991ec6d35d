//! A container cannot be made: a key, a ConfigMap, a Secret or a volume is missing, or its program cannot be started.
use super::{Sign, rank, seen::Seen};

const WORDS: [&str; 3] = [
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let containers = seen.containers().filter_map(|(at, c)| {
        let waiting = c.waiting.as_ref()?;
        if !WORDS.contains(&waiting.word.as_str()) {
            return None;
        }
        let detail = format!("container {}: {}", c.container, waiting.message);
        let object = format!("Pod/{}", c.pod);
        let sign = Sign::at(at, rank::CONFIG, &waiting.word, object, detail);
        Some(sign.of(&c.owner, &c.pod, &c.container))
    });
    let mounts = seen.events().filter(|e| e.reason == "FailedMount");
    let mounts = mounts.map(|e| {
        let (object, message) = (e.object.to_string(), e.message.to_string());
        let pod = e.pod().unwrap_or_default();
        let sign = Sign::at(e.at, rank::CONFIG, "volume missing", object, message);
        sign.of(seen.owner(pod), pod, "")
    });
    containers.chain(mounts).collect()
}
