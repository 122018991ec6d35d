//! Every documented experiment is accounted for.
use plan::coverage::{coverage, replays, verdicts_in};
use plan::{catalog, experiments};
use std::collections::BTreeSet;

#[test]
fn there_are_ninety_four_and_each_has_a_name_of_its_own() {
    let ids: BTreeSet<&str> = experiments().iter().map(|e| &*e.id).collect();
    assert_eq!((experiments().len(), ids.len()), (94, 94));
}

#[test]
fn a_scenario_replays_only_what_is_documented_and_what_is_said_not_to_be_replayed_is_not() {
    let replays = replays(catalog());
    for (id, arms) in &replays {
        let known = experiments().iter().find(|e| e.id == *id);
        let known =
            known.unwrap_or_else(|| panic!("{arms:?} replays {id}, which nobody documented"));
        assert_eq!(known.not_replayed, None, "{arms:?} replays {id}");
    }
}

#[test]
fn the_file_says_what_the_catalogue_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../COVERAGE.md");
    let file = std::fs::read_to_string(path).unwrap();
    let wanted = coverage(catalog(), &verdicts_in(&file));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, wanted).unwrap();
        return;
    }
    let stale: Vec<&str> = wanted.lines().filter(|line| !file.contains(line)).collect();
    assert!(
        file == wanted,
        "write it anew, with cargo run coverage or UPDATE_GOLDEN=1: {stale:#?}"
    );
}
