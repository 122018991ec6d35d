//! A load worker ended badly: its last words.
use super::{Sign, rank, seen::Seen, words};
use model::Fact;

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let said = seen.facts().filter_map(|(at, fact)| match fact {
        Fact::LastWords { pod, lines, .. } if !lines.is_empty() => {
            let step = seen.load_of(seen.owner(pod))?;
            let detail = format!("its last words: {}", words(lines));
            let object = format!("load “{step}”");
            let sign = Sign::at(at, rank::WORKER, "load worker ended badly", object, detail);
            // It is known only when the load is over.
            Some(Sign {
                from: at.saturating_sub(super::relevance::LEAD),
                ..sign
            })
        }
        _ => None,
    });
    let ended = seen.ends().into_iter().filter_map(|end| {
        let c = end.container;
        let step = seen.load_of(&c.owner)?;
        if end.how.code == 0 || end.how.reason == "OOMKilled" {
            return None;
        }
        let detail = format!(
            "container {} ended with exit code {}",
            c.container, end.how.code
        );
        let object = format!("load “{step}”");
        Some(Sign::at(
            end.at,
            rank::WORKER,
            "load worker ended badly",
            object,
            detail,
        ))
    });
    let said: Vec<Sign> = said.collect();
    match said.is_empty() {
        true => ended.collect(),
        false => said,
    }
}
