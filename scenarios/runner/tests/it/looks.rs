//! Looking into containers, logs and objects, and changing objects that are no faults.
use crate::world::*;
use model::{
    Action, Check, CheckKind, Execution, ExpectedOutput, Fact, Holds, Manifest, Micros, ObjectsOf,
    PodChoice, PodsOf, Severity, Wanted,
};
use node::runtime::{Script, Simulated};
use serde_json::json;
use std::time::Duration;

fn room() -> PodChoice {
    PodChoice {
        of: PodsOf::Workload("room".into()),
        replica: None,
        container: None,
    }
}

fn echo(word: &str) -> Action {
    Action::Exec {
        pod: room(),
        command: vec!["echo".into(), word.into()],
        until: Some(Micros::from_secs(3)),
    }
}

fn expecting(step: &str, stdout: &str) -> Check {
    Check {
        name: step.into(),
        severity: Severity::Fail,
        kind: CheckKind::Output {
            step: step.into(),
            expected: ExpectedOutput {
                stdout: Some(stdout.into()),
                ..ExpectedOutput::default()
            },
        },
    }
}

fn executed(step: &str) -> impl Fn(&Fact) -> bool {
    move |f| matches!(f, Fact::Executed { step: s, .. } if s == step)
}

/// A script's command says its own words.
#[tokio::test(start_paused = true)]
async fn a_command_runs_once_when_it_is_as_expected_and_until_its_time_is_up_when_it_is_not() {
    let world = World::new(Simulated::new().with(WORKER, worker(1)));
    let mut plan = plan(vec![
        step("good", after(&[]), echo("a")),
        step("bad", after(&["good"]), echo("b")),
    ]);
    plan.checks = vec![expecting("good", "echo a"), expecting("bad", "other")];
    let seen = world.run(&plan).await;
    assert_eq!(seen.ended(), [("good", true), ("bad", true)]);
    let good = seen.after(0, executed("good"));
    let Fact::Executed {
        seen: execution, ..
    } = &seen.0.all()[good].fact
    else {
        unreachable!("it was looked for")
    };
    assert!(execution.pod.starts_with("room-"), "{execution:?}");
    let expected = Execution {
        pod: execution.pod.clone(),
        exit_code: Some(0),
        stdout: "echo a\n".into(),
        ..Execution::default()
    };
    assert_eq!(*execution, expected);
    let began = seen.after(
        good,
        |f| matches!(f, Fact::StepBegan { step } if step == "bad"),
    );
    let ended = seen.after(
        began,
        |f| matches!(f, Fact::StepEnded { step, .. } if step == "bad"),
    );
    let took = seen.between(began, ended);
    assert!((3.0..4.0).contains(&took.as_secs_f64()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_text_in_a_log_is_waited_for_and_its_line_is_kept() {
    let talks = Script {
        log: vec![(Duration::from_secs(5), "room 7 is sold".into())],
        ..Script::default()
    };
    let world = World::new(Simulated::new().with(WORKER, worker(1)).with("room", talks));
    let logs = |text: &str| Action::Logs {
        pod: room(),
        contains: vec![text.into()],
        within: Micros::from_secs(20),
    };
    let seen = world
        .run(&plan(vec![
            step("sold", after(&[]), logs("is sold")),
            step("never", after(&["sold"]), logs("is free")),
        ]))
        .await;
    assert_eq!(seen.ended(), [("sold", true), ("never", true)]);
    seen.after(0, |f| {
        matches!(f, Fact::Logged { step, found, missing } if step == "sold" && missing.is_empty() && found == &["room 7 is sold"])
    });
    assert_eq!(
        seen.detail("never"),
        "\"is free\" was not in the log within 20.00 s"
    );
}

fn deployment(path: &str, holds: Holds) -> Action {
    Action::Await {
        wanted: Wanted {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            of: ObjectsOf::Name("room".into()),
            path: Some(path.into()),
            what: path.into(),
            holds,
        },
        within: Micros::from_secs(10),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_applied_is_waited_for_and_what_is_deleted_is_gone() {
    let world = World::new(Simulated::new().with(WORKER, worker(1)));
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"A": "b"}});
    let mut scaled = plan(vec![]).manifests[1].clone();
    scaled.objects.truncate(1);
    scaled.objects[0]["spec"]["replicas"] = json!(2);
    scaled.objects.push(config);
    let there = |exists| Action::Await {
        wanted: Wanted {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            of: ObjectsOf::Name("config".into()),
            path: None,
            what: String::new(),
            holds: Holds::Exists(exists),
        },
        within: Micros::from_secs(10),
    };
    let gone = Action::Delete {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        name: "config".into(),
    };
    let two = || Holds::Is(vec!["2".into()]);
    let manifest = Manifest {
        file: "room.yaml".into(),
        ..scaled
    };
    let seen = world
        .run(&plan(vec![
            step("scale", after(&[]), Action::Apply { manifest }),
            step(
                "scaled",
                after(&["scale"]),
                deployment("$.status.readyReplicas", two()),
            ),
            step(
                "three",
                after(&["scaled"]),
                deployment("$.status.none", two()),
            ),
            step("config", after(&["three"]), there(true)),
            step("delete", after(&["config"]), gone),
            step("gone", after(&["delete"]), there(false)),
        ]))
        .await;
    assert!(seen.ended().iter().all(|(_, ok)| *ok), "{:?}", seen.ended());
    assert_eq!(
        seen.detail("scale"),
        "applied Deployment/room, ConfigMap/config"
    );
    let awaited = |step: &str| -> Vec<(String, bool)> {
        let all = seen.0.all().iter();
        all.filter_map(|o| match &o.fact {
            Fact::Awaited { step: s, seen, met } if s == step => Some((seen.clone(), *met)),
            _ => None,
        })
        .collect()
    };
    assert_eq!(awaited("scaled").last(), Some(&("2".to_string(), true)));
    assert_eq!(awaited("three"), [("<none>".to_string(), false)]);
    assert_eq!(awaited("gone"), [("no such object".to_string(), true)]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_the_cluster_does_not_know_ends_the_step() {
    let world = World::new(Simulated::new().with(WORKER, worker(1)));
    let Action::Await { wanted, within } = deployment("$.a", Holds::Exists(true)) else {
        unreachable!("it is one")
    };
    let wanted = Wanted {
        api_version: "shop.example/v1".into(),
        kind: "Shop".into(),
        ..wanted
    };
    let wait = Action::Await { wanted, within };
    let seen = world.run(&plan(vec![step("shop", after(&[]), wait)])).await;
    assert_eq!(seen.ended(), [("shop", false)]);
    assert!(
        seen.detail("shop").starts_with("reading Shop"),
        "{}",
        seen.detail("shop")
    );
}
