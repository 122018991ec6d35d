//! A container was ended because it used more memory than it may.
use super::{Sign, rank, seen::Seen};

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let ends = seen.ends().into_iter();
    let out = ends.filter(|end| end.how.reason == "OOMKilled");
    out.map(|end| {
        let c = end.container;
        let limit = seen
            .container(&c.pod, &c.container)
            .and_then(|spec| spec.limits.get("memory"));
        let why = match limit {
            Some(limit) => format!("it used more than its memory limit of {limit}"),
            None => "there was no memory left for it".into(),
        };
        let detail = format!(
            "container {} ended with exit code {}: {why}",
            c.container, end.how.code
        );
        Sign::at(
            end.at,
            rank::MEMORY,
            "OOMKilled",
            format!("Pod/{}", c.pod),
            detail,
        )
        .of(&c.owner, &c.pod, &c.container)
    })
    .collect()
}
