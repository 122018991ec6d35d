//! Whoever has no more rights than k8s/rbac.yaml gives can run the catalogue on a real cluster.
use crate::catalogue::plans;
use model::{Manifest, Mutant, Plan, Profile};
use plan::catalog;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a run does with every object of a manifest.
const VERBS: [&str; 3] = ["create", "patch", "delete"];

fn manifests(plan: &Plan) -> impl Iterator<Item = &Manifest> {
    let of_steps = plan.steps.iter().filter_map(|step| step.action.manifest());
    plan.manifests.iter().chain(of_steps)
}

/// Group and plural of everything the catalogue applies. A run makes its own namespace.
fn applied() -> BTreeSet<(String, String)> {
    let mutants = [None, Some(Mutant::MechanismOff)];
    let all = catalog().list().iter();
    let plans: Vec<Plan> = all
        .flat_map(|scenario| mutants.map(|mutant| plans(scenario, Profile::Quick, mutant)))
        .flatten()
        .collect();
    let objects = plans.iter().flat_map(manifests).flat_map(|m| &m.objects);
    let resource = |object: &Value| {
        let version = object["apiVersion"].as_str().unwrap();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let plural = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
        (group.to_string(), plural)
    };
    objects.map(resource).collect()
}

#[test]
fn the_rights_are_enough_for_every_object_of_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../k8s/rbac.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let role = objects.iter().find(|o| o["kind"] == "ClusterRole").unwrap();
    let rules = role["rules"].as_array().unwrap();
    let has = |list: &Value, word: &str| list.as_array().unwrap().iter().any(|w| w == word);
    let applied = applied();
    assert!(applied.len() > 8, "{applied:?}");
    for (group, plural) in applied {
        for verb in VERBS {
            let is_given = rules.iter().any(|rule| {
                has(&rule["apiGroups"], &group)
                    && has(&rule["resources"], &plural)
                    && has(&rule["verbs"], verb)
            });
            assert!(is_given, "nobody may {verb} {plural} of \"{group}\"");
        }
    }
}
