//! Files full of mistakes: all of them are told at once, each with its line and the way out.
use crate::{files, service};
use plan::{parse, validate};

fn told(text: &str) -> Vec<String> {
    match parse("a.yaml", text) {
        Ok(scenario) => panic!("no problem found: {scenario:?}"),
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
    }
}

const HEAD: &str = "apiVersion: brownout/v1alpha1
kind: Scenario
metadata: { name: shop/x }
spec:
  hypothesis: It holds.
  target: { namespace: shop }
  manifests: [m/a.yaml]
";

#[test]
fn every_typo_of_a_file_is_told_with_its_line() {
    let text = format!(
        "{HEAD}  load:
    profile: seige
    users: \"2\"
    duratoin: 30s
    duration: 30
    requests:
      - url: http://a:8080/
        metod: GET
        expect: {{ status: 200 }}
  method:
    - name: one
      at: 2 sec
      fault: {{ type: servce-down, service: a }}
    - name: one
      after: twoo
      undo: onne
  objectives:
    - {{ metric: availabilty, successCondition: \">= 99%\" }}
    - {{ metric: latency.p99, successCondition: \"<= 300\" }}
    - {{ metric: errors, successCondition: 0 }}
  invariants:
    - {{ type: no-duplicates }}
"
    );
    assert_eq!(
        told(&text),
        [
            "a.yaml:9:14: spec.load.profile: no such profile: \"seige\"; did you mean siege?",
            "a.yaml:10:12: spec.load.users: \"2\" is no whole number from 1 to 10000; write a number from 1 to 10000, without quotes",
            "a.yaml:11:5: spec.load.duratoin: no such field in a load; did you mean duration?",
            "a.yaml:12:15: spec.load.duration: \"30\" has no unit; write 30s, 5m or 1h",
            "a.yaml:15:9: spec.load.requests[0].metod: no such field in a request; did you mean method?",
            "a.yaml:19:11: spec.method[0].at: \"2 sec\" is no duration; write 30s, 5m or 1h",
            "a.yaml:20:22: spec.method[0].fault.type: no such type: \"servce-down\"; did you mean service-down?",
            "a.yaml:21:13: spec.method[1].name: two steps are named \"one\"; give one another name",
            "a.yaml:22:14: spec.method[1].after: no such step: \"twoo\"; there is load, one",
            "a.yaml:23:13: spec.method[1].undo: no such step: \"onne\"; did you mean one?",
            "a.yaml:25:17: spec.objectives[0].metric: no such metric: \"availabilty\"; did you mean availability?",
            "a.yaml:26:48: spec.objectives[1].successCondition: in \"<= 300\", \"300\" has no unit; write a comparison and a duration, as \"<= 300ms\" or \"<= 3s + 500ms\"",
            "a.yaml:27:43: spec.objectives[2].successCondition: 0 is no text; write \"0\"",
            "a.yaml:29:7: spec.invariants[0]: this needs a step with a collect; add one to the method, with collect:",
        ]
    );
}

#[test]
fn what_only_the_manifests_can_tell_is_told_together_with_the_rest() {
    let text = format!(
        "{HEAD}  readyTimeout: 3
  load: {{ rate: 2/s, duration: 3s, requests: [{{ url: \"http://auht:8080/\" }}, {{ url: \"http://auth:80/\" }}] }}
  patches:
    - {{ kind: Deployment, name: rooom, env: {{ A: b }} }}
  method:
    - {{ name: x, at: 1s, fault: {{ type: service-down, service: alarm }} }}
    - {{ name: y, fault: {{ type: rollout, deployment: auth, manifest: m/auth.yaml }} }}
    - {{ name: z, fault: {{ type: rollout, deployment: auth, manifest: m/none.yaml }} }}
  objectives:
    - {{ type: endpoints-never-empty, service: rom }}
"
    )
    .replace("[m/a.yaml]", "[m/auth.yaml, m/room.yaml]");
    let (auth, room) = (service("auth"), service("room"));
    let all = [("m/auth.yaml", auth.as_str()), ("m/room.yaml", &room)];
    let problems = validate("a.yaml", &text, &files(&all)).unwrap_err();
    let told: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a.yaml:8:17: spec.readyTimeout: \"3\" has no unit; write 30s, 5m or 1h",
            "a.yaml:9:54: spec.load.requests[0].url: no such service: \"auht\"; did you mean auth? shop has auth, room",
            "a.yaml:9:84: spec.load.requests[1].url: service auth has no port 80; it has 8080",
            "a.yaml:11:7: spec.patches[0]: no such object in the manifests: Deployment/rooom; did you mean Deployment/room?",
            "a.yaml:13:64: spec.method[0].fault.service: no such service: \"alarm\"; shop has auth, room",
            "a.yaml:14:70: spec.method[1].fault.manifest: this is the pod template that already runs: nothing would be replaced; change it with a patch, e.g. of an annotation of the template",
            "a.yaml:15:70: spec.method[2].fault.manifest: cannot read m/none.yaml: entity not found; paths are relative to the scenario file",
            "a.yaml:17:47: spec.objectives[0].service: no such service: \"rom\"; did you mean room? shop has auth, room",
        ]
    );
}

#[test]
fn what_is_missing_and_what_contradicts_is_told() {
    let text = "apiVersion: brownout/v1
kind: Experiment
metadata: { name: My Shop }
spec:
  target: shop
  manifests: []
  params: { a: { quick: 1 }, unused: 2 }
  seed: -1
  load:
    rate: ${rte}
    duration: ${a}
    requests: [{ name: x, key: same, body: 'n {{sec}}' }, { url: 'https://b/' }]
  method:
    - { name: idle }
    - { name: both, undo: idle, requests: [] }
    - { name: later, at: 1s, after: idle, fault: { type: rollout, service: x } }
  objectives:
    - { metric: errors, type: replacement-inside, deployment: x }
    - { metric: errors }
  invariants: { type: no-duplicates }
  documented: [{ id: x, siege: { transactions: 1.5 } }]
";
    assert_eq!(
        told(text),
        [
            "a.yaml:1:13: apiVersion: no such apiVersion: \"brownout/v1\"; there is brownout/v1alpha1",
            "a.yaml:2:7: kind: no such kind: \"Experiment\"; there is Scenario",
            "a.yaml:3:19: metadata.name: \"My Shop\" is no name; write small letters, digits and hyphens, as mybnb/zero-downtime",
            "a.yaml:5:3: spec: hypothesis is missing; what shall hold, in a sentence a reader understands without this file",
            "a.yaml:5:3: spec: no manifest: there would be no system; name the files with its objects",
            "a.yaml:5:11: spec.target: \"shop\" is no target; write a map with namespace",
            "a.yaml:7:16: spec.params.a: documented is missing; in the documented profile",
            "a.yaml:7:25: spec.params.a.quick: \"1\" has no unit; write 30s, 5m or 1h",
            "a.yaml:7:30: spec.params.unused: nothing uses this param; write ${unused} where it belongs, or leave it out",
            "a.yaml:8:9: spec.seed: -1 is no whole number from 0 on; write a number from 0 on, without quotes",
            "a.yaml:10:11: spec.load.rate: no such param: ${rte}; there is a, unused",
            "a.yaml:12:16: spec.load.requests[0]: url is missing; with the name of a Service, e.g. http://room:8080/rooms",
            "a.yaml:12:32: spec.load.requests[0].key: every request would write \"same\"; put {{seq}} into it, and into the body",
            "a.yaml:12:44: spec.load.requests[0].body: no such placeholder: {{sec}}; there is {{seq}}, a number that no other request has",
            "a.yaml:12:66: spec.load.requests[1].url: \"https://b/\" is no URL of a service; write http://service:port/path",
            "a.yaml:14:7: spec.method[0]: this step does nothing; write one of load, fault, undo, requests, exec, logs, await, apply, delete, collect",
            "a.yaml:15:7: spec.method[1]: this step does two things: undo and requests; make two steps of it",
            "a.yaml:16:37: spec.method[2].after: after means nothing beside at: it counts from the first request of a load; leave it out",
            "a.yaml:16:50: spec.method[2].fault: a rollout needs deployment; the name of the Deployment",
            "a.yaml:16:50: spec.method[2].fault: a rollout needs manifest; the file that is applied, relative to this file",
            "a.yaml:16:76: spec.method[2].fault.service: service means nothing in a rollout; leave it out",
            "a.yaml:18:17: spec.objectives[0].metric: metric means nothing beside a type; leave it out",
            "a.yaml:19:7: spec.objectives[1]: an objective needs successCondition; what must hold of it, e.g. \">= 99.9%\", \"<= 300ms\", \"== 0\", \"<= ${startup} + 2s\"",
            "a.yaml:20:15: spec.invariants: a map is no list; write a list: \"- \" before each invariant",
            "a.yaml:21:16: spec.documented[0]: claim is missing; what was claimed or printed, in a sentence",
            "a.yaml:21:32: spec.documented[0].siege: availability, elapsed, dataTransferred, responseTime, transactionRate, throughput, concurrency, successful, failed, longest, shortest are missing; a siege has all of them",
            "a.yaml:21:48: spec.documented[0].siege.transactions: 1.5 is no whole number from 0 on; write a number from 0 on, without quotes",
        ]
    );
}

#[test]
fn steps_that_wait_for_each_other_are_told_and_an_undo_that_may_come_too_early() {
    let text = format!(
        "{HEAD}  load: {{ rate: 2/s, duration: 3s, requests: [{{ url: \"http://a:8080/\" }}] }}
  method:
    - {{ name: a, after: c, requests: [{{ url: \"http://a:8080/\", expect: {{ status: 200 }} }}] }}
    - {{ name: b, requests: [{{ url: \"http://a:8080/\" }}] }}
    - {{ name: c, requests: [{{ url: \"http://a:8080/\" }}] }}
    - {{ name: down, at: 1s, fault: {{ type: service-down, service: a }} }}
    - {{ name: up, after: load, undo: down }}
    - {{ name: self, after: self, undo: a }}
"
    );
    assert_eq!(
        told(&text),
        [
            "a.yaml:10:15: spec.method[0].name: step \"a\" waits for c and b, and that for it; change one of their after or at",
            "a.yaml:11:15: spec.method[1].name: step \"b\" waits for a and c, and that for it; change one of their after or at",
            "a.yaml:12:15: spec.method[2].name: step \"c\" waits for b and a, and that for it; change one of their after or at",
            "a.yaml:14:15: spec.method[4].name: \"up\" may begin before \"down\", which it undoes; write after: down",
            "a.yaml:15:15: spec.method[5].name: step \"self\" waits for itself; change one of their after or at",
            "a.yaml:15:40: spec.method[5].undo: step \"a\" is of another kind; there is down",
        ]
    );
}

#[test]
fn what_is_not_yaml_and_what_is_written_twice_is_told_with_the_rest_of_the_file() {
    let text = format!("{HEAD}  seed: 1\n  seed: 2\n  method: [{{ name: a, nmae: b }}]\n");
    assert_eq!(
        told(&text),
        [
            "a.yaml:9:3: \"seed\" is written twice; first in line 8; keep one of them",
            "a.yaml:10:12: spec.method[0]: this step does nothing; write one of load, fault, undo, requests, exec, logs, await, apply, delete, collect",
            "a.yaml:10:23: spec.method[0].nmae: no such field in a step; did you mean name?",
        ]
    );
    assert_eq!(
        told("a: [\n"),
        [
            "a.yaml:1:4: this is not YAML: unclosed bracket '['; check indentation, quotes and brackets here and in the line before"
        ]
    );
    assert_eq!(
        told(""),
        ["a.yaml: the file is empty; begin with apiVersion: brownout/v1alpha1 and kind: Scenario"]
    );
}

#[test]
fn a_manifest_that_is_not_yaml_is_told_with_its_own_line() {
    let text = format!(
        "{HEAD}  method: [{{ name: a, requests: [{{ url: \"http://a:8080/\", expect: {{ status: 200 }} }}] }}]\n"
    );
    let problems = validate(
        "s/a.yaml",
        &text,
        &files(&[("s/m/a.yaml", "kind: Service\nmetadata: { name: [a\n")]),
    )
    .unwrap_err();
    assert_eq!(
        problems.to_string(),
        "s/m/a.yaml:2:19: this is not YAML: unclosed bracket '[' at line 2, column 19; mend the manifest"
    );
}

#[test]
fn names_must_do_for_kubernetes_and_a_rollout_has_no_undo() {
    let text = format!(
        "{HEAD}  method:
    - {{ name: Roll It, fault: {{ type: rollout, deployment: a, manifest: m/b.yaml }} }}
    - {{ name: back, undo: Roll It }}
  arms:
    with probes: {{ hypothesis: x }}
"
    )
    .replace("namespace: shop", "namespace: Shop");
    assert_eq!(
        told(&text),
        [
            "a.yaml:6:24: spec.target.namespace: \"Shop\" is no namespace; write small letters, digits and hyphens, at most 50, as auth-down",
            "a.yaml:9:15: spec.method[0].name: \"Roll It\" is no name for a step; write small letters, digits and hyphens, at most 50, as auth-down",
            "a.yaml:10:27: spec.method[1].undo: a rollout leaves nothing to undo; leave this step out, or roll out another manifest",
            "a.yaml:12:18: spec.arms.with probes: \"with probes\" is no name for an arm; write small letters, digits and hyphens, at most 50, as auth-down",
        ]
    );
}

#[test]
fn what_is_saved_has_a_name_and_a_path_and_what_is_used_was_saved() {
    let text = format!(
        "{HEAD}  method:
    - name: create
      requests:
        - {{ url: \"http://a:8080/rooms\", save: {{ room: location, seq: $.id, price: price, host: '{{.host}}' }} }}
        - {{ url: \"http://a:8080/rooms/{{{{rom}}}}\", until: 3s }}
        - {{ url: \"http://a:8080/rooms/{{{{room}}}}\", weight: 2, expect: {{ json: {{ price: \"{{{{pricee}}}}\" }} }} }}
    - name: more
      load: {{ rate: 2/s, duration: 3s, thinkTime: 1s, requests: [{{ url: \"http://a:8080/\", save: {{ id: location }}, until: 2s }}] }}
"
    );
    assert_eq!(
        told(&text),
        [
            "a.yaml:11:70: spec.method[0].requests[0].save.seq: \"seq\" is no name for something saved; write letters and digits, as roomId",
            "a.yaml:11:83: spec.method[0].requests[0].save.price: \"price\" is no path; write a JSONPath, as $.id or $.status.conditions[?@.type=='Ready'].status",
            "a.yaml:12:11: spec.method[0].requests[1]: a request with until needs expect; what the answer must be; in a load an answer that is not so is a failed request",
            "a.yaml:12:18: spec.method[0].requests[1].url: no such placeholder: {{rom}}; did you mean {{room}}?",
            "a.yaml:13:58: spec.method[0].requests[2].weight: weight means nothing in requests that are sent once: write it in a load; leave it out",
            "a.yaml:13:86: spec.method[0].requests[2].expect.json.price: no such placeholder: {{pricee}}; did you mean {{price}}?",
            "a.yaml:15:51: spec.method[1].load.thinkTime: thinkTime means nothing in an open load: write model: closed, or rate; leave it out",
            "a.yaml:15:97: spec.method[1].load.requests[0].save: in an open load no request waits for the answer of another; write users in place of rate, or leave it out",
            "a.yaml:15:122: spec.method[1].load.requests[0].until: until means nothing in a load: nothing is asked again there; leave it out",
        ]
    );
}

#[test]
fn what_is_looked_at_and_changed_in_the_cluster_is_said_in_full() {
    let text = format!(
        "{HEAD}  method:
    - {{ name: a, exec: {{ workload: a, pod: a-1, command: [] }} }}
    - {{ name: b, exec: {{ workload: rooom, command: date, until: 3s }} }}
    - {{ name: c, exec: {{ command: date, pod: x, expect: {{ stdout: 10 }} }} }}
    - {{ name: d, logs: {{ workload: room, contains: x, timeout: 3 }} }}
    - {{ name: e, await: {{ kind: Depoyment, name: a, is: b }} }}
    - {{ name: f, await: {{ kind: Pod, name: a, workload: b, path: status.phase, is: b }} }}
    - {{ name: g, await: {{ kind: Service, workload: room, condition: Ready, path: $.a }} }}
    - {{ name: h, await: {{ kind: Pod, name: a, path: $.a, is: b, exists: yes }} }}
    - {{ name: i, await: {{ kind: Pod, name: a, exists: 1 }} }}
    - {{ name: j, apply: {{ }} }}
    - {{ name: k, apply: {{ patches: [{{ kind: Deployment, name: rom, env: {{ A: b }} }}] }} }}
    - {{ name: l, delete: {{ kind: Service, name: rom }} }}
"
    )
    .replace("m/a.yaml", "m/room.yaml");
    let room = service("room");
    let problems = validate("a.yaml", &text, &files(&[("m/room.yaml", &room)])).unwrap_err();
    let told: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a.yaml:9:24: spec.method[0].exec: no command; write the program and its arguments",
            "a.yaml:9:44: spec.method[0].exec.pod: pod means nothing beside workload; leave it out",
            "a.yaml:10:24: spec.method[1].exec: an exec with until needs expect; what it must come to",
            "a.yaml:10:36: spec.method[1].exec.workload: no such deployment: \"rooom\"; did you mean room? shop has room",
            "a.yaml:11:67: spec.method[2].exec.expect.stdout: 10 is no text; write \"10\"",
            "a.yaml:12:64: spec.method[3].logs.timeout: \"3\" has no unit; write 30s, 5m or 1h",
            "a.yaml:13:25: spec.method[4].await: an await with is needs path; a JSONPath, e.g. {.status.phase} or $.status.containerStatuses[0].state.waiting.reason",
            "a.yaml:13:33: spec.method[4].await.kind: no such kind: \"Depoyment\"; did you mean Deployment?; or write apiVersion",
            "a.yaml:14:57: spec.method[5].await.workload: workload means nothing beside name; leave it out",
            "a.yaml:15:33: spec.method[6].await.kind: workload chooses pods, and not a Service; write kind: Pod, or name in place of workload",
            "a.yaml:15:82: spec.method[6].await.path: path means nothing beside condition; leave it out",
            "a.yaml:16:53: spec.method[7].await.path: no Pod has \"a\"; there is apiVersion, kind, metadata, spec, status",
            "a.yaml:16:73: spec.method[7].await.exists: exists means nothing beside is; leave it out",
            "a.yaml:17:55: spec.method[8].await.exists: 1 is neither true nor false; write true or false, without quotes",
            "a.yaml:18:25: spec.method[9].apply: an apply without patches needs manifest; the file that is applied, relative to this file",
            "a.yaml:19:37: spec.method[10].apply.patches[0]: no such object in the manifests: Deployment/rom; did you mean Deployment/room?",
            "a.yaml:20:49: spec.method[11].delete.name: no such service: \"rom\"; did you mean room? shop has room",
        ]
    );
}

#[test]
fn figures_have_their_fields_and_failures_are_said_in_part() {
    let text = format!(
        "{HEAD}  requires: {{ apis: metrics.k8s.io, limits: 1 }}
  load: {{ rate: 2/s, duration: 3s, stress: maybe, requests: [{{ url: \"http://a:8080/\" }}] }}
  objectives:
    - {{ metric: replica.max, successCondition: == 3 }}
    - {{ metric: replicas.max, successCondition: == 3 }}
    - {{ metric: status.5o3, successCondition: == 3 }}
    - {{ metric: errors.timeout, workload: a, successCondition: == 3 }}
    - {{ metric: throughput, successCondition: '>= 100' }}
    - {{ type: failures-are, service: a }}
    - {{ name: b, type: failures-are, oneOf: [{{ }}, {{ status: 503, error: timeout }}, {{ eror: dns }}] }}
    - {{ type: replacement-inside, deployment: a, atLeast: 2 }}
"
    );
    assert_eq!(
        told(&text),
        [
            "a.yaml:8:45: spec.requires.limits: 1 is neither true nor false; write true or false, without quotes",
            "a.yaml:9:44: spec.load.stress: \"maybe\" is neither true nor false; write true or false, without quotes",
            "a.yaml:11:17: spec.objectives[0].metric: no such metric: \"replica.max\"; did you mean replicas.max?",
            "a.yaml:12:7: spec.objectives[1]: replicas.max needs workload; the name of the Deployment",
            "a.yaml:13:17: spec.objectives[2].metric: no such metric: \"status.5o3\"; did you mean status.503?",
            "a.yaml:14:43: spec.objectives[3].workload: workload means nothing with errors.timeout: that is a figure of a load; leave it out",
            "a.yaml:15:47: spec.objectives[4].successCondition: in \">= 100\", \"100\" has no unit; write a comparison and a rate, as \">= 100/s\"",
            "a.yaml:16:7: spec.objectives[5]: failures-are needs oneOf; the ways to fail",
            "a.yaml:16:38: spec.objectives[5].service: service means nothing in failures-are; leave it out",
            "a.yaml:17:46: spec.objectives[6].oneOf[0]: this is every failure there is; write status, bytes or error",
            "a.yaml:17:61: spec.objectives[6].oneOf[1].status: status means nothing beside error: there is no answer; leave it out",
            "a.yaml:17:86: spec.objectives[6].oneOf[2].eror: no such field in a failure; did you mean error?",
            "a.yaml:18:59: spec.objectives[7].atLeast: atLeast means nothing in replacement-inside; leave it out",
        ]
    );
}

#[test]
fn a_fault_that_nothing_can_meet_is_refused_with_the_way_out() {
    let scenario = |method: &str, step: &str| {
        format!(
            "{HEAD}  method:
    - {{ name: customers, load: {{ rate: 2/s, duration: 5s, requests: [{{ url: \"http://a:8080/\" }}] }} }}
{method}  objectives:
    - {{ metric: availability, step: {step}, successCondition: \"== 100%\" }}
"
        )
    };
    let at = |at: &str| {
        format!("    - {{ name: hurt, at: {at}, fault: {{ type: service-down, service: a }} }}\n")
    };
    for late in ["5s", "8s"] {
        assert_eq!(
            told(&scenario(&at(late), "customers")),
            [
                "a.yaml:10:25: spec.method[1].at: \"customers\" is over after 5.00 s: none of its requests can meet this fault; write an \
                 earlier at, or after: customers where the fault shall come after it"
            ]
        );
    }
    assert!(parse("a.yaml", &scenario(&at("4s"), "customers")).is_ok());
    let after =
        "    - { name: hurt, after: customers, fault: { type: service-down, service: a } }\n";
    assert_eq!(
        told(&scenario(after, "customers")),
        [
            "a.yaml:10:7: spec.method[1]: nothing that is judged happens during or after this fault; add an objective, an invariant or \
             a step with expect that looks at what it does"
        ]
    );
    let again = "    - { name: again, load: { rate: 2/s, duration: 5s, requests: [{ url: \"http://a:8080/\" }] } }\n";
    assert!(parse("a.yaml", &scenario(&(after.to_string() + again), "again")).is_ok());
}
