//! However a run ends: what it did is undone, and what it made is gone.
use crate::world::*;
use model::{Fact, Micros};
use node::runtime::{Script, Simulated};
use std::time::Duration;

fn stopped_by(seen: &Seen) -> String {
    let at = seen.after(0, |f| matches!(f, Fact::Stopped { .. }));
    let Fact::Stopped { by } = &seen.0.all()[at].fact else {
        unreachable!("it was looked for")
    };
    by.clone()
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_a_run_under_load_gets_it_undone_and_nothing_more_begins() {
    let world = World::new(Simulated::new().with(WORKER, worker(20)));
    let plan = plan(vec![
        load("calls", after(&[])),
        auth_down("auth-down", during("calls", Micros::from_secs(2))),
        undo("auth-back", after(&["calls"]), "auth-down"),
    ]);
    let stop = async {
        world.until("auth-down proven").await;
        world.stop().ask("SIGINT");
        world.stop().ask("SIGTERM");
    };
    let (seen, ()) = tokio::join!(world.run(&plan), stop);
    assert_eq!(stopped_by(&seen), "SIGINT");
    let stopped = seen.after(0, |f| matches!(f, Fact::Stopped { .. }));
    let undone = seen.after(stopped, |f| matches!(f, Fact::Undone { .. }));
    assert!(matches!(&seen.0.all()[undone].fact,
        Fact::Undone { step, evidence } if step == "auth-down" && evidence == "its namespace is deleted"));
    assert!(!seen.has(|f| matches!(f, Fact::StepBegan { step } if step == "auth-back")));
    assert!(!seen.has(|f| matches!(f, Fact::LoadEnded { .. })));
    assert!(seen.0.requests("calls").count() >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_ended_by_its_deadline() {
    let world = World::new(Simulated::new().with(WORKER, worker(40)));
    let mut plan = plan(vec![
        load("calls", after(&[])),
        auth_down("auth-down", during("calls", Micros::from_secs(1))),
    ]);
    // The gate's worker takes as long as the load.
    plan.deadline = Micros::from_secs(60);
    let seen = world.run(&plan).await;
    assert_eq!(stopped_by(&seen), "the deadline");
    let stopped = seen.after(0, |f| matches!(f, Fact::Stopped { .. }));
    assert!(seen.between(0, stopped).abs_diff(Duration::from_secs(60)) < Duration::from_secs(1));
    seen.after(
        stopped,
        |f| matches!(f, Fact::Undone { step, .. } if step == "auth-down"),
    );
    assert_eq!(seen.ended(), [("auth-down", true)]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_takes_too_long_ends_the_plan() {
    let world = World::new(Simulated::new().with(WORKER, worker(30)));
    let mut slow = load("calls", after(&[]));
    slow.timeout = Micros::from_secs(5);
    let seen = world
        .run(&plan(vec![slow, requests("more", after(&["calls"]))]))
        .await;
    assert_eq!(seen.ended(), [("calls", false)]);
    assert_eq!(seen.detail("calls"), "it did not end within 5.00 s");
    assert!(!seen.has(|f| matches!(f, Fact::Stopped { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_stopped_before_it_began_is_removed() {
    let never = Script {
        ready_after: Duration::from_secs(3600),
        ..Script::default()
    };
    let world = World::new(Simulated::new().with(WORKER, worker(1)).with("auth", never));
    world.stop().ask("SIGTERM");
    let seen = world.run(&plan(vec![load("calls", after(&[]))])).await;
    assert_eq!(stopped_by(&seen), "SIGTERM");
    assert_eq!(seen.ended(), []);
}
