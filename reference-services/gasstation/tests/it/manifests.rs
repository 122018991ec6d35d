//! The manifests run these services, and order's variants differ from each other in what they are for, and in nothing else.

use gasstation::SYSTEM;
use std::path::Path;

/// A manifest without its comments.
fn manifest(name: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../k8s/manifests/gasstation");
    let text = std::fs::read_to_string(folder.join(name).with_extension("yaml")).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// The lines of `all` that `some` does not have; all others are the same in the same order.
fn left_out(all: &[String], some: &[String]) -> Vec<String> {
    let mut some = some.iter().peekable();
    let left_out: Vec<_> = all
        .iter()
        .filter(|line| some.next_if_eq(line).is_none())
        .map(|line| line.trim().to_owned())
        .collect();
    assert_eq!(some.next(), None, "a line of its own");
    left_out
}

#[test]
fn every_service_has_a_manifest_that_runs_it() {
    for (name, ..) in SYSTEM.members {
        let lines = manifest(name);
        let has = |line: &str| lines.iter().any(|it| it.trim() == line);
        assert!(has(&format!("- name: {name}")), "{name}");
        assert!(has("image: brownout:dev"), "{name}");
        let args = format!("args: [\"serve\", \"gasstation\", \"{name}\"]");
        assert!(has(&args), "{name}");
    }
}

#[test]
fn order_without_probes_has_no_probes_and_no_pause_before_its_end() {
    let left_out = left_out(&manifest("order"), &manifest("order_na"));
    assert_eq!(left_out[0], "readinessProbe:");
    assert_eq!(left_out.last().unwrap(), "sleep: {seconds: 3}");
    assert_eq!(left_out.len(), 12);
}

#[test]
fn order_without_a_request_is_without_resources() {
    assert_eq!(
        left_out(&manifest("order"), &manifest("order_without_request")),
        ["resources:", "requests: {cpu: 50m, memory: 32Mi}"]
    );
}

#[test]
fn order_with_the_liveness_file_is_only_a_shell() {
    let lines = manifest("order_liveness");
    let stated = [
        r#"args: ["touch /tmp/healthy; sleep 10; rm -rf /tmp/healthy; sleep 600;"]"#,
        "command: [cat, /tmp/healthy]",
        "initialDelaySeconds: 3",
        "timeoutSeconds: 2",
        "periodSeconds: 5",
        "failureThreshold: 5",
    ];
    for line in stated {
        assert!(lines.iter().any(|it| it.trim() == line), "{line}");
    }
}

#[test]
fn the_secret_holds_the_name_and_its_variant_what_was_printed() {
    let name = |manifest: &[String]| manifest.last().unwrap().trim().to_owned();
    assert_eq!(name(&manifest("order_secret")), "stationName: U0sgSW1tZQ==");
    assert_eq!(
        name(&manifest("order_secret_as_printed")),
        "stationName: LW4gJ1NLIEltbWUnIA0K"
    );
    assert_eq!(
        name(&manifest("order_configmap")),
        r#"stationCode: "ST0001""#
    );
}
