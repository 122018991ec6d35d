//! What asks nothing is refused: expectations that everything meets, conditions that hold whatever happens, keys that are the same.
use crate::{files, service};
use model::{Action, Expected, Profile};
use plan::{Overrides, parse, validate};
use serde_json::json;

const HEAD: &str = "apiVersion: brownout/v1alpha1
kind: Scenario
metadata: { name: shop/x }
spec:
  hypothesis: It holds.
  target: { namespace: shop }
  manifests: [m/a.yaml]
";

/// The problems of a spec that goes on like this.
fn told(rest: &str) -> Vec<String> {
    match parse("a.yaml", &format!("{HEAD}{rest}")) {
        Ok(scenario) => panic!("no problem found: {scenario:?}"),
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn an_expectation_that_everything_meets_is_refused() {
    let told = told(
        "  method:
    - name: ask
      requests:
        - { url: \"http://a:8080/\", expect: { contains: [] } }
        - { url: \"http://a:8080/\", expect: { contains: ['', a] } }
        - { url: \"http://a:8080/\", expect: { status: } }
        - { url: \"http://a:8080/\", expect: { headers: { } } }
        - { url: \"http://a:8080/\", expect: { status: 200, within: 0s } }
    - { name: log, logs: { workload: a, contains: '' } }
    - { name: logs, logs: { workload: a, contains: [] } }
    - { name: run, exec: { workload: a, command: date, expect: { contains: [] } } }
    - { name: wait, await: { kind: Pod, workload: a, path: $.status.phase, isNot: [] } }
",
    );
    assert_eq!(
        told,
        [
            "a.yaml:11:56: spec.method[0].requests[0].expect.contains: contains names nothing; write one at least, or leave it out",
            "a.yaml:12:57: spec.method[0].requests[1].expect.contains[0]: an empty text in contains; write what is meant, or leave it out",
            "a.yaml:13:44: spec.method[0].requests[2].expect: nothing is expected; write status, error, bytes, json, body, contains, headers, location or within",
            "a.yaml:14:55: spec.method[0].requests[3].expect.headers: this expects nothing: every answer is so; write status, error, bytes, json, body, contains, headers, location or within",
            "a.yaml:15:67: spec.method[0].requests[4].expect.within: no answer takes less than no time; write a time, as 300ms",
            "a.yaml:16:51: spec.method[1].logs.contains: an empty text in contains; write what is meant, or leave it out",
            "a.yaml:17:52: spec.method[2].logs.contains: contains names nothing; write one at least, or leave it out",
            "a.yaml:18:76: spec.method[3].exec.expect.contains: contains names nothing; write one at least, or leave it out",
            "a.yaml:19:83: spec.method[4].await.isNot: isNot names nothing; write one at least, or leave it out",
        ]
    );
}

#[test]
fn a_condition_that_asks_nothing_is_refused() {
    let told = told(
        "  load: { rate: 100/s, duration: 5s, requests: [{ url: \"http://a:8080/\" }] }
  objectives:
    - { name: a, metric: errors, successCondition: '>= -5' }
    - { name: b, metric: errors, successCondition: '<= inf * 1' }
    - { name: c, metric: errors, successCondition: '<= 501' }
    - { name: d, metric: errors, successCondition: '== 1.5' }
    - { name: e, metric: availability, successCondition: '>= 0%' }
    - { name: f, metric: availability, successCondition: '> 100%' }
    - { name: g, metric: latency.p99, successCondition: '<= nan * 1s' }
    - { name: h, metric: restarts, workload: a, successCondition: '>= 0' }
    - { name: i, type: edge, to: a, metric: calls, successCondition: '>= 0' }
    - { name: j, type: failures-are, oneOf: [] }
",
    );
    assert_eq!(
        told,
        [
            "a.yaml:10:52: spec.objectives[0].successCondition: in \">= -5\", \"-5\" is no number; write a comparison and a number, as \"== 0\" or \">= 1000\"",
            "a.yaml:11:52: spec.objectives[1].successCondition: in \"<= inf * 1\", \"inf\" is no number; write a comparison and a number, as \"== 0\" or \">= 1000\"",
            "a.yaml:12:52: spec.objectives[2].successCondition: “<= 501” holds whatever happens: it is never more than 501; write a comparison and a number, as \"== 0\" or \">= 1000\"",
            "a.yaml:13:52: spec.objectives[3].successCondition: 1.5 is no whole number, and this is counted; write a comparison and a number, as \"== 0\" or \">= 1000\"",
            "a.yaml:14:58: spec.objectives[4].successCondition: “>= 0 %” holds whatever happens: it is never less than 0 %; write a comparison and per cent, as \">= 99.9%\" or \"== 100%\"",
            "a.yaml:15:58: spec.objectives[5].successCondition: “> 100 %” can never hold: it is never more than 100 %; write a comparison and per cent, as \">= 99.9%\" or \"== 100%\"",
            "a.yaml:16:57: spec.objectives[6].successCondition: in \"<= nan * 1s\", \"nan\" is no number; write a comparison and a duration, as \"<= 300ms\" or \"<= 3s + 500ms\"",
            "a.yaml:17:67: spec.objectives[7].successCondition: “>= 0” holds whatever happens: it is never less than 0; write a comparison and a number, as \"== 0\" or \">= 1000\"",
            "a.yaml:18:70: spec.objectives[8].successCondition: “>= 0” holds whatever happens: it is never less than 0; write a comparison and a number, as \"== 0\" or \">= 1000\"",
            "a.yaml:19:45: spec.objectives[9].oneOf: this allows no failure at all; write at least one way to fail, or metric: errors",
        ]
    );
}

#[test]
fn two_loads_with_the_same_keys_are_refused() {
    let write = |name: &str, key: &str| {
        format!(
            "    - {{ name: {name}, load: {{ rate: 2/s, duration: 3s, requests: [{{ url: \"http://a:8080/\", body: {{ k: \"{key}\" }}, key: \"{key}\" }}] }} }}\n"
        )
    };
    let told = told(&format!(
        "  method:\n{}{}{}{}",
        write("first", "k-{{seq}}"),
        write("second", "k-{{seq}}"),
        write("third", "k-1{{seq}}"),
        write("other", "l-{{seq}}"),
    ));
    assert_eq!(
        told[..2],
        [
            "a.yaml:10:123: spec.method[1].load.requests[0].key: \"first\" writes the same keys, as k-{{seq}}: what is found of one would be taken for the other; begin it with another word, as second-k-{{seq}}, in the body too",
            "a.yaml:11:123: spec.method[2].load.requests[0].key: \"first\" may write the same keys, as k-{{seq}}: what is found of one would be taken for the other; begin it with another word, as third-k-1{{seq}}, in the body too",
        ]
    );
    assert!(!told.iter().any(|t| t.contains("method[3]")), "{told:?}");
}

#[test]
fn a_kind_and_a_path_that_are_not_there_are_refused() {
    let text = format!(
        "{HEAD}  method:
    - {{ name: a, await: {{ kind: Podd, apiVersion: v1, name: x, exists: false }} }}
    - {{ name: b, await: {{ kind: Pod, apiVersion: apps/v1, name: x, exists: false }} }}
    - {{ name: c, await: {{ kind: Widget, apiVersion: widgets/1, name: x, exists: false }} }}
    - {{ name: d, await: {{ kind: Pod, name: x, path: '{{.stauts.phase}}', exists: false }} }}
    - {{ name: e, await: {{ kind: Secret, name: x, path: $.status.phase, exists: false }} }}
    - {{ name: f, await: {{ kind: Pod, name: x, path: 'status..[', exists: false }} }}
    - {{ name: g, await: {{ kind: Widget, apiVersion: shop.example/v1, name: x, path: $.anything, is: b }} }}
    - {{ name: i, await: {{ kind: Pod, name: x, condition: Raedy, exists: false }} }}
    - {{ name: j, await: {{ kind: Pod, name: x, condition: shop.example/warm }} }}
    - {{ name: h, await: {{ kind: Gadget, name: x, path: $.status, exists: true }} }}
"
    );
    let room = service("a");
    let definition = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: gadgets.shop.example }
spec: { group: shop.example, names: { kind: Gadget }, versions: [{ name: v1, served: true }] }
";
    let manifests = format!("{room}---\n{definition}");
    let problems = validate("a.yaml", &text, &files(&[("m/a.yaml", &manifests)])).unwrap_err();
    let told: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a.yaml:9:33: spec.method[0].await.kind: no such kind in v1: \"Podd\"; did you mean Pod?",
            "a.yaml:10:33: spec.method[1].await.kind: no such kind in apps/v1: \"Pod\"; there is ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet",
            "a.yaml:11:53: spec.method[2].await.apiVersion: no such apiVersion: \"widgets/1\"; write v1, apps/v1, or a group with a dot, as example.com/v1",
            "a.yaml:12:53: spec.method[3].await.path: no Pod has \"stauts\"; did you mean status?",
            "a.yaml:13:56: spec.method[4].await.path: no Secret has \"status\"; there is apiVersion, kind, metadata, data, stringData, immutable, type",
            "a.yaml:14:53: spec.method[5].await.path: \"status..[\" is no path; write a JSONPath, as $.id or $.status.conditions[?@.type=='Ready'].status",
            "a.yaml:16:58: spec.method[7].await.condition: no Pod has a condition \"Raedy\"; did you mean Ready?",
        ]
    );
}

#[test]
fn recorded_figures_that_cannot_be_are_refused() {
    let told = told(
        "  load: { rate: 100/s, duration: 5s, requests: [{ url: \"http://a:8080/\" }] }
  objectives: [{ metric: errors, successCondition: == 0 }]
  documented:
    - id: x
      claim: It was so.
      siege:
        transactions: 100
        availability: 120
        elapsed: 10
        dataTransferred: 1
        responseTime: 0.1
        transactionRate: 10
        throughput: 0.1
        concurrency: 1
        successful: 100
        failed: 0
        longest: 0.2
        shortest: 0.1
",
    );
    assert_eq!(
        told,
        [
            "a.yaml:15:23: spec.documented[0].siege.availability: 120 % is more than all; write the twelve lines as they were printed"
        ]
    );
}

#[test]
fn what_a_load_expects_holds_for_each_request_that_says_nothing_else() {
    let text = format!(
        "{HEAD}  load:
    rate: 2/s
    duration: 30s
    expect: {{ contains: hello, within: 1s }}
    requests:
      - {{ url: \"http://a:8080/\" }}
      - {{ url: \"http://a:8080/rooms\", expect: {{ status: 302, json: {{ n: \"{{{{seq}}}}\" }} }} }}
  objectives: [{{ metric: errors, successCondition: == 0 }}]
"
    );
    let room = service("a");
    let manifests = [("m/a.yaml", room.as_str())];
    let all = files(&manifests);
    let scenario = parse("a.yaml", &text).unwrap();
    let plans = scenario.plans(Profile::Quick, None, None, &Overrides::new(), &all);
    let plan = plans.unwrap().remove(0);
    let Action::Load { load } = &plan.steps[0].action else {
        panic!("{plan:?}")
    };
    let expects: Vec<Option<Expected>> = load.requests.iter().map(|r| r.expect.clone()).collect();
    let all = Expected {
        contains: vec!["hello".into()],
        within: Some(model::Micros::from_secs(1)),
        ..Expected::default()
    };
    let own = Expected {
        status: Some(302),
        json: Some(json!({"n": "{{seq}}"})),
        ..Expected::default()
    };
    assert_eq!(expects, [Some(all), Some(own)]);
    let told = plan::explain(&plan, None);
    let line = "GET /: GET http://a:8080/; a good answer: with [\"hello\"] in it, within 1s";
    assert!(told.contains(line), "{told}");
}

#[test]
fn a_load_cannot_expect_to_fail() {
    let told = told(
        "  load:
    profile: siege
    duration: 3s
    expect: { status: 503 }
    requests:
      - { url: \"http://a:8080/\", expect: { error: timeout } }
      - { url: \"http://a:8080/\", expect: { status: 302 } }
      - { url: \"http://a:8080/\", expect: { contains: '{{nothing}}' } }
  objectives: [{ metric: errors, successCondition: == 0 }]
",
    );
    assert_eq!(
        told,
        [
            "a.yaml:11:23: spec.load.expect.status: a load never takes HTTP 503 for a good answer; count it with metric: status.503, or write type: failures-are",
            "a.yaml:13:51: spec.load.requests[0].expect.error: error means nothing in a load: count it with metric: errors.<kind>, or write type: failures-are; leave it out",
            "a.yaml:14:52: spec.load.requests[1].expect.status: siege follows redirects: what is expected is expected of the last answer; write model: closed and connection: new in place of the profile",
            "a.yaml:15:54: spec.load.requests[2].expect.contains: no such placeholder: {{nothing}}; there is {{seq}}, a number that no other request has",
        ]
    );
}
