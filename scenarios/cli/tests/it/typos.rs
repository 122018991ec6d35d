//! What was typed wrong is told before anything runs, all of it, with the way out.
use crate::support::{Ended, Room};
use serde_json::Value;
use std::{fs, path::PathBuf};

/// The names of all scenarios, in their order.
fn all() -> impl Iterator<Item = &'static str> {
    plan::catalog()
        .list()
        .iter()
        .map(|scenario| scenario.name())
}

const TYPOS: &str = r#"apiVersion: brownout/v1alpha1
kind: Scenario
metadata: { name: mine/typos }
spec:
  hypothesis: It holds.
  target: { namespace: mybnb }
  manifests: [room.yaml]
  lod:
    rate: 5/s
  method:
    - name: down
      at: 2 sec
      fault: { type: service-down, service: rom }
    - name: ask
      requests: [{ url: "http://room:80/rooms" }]
  objectives:
    - { metric: availabilty, successCondition: "== 100" }
"#;

/// Each mistake of it: where, what, and the way out.
const MISTAKES: [&str; 5] = [
    "typos.yaml:8:3: spec.lod: no such field in a spec; did you mean load?",
    "typos.yaml:12:11: spec.method[0].at: \"2 sec\" is no duration; write 30s, 5m or 1h",
    "typos.yaml:13:45: spec.method[0].fault.service: no such service: \"rom\"; did you mean room? mybnb has room",
    "typos.yaml:15:25: spec.method[1].requests[0].url: service room has no port 80; it has 8080",
    "typos.yaml:17:17: spec.objectives[0].metric: no such metric: \"availabilty\"; did you mean availability?",
];

fn repository() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).unwrap()
}

/// A room with a scenario file full of mistakes.
fn room_with_typos() -> Room {
    let room = Room::new();
    let manifest = repository().join("k8s/manifests/mybnb/room.yaml");
    fs::copy(manifest, room.path().join("room.yaml")).unwrap();
    fs::write(room.path().join("typos.yaml"), TYPOS).unwrap();
    room
}

fn told_all(ended: &Ended) {
    assert_eq!(ended.code, Some(64), "{}", ended.err);
    for mistake in MISTAKES {
        assert!(
            ended.err.contains(mistake),
            "{mistake}\nis not in\n{}",
            ended.err
        );
    }
    assert_eq!(ended.out, "");
}

#[test]
fn every_mistake_of_a_file_is_told_at_once_and_nothing_runs() {
    let room = room_with_typos();
    told_all(&room.scenarios(&["typos.yaml"]).end());
    // Not even the scenario before it.
    told_all(&room.scenarios(&["mybnb/preflight", "typos.yaml"]).end());
    told_all(&room.ask(&["validate", "typos.yaml"]));
    assert!(!room.runs().exists());
}

#[test]
fn a_name_that_is_not_in_the_catalogue_is_told_with_the_nearest() {
    let room = Room::new();
    let ended = room.scenarios(&["mybnb/zero-downtme"]).end();
    assert_eq!(ended.code, Some(64));
    let told = "no such scenario: \"mybnb/zero-downtme\"; did you mean mybnb/zero-downtime?";
    assert!(ended.err.contains(told), "{}", ended.err);
    assert!(!room.runs().exists());
}

#[test]
fn an_option_that_is_none_is_told() {
    let room = Room::new();
    for args in [
        ["--mutnat", "no-fault"],
        ["--profile", "qick"],
        ["--cluster", "kub"],
    ] {
        let ended = room.scenarios(&args).end();
        assert_eq!(ended.code, Some(64), "{args:?}");
        assert!(ended.err.contains("similar"), "{}", ended.err);
    }
    assert!(!room.runs().exists());
}

#[test]
fn a_run_that_is_not_there_cannot_be_judged() {
    let room = Room::new();
    let ended = room.ask(&["report", "runs/nothing"]);
    assert_eq!(ended.code, Some(64));
    assert!(ended.err.contains("runs/nothing"), "{}", ended.err);
}

#[test]
fn a_junit_file_that_cannot_be_written_is_told_before_anything_runs() {
    let room = Room::new();
    let ended = room.ask(&["scenarios", "mybnb/preflight", "--junit", "not/there.xml"]);
    let told = "brownout: writing not/there.xml: No such file or directory (os error 2); name a file that can be written\n";
    assert_eq!((ended.code, ended.err.as_str()), (Some(64), told));
    assert!(!room.runs().exists());
}

#[test]
fn the_list_says_what_there_is() {
    let room = Room::new();
    let ended = room.scenarios(&["--list"]).end();
    assert_eq!(ended.code, Some(0));
    let names: Vec<&str> = ended
        .out
        .lines()
        .filter(|line| !line.starts_with(' '))
        .collect();
    assert!(names.iter().copied().eq(all()), "{names:?}");
    assert!(
        ended.out.contains("mybnb/zero-downtime-off"),
        "{}",
        ended.out
    );
    assert!(!room.runs().exists());
}

#[test]
fn every_scenario_is_explained() {
    let room = Room::new();
    for name in all() {
        let ended = room.ask(&["explain", name]);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(ended.out.contains(name), "{}", ended.out);
    }
}

#[test]
fn the_schema_is_one() {
    let ended = Room::new().ask(&["schema"]);
    assert_eq!(ended.code, Some(0));
    let schema: Value = serde_json::from_str(&ended.out).unwrap();
    assert!(
        schema["$schema"]
            .as_str()
            .unwrap()
            .contains("json-schema.org")
    );
}

#[test]
fn the_files_of_the_catalogue_are_valid() {
    let room = Room::new();
    for name in all() {
        let file = repository().join(format!("scenarios/catalog/{name}.yaml"));
        let ended = room.ask(&["validate", file.to_str().unwrap()]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        assert!(ended.out.ends_with(": ok\n"), "{}", ended.out);
    }
}
