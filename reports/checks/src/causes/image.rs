//! A container's image is not to be had.
use super::{Sign, rank, seen::Seen};

const WORDS: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
];

pub(super) fn signs(seen: &Seen) -> Vec<Sign> {
    let waiting = seen.containers().filter_map(|(at, c)| {
        let waiting = c.waiting.as_ref()?;
        WORDS
            .contains(&waiting.word.as_str())
            .then_some((at, c, waiting))
    });
    waiting
        .map(|(at, c, waiting)| {
            let detail = format!(
                "container {} waits for the image “{}”, {}: {}",
                c.container, c.image, waiting.word, waiting.message
            );
            let object = format!("Pod/{}", c.pod);
            let sign = Sign::at(at, rank::IMAGE, "image missing", object, detail);
            sign.of(&c.owner, &c.pod, &c.container)
        })
        .collect()
}
