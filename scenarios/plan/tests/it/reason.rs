//! Files that ask for more than there is, or hold what would be something else where it is used: refused, and soon.
use crate::files;
use plan::{chaos, parse, validate};
use std::time::{Duration, Instant};

/// However a file is made, its mistakes are told in this time, on a machine with other work as well.
const SOON: Duration = Duration::from_secs(20);

fn told(spec: &str) -> String {
    let text = format!("{HEAD}{spec}");
    parse("a.yaml", &text).unwrap_err().to_string()
}

const HEAD: &str = "apiVersion: brownout/v1alpha1
kind: Scenario
metadata: { name: shop/x }
spec:
  hypothesis: It holds.
  target: { namespace: shop }
  manifests: [m/a.yaml]
";

fn load(words: &str) -> String {
    format!("  load: {{ {words}, requests: [{{ url: \"http://a:8080/\" }}] }}\n")
}

#[test]
fn quantities_beyond_reason_are_refused_with_their_line() {
    let cases = [
        (
            "rate: 2/s, duration: 307445734561825860h",
            "\"307445734561825860h\" is longer than 720h",
        ),
        (
            "rate: 2/s, duration: 12s + 1000000000000h",
            "\"1000000000000h\" is longer than 720h",
        ),
        (
            "rate: 1e308/s, duration: 1s",
            "\"1e308/s\" is more than 100000/s",
        ),
        ("rate: inf/s, duration: 1s", "\"inf/s\""),
        ("rate: nan/s, duration: 1s", "\"nan/s\""),
        (
            "rate: 2/s, duration: 1s, timeout: 99999h",
            "\"99999h\" is longer than 720h",
        ),
        (
            "rate: 90000/s, duration: 700h",
            "226800000000 requests; at most 10000000 are possible",
        ),
        (
            "users: 4294967295, duration: 1s",
            "4294967295 is no whole number from 1 to 10000",
        ),
        ("users: 9, repetitions: 4294967295", "from 1 to 1000000"),
        ("users: 9000, repetitions: 900000", "8100000000 requests"),
        (
            "users: 9, duration: 1s, thinkTime: 1000000h",
            "is longer than 720h",
        ),
        (
            "users: 9, duration: 1s, maxRate: 1e30/s",
            "\"1e30/s\" is more than 100000/s",
        ),
        (
            "rate: 2/s, duration: 1s, inFlightMax: 4294967295",
            "from 1 to 50000",
        ),
    ];
    for (words, why) in cases {
        let told = told(&load(words));
        assert!(told.contains(why), "{words}: {told}");
        assert!(told.starts_with("a.yaml:8:"), "{told}");
    }
    let heavy = "  load: { users: 1, duration: 1s, requests: [{ url: \"http://a/\", weight: 4294967295 }] }\n";
    assert!(told(heavy).contains("from 1 to 1000"), "{}", told(heavy));
    let times = "  readyTimeout: 1000000h\n  deadline: 999999999999999999999999h\n";
    assert_eq!(told(times).matches("is longer than 720h").count(), 2);
}

#[test]
fn blows_beyond_reason_are_refused_in_scenarios_and_chaos_files() {
    let fault = |rhythm: &str| {
        format!(
            "  method:\n    - {{ name: k, fault: {{ type: pod-kill, workloads: [a, b] }}, {rhythm} }}\n"
        )
    };
    for (rhythm, why) in [
        (
            "every: 700h, times: 3",
            "3 rounds would take longer than 720h",
        ),
        ("every: 1s, times: 4294967295", "from 1 to 10000"),
        ("every: 1us, for: 720h", "2592000000000 rounds"),
        ("every: 1s, times: 2, jitter: 721h", "is longer than 720h"),
    ] {
        let told = told(&fault(rhythm));
        assert!(told.contains(why), "{rhythm}: {told}");
    }
    let text = "apiVersion: brownout/v1alpha1
kind: Chaos
metadata: { name: k }
spec:
  target: { namespace: shop, workloads: [a] }
  fault: { type: pod-kill, mode: fixed, value: 4294967295, gracePeriodSeconds: 4294967295 }
  every: 307445734561825860h
  times: 2
  recovery: 1000000h
  safety: { allowNamespaces: [shop], minReady: 4294967295 }
";
    let told = chaos("k.yaml", text).unwrap_err().to_string();
    for why in [
        "from 1 to 10000",
        "from 0 to 86400",
        "is longer than 720h",
        "from 0 to 10000",
    ] {
        assert!(told.contains(why), "{why}: {told}");
    }
}

#[test]
fn what_would_begin_another_header_or_request_is_refused() {
    let request = |words: &str| {
        let method = format!("  method:\n    - name: r\n      requests: [{{ {words} }}]\n");
        told(&method)
    };
    for (words, why) in [
        (
            r#"url: "http://a/x\r\nHost: b""#,
            "␍␊Host: b\" has a space or a control character",
        ),
        (
            r#"url: "http://a/x y""#,
            "has a space or a control character",
        ),
        (
            r#"url: "http://a/", method: "GET\r\nX: y""#,
            "\"GET␍␊X: y\" is no method",
        ),
        (r#"url: "http://a/", method: "G T""#, "\"G T\" is no method"),
        (
            r#"url: "http://a/", headers: { "x\r\ny": z }"#,
            "\"x␍␊y\" is no name of a header",
        ),
        (
            r#"url: "http://a/", headers: { "": z }"#,
            "\"\" is no name of a header",
        ),
        (
            r#"url: "http://a/", headers: { x: "y\r\nz: 1" }"#,
            "the header \"x\" has a control character",
        ),
        (
            r#"url: "http://a/", headers: { x: "\0" }"#,
            "the header \"x\" has a control character",
        ),
    ] {
        let told = request(words);
        assert!(told.contains(why), "{words}: {told}");
        assert!(!told.contains('\r'), "{told:?}");
    }
}

#[test]
fn unknown_fields_without_number_are_counted_and_soon_told() {
    let began = Instant::now();
    let keys: String = (0..9_000).map(|i| format!("  k{i}: 1\n")).collect();
    let told = told(&keys);
    assert!(
        told.contains("8980 more unknown fields from here on; mend those before them first"),
        "{told}"
    );
    assert!(told.lines().count() < 30);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn a_method_without_end_is_soon_refused() {
    let began = Instant::now();
    let steps: String = (0..3000)
        .map(|i| format!("    - {{ name: s{i}, undo: x{i} }}\n"))
        .collect();
    let told = told(&format!("  method:\n{steps}"));
    assert!(
        told.contains("3000 steps; at most 500 are possible"),
        "{told}"
    );
    assert!(
        told.lines()
            .last()
            .unwrap()
            .ends_with("more; mend these first")
    );
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn a_manifest_that_grows_without_end_is_refused() {
    let mut bomb =
        String::from("kind: A\nmetadata: { name: a }\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let before = format!("*a{}, ", i - 1).repeat(10);
        bomb += &format!("a{i}: &a{i} [{before}]\n");
    }
    let wide = format!(
        "kind: A\nmetadata: {{ name: a }}\na: &a {}\nb: [{}]\n",
        "x".repeat(1_000_000),
        "*a, ".repeat(20_000)
    );
    let nested: String = (0..200).map(|i| format!("&a{i} [")).collect();
    for (what, manifest) in [
        ("expanding", bomb),
        ("long", wide),
        ("deep", "[".repeat(100_000)),
        ("anchored", nested),
    ] {
        let began = Instant::now();
        let all = [("m/a.yaml", manifest.as_str())];
        let read = files(&all);
        let told = validate("a.yaml", HEAD, &read).unwrap_err().to_string();
        assert!(told.contains("\nm/a.yaml:"), "{what}: {told}");
        assert!(told.len() < 2000, "{what}: {told}");
        assert!(!told.contains("budget"), "{what}: {told}");
        assert!(began.elapsed() < SOON, "{what}: {:?}", began.elapsed());
    }
}
