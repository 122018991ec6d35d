//! indexes — the numbers of an indexed Job's pods, and how Kubernetes writes a set of them.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// Where a pod carries its number, as label and as annotation.
pub(crate) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The pod's number, if it has one.
pub(crate) fn of(pod: &Pod) -> Option<i32> {
    pod.annotations().get(INDEX)?.parse().ok()
}

/// `{0, 1, 2, 5}` as `0-2,5`. Two neighbours are a range too.
pub(crate) fn text(indexes: &BTreeSet<i32>) -> String {
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for index in indexes {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => ranges.push((*index, *index)),
        }
    }
    let range = |(first, last): &(i32, i32)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

/// The lowest numbers below `completions` that nobody has yet, at most `count`.
pub(crate) fn missing(completions: i32, taken: &BTreeSet<i32>, count: usize) -> Vec<i32> {
    (0..completions)
        .filter(|index| !taken.contains(index))
        .take(count)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_numbers_is_written_as_ranges() {
        assert_eq!(text(&BTreeSet::from([0, 1, 2, 5, 7, 8])), "0-2,5,7-8");
        assert_eq!(text(&BTreeSet::new()), "");
    }

    #[test]
    fn the_lowest_free_numbers_come_first() {
        assert_eq!(missing(5, &BTreeSet::from([0, 2]), 2), [1, 3]);
        assert!(missing(2, &BTreeSet::from([0, 1]), 2).is_empty());
    }
}
