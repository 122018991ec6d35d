//! count — a Job's pods, sorted by what became of them.
//!
//! Only pods that exist count: a finished pod that somebody deletes is forgotten, where Kubernetes would remember it.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    batch::v1::{JobSpec, JobStatus},
    core::v1::Pod,
};

use super::indexes;
use crate::pods;

pub(super) struct Counted<'a> {
    /// They run or will, and were not told to stop.
    pub active: Vec<&'a Pod>,
    /// How many were told to stop and have not yet.
    pub going: usize,
    pub failed: Vec<&'a Pod>,
    pub succeeded: Vec<&'a Pod>,
}

pub(super) fn count(all: &[Pod]) -> Counted<'_> {
    let with_phase = |phase| all.iter().filter(|pod| pods::phase(pod) == phase).collect();
    Counted {
        active: all.iter().filter(|pod| pods::is_active(pod)).collect(),
        going: all
            .iter()
            .filter(|pod| !pods::is_finished(pod) && !pods::is_active(pod))
            .count(),
        failed: with_phase("Failed"),
        succeeded: with_phase("Succeeded"),
    }
}

/// The Job's status as far as it is counts.
pub(super) fn counts(spec: &JobSpec, before: &JobStatus, counted: &Counted) -> JobStatus {
    let number = |count: usize| i32::try_from(count).ok();
    let positive = |count: usize| number(count).filter(|count| *count > 0);
    JobStatus {
        active: positive(counted.active.len()),
        failed: positive(counted.failed.len()),
        succeeded: positive(done(spec, counted)),
        ready: number(
            counted
                .active
                .iter()
                .filter(|pod| pods::is_ready(pod))
                .count(),
        ),
        terminating: number(counted.going),
        completed_indexes: Some(indexes::text(&done_indexes(spec, counted)))
            .filter(|text| !text.is_empty()),
        ..before.clone()
    }
}

pub(super) fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

pub(super) fn done_indexes(spec: &JobSpec, counted: &Counted) -> BTreeSet<i32> {
    let valid = |index: &i32| is_indexed(spec) && *index < spec.completions.unwrap_or(1);
    counted
        .succeeded
        .iter()
        .filter_map(|pod| indexes::of(pod))
        .filter(valid)
        .collect()
}

/// How many completions there are: of an indexed Job every number counts once.
pub(super) fn done(spec: &JobSpec, counted: &Counted) -> usize {
    if is_indexed(spec) {
        done_indexes(spec, counted).len()
    } else {
        counted.succeeded.len()
    }
}
