//! A program cannot listen where it wants to, or listens where it should not.
use super::{Sign, rank, seen::Seen};
use model::Fact;

/// What programs say when somebody else has their port: of libc, Go, Node and Python.
const IN_USE: [&str; 3] = ["ddress already in use", "EADDRINUSE", "ddress in use"];

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let taken = seen.facts().filter_map(|(at, fact)| match fact {
        Fact::LastWords {
            pod,
            container,
            lines,
        } => {
            let says = |line: &&String| IN_USE.iter().any(|words| line.contains(words));
            let line = lines.iter().find(says)?;
            let detail = format!("container {container} ended with the words “{line}”");
            let object = format!("Pod/{pod}");
            let sign = Sign::at(at, rank::PORT_IN_USE, "port in use", object, detail);
            Some(sign.of(seen.owner(pod), pod, container))
        }
        _ => None,
    });
    // What the embedded node says of programs in the network that its pods share.
    let strays = seen.events().filter_map(|e| {
        let what = match e.reason {
            "ListensEverywhere" => "listens everywhere",
            "ListensElsewhere" => "listens at the wrong address",
            _ => return None,
        };
        let pod = e.pod().unwrap_or_default();
        let sign = Sign::at(
            e.at,
            rank::EVERYWHERE,
            what,
            e.object.into(),
            e.message.into(),
        );
        // It does so from then on.
        Some(sign.of(seen.owner(pod), pod, "").until(seen.end))
    });
    taken.chain(strays).collect()
}
