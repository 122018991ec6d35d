//! The manifests run these services, and variants differ from what they vary in what they are for, and in nothing else.

use healthcenter::SERVICES;
use std::path::Path;

/// A manifest without its comments.
fn manifest(name: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../k8s/manifests/healthcenter");
    let text = std::fs::read_to_string(folder.join(name).with_extension("yaml")).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// The lines of `more` that `less` does not have; all others are the same in the same order.
fn added(less: &str, more: &str) -> Vec<String> {
    let (less, more) = (manifest(less), manifest(more));
    let mut less = less.iter().peekable();
    let added: Vec<_> = more
        .iter()
        .filter(|line| less.next_if_eq(line).is_none())
        .map(|line| line.trim().to_owned())
        .collect();
    assert_eq!(less.next(), None, "a line of its own");
    added
}

#[test]
fn every_service_has_a_manifest_that_runs_it() {
    for name in SERVICES {
        let lines = manifest(name);
        let has = |line: &str| lines.iter().any(|it| it.trim() == line);
        assert!(has(&format!("- name: {name}")), "{name}");
        assert!(has("image: brownout:dev"), "{name}");
        let args = format!("args: [\"serve\", \"healthcenter\", \"{name}\"]");
        assert!(has(&args), "{name}");
    }
}

#[test]
fn notification_is_called_customer_too_and_the_gateway_calls_it_so() {
    let has = |name: &str, line: &str| manifest(name).iter().any(|it| it.trim() == line);
    assert!(has("notification", "name: customer"));
    let url = r#"- {name: NOTIFICATION_URL, value: "http://customer:8080"}"#;
    assert!(has("gateway", url));
}

#[test]
fn the_circuit_breaker_is_the_reports_and_without_it_there_is_only_the_pool() {
    let pool = [
        r#"- {name: SPRING_DATASOURCE_HIKARI_MAXIMUMPOOLSIZE, value: "10"}"#,
        "- {name: TRANSACTION_TIME, value: 5ms}",
    ];
    let limit = "- {name: HYSTRIX_COMMAND_DEFAULT_EXECUTION_ISOLATION_THREAD_TIMEOUTINMILLISECONDS, value: \"610\"}";
    let breaker = [r#"- {name: FEIGN_HYSTRIX_ENABLED, value: "true"}"#, limit];
    assert_eq!(added("order", "variants/order_hystrix_off"), pool);
    let on = added("variants/order_hystrix_off", "variants/order_hystrix");
    assert_eq!(on, breaker);
    let delay = [
        "- {name: PAYMENT_DELAY, value: 400ms}",
        "- {name: PAYMENT_DELAY_SPREAD, value: 220ms}",
        "- {name: TRANSACTION_TIME, value: 5ms}",
    ];
    assert_eq!(added("payment", "variants/payment_slow"), delay);
}

#[test]
fn three_without_probes_have_no_probes_and_no_pause_before_their_end() {
    let probes = added("variants/order_three_na", "variants/order_three");
    assert_eq!(probes[0], "readinessProbe:");
    assert_eq!(probes.last().unwrap(), "sleep: {seconds: 3}");
    assert_eq!(probes.len(), 12);
}

#[test]
fn what_the_report_prints_is_printed() {
    let has = |name: &str, lines: &[&str]| {
        let manifest = manifest(name);
        for line in lines {
            assert!(
                manifest.iter().any(|it| it.trim() == *line),
                "{name}: {line}"
            );
        }
    };
    let liveness = [
        r#"args: ["touch /tmp/healthy; sleep 90; rm -rf /tmp/healthy; sleep 600;"]"#,
        "command: [cat, /tmp/healthy]",
    ];
    has("variants/order_healthy_90s", &liveness);
    let buildspec = [
        "httpGet: {path: /actuator/health, port: 8080}",
        "initialDelaySeconds: 10",
        "failureThreshold: 10",
        "initialDelaySeconds: 120",
        "failureThreshold: 5",
        "timeoutSeconds: 2",
        "periodSeconds: 5",
    ];
    has("variants/order_buildspec", &buildspec);
    has(
        "variants/payment_cpu",
        &["requests: {cpu: 200m, memory: 32Mi}"],
    );
    let hpa = [
        "minReplicas: 1",
        "maxReplicas: 10",
        "targetCPUUtilizationPercentage: 50",
    ];
    has("variants/payment_hpa", &hpa);
    has("variants/my-config", &["key1: value1", "key2: value2"]);
    let customer1 = [
        "TEXT1: Customer1_Company",
        "TEXT2: Welcomes You",
        "COMPANY: Customer1 Company Technology Pct. Ltd.",
    ];
    has("variants/customer1", &customer1);
    has("variants/my-password", &["password: bXlzcWxwYXNzd29yZA=="]);
}
