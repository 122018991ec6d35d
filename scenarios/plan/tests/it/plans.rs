//! What a plan says of a scenario.
use crate::{files, service};
use model::{
    Action, CheckKind, Connection, FaultKind, LoadModel, Micros, Mutant, Plan, Profile, Start,
};
use plan::{Overrides, Problems, Scenario, parse};
use serde_json::json;

const CONFIG: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: config }\ndata: { DELAY: 1s, B: b }\n";

const SCENARIO: &str = "
apiVersion: brownout/v1alpha1
kind: Scenario
metadata: { name: shop/outage, labels: { tier: ci } }
spec:
  hypothesis: Orders are taken while mail is away.
  params:
    rate: { quick: 10/s, documented: 200/s }
    delay: 2s
  target: { namespace: shop }
  manifests: [m/config.yaml, m/orders.yaml, m/mail.yaml]
  patches:
    - { kind: ConfigMap, name: config, merge: { data: { DELAY: \"${delay}\", B: null } } }
  method:
    - name: away
      fault: { type: service-down, service: mail, gracePeriodSeconds: 0 }
    - name: ask
      requests:
        - url: http://mail:8080/mails
          expect: { error: [dns, connectionRefused] }
    - name: order
      load:
        rate: ${rate}
        duration: 6s
        requests:
          - url: http://orders:8080/orders
            body: { item: 'book {{seq}}', count: 1 }
            key: book {{seq}}
    - { name: back, after: order, delay: 1s, undo: away }
    - name: mails
      collect: { url: http://mail:8080/mails, collection: mails, field: item }
  objectives:
    - { metric: availability, successCondition: '>= 99.9%' }
    - { metric: latency.p99, successCondition: '<= 300ms', severity: warn, step: order }
  invariants:
    - { type: no-lost-acked-writes, atLeast: 50 }
  mechanismOff:
    patches: [{ kind: Deployment, name: mail, env: { A: '2', GROUP: none } }]
";

fn plans(
    text: &str,
    profile: Profile,
    mutant: Option<Mutant>,
    overrides: &Overrides,
) -> Result<Vec<Plan>, Problems> {
    let (orders, mail) = (service("orders"), service("mail"));
    let all = [
        ("m/config.yaml", CONFIG),
        ("m/orders.yaml", &orders),
        ("m/mail.yaml", &mail),
    ];
    let scenario: Scenario = parse("a.yaml", text)?;
    scenario.plans(profile, None, mutant, overrides, &files(&all))
}

fn one(profile: Profile, mutant: Option<Mutant>) -> Plan {
    let mut plans =
        plans(SCENARIO, profile, mutant, &Overrides::new()).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(plans.len(), 1);
    plans.remove(0)
}

fn after(steps: &[&str], delay: Micros) -> Start {
    Start::After {
        steps: steps.iter().map(ToString::to_string).collect(),
        delay,
    }
}

#[test]
fn steps_follow_each_other_unless_they_say_otherwise() {
    let plan = one(Profile::Quick, None);
    let starts: Vec<(&str, &Start)> = plan
        .steps
        .iter()
        .map(|s| (s.name.as_str(), &s.start))
        .collect();
    assert_eq!(
        starts,
        [
            ("away", &after(&[], Micros::ZERO)),
            ("ask", &after(&["away"], Micros::ZERO)),
            ("order", &after(&["ask"], Micros::ZERO)),
            ("back", &after(&["order"], Micros::from_secs(1))),
            ("mails", &after(&["back"], Micros::ZERO)),
        ]
    );
}

#[test]
fn a_plan_has_nothing_left_to_decide() {
    let plan = one(Profile::Documented, None);
    assert_eq!(
        (plan.arm.as_str(), plan.seed, plan.namespace.as_str()),
        ("main", 1, "shop")
    );
    assert_eq!(plan.params["rate"], "200/s");
    let (_, load) = plan.loads().next().unwrap();
    let LoadModel::Open {
        stages,
        in_flight_max,
    } = &load.model
    else {
        panic!("{:?}", load.model);
    };
    assert_eq!(
        (stages[0].rate, stages[0].duration, *in_flight_max),
        (200.0, Micros::from_secs(6), 1000)
    );
    assert_eq!(
        (load.connection, load.timeout),
        (Connection::Reused, Micros::from_secs(30))
    );
    let request = &load.requests[0];
    assert_eq!(
        (request.name.as_str(), request.method.as_str()),
        ("POST /orders", "POST")
    );
    assert_eq!(
        request.body.as_deref(),
        Some(r#"{"item":"book {{seq}}","count":1}"#)
    );
    assert_eq!(
        request.headers,
        [("content-type".to_string(), "application/json".to_string())]
    );
    assert_eq!(plan.step("order").unwrap().timeout, Micros::from_secs(66));
    assert_eq!(
        plan.deadline,
        Micros::from_secs(180 + 180 + 60 + 66 + 180 + 60 + 60)
    );
}

#[test]
fn patches_are_applied_before_the_plan_is_written() {
    let plan = one(Profile::Quick, None);
    assert_eq!(plan.manifests[0].file, "m/config.yaml");
    assert_eq!(plan.manifests[0].objects[0]["data"], json!({"DELAY": "2s"}));
    let off = one(Profile::Quick, Some(Mutant::MechanismOff));
    let env = off.manifests[2].objects[0].pointer("/spec/template/spec/containers/0/env");
    assert_eq!(
        env,
        Some(&json!([{"name": "A", "value": "2"}, {"name": "GROUP", "value": "none"}]))
    );
}

#[test]
fn checks_are_those_of_the_answers_then_objectives_then_invariants() {
    let plan = one(Profile::Quick, None);
    let names: Vec<&str> = plan.checks.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        ["ask", "availability", "latency.p99", "no-lost-acked-writes"]
    );
    let kind = &plan.checks[3].kind;
    let wanted = CheckKind::NoLostAckedWrites {
        load: "order".into(),
        collect: "mails".into(),
        at_least: 50,
    };
    assert_eq!(*kind, wanted);
}

#[test]
fn without_its_fault_a_plan_does_everything_else() {
    let plan = one(Profile::Quick, Some(Mutant::NoFault));
    assert_eq!(plan.mutant, Some(Mutant::NoFault));
    assert_eq!(plan.steps.len(), 5);
    let (_, fault) = plan.faults().next().unwrap();
    assert!(matches!(fault.kind, FaultKind::None { .. }));
    assert_eq!(fault.kind.target(), "mail");
}

#[test]
fn without_a_fault_to_leave_out_nothing_is_done() {
    let text = SCENARIO.replace(
        "fault: { type: service-down, service: mail, gracePeriodSeconds: 0 }",
        "requests: [{ url: 'http://mail:8080/' }]",
    );
    let text = text.replace(
        "    - { name: back, after: order, delay: 1s, undo: away }\n",
        "",
    );
    let plans = plans(
        &text,
        Profile::Quick,
        Some(Mutant::NoFault),
        &Overrides::new(),
    )
    .unwrap();
    assert_eq!((plans[0].steps.len(), plans[0].checks.len()), (0, 4));
}

#[test]
fn the_command_line_wins_over_the_file() {
    let overrides = Overrides::from([("rate".to_string(), "7/s".to_string())]);
    let plan = plans(SCENARIO, Profile::Quick, None, &overrides)
        .unwrap()
        .remove(0);
    let (_, load) = plan.loads().next().unwrap();
    assert_eq!(load.planned_requests(), Some(42));
    let overrides = Overrides::from([("rate".to_string(), "7".to_string())]);
    let problems = plans(SCENARIO, Profile::Quick, None, &overrides).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "a.yaml: --set rate: \"7\" has no unit; write 200/s or 6000/m"
    );
}

#[test]
fn arms_are_plans_in_the_order_of_the_file() {
    let arms = "
  arms:
    slow: { hypothesis: Slow., params: { rate: 1/s } }
    again:
      method: [{ name: ask, requests: [{ url: 'http://orders:8080/orders' }] }, { name: more, at: 2s, requests: [{ url: 'http://mail:8080/' }] }]
      documented: [{ id: shop/x, claim: It was so. }]
";
    let text = format!("{SCENARIO}{arms}");
    let scenario = parse("a.yaml", &text).unwrap_or_else(|p| panic!("{p}"));
    let told: Vec<_> = scenario
        .arms()
        .iter()
        .map(|a| (a.name.as_str(), a.hypothesis.as_str(), a.documented.len()))
        .collect();
    assert_eq!(
        told,
        [
            ("slow", "Slow.", 0),
            ("again", "Orders are taken while mail is away.", 1)
        ]
    );
    let plans = plans(&text, Profile::Quick, None, &Overrides::new()).unwrap();
    let steps = |plan: &Plan| {
        plan.steps
            .iter()
            .map(|s| s.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(steps(&plans[0]), ["away", "ask", "order", "back", "mails"]);
    assert_eq!(
        steps(&plans[1]),
        ["away", "ask", "order", "back", "mails", "more"]
    );
    assert_eq!(
        (
            plans[0].params["rate"].as_str(),
            plans[1].params["rate"].as_str()
        ),
        ("1/s", "10/s")
    );
}

#[test]
fn at_counts_from_the_first_request_of_the_only_load() {
    let text = SCENARIO.replace(
        "{ name: back, after: order, delay: 1s, undo: away }",
        "{ name: back, at: 2s, undo: away }",
    );
    let plan = plans(&text, Profile::Quick, None, &Overrides::new())
        .unwrap()
        .remove(0);
    let wanted = Start::During {
        load: "order".into(),
        at: Micros::from_secs(2),
    };
    assert_eq!(plan.step("back").unwrap().start, wanted);
    assert!(matches!(
        plan.step("back").unwrap().action,
        Action::Undo { .. }
    ));
}

#[test]
fn what_is_looked_at_becomes_a_check_with_the_name_of_its_step() {
    let looks = "
    - name: env
      exec: { workload: mail, command: printenv A, expect: { stdout: '1' }, until: 5s }
    - { name: log, logs: { selector: { app: mail }, contains: [sent, twice] } }
    - name: scaled
      await: { kind: HorizontalPodAutoscaler, name: mail, condition: ScalingActive, is: 'False', timeout: 20s }
    - { name: more, apply: { patches: [{ kind: ConfigMap, name: config, merge: { data: { B: c } } }] } }
    - { name: gone, delete: { kind: ConfigMap, name: config } }
  objectives:
";
    let text = SCENARIO.replace("\n  objectives:\n", looks);
    let plan = plans(&text, Profile::Quick, None, &Overrides::new());
    let plan = plan.unwrap_or_else(|p| panic!("{p}")).remove(0);
    let checks: Vec<String> = plan
        .checks
        .iter()
        .filter(|c| {
            !matches!(
                c.kind,
                CheckKind::Metric { .. } | CheckKind::NoLostAckedWrites { .. }
            )
        })
        .map(|c| c.name.clone())
        .collect();
    assert_eq!(checks, ["ask", "env", "log", "scaled"]);
    let Action::Exec { command, .. } = &plan.step("env").unwrap().action else {
        panic!("no exec")
    };
    assert_eq!(command, &["sh", "-c", "printenv A"]);
    let Action::Await { wanted, within } = &plan.step("scaled").unwrap().action else {
        panic!("no await")
    };
    assert_eq!(
        (
            wanted.api_version.as_str(),
            wanted.written().as_str(),
            *within
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler/mail: ScalingActive is False",
            Micros::from_secs(20)
        )
    );
    let Action::Apply { manifest } = &plan.step("more").unwrap().action else {
        panic!("no apply")
    };
    assert_eq!(manifest.objects.len(), 1);
    assert_eq!(
        manifest.objects[0]["data"],
        json!({"DELAY": "2s", "B": "c"})
    );
    let told = plan::explain(&plan, None);
    for line in [
        "run \"sh\" \"-c\" \"printenv A\" in the first of the pods of mail, again for 5s until it is as expected",
        "wait for \"sent\" and \"twice\" in the log of any of the pods with app=mail, at most 1m",
        "wait until HorizontalPodAutoscaler/mail: ScalingActive is False, at most 20s",
        "delete ConfigMap/config and wait until it is gone",
        "env: the command of \"env\" comes to \"1\"",
    ] {
        assert!(told.contains(line), "{line} is not in {told}");
    }
}

#[test]
fn without_faults_a_load_that_hurts_sends_nothing() {
    let text = SCENARIO.replace(
        "        duration: 6s\n",
        "        duration: 6s\n        stress: true\n",
    );
    let plan = plans(
        &text,
        Profile::Quick,
        Some(Mutant::NoFault),
        &Overrides::new(),
    );
    let plan = plan.unwrap_or_else(|p| panic!("{p}")).remove(0);
    let (_, load) = plan.loads().next().unwrap();
    assert!(load.is_nothing());
    assert!(plan::explain(&plan, None).contains("nothing, in place of the load that hurts"));
}

#[test]
fn figures_of_workloads_count_over_the_run_or_during_a_load_and_needs_are_in_the_plan() {
    let more = "
  requires: { apis: [metrics.k8s.io], limits: true }
  objectives:
    - { metric: replicas.max, workload: mail, successCondition: == 3 }
    - { metric: scaleOut.reaction, workload: mail, successCondition: <= 150s }
    - { metric: status.503, successCondition: '> 0' }
    - { type: failures-are, oneOf: [{ status: 503, bytes: 81 }, { error: timeout }] }
";
    let text = SCENARIO.replace("\n  objectives:\n", more);
    let plan = plans(&text, Profile::Quick, None, &Overrides::new());
    let plan = plan.unwrap_or_else(|p| panic!("{p}")).remove(0);
    let told = plan::explain(&plan, None);
    for line in [
        "  on a cluster with the API metrics.k8s.io\n  on a cluster with exact limits on CPU and memory\n",
        "replicas.max: replicas.max of mail == 3\n",
        "scaleOut.reaction: scaleOut.reaction of mail during \"order\" <= 2 m 30 s\n",
        "status.503: status.503 of \"order\" > 0\n",
        "failures-are: every failed request of \"order\", at least 1, is HTTP 503 with 81 bytes or timeout\n",
    ] {
        assert!(told.contains(line), "{line} is not in {told}");
    }
}

#[test]
fn collections_have_fields_and_invariants_over_them() {
    let more = "
    - name: view
      collect: { url: http://orders:8080/orders, collection: orders, fields: { id: self, item: item, state: $.a.state } }
    - name: copy
      collect: { url: http://mail:8080/mails, collection: mails, fields: { id: orderId, item: item } }
  objectives:
";
    let invariants = "  invariants:
    - { type: conserved, left: [{ collect: view, sum: id, where: { state: [Paid, 3] } }], right: [{ collect: copy }] }
    - { type: unique, collect: view, fields: item, where: { state: Paid } }
    - { type: saga-terminates, collect: view, field: state, outcomes: [Paid, Gone], atLeast: 3 }
    - { type: converges, source: view, view: copy, key: id, fields: [item] }
    - { type: no-lost-acked-writes, atLeast: 50, collect: mails }
";
    let text = SCENARIO.replace("\n  objectives:\n", more);
    let text = text.replace(
        "  invariants:\n    - { type: no-lost-acked-writes, atLeast: 50 }\n",
        invariants,
    );
    let plan = plans(&text, Profile::Quick, None, &Overrides::new());
    let plan = plan.unwrap_or_else(|p| panic!("{p}")).remove(0);
    let told = plan::explain(&plan, None);
    for line in [
        "and keep of each id (self), item (item), state ($.a.state)",
        "conserved: id of “view” where state is Paid or 3 == rows of “copy”",
        "unique: no two rows of \"view\" where state is Paid have one item",
        "saga-terminates: state of every row of \"view\", at least 3, is Paid or Gone",
        "converges: \"copy\" has every id of \"view\" with its item",
    ] {
        assert!(told.contains(line), "{line} is not in {told}");
    }
    let wrong = text
        .replace("field: state, outcomes", "field: stat, outcomes")
        .replace("key: id", "key: state");
    let problems = plans(&wrong, Profile::Quick, None, &Overrides::new()).unwrap_err();
    let told: Vec<String> = problems
        .0
        .iter()
        .map(|p| format!("{}; {}", p.message, p.way_out))
        .collect();
    assert_eq!(
        told,
        [
            "\"view\" collects no \"stat\"; did you mean state?; or add it to the fields of that step",
            "\"copy\" collects no \"state\"; there is id, item; or add it to the fields of that step",
        ]
    );
}
