//! Nothing is injected into a system that is not steady.
use crate::world::*;
use model::Fact;
use node::runtime::{Script, Simulated};
use serde_json::json;
use std::time::Duration;

fn because(seen: &Seen) -> String {
    let at = seen.after(0, |f| matches!(f, Fact::NotSteady { .. }));
    let Fact::NotSteady { because } = &seen.0.all()[at].fact else {
        unreachable!("it was looked for")
    };
    because.clone()
}

fn nothing_was_done(seen: &Seen) {
    assert!(!seen.has(|f| matches!(
        f,
        Fact::StepBegan { .. } | Fact::Injected { .. } | Fact::Steady { .. }
    )));
}

#[tokio::test(start_paused = true)]
async fn a_system_that_never_becomes_ready_is_given_up_and_removed() {
    let never = Script {
        ready_after: Duration::from_secs(3600),
        ..Script::default()
    };
    let world = World::new(Simulated::new().with(WORKER, worker(1)).with("room", never));
    let seen = world
        .run(&plan(vec![auth_down("auth-down", after(&[]))]))
        .await;
    let why = because(&seen);
    assert!(
        why.starts_with("the system was not ready within 60s"),
        "{why}"
    );
    assert!(
        why.contains("room 0/1 ready") && why.contains("Readiness probe failed"),
        "{why}"
    );
    nothing_was_done(&seen);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_ends_again_and_again_is_named() {
    let crashes = Script {
        exits: Some((Duration::from_secs(1), 1)),
        ready_after: Duration::from_secs(5),
        ..Script::default()
    };
    let world = World::new(
        Simulated::new()
            .with(WORKER, worker(1))
            .with("room", crashes),
    );
    let seen = world.run(&plan(vec![])).await;
    let why = because(&seen);
    assert!(why.contains("CrashLoopBackOff"), "{why}");
    nothing_was_done(&seen);
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_the_cluster_refuses_is_told() {
    let world = World::new(Simulated::new().with(WORKER, worker(1)));
    let mut plan = plan(vec![auth_down("auth-down", after(&[]))]);
    with_pod_spec(&mut plan, "room", "containres", json!([]));
    let seen = world.run(&plan).await;
    let why = because(&seen);
    assert!(
        why.contains("Deployment/room") && why.contains("containres"),
        "{why}"
    );
    nothing_was_done(&seen);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_no_pod_can_reach_is_told() {
    // The worker that knocks says nothing, as if it had been killed.
    let silent = Script {
        exits: Some((Duration::from_secs(1), 137)),
        ..Script::default()
    };
    let world = World::new(Simulated::new().with(WORKER, silent));
    let seen = world
        .run(&plan(vec![auth_down("auth-down", after(&[]))]))
        .await;
    let why = because(&seen);
    assert!(why.contains("did not say what happened"), "{why}");
    nothing_was_done(&seen);
}

#[tokio::test(start_paused = true)]
async fn on_a_cluster_that_lacks_what_is_needed_nothing_is_done() {
    let world = World::new(Simulated::new().with(WORKER, worker(1)));
    let mut plan = plan(vec![auth_down("auth-down", after(&[]))]);
    plan.requires = vec![
        model::Requirement::Api("apps/v1".into()),
        model::Requirement::Api("shop.example".into()),
    ];
    let seen = world.run(&plan).await;
    seen.after(
        0,
        |f| matches!(f, Fact::Lacking { what, .. } if what == "the API shop.example"),
    );
    nothing_was_done(&seen);
}
