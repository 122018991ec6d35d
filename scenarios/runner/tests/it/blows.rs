//! Faults that strike pods, and a service that is scaled away.
use crate::world::*;
use model::{Aim, Course, Fact, FaultKind, Micros, Mode, Rhythm, Strike};
use node::runtime::{Script, Simulated};
use std::time::Duration;

fn kill(workloads: &[&str], every: u64, times: u32) -> FaultKind {
    FaultKind::PodKill {
        aim: Aim {
            workloads: workloads.iter().map(ToString::to_string).collect(),
            selector: None,
            mode: Mode::One,
            rhythm: Rhythm {
                every: Micros::from_secs(every),
                times,
                jitter: Micros::ZERO,
            },
        },
        grace_period_seconds: Some(0),
    }
}

fn strikes(seen: &Seen) -> Vec<&Strike> {
    let all = seen.0.all().iter();
    all.filter_map(|o| match &o.fact {
        Fact::Strike(strike) => Some(strike),
        _ => None,
    })
    .collect()
}

fn count(seen: &Seen, course: Course) -> usize {
    strikes(seen).iter().filter(|s| s.course == course).count()
}

fn slow_to_start(seconds: u64) -> Script {
    Script {
        ready_after: Duration::from_secs(seconds),
        ..Script::default()
    }
}

#[tokio::test(start_paused = true)]
async fn every_pod_that_is_killed_is_proven_and_its_workload_followed_until_it_is_ready_again() {
    let scripts = Simulated::new().with(WORKER, worker(1));
    let world = World::new(scripts.with("auth", slow_to_start(3)));
    let seen = world
        .run(&plan(vec![
            fault("kills", after(&[]), kill(&["auth", "room"], 10, 2)),
            undo("back", after(&["kills"]), "kills"),
            requests("with", after(&["back"])),
        ]))
        .await;
    assert_eq!(
        seen.ended(),
        [("kills", true), ("back", true), ("with", true)]
    );
    let courses = [Course::Made, Course::Proven, Course::Recovered];
    assert_eq!(courses.map(|course| count(&seen, course)), [4, 4, 4]);
    let pods: std::collections::BTreeSet<&str> = strikes(&seen)
        .iter()
        .filter(|s| s.course == Course::Made)
        .map(|s| s.pod.as_str())
        .collect();
    assert_eq!(pods.len(), 4, "no pod is struck twice");
    let made =
        |f: &Fact| matches!(f, Fact::Strike(s) if s.course == Course::Made && s.workload == "auth");
    let first = seen.after(0, made);
    let second = seen.after(first + 1, made);
    let between = seen.between(first, second).as_secs_f64();
    assert!((10.0..10.5).contains(&between), "{between}");
    let back = seen.after(
        first,
        |f| matches!(f, Fact::Strike(s) if s.course == Course::Recovered && s.workload == "auth"),
    );
    assert!(seen.between(first, back) >= Duration::from_secs(3));
    let undone = seen.after(second, |f| {
        matches!(f, Fact::Undone { step, evidence } if step == "kills" && evidence.contains("auth 1, room 1"))
    });
    seen.after(
        undone,
        |f| matches!(f, Fact::StepBegan { step } if step == "with"),
    );
}

#[tokio::test(start_paused = true)]
async fn fewer_pods_than_asked_for_are_not_struck_and_the_step_fails() {
    let world = World::new(Simulated::new().with(WORKER, worker(1)));
    let mut two = kill(&["auth"], 10, 1);
    if let FaultKind::PodKill { aim, .. } = &mut two {
        aim.mode = Mode::Fixed(2);
    }
    let seen = world
        .run(&plan(vec![fault("kills", after(&[]), two)]))
        .await;
    assert_eq!(seen.ended(), [("kills", false)]);
    assert_eq!(
        seen.detail("kills"),
        "auth: 2 pods were asked for and 1 run"
    );
    assert_eq!(count(&seen, Course::Made), 0);
    assert!(seen.has(|f| matches!(f, Fact::Unproven { step, .. } if step == "kills")));
}

#[tokio::test(start_paused = true)]
async fn what_is_scaled_away_is_proven_gone_and_comes_back_with_as_many_as_it_had() {
    let world = World::new(Simulated::new().with(WORKER, worker(1)));
    let service = "auth".to_string();
    let mut plan = plan(vec![
        fault("away", after(&[]), FaultKind::ScaledDown { service }),
        undo("back", after(&["away"]), "away"),
    ]);
    let deployment = &mut plan.manifests[0].objects[0];
    deployment["spec"]["replicas"] = 2.into();
    let seen = world.run(&plan).await;
    assert_eq!(seen.ended(), [("away", true), ("back", true)]);
    let none = seen.after(
        0,
        |f| matches!(f, Fact::Replicas { deployment, desired: 0, .. } if deployment == "auth"),
    );
    let proven = seen.after(none, |f| {
        matches!(f, Fact::Proven { evidence, .. } if evidence.starts_with("auth has no endpoint and no pod is left"))
    });
    seen.after(proven, |f| {
        matches!(f, Fact::Replicas { deployment, desired: 2, ready: 2, .. } if deployment == "auth")
    });
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_by_itself_proves_no_kill_and_a_blow_that_was_not_dealt_is_not_waited_for()
 {
    let crashing = Script {
        exits: Some((Duration::from_secs(7), 1)),
        ..Script::default()
    };
    let world = World::new(
        Simulated::new()
            .with(WORKER, worker(1))
            .with("auth", crashing),
    );
    // What runs in the container there answers to brownout's name and is not brownout.
    let FaultKind::PodKill { aim, .. } = kill(&["auth"], 10, 1) else {
        unreachable!("it is one");
    };
    let container = None;
    let killed = FaultKind::ContainerKill { aim, container };
    let seen = world
        .run(&plan(vec![fault("kills", after(&[]), killed)]))
        .await;
    assert_eq!(seen.ended(), [("kills", false)]);
    assert_eq!(count(&seen, Course::Unproven), 1);
    assert_eq!(
        (
            count(&seen, Course::Proven),
            count(&seen, Course::Recovered)
        ),
        (0, 0)
    );
    let why = seen.detail("kills");
    assert!(why.contains("its image must hold brownout"), "{why}");
    seen.after(0, |f| {
        matches!(f, Fact::Undone { step, evidence } if step == "kills" && evidence == "nothing was struck")
    });
}
