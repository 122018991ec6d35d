//! mesh — what can be wrong with the rules of a service mesh.

use super::Problems;
use crate::refusal::{Fault, Problem};
use mesh::check::{self, Wrong};
use mesh::profile::{ANNOTATION, Profile};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub fn destination_rule(object: &Value, problems: &mut Problems) {
    problems.extend(specification(object, check::destination_rule));
    profile(object, problems);
}

pub fn virtual_service(object: &Value, problems: &mut Problems) {
    problems.extend(specification(object, check::virtual_service));
}

fn specification<S: DeserializeOwned + Default>(
    object: &Value,
    check: fn(&S) -> Vec<Wrong>,
) -> impl Iterator<Item = Problem> {
    // It was decoded before; without a specification everything is missing.
    let spec: S = serde::Deserialize::deserialize(&object["spec"]).unwrap_or_default();
    check(&spec).into_iter().map(|wrong| {
        let fault = match wrong.value {
            Some(value) => Fault::Invalid(value, wrong.must),
            None => Fault::Required(wrong.must),
        };
        Problem::new(wrong.at, fault)
    })
}

/// The Istio release that an annotation names.
pub fn profile(object: &Value, problems: &mut Problems) {
    let named = &object["metadata"]["annotations"][ANNOTATION];
    if let Some(Err(must)) = named.as_str().map(str::parse::<Profile>) {
        let at = format!("metadata.annotations[{ANNOTATION}]");
        problems.push(Problem::invalid(at, named, must));
    }
}
