//! The manifests run these services.

use demand_response::SYSTEM;
use std::path::Path;

#[test]
fn every_service_has_a_manifest_that_runs_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../k8s/manifests/demand-response");
    for (name, ..) in SYSTEM.members {
        let text = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
        let has = |line: &str| text.lines().any(|it| it.trim() == line);
        assert!(has(&format!("- name: {name}")), "{name}");
        assert!(has("image: brownout:dev"), "{name}");
        let args = format!("args: [\"serve\", \"demand-response\", \"{name}\"]");
        assert!(has(&args), "{name}");
    }
}
